"""Tables of scores: heads of metrics, cells of numbers with their intervals, the best of all."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jaxinpaint.evaluation import results
from jaxinpaint.evaluation.bootstrap import Mean
from jaxinpaint.evaluation.report.found import metric_name
from jaxinpaint.evaluation.report.markup import NOTHING, number, scroll, tag, text

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


class Head(NamedTuple):
    """A metric at the head of a table.

    Attributes:
        name: of the metric, as in `protocols.column`.
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
    """Rows of a table under a heading: a method each, with its scores by the names of metrics."""

    heading: str
    about: str
    rows: Sequence[tuple[str, Mapping[str, Score]]]


def table(heads: Sequence[Head], blocks: Sequence[Block], told: str) -> str:
    """Methods by metrics, a group of rows a block.

    Args:
        heads: the metrics.
        blocks: the rows.
        told: what the table is called, for those who don't see it.
    """
    first = column_head("Method") + "".join(map(metric_head, heads))
    bodies = "".join(_body(heads, block) for block in blocks)
    return scroll(tag("thead", tag("tr", first)) + bodies, told)


def head_of(key: str) -> Head:
    """The head of a column of scores."""
    metric, name = results.metric_of(key), metric_name(key)
    if metric is not None:
        return Head(name, label(name), metric.unit, metric.higher)
    # Perceptual distances and those of distributions are small, chances to be taken for true high.
    return Head(name, label(name), "", name.endswith("_ids"))


def label(metric: str) -> str:
    """What people call a metric."""
    return LABELS.get(metric, metric.replace("_", " "))


def score(mean: Mean) -> Score:
    """A mean as a number of a table; ends that are NaN are no interval."""
    ends = (mean.low, mean.high)
    return Score(mean.mean, None if any(map(math.isnan, ends)) else ends)


def best(head: Head, values: Sequence[float]) -> str | None:
    """How the best number is written, so that all that look the same are the best together."""
    known = [value for value in values if not math.isnan(value)]
    if len(known) < 2:
        return None
    return number(max(known) if head.higher else min(known), head.digits)


def cell(head: Head, score: Score | None, best: str | None) -> str:
    """A number with its interval below it, bold if it is the best."""
    if score is None or math.isnan(score.value):
        return tag("td", NOTHING)
    told = number(score.value, head.digits)
    class_ = {"class_": "best"} if told == best else {}
    small = interval(head, score)
    below = tag("span", small, class_="interval") if small else ""
    value = f"{score.value:.6g}".replace("inf", "Infinity")  # as scripts read it
    return tag("td", tag("data", told, value=value, **class_) + below)


def interval(head: Head, score: Score) -> str:
    """From where to where an interval goes; nothing if there is none."""
    if score.interval is None:
        return ""
    ends = [number(end, head.digits) for end in score.interval]
    return (" … " if "−" in "".join(ends) else "–").join(ends)


def metric_head(head: Head) -> str:
    """The head of a column that can be sorted."""
    unit = tag("span", f"{text(head.unit)} {arrow(head)}".strip(), class_="unit")
    return column_head(text(head.label) + unit, "sortable")


def column_head(content: str, class_: str | None = None) -> str:
    """The head of any column."""
    return tag("th", content, scope="col", **({"class_": class_} if class_ else {}))


def arrow(head: Head) -> str:
    """Which way is better."""
    sign, told = ("↑", "higher is better") if head.higher else ("↓", "lower is better")
    return tag("span", sign, aria_hidden="true") + tag("span", told, class_="unseen")


def _body(heads: Sequence[Head], block: Block) -> str:
    about = tag("small", text(block.about))
    told = tag("span", f"{text(block.heading)} {about}")
    heading = tag("th", told, scope="rowgroup", colspan=str(1 + len(heads)))
    bold = {
        head.name: best(head, [_value(scores, head) for _, scores in block.rows]) for head in heads
    }
    rows = (
        tag("th", text(method), scope="row")
        + "".join(cell(head, scores.get(head.name), bold[head.name]) for head in heads)
        for method, scores in block.rows
    )
    return tag("tbody", tag("tr", heading) + "".join(tag("tr", row) for row in rows))


def _value(scores: Mapping[str, Score], head: Head) -> float:
    return scores.get(head.name, Score(math.nan)).value
