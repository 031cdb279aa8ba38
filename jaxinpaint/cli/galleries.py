"""The pictures of a report: where a method did best, as usual, and worst."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import numpy as np

from jaxinpaint.data.pictures import read_rgb
from jaxinpaint.evaluation.evaluating import COMPOSITE, OUTPUT
from jaxinpaint.evaluation.grids import holed
from jaxinpaint.evaluation.manifests import Case, Manifest, Row
from jaxinpaint.evaluation.report.pictures import Kind, Shown
from jaxinpaint.evaluation.results import PICTURES, Evaluation, metric_of

BEST, MEDIAN, WORST = 4, 4, 10


def gallery(
    of: Evaluation,
    manifest: Manifest,
    case: Callable[[Row], Case],
    method: Path,
    output: Path,
) -> list[Shown]:
    """A method's best, median and worst pictures, by the first metric of its first protocol.

    Args:
        of: its scores.
        manifest: that they are of.
        case: makes a case of a row.
        method: its folder, as the report calls it.
        output: where the report is.
    """
    key = next(iter(of.values))
    metric = metric_of(key)
    values = of.values[key] * (1 if metric is None or metric.higher else -1)
    found = []
    for kind, numbers in _chosen(values).items():
        for i in numbers:
            _, truth, hole = case(manifest.rows[i])
            name = f"{of.names[i]}.png"
            unit = f" {metric.unit}" if metric and metric.unit else ""
            shown = Shown(
                kind,
                of.names[i],
                f"{of.values[key][i]:.4g}{unit}, {of.missing[i]:.0%} missing",
                holed(truth, hole),
                read_rgb(output / method / COMPOSITE / name),
                truth,
                {
                    "composite": quote((method / COMPOSITE / name).as_posix()),
                    "output": quote((method / OUTPUT / name).as_posix()),
                    "scores": quote((method / PICTURES).as_posix()),
                },
            )
            found.append(shown)
    return found


def _chosen(values: np.ndarray) -> dict[Kind, list[int]]:
    """Numbers of cases, of which each is chosen once: the worst first of all."""
    order = [int(i) for i in np.argsort(values, kind="stable")]  # from the worst on
    worst = order[:WORST]
    best = [i for i in order[::-1][:BEST] if i not in worst]
    middle = len(order) // 2 - MEDIAN // 2
    median = [i for i in order[max(0, middle) :][:MEDIAN] if i not in worst and i not in best]
    return {"best": best, "median": median, "worst": worst}
