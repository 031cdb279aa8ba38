"""The plot of a report: scores against the share that is missing."""

import math
from collections.abc import Iterator

import numpy as np

from jaxinpaint.evaluation import charts
from jaxinpaint.evaluation.bootstrap import LEVEL, Mean, mean_with_interval
from jaxinpaint.evaluation.manifests import HOUSE_BUCKETS
from jaxinpaint.evaluation.protocols import PROTOCOLS
from jaxinpaint.evaluation.report.found import Found, Means, keys
from jaxinpaint.evaluation.report.markup import number, tag, text
from jaxinpaint.evaluation.report.score_tables import Head, head_of, interval, score
from jaxinpaint.evaluation.results import Evaluation

PLOTTED = "house/composite/psnr_hole"  # if it was measured


def plot(of: Found) -> str:
    """A metric of all cases, with means by missing share."""
    key = _plotted(of)
    if key is None:
        return ""
    protocol, picture, _ = key.split("/")
    both = zip(of.evaluations, of.means[protocol], strict=True)
    series = [_series(one, key, means) for one, means in both]
    if not any(one.points for one in series):
        return ""
    head = head_of(key)
    told = head.label + (f", {head.unit}" if head.unit else "")
    items = (tag("li", charts.swatch(i) + text(one.name)) for i, one in enumerate(series))
    legend = tag("ul", "".join(items), class_="legend")
    about = (
        f"{protocol}, {picture}. Dots are cases; markers are means by missing share, with "
        f"{LEVEL} % intervals, set a little apart."
    )
    caption = tag("figcaption", text(about), class_="note")
    figure = charts.against_missing(series, told) + legend + caption
    return tag("h2", text(f"{head.label}, by missing share")) + tag(
        "figure", figure, class_="chart"
    )


def _plotted(of: Found) -> str | None:
    found = [key for name in of.means for key in keys(name, of.evaluations)]
    return PLOTTED if PLOTTED in found else next(iter(found), None)


def _series(of: Evaluation, key: str, means: Means) -> charts.Series:
    values = of.values.get(key)
    if values is None:
        return charts.Series(of.method, [], [])
    finite = np.isfinite(values)
    shares = 100 * of.missing
    points = list(zip(shares[finite].tolist(), values[finite].tolist(), strict=True))
    return charts.Series(of.method, points, list(_buckets(of, key, means)))


def _buckets(of: Evaluation, key: str, means: Means) -> Iterator[charts.Bucket]:
    """Means by the protocol's buckets, or by ours if it has none."""
    head = head_of(key)
    buckets = PROTOCOLS[key.split("/")[0]].buckets
    for low, high in buckets or HOUSE_BUCKETS:
        members = (of.missing > low) & (of.missing <= high)
        if not members.any():
            continue
        mean = means[f"{low:g}-{high:g}"][key] if buckets else _mean(of, key, members)
        if math.isfinite(mean.mean):
            share = 100 * float(of.missing[members].mean())
            told = f"{of.method}, {100 * low:g} – {100 * high:g} % missing: {_told(head, mean)}"
            yield charts.Bucket(share, mean, told)


def _mean(of: Evaluation, key: str, members: np.ndarray) -> Mean:
    return mean_with_interval(of.values[key][members], np.array(of.pictures)[members])


def _told(head: Head, mean: Mean) -> str:
    told = f"{number(mean.mean, head.digits)} {head.unit}".strip()
    ends = interval(head, score(mean))
    return f"{told} ({ends})" if ends else told
