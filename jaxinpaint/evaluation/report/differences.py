"""How much each method differs from the first, and whether that is sure."""

import math
from collections.abc import Mapping, Sequence

from jaxinpaint.evaluation import results
from jaxinpaint.evaluation.bootstrap import LEVEL, Mean
from jaxinpaint.evaluation.protocols import PROTOCOLS
from jaxinpaint.evaluation.report.markup import NOTHING, number, scroll, tag, text
from jaxinpaint.evaluation.report.score_tables import Head, column_head, head_of, metric_head
from jaxinpaint.evaluation.results import Evaluation


def differences(evaluations: Sequence[Evaluation], protocol: str) -> str:
    """The table of differences to the first method, by a protocol's rules."""
    first, *others = evaluations
    prefix = f"{protocol}/{_judged_first(protocol)}/"
    columns = {key: head_of(key) for key in first.values if key.startswith(prefix)}
    if not others or not columns:
        return ""
    rows = "".join(
        tag("tr", tag("th", text(one.method), scope="row") + _compared(one, first, columns))
        for one in others
    )
    heads = column_head("Method") + "".join(map(metric_head, columns.values()))
    about = (
        f"Each method's mean less {first.method}'s, on the same cases, and the interval of that. "
        f"▲ better and ▼ worse mark differences whose {LEVEL} % interval excludes zero."
    )
    return (
        tag("h2", text(f"Differences to {first.method}"))
        + tag("p", text(f"{protocol}, {_judged_first(protocol)}. {about}"), class_="note")
        + scroll(tag("thead", tag("tr", heads)) + tag("tbody", rows), "Differences")
    )


def _judged_first(protocol: str) -> str:
    pictures = PROTOCOLS[protocol].pictures
    return "composite" if "composite" in pictures else pictures[0]


def _compared(of: Evaluation, other: Evaluation, columns: Mapping[str, Head]) -> str:
    return "".join(
        _difference(head, results.difference(of, other, key))
        if key in of.values
        else tag("td", NOTHING)
        for key, head in columns.items()
    )


def _difference(head: Head, found: Mean) -> str:
    if not math.isfinite(found.mean):
        return tag("td", NOTHING)
    told = number(found.mean, head.digits, sign="+")
    if found.low > 0 or found.high < 0:
        better = (found.mean > 0) == head.higher
        mark, word = ("▲", "better") if better else ("▼", "worse")
        said = tag("span", f" ({word})", class_="unseen")
        told = tag("span", f"{mark} {told}{said}", class_=word)
    below = ""
    if not (math.isnan(found.low) or math.isnan(found.high)):
        ends = (number(end, head.digits, sign="+") for end in (found.low, found.high))
        below = tag("span", " … ".join(ends), class_="interval")
    return tag("td", tag("data", told, value=f"{found.mean:.6g}") + below)
