"""The report of evaluations: one page of HTML that needs no other file and no network.

It is the same, byte by byte, for the same scores and pictures. Every text that comes from outside
goes through `_text`; what functions here give is HTML.
"""

import base64
import hashlib
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib import resources
from string import Template
from typing import Any, Literal, NamedTuple

import numpy as np
from PIL import Image

from jaxinpaint.array_typing import RGB
from jaxinpaint.evaluation import charts, results
from jaxinpaint.evaluation.bootstrap import LEVEL, Mean, mean_with_interval
from jaxinpaint.evaluation.manifests import HOUSE_BUCKETS
from jaxinpaint.evaluation.protocols import PROTOCOLS, Protocol, of_networks
from jaxinpaint.evaluation.results import Evaluation

Kind = Literal["best", "median", "worst"]

HOUSE = "house"
PLOTTED = "house/composite/psnr_hole"  # against the missing share, if it was measured
QUALITY = 95  # of WebP: a quarter of the bytes without loss; the files that are linked have none
NOTHING = "–"

KINDS = {
    "composite": "what was painted, in the picture that was given",
    "output": "all that was painted, known pixels too",
}
LABELS = {
    "psnr": "PSNR",
    "psnr_hole": "PSNR, hole",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "l1": "L1",
    "l1_hole": "L1, hole",
    "l2": "L2",
    "mae": "MAE",
    "relative_l1": "relative L1",
    "relative_l2": "relative L2",
    "seam": "seam",
    "lpips_vgg": "LPIPS, VGG",
    "lpips_alex": "LPIPS, Alex",
    "fid": "FID",
    "fid_torchvision": "FID, torchvision",
    "p_ids": "P-IDS",
    "u_ids": "U-IDS",
}
# Metrics that mean to measure the same, by protocols that do it differently.
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "PSNR": ("psnr", "psnr_hole"),
    "SSIM": ("ssim",),
    "L1 and its like": ("l1", "l1_hole", "mae", "relative_l1"),
}


class Shown(NamedTuple):
    """A picture of a gallery.

    Attributes:
        kind: why it is shown.
        name: of the case.
        caption: such as ``12.31 dB, 43 % missing``.
        input: what the method was given, grey where missing.
        composite: what it painted, in the input.
        truth: the true picture.
        links: relative addresses of files, by what they are called.
    """

    kind: Kind
    name: str
    caption: str
    input: RGB
    composite: RGB
    truth: RGB
    links: Mapping[str, str]


class Section(NamedTuple):
    """A method's part of a report."""

    evaluation: Evaluation
    gallery: Sequence[Shown]


class Column(NamedTuple):
    """A metric at the head of a table.

    Attributes:
        name: as in `protocols.column`.
        label: for people.
        unit: or nothing.
        higher: whether higher is better.
    """

    name: str
    label: str
    unit: str
    higher: bool

    @property
    def digits(self) -> int:
        """How many are written after the point: two of what is in the tens, four of shares."""
        return 2 if self.unit or self.name.startswith("fid") else 4


class Score(NamedTuple):
    """A number of a table, with its interval if it has one."""

    value: float
    interval: tuple[float, float] | None = None


class Block(NamedTuple):
    """Rows of a table under a heading: a method each, with its scores by the names of columns."""

    heading: str
    about: str
    rows: Sequence[tuple[str, Mapping[str, Score]]]


# Scores of a protocol: of each method, by group and column.
Found = Sequence[Mapping[str, Mapping[str, Mean]]]


def page(sections: Sequence[Section], *, title: str) -> str:
    """The report as HTML.

    Args:
        sections: a method each; differences are to the first.
        title: of the page.

    Raises:
        ValueError: without sections.
        Incomparable: if the methods were not judged on the same cases.
    """
    if not sections:
        raise ValueError("there is nothing to report")
    evaluations = [section.evaluation for section in sections]
    results.require_comparable(evaluations)
    names = _protocols(evaluations)
    found = {name: [results.means(name, one) for one in evaluations] for name in names}
    script = _file("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    main = [
        _scores(evaluations, found),
        _same_pictures(evaluations, found),
        _differences(evaluations, names[0]) if names else "",
        _plot(evaluations),
        _galleries(sections),
    ]
    return Template(_file("report.html")).substitute(
        title=_text(title),
        style=_file("report.css"),
        script=script,
        digest=f"sha256-{digest}",
        lede=_lede(evaluations),
        facts=_facts(evaluations),
        main="\n".join(part for part in main if part),
    )


# What was judged.


def _lede(evaluations: Sequence[Evaluation]) -> str:
    first = evaluations[0]
    methods = _count(len(evaluations), "method")
    cases = _count(len(first.names), "case")
    pictures = _count(len(set(first.pictures)), "picture")
    return _tag("p", f"{methods} judged on {cases} of {pictures}.", class_="lede")


def _facts(evaluations: Sequence[Evaluation]) -> str:
    first = evaluations[0]
    low, high = 100 * np.min(first.missing), 100 * np.max(first.missing)
    facts = {
        "Cases": str(len(first.names)),
        "Size": f"{first.size} × {first.size}",
        "Missing": f"{low:.0f} %" if f"{low:.0f}" == f"{high:.0f}" else f"{low:.0f} – {high:.0f} %",
        "Manifest": _tag("code", _text(first.manifest[:12]), title=first.manifest),
        **{f"Versions{of}": _text(told) for of, told in _versions(evaluations).items()},
    }
    items = (_tag("div", _tag("dt", _text(k)) + _tag("dd", v)) for k, v in facts.items())
    return _tag("dl", "".join(items), class_="facts")


def _versions(evaluations: Sequence[Evaluation]) -> dict[str, str]:
    """What the scores were made with, once if it is the same for all methods."""
    told = {e.method: _told(e.details["versions"]) for e in evaluations if "versions" in e.details}
    if len(set(told.values())) == 1:
        return {"": next(iter(told.values()))}
    return {f" of {method}": versions for method, versions in told.items()}


def _told(value: Any) -> str:
    """Details, as text."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_told(inner)}" for key, inner in value.items())
    if isinstance(value, str) or not isinstance(value, Sequence):
        return str(value)
    return ", ".join(map(_told, value))


# Scores by protocol.


def _scores(evaluations: Sequence[Evaluation], found: Mapping[str, Found]) -> str:
    parts = [_protocol(name, evaluations, found[name]) for name in found]
    if not parts:
        return ""
    notes = [
        f"Small: {LEVEL} % intervals, by drawing the pictures again.",
        "↑ higher is better, ↓ lower is.",
        "Bold: the best of its column." if len(evaluations) > 1 else "",
    ]
    (first, content), *others = zip(found, parts, strict=True)
    return "".join(
        [
            _tag("h2", "Scores"),
            _tag("p", " ".join(notes).strip(), class_="note"),
            _tag("h3", _text(first)) + _about(first, "p") + content,
            *(_folded(_protocol_summary(name), part, "protocol") for name, part in others),
        ]
    )


def _protocol_summary(name: str) -> str:
    return _tag("h3", _text(name)) + " " + _about(name, "span")


def _about(name: str, tag: str) -> str:
    return _tag(tag, _text(PROTOCOLS[name].about), class_="note about")


def _protocol(name: str, evaluations: Sequence[Evaluation], found: Found) -> str:
    """A protocol's tables: of all cases, and by group."""
    of_all = _blocks(name, evaluations, found, ["all"])
    groups = list(dict.fromkeys(group for one in found for group in one if group != "all"))
    parts = [
        _table(_columns(name, evaluations, overall=True), of_all, f"{name}, all cases"),
        _left_out(name, evaluations),
    ]
    if groups:
        told = _table(
            _columns(name, evaluations, overall=False),
            _blocks(name, evaluations, found, groups),
            f"{name}, by group",
        )
        parts.append(_folded(f"By {_grouped(PROTOCOLS[name])}", told, "groups"))
    return "".join(parts)


def _grouped(protocol: Protocol) -> str:
    by = ["missing share"] * bool(protocol.buckets) + ["border"] * protocol.by_border
    return " and ".join(by)


def _columns(protocol: str, evaluations: Sequence[Evaluation], *, overall: bool) -> list[Column]:
    """The metrics of a protocol that any of the methods was judged by."""
    own = _keys(protocol, evaluations, overall=overall)
    return list({_last(key): _column(key) for key in own}.values())


def _column(key: str) -> Column:
    metric, name = results.metric_of(key), _last(key)
    label = LABELS.get(name, name.replace("_", " "))
    if metric is not None:
        return Column(name, label, metric.unit, metric.higher)
    # Perceptual distances and those of distributions are small, chances to be taken for true high.
    return Column(name, label, "", name.endswith("_ids"))


def _blocks(
    protocol: str, evaluations: Sequence[Evaluation], found: Found, groups: Sequence[str]
) -> list[Block]:
    """Rows by group and by which picture is judged."""
    return [
        Block(
            picture if group == "all" else f"{_group_title(group)}, {picture}",
            KINDS[picture] if group == "all" else _size_of(group, protocol, evaluations[0]),
            [
                (one.method, _row(f"{protocol}/{picture}/", group, one, means))
                for one, means in zip(evaluations, found, strict=True)
            ],
        )
        for group in groups
        for picture in PROTOCOLS[protocol].pictures
    ]


def _row(
    prefix: str, group: str, of: Evaluation, means: Mapping[str, Mapping[str, Mean]]
) -> dict[str, Score]:
    own = means.get(group, {}).items()
    scores = {_last(key): _scored(mean) for key, mean in own if key.startswith(prefix)}
    overall = of.overall if group == "all" else {}
    more = {_last(k): Score(value) for k, value in overall.items() if k.startswith(prefix)}
    return scores | more


def _group_title(name: str) -> str:
    """``0.1-0.2, at the border`` as ``10 – 20 % missing, at the border``."""
    share, comma, rest = name.partition(",")
    try:
        low, high = (100 * float(number) for number in share.split("-"))
    except ValueError:
        return name
    return f"{low:g} – {high:g} % missing{comma}{rest}"


def _size_of(group: str, protocol: str, of: Evaluation) -> str:
    members = {one.name: one.members for one in results.groups(PROTOCOLS[protocol], of)}
    return _count(int(np.sum(members[group])), "case")


def _left_out(protocol: str, evaluations: Sequence[Evaluation]) -> str:
    """Why metrics that the protocol asks for are missing, a reason once."""
    methods: dict[tuple[str, str], list[str]] = {}
    for one in evaluations:
        there = {_last(key) for key in _keys(protocol, [one], overall=True)}
        for name, why in one.left_out.items():
            if name in _asked(PROTOCOLS[protocol]) - there:
                methods.setdefault((why, LABELS.get(name, name)), []).append(one.method)
    labels: dict[str, list[str]] = {}
    for (why, label), of in methods.items():
        some = f" of {', '.join(of)}" if len(of) < len(evaluations) else ""
        labels.setdefault(f"{why}{some}", []).append(label)
    told = "; ".join(f"{', '.join(names)} ({why})" for why, names in labels.items())
    return _tag("p", _text(f"Left out: {told}."), class_="note") if told else ""


def _asked(protocol: Protocol) -> set[str]:
    """What a protocol's metrics are called where they are left out."""
    return {*(metric.name for metric in protocol.metrics), *of_networks(protocol)}


# The same pictures under every protocol.


def _same_pictures(evaluations: Sequence[Evaluation], found: Mapping[str, Found]) -> str:
    """How far scores of the same pictures move from protocol to protocol."""
    if len(found) < 2:
        return ""
    methods = [one.method for one in evaluations]
    heads = [_head("Protocol"), *(_head(_text(method), "method") for method in methods)]
    bodies = [_family(family, found, len(methods)) for family in FAMILIES]
    table = _tag("thead", _tag("tr", "".join(heads))) + "".join(bodies)
    about = "The pictures are the same in each row: only the rules by which they are judged differ."
    return (
        _tag("h2", "The same pictures under every protocol")
        + _tag("p", about, class_="note")
        + _tag("div", _scroll(table, "The same pictures under every protocol"), class_="compact")
    )


def _family(family: str, found: Mapping[str, Found], methods: int) -> str:
    keys = _of_family(family, found)
    if not keys:
        return ""
    values = {key: [_mean_of_all(key, one) for one in found[key.split("/")[0]]] for key in keys}
    rows = [_rules(key, values[key]) for key in keys]
    if len({_column(key).unit for key in keys}) == 1 and len(keys) > 1:
        rows.append(_spread(_column(keys[0]), list(values.values())))
    heading = _tag("th", _tag("span", _text(family)), scope="rowgroup", colspan=str(1 + methods))
    return _tag("tbody", _tag("tr", heading) + "".join(rows))


def _of_family(family: str, found: Mapping[str, Found]) -> list[str]:
    keys = (key for methods in found.values() for one in methods for key in one["all"])
    return [key for key in dict.fromkeys(keys) if _last(key) in FAMILIES[family]]


def _mean_of_all(key: str, means: Mapping[str, Mapping[str, Mean]]) -> float:
    mean = means["all"].get(key)
    return math.nan if mean is None else mean.mean


def _rules(key: str, values: Sequence[float]) -> str:
    """A protocol's number of each method."""
    protocol, picture, _ = key.split("/")
    column = _column(key)
    best = _best(column, values)
    unit = f", {column.unit}" if column.unit else ""
    told = f"{_text(f'{picture}; {column.label}{unit}')}&nbsp;{_arrow(column)}"
    cells = [
        _tag("th", f"{_text(protocol)} {_tag('small', told)}", scope="row"),
        *(_cell(column, Score(value), best) for value in values),
    ]
    return _tag("tr", "".join(cells))


def _spread(column: Column, rows: Sequence[Sequence[float]]) -> str:
    """The greatest of a method's numbers less the least."""
    cells = []
    for values in zip(*rows, strict=True):
        known = [value for value in values if math.isfinite(value)]
        spread = max(known) - min(known) if known else math.nan
        cells.append(_tag("td", _number(spread, column.digits)))
    head = _tag("th", "greatest less least", scope="row")
    return _tag("tr", head + "".join(cells), class_="spread")


# Differences to the first method.


def _differences(evaluations: Sequence[Evaluation], protocol: str) -> str:
    first, *others = evaluations
    prefix = f"{protocol}/{_judged_first(protocol)}/"
    keys = [key for key in first.values if key.startswith(prefix)]
    if not others or not keys:
        return ""
    columns = {key: _column(key) for key in keys}
    rows = "".join(
        _tag("tr", _tag("th", _text(one.method), scope="row") + _compared(one, first, columns))
        for one in others
    )
    heads = _head("Method") + "".join(map(_metric_head, columns.values()))
    about = (
        f"Each method's mean less {first.method}'s, on the same cases, and the interval of that. "
        f"▲ better and ▼ worse mark differences whose {LEVEL} % interval excludes zero."
    )
    return (
        _tag("h2", _text(f"Differences to {first.method}"))
        + _tag("p", _text(f"{protocol}, {_judged_first(protocol)}. {about}"), class_="note")
        + _scroll(_tag("thead", _tag("tr", heads)) + _tag("tbody", rows), "Differences")
    )


def _judged_first(protocol: str) -> str:
    pictures = PROTOCOLS[protocol].pictures
    return "composite" if "composite" in pictures else pictures[0]


def _compared(of: Evaluation, other: Evaluation, columns: Mapping[str, Column]) -> str:
    return "".join(
        _difference(column, results.difference(of, other, key))
        if key in of.values
        else _tag("td", NOTHING)
        for key, column in columns.items()
    )


def _difference(column: Column, found: Mean) -> str:
    if not math.isfinite(found.mean):
        return _tag("td", NOTHING)
    told = _number(found.mean, column.digits, sign="+")
    if found.low > 0 or found.high < 0:
        better = (found.mean > 0) == column.higher
        mark, word = ("▲", "better") if better else ("▼", "worse")
        said = _tag("span", f" ({word})", class_="unseen")
        told = _tag("span", f"{mark} {told}{said}", class_=word)
    ends = [_number(end, column.digits, sign="+") for end in (found.low, found.high)]
    interval = _tag("span", " … ".join(ends), class_="interval")
    return _tag("td", _tag("data", told, value=f"{found.mean:.6g}") + interval)


# Scores against the missing share.


def _plot(evaluations: Sequence[Evaluation]) -> str:
    key = _plotted(evaluations)
    if key is None:
        return ""
    drawn = [(i, _series(one, key)) for i, one in enumerate(evaluations)]
    series = [one for _, one in drawn]
    if not any(one.points for one in series):
        return ""
    protocol, picture, _ = key.split("/")
    column = _column(key)
    label = column.label + (f", {column.unit}" if column.unit else "")
    legend = "".join(_tag("li", charts.swatch(i) + _text(one.name)) for i, one in drawn)
    about = (
        f"{protocol}, {picture}. Dots are cases; markers are means by missing share, with "
        f"{LEVEL} % intervals, set a little apart."
    )
    figure = charts.against_missing(series, label) + _tag("ul", legend, class_="legend")
    caption = _tag("figcaption", _text(about), class_="note")
    return _tag("h2", _text(f"{column.label}, by missing share")) + _tag(
        "figure", figure + caption, class_="chart"
    )


def _plotted(evaluations: Sequence[Evaluation]) -> str | None:
    keys = [key for name in _protocols(evaluations) for key in _keys(name, evaluations)]
    return PLOTTED if PLOTTED in keys else next(iter(keys), None)


def _series(of: Evaluation, key: str) -> charts.Series:
    values = of.values.get(key)
    if values is None:
        return charts.Series(of.method, [], [])
    finite = np.isfinite(values)
    shares = 100 * of.missing
    points = list(zip(shares[finite].tolist(), values[finite].tolist(), strict=True))
    return charts.Series(of.method, points, list(_buckets(of, key, finite)))


def _buckets(of: Evaluation, key: str, finite: np.ndarray) -> Iterator[charts.Bucket]:
    """Means by the protocol's buckets, or by ours if it has none."""
    column = _column(key)
    for low, high in PROTOCOLS[key.split("/")[0]].buckets or HOUSE_BUCKETS:
        chosen = finite & (of.missing > low) & (of.missing <= high)
        if chosen.any():
            pictures = [of.pictures[i] for i in np.flatnonzero(chosen)]
            mean = mean_with_interval(of.values[key][chosen], pictures)
            told = f"{_number(mean.mean, column.digits)} {column.unit}".strip()
            told += f" ({_interval(column, _scored(mean))})"
            share = 100 * float(of.missing[chosen].mean())
            yield charts.Bucket(
                share, mean, f"{of.method}, {100 * low:g} – {100 * high:g} % missing: {told}"
            )


# Pictures.


def _galleries(sections: Sequence[Section]) -> str:
    parts = [_gallery(i, one) for i, one in enumerate(sections) if one.gallery]
    if not parts:
        return ""
    about = "The best, the usual and the worst cases of each method, slightly compressed"
    about += "; links lead to the files." if any(s.links for _, g in sections for s in g) else "."
    return _tag("h2", "Pictures") + _tag("p", about, class_="note") + "".join(parts)


def _gallery(number: int, section: Section) -> str:
    of = section.evaluation
    shared = _shared_links(section.gallery)
    details = {key: value for key, value in of.details.items() if key != "versions"}
    parts = [
        _tag("h3", _text(of.method)),
        _tag("p", _text(_told(details)), class_="note") if details else "",
        _links(shared),
    ]
    for kind in ("best", "median", "worst"):
        chosen = [(i, one) for i, one in enumerate(section.gallery) if one.kind == kind]
        figures = [_figure(f"{number}-{i}", of.method, one, shared) for i, one in chosen]
        if figures:
            parts += [
                _tag("h4", kind.capitalize()),
                _tag("div", "".join(figures), class_="cases-of"),
            ]
    return _tag("section", "".join(parts), aria_label=f"Pictures of {of.method}")


def _shared_links(gallery: Sequence[Shown]) -> dict[str, str]:
    """Those that are the same for all pictures, and told once: of the scores."""
    if len(gallery) < 2:
        return {}
    first, *others = (dict(one.links) for one in gallery)
    return {text: to for text, to in first.items() if all(o.get(text) == to for o in others)}


def _figure(number: str, method: str, shown: Shown, shared: Mapping[str, str]) -> str:
    pictures = {"truth": shown.truth, "input": shown.input, "composite": shown.composite}
    of = f"of {shown.name}, {method}"
    # Without script they stand side by side in this order.
    parts = [_picture(kind, pictures[kind], of) for kind in ("input", "composite", "truth")]
    caption = f"{_text(shown.caption)} {_tag('span', _text(shown.name), class_='name')}"
    own = {text: to for text, to in shown.links.items() if text not in shared}
    return _tag(
        "figure",
        _tag("div", "".join(parts), class_="pictures")
        + _wipe(number, shown.name)
        + _tag("figcaption", caption + _links(own)),
        class_="case",
    )


def _picture(kind: str, picture: RGB, of: str) -> str:
    height, width = picture.shape[:2]
    image = _void("img", src=_data(picture), alt=f"{kind} {of}", width=width, height=height)
    # The alternative text says it already.
    label = _tag("span", kind, class_="label", aria_hidden="true")
    return _tag("div", image + label, class_=f"picture {kind}")


def _wipe(number: str, name: str) -> str:
    """Controls for what lies over the truth, and how far."""
    choices = []
    for kind in ("input", "composite"):
        checked = {"checked": ""} if kind == "composite" else {}
        radio = _void("input", type="radio", name=f"left-{number}", value=kind, **checked)
        choices.append(_tag("label", f"{radio}{kind}", class_="choice"))
    legend = _tag("legend", _text(f"Compare with the truth: {name}"), class_="unseen")
    told = f"How much of it lies over the truth, in %: {name}"
    slider = _void("input", type="range", min=0, max=100, value=50, aria_label=told)
    return _tag("fieldset", legend + slider + "".join(choices), class_="wipe")


def _links(links: Mapping[str, str]) -> str:
    # With ./ before it nothing is taken for a scheme, such as a folder called javascript:…
    items = (_tag("li", _tag("a", _text(text), href=f"./{to}")) for text, to in links.items())
    return _tag("ul", "".join(items), class_="links") if links else ""


def _data(picture: RGB) -> str:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "WEBP", quality=QUALITY, method=4, use_sharp_yuv=True)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


# Tables.


def _table(columns: Sequence[Column], blocks: Sequence[Block], told: str) -> str:
    """Methods by metrics, a group of rows a block."""
    heads = _head("Method") + "".join(map(_metric_head, columns))
    bodies = "".join(_body(columns, block) for block in blocks)
    return _scroll(_tag("thead", _tag("tr", heads)) + bodies, told)


def _body(columns: Sequence[Column], block: Block) -> str:
    about = _tag("small", _text(block.about))
    told = _tag("span", f"{_text(block.heading)} {about}")
    heading = _tag("th", told, scope="rowgroup", colspan=str(1 + len(columns)))
    best = {
        column.name: _best(column, [_value(scores, column) for _, scores in block.rows])
        for column in columns
    }
    rows = (
        _tag("th", _text(method), scope="row")
        + "".join(_cell(c, scores.get(c.name), best[c.name]) for c in columns)
        for method, scores in block.rows
    )
    return _tag("tbody", _tag("tr", heading) + "".join(_tag("tr", row) for row in rows))


def _value(scores: Mapping[str, Score], column: Column) -> float:
    return scores.get(column.name, Score(math.nan)).value


def _best(column: Column, values: Sequence[float]) -> str | None:
    """How the best number is written, so that all that look the same are the best together."""
    known = [value for value in values if math.isfinite(value)]
    if len(known) < 2:
        return None
    return _number(max(known) if column.higher else min(known), column.digits)


def _cell(column: Column, score: Score | None, best: str | None) -> str:
    if score is None or math.isnan(score.value):
        return _tag("td", NOTHING)
    told = _number(score.value, column.digits)
    class_ = {"class_": "best"} if told == best else {}
    number = _tag("data", told, value=f"{score.value:.6g}", **class_)
    interval = _interval(column, score)
    small = _tag("span", interval, class_="interval") if interval else ""
    return _tag("td", number + small)


def _interval(column: Column, score: Score) -> str:
    if score.interval is None:
        return ""
    ends = [_number(end, column.digits) for end in score.interval]
    return (" … " if "−" in "".join(ends) else "–").join(ends)


def _scored(mean: Mean) -> Score:
    return Score(mean.mean, (mean.low, mean.high))


def _metric_head(column: Column) -> str:
    unit = _tag("span", f"{_text(column.unit)} {_arrow(column)}".strip(), class_="unit")
    return _head(_text(column.label) + unit, "sortable")


def _head(content: str, class_: str | None = None) -> str:
    return _tag("th", content, scope="col", **({"class_": class_} if class_ else {}))


def _arrow(column: Column) -> str:
    arrow, told = ("↑", "higher is better") if column.higher else ("↓", "lower is better")
    return _tag("span", arrow, aria_hidden="true") + _tag("span", told, class_="unseen")


def _scroll(content: str, told: str) -> str:
    """A table that scrolls by itself where it is too wide; by the keyboard, too."""
    table = _tag("table", content, aria_label=told)
    return _tag("div", table, class_="scroll", role="region", tabindex=0, aria_label=told)


# HTML.


def _folded(summary: str, content: str, class_: str) -> str:
    return _tag("details", _tag("summary", summary) + content, class_=class_)


def _tag(name: str, content: str, /, **attributes: object) -> str:
    """An element of HTML content; attributes are texts, ``class_`` and ``aria_label`` as here."""
    return f"{_void(name, **attributes)}{content}</{name}>"


def _void(name: str, /, **attributes: object) -> str:
    told = (f' {key.strip("_").replace("_", "-")}="{_text(v)}"' for key, v in attributes.items())
    return f"<{name}{''.join(told)}>"


def _text(text: object) -> str:
    return escape(str(text), quote=True)


def _number(value: float, digits: int, *, sign: Literal["-", "+"] = "-") -> str:
    if math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:{sign}z.{digits}f}".replace("-", "−")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


# Names.


def _protocols(evaluations: Sequence[Evaluation]) -> list[str]:
    """Those that were applied, ours first."""
    names: Iterable[str] = dict.fromkeys(name for one in evaluations for name in one.protocols)
    return sorted(names, key=lambda name: name != HOUSE)


def _keys(protocol: str, evaluations: Sequence[Evaluation], *, overall: bool = False) -> list[str]:
    """What any of the methods was judged by under a protocol's rules."""
    keys = [key for one in evaluations for key in one.values]
    keys += [key for one in evaluations for key in one.overall] if overall else []
    return [key for key in dict.fromkeys(keys) if key.startswith(f"{protocol}/")]


def _last(key: str) -> str:
    return key.rpartition("/")[2]


def _file(name: str) -> str:
    return resources.files("jaxinpaint.evaluation").joinpath(name).read_text(encoding="utf-8")
