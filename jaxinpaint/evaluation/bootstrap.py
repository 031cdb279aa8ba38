"""How sure a mean is: intervals by drawing the pictures again."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

DRAWS = 2000
LEVEL = 95  # per cent


class Mean(NamedTuple):
    """A mean with its interval."""

    mean: float
    low: float
    high: float


def mean_with_interval(
    values: Float[np.ndarray, " n"], pictures: Sequence[str] | np.ndarray
) -> Mean:
    """The mean of values and its 95 % interval: percentiles of means of pictures drawn again.

    Values of one picture (which has several holes) are drawn together, for they are no independent
    witnesses. Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.

    Args:
        values: one a case.
        pictures: which each is of.

    Raises:
        ValueError: without values.
    """
    if not len(values):
        raise ValueError("there is no mean of no values")
    _, unit = np.unique(np.asarray(pictures), return_inverse=True)
    sums = np.bincount(unit, weights=values)
    counts = np.bincount(unit)
    # The same draws for all metrics and methods, so that the same scores have the same interval.
    n = len(sums)
    drawn = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=DRAWS)
    means = (drawn @ sums) / (drawn @ counts)
    low, high = np.percentile(means, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return Mean(float(np.mean(values)), float(low), float(high))
