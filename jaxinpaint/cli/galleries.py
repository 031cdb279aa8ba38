"""The pictures of a report: where a method did best, as usual, and worst."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import numpy as np

from jaxinpaint.data.pictures import read_rgb
from jaxinpaint.evaluation.evaluating import COMPOSITE, OUTPUT
from jaxinpaint.evaluation.grids import holed
from jaxinpaint.evaluation.manifests import Case, Manifest, Row
from jaxinpaint.evaluation.report.markup import number
from jaxinpaint.evaluation.report.pictures import Kind, Shown
from jaxinpaint.evaluation.report.score_tables import head_of
from jaxinpaint.evaluation.results import PICTURES, Evaluation

BEST, MEDIAN, WORST = 4, 4, 10


def gallery(
    of: Evaluation,
    manifest: Manifest,
    case: Callable[[Row], Case],
    method: Path,
    output: Path,
) -> list[Shown]:
    """A method's best, median and worst pictures, by the first metric of its first protocol.

    A picture that the metric gave no number is among the worst.

    Args:
        of: its scores.
        manifest: that they are of.
        case: makes a case of a row.
        method: its folder, as the report calls it.
        output: where the report is.
    """
    key = next(iter(of.values), None)
    if key is None:
        return []
    head = head_of(key)
    found = []
    for kind, numbers in _chosen(of.values[key] * (1 if head.higher else -1)).items():
        for i in numbers:
            _, truth, hole = case(manifest.rows[i])
            name = f"{of.names[i]}.png"
            score = f"{number(of.values[key][i], head.digits)} {head.unit}".strip()
            shown = Shown(
                kind,
                of.names[i],
                f"{score}, {100 * of.missing[i]:.0f} % missing",
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
    """Numbers of cases, of which each is chosen once: the worst first of all.

    Args:
        values: of the cases, of which more is better. NaN is the worst.
    """
    known = np.where(np.isnan(values), -np.inf, values)
    order = [int(i) for i in np.argsort(known, kind="stable")]  # from the worst on
    worst = order[:WORST]
    best = [i for i in order[::-1][:BEST] if i not in worst]
    middle = len(order) // 2 - MEDIAN // 2
    median = [i for i in order[max(0, middle) :][:MEDIAN] if i not in worst and i not in best]
    return {"best": best, "median": median, "worst": worst}
