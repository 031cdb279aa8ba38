"""The scores of methods by each protocol, and of the same pictures by all protocols."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from jaxinpaint.evaluation import results
from jaxinpaint.evaluation.bootstrap import LEVEL
from jaxinpaint.evaluation.protocols import PROTOCOLS, Protocol, of_networks
from jaxinpaint.evaluation.report.found import Found, Means, keys, metric_name
from jaxinpaint.evaluation.report.markup import (
    count,
    folded,
    message,
    number,
    scroll,
    tag,
    text,
)
from jaxinpaint.evaluation.report.score_tables import (
    Block,
    Head,
    Score,
    arrow,
    best,
    cell,
    column_head,
    head_of,
    label,
    score,
    table,
)
from jaxinpaint.evaluation.results import Evaluation

VIEWS = {
    "composite": "what was painted, in the picture that was given",
    "output": "all that was painted, known pixels too",
}
# Metrics that mean to measure the same, by protocols that do it differently.
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "PSNR": ("psnr", "psnr_hole"),
    "SSIM": ("ssim",),
    "L1 and its like": ("l1", "l1_hole", "mae", "relative_l1"),
}


def scores(of: Found) -> str:
    """The tables of each protocol; those of all but the first are folded."""
    if not of.means:
        return ""
    notes = [
        f"Small: {LEVEL} % intervals, by drawing the pictures again; means of fewer than five "
        "pictures have none.",
        "↑\u00a0higher is better, ↓\u00a0lower is.",
        "Bold: the best of its column." if len(of.evaluations) > 1 else "",
    ]
    first, *others = of.means
    return "".join(
        [
            tag("h2", "Scores"),
            tag("p", " ".join(notes).strip(), class_="note"),
            tag("h3", text(first)) + _about(first, "p") + _protocol(first, of),
            *(folded(_summary(name), _protocol(name, of), "protocol") for name in others),
        ]
    )


def _summary(protocol: str) -> str:
    return tag("h3", text(protocol)) + " " + _about(protocol, "span")


def _about(protocol: str, name: str) -> str:
    return tag(name, text(PROTOCOLS[protocol].about), class_="note about")


def _protocol(name: str, of: Found) -> str:
    """A protocol's tables: of all cases, and by group."""
    groups = list(dict.fromkeys(g for one in of.means[name] for g in one if g != "all"))
    parts = [
        table(
            _heads(name, of.evaluations, overall=True),
            _blocks(name, of, ["all"]),
            f"{name}, all cases",
        ),
        _left_out(name, of.evaluations),
    ]
    if groups:
        heads = _heads(name, of.evaluations, overall=False)
        told = table(heads, _blocks(name, of, groups), f"{name}, by group")
        parts.append(folded(f"By {_grouped(PROTOCOLS[name])}", told, "groups"))
    return "".join(parts)


def _grouped(protocol: Protocol) -> str:
    by = ["missing share"] * bool(protocol.buckets) + ["border"] * protocol.by_border
    return " and ".join(by)


def _heads(protocol: str, evaluations: Sequence[Evaluation], *, overall: bool) -> list[Head]:
    """The metrics of a protocol that any of the methods was judged by."""
    own = keys(protocol, evaluations, overall=overall)
    return list({metric_name(key): head_of(key) for key in own}.values())


def _blocks(protocol: str, of: Found, groups: Sequence[str]) -> list[Block]:
    """Rows by group and by which picture is judged."""
    return [
        Block(
            picture if group == "all" else f"{_group_title(group)}, {picture}",
            VIEWS[picture] if group == "all" else _size_of(group, protocol, of.evaluations[0]),
            [
                (one.method, _row(f"{protocol}/{picture}/", group, one, means))
                for one, means in zip(of.evaluations, of.means[protocol], strict=True)
            ],
        )
        for group in groups
        for picture in PROTOCOLS[protocol].pictures
    ]


def _row(prefix: str, group: str, of: Evaluation, means: Means) -> dict[str, Score]:
    own = means.get(group, {}).items()
    found = {metric_name(key): score(mean) for key, mean in own if key.startswith(prefix)}
    overall = of.overall if group == "all" else {}
    more = {metric_name(k): Score(value) for k, value in overall.items() if k.startswith(prefix)}
    return found | more


def _group_title(name: str) -> str:
    """``0.1-0.2, at the border`` as ``10 – 20 % missing, at the border``."""
    share, comma, rest = name.partition(",")
    try:
        low, high = (100 * float(end) for end in share.split("-"))
    except ValueError:
        return name
    return f"{low:g} – {high:g} % missing{comma}{rest}"


def _size_of(group: str, protocol: str, of: Evaluation) -> str:
    members = {one.name: one.members for one in results.groups(PROTOCOLS[protocol], of)}
    return count(int(np.sum(members[group])), "case")


def _left_out(protocol: str, evaluations: Sequence[Evaluation]) -> str:
    """Why metrics that the protocol asks for are missing, a line a reason."""
    methods: dict[tuple[str, str], list[str]] = {}
    for one in evaluations:
        there = {metric_name(key) for key in keys(protocol, [one], overall=True)}
        for name, why in one.left_out.items():
            if name in _asked(PROTOCOLS[protocol]) - there:
                methods.setdefault((why, label(name)), []).append(one.method)
    lines: dict[tuple[str, str], list[str]] = {}
    for (why, metric), of in methods.items():
        some = f" of {', '.join(of)}" if len(of) < len(evaluations) else ""
        lines.setdefault((why, some), []).append(metric)
    items = (
        tag("li", tag("b", text(" · ".join(metrics) + some)) + f": {message(why)}")
        for (why, some), metrics in lines.items()
    )
    told = tag("p", "Left out:") + tag("ul", "".join(items))
    return tag("div", told, class_="note left-out") if lines else ""


def _asked(protocol: Protocol) -> set[str]:
    """What a protocol's metrics are called where they are left out."""
    return {*(metric.name for metric in protocol.metrics), *of_networks(protocol)}


def same_pictures(of: Found) -> str:
    """How far scores of the same pictures move from protocol to protocol."""
    if len(of.means) < 2:
        return ""
    methods = [one.method for one in of.evaluations]
    heads = [column_head("Protocol"), *(column_head(text(m), "method") for m in methods)]
    bodies = [_family(family, of) for family in FAMILIES]
    told = tag("thead", tag("tr", "".join(heads))) + "".join(bodies)
    about = "The pictures are the same in each row: only the rules by which they are judged differ."
    return (
        tag("h2", "The same pictures under every protocol")
        + tag("p", about, class_="note")
        + tag("div", scroll(told, "The same pictures under every protocol"), class_="compact")
    )


def _family(family: str, of: Found) -> str:
    columns = _of_family(family, of)
    if not columns:
        return ""
    values = {
        key: [_mean_of_all(key, one) for one in of.means[key.split("/")[0]]] for key in columns
    }
    rows = [_rules(key, values[key]) for key in columns]
    if len({head_of(key).unit for key in columns}) == 1 and len(columns) > 1:
        rows.append(_spread(head_of(columns[0]), list(values.values())))
    span = str(1 + len(of.evaluations))
    heading = tag("th", tag("span", text(family)), scope="rowgroup", colspan=span)
    return tag("tbody", tag("tr", heading) + "".join(rows))


def _of_family(family: str, of: Found) -> list[str]:
    columns = (key for methods in of.means.values() for one in methods for key in one["all"])
    return [key for key in dict.fromkeys(columns) if metric_name(key) in FAMILIES[family]]


def _mean_of_all(key: str, means: Means) -> float:
    mean = means["all"].get(key)
    return math.nan if mean is None else mean.mean


def _rules(key: str, values: Sequence[float]) -> str:
    """A protocol's number of each method."""
    protocol, picture, _ = key.split("/")
    head = head_of(key)
    bold = best(head, values)
    unit = f", {head.unit}" if head.unit else ""
    told = f"{text(f'{picture}; {head.label}{unit}')}&nbsp;{arrow(head)}"
    cells = [
        tag("th", f"{text(protocol)} {tag('small', told)}", scope="row"),
        *(cell(head, Score(value), bold) for value in values),
    ]
    return tag("tr", "".join(cells))


def _spread(head: Head, rows: Sequence[Sequence[float]]) -> str:
    """The greatest of a method's numbers less the least."""
    cells = []
    for values in zip(*rows, strict=True):
        known = [value for value in values if math.isfinite(value)]
        spread = max(known) - min(known) if known else math.nan
        cells.append(tag("td", number(spread, head.digits)))
    return tag(
        "tr", tag("th", "greatest less least", scope="row") + "".join(cells), class_="spread"
    )
