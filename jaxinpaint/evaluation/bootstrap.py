"""How sure a mean is: intervals by drawing the pictures again."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

DRAWS = 2000
LEVEL = 95  # per cent
LEAST = 5  # pictures that an interval is told of
AT_ONCE = 2**17  # pictures that are drawn before they are summed: what fits a core's cache


class Mean(NamedTuple):
    """A mean with its interval, whose ends are NaN where there are too few pictures for one."""

    mean: float
    low: float
    high: float


def mean_with_interval(
    values: Float[np.ndarray, " n"], pictures: Sequence[str] | Sequence[int] | np.ndarray
) -> Mean:
    """`means_with_intervals` of one column."""
    (mean,) = means_with_intervals(np.asarray(values)[:, None], pictures)
    return mean


def means_with_intervals(
    values: Float[np.ndarray, "n K"], pictures: Sequence[str] | Sequence[int] | np.ndarray
) -> list[Mean]:
    """Means of columns and their 95 % intervals: percentiles of means of pictures drawn again.

    Values of one picture (which has several holes) are drawn together, for they are no independent
    witnesses. Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13. The draws
    are the same for all metrics and methods, so that the same scores have the same interval.

    Fewer than five pictures have no interval. Means of pictures drawn again lie between the least
    and the greatest picture, and all of n pictures lie on one side of a symmetric distribution's
    mean in 2 of 2ⁿ cases: with four such an interval misses it one time in eight at the least, with
    two every other time, and would be told as one that misses it one time in twenty.

    Args:
        values: a case a row.
        pictures: which each case is of.

    Raises:
        ValueError: without values.
    """
    if not len(values):
        raise ValueError("there is no mean of no values")
    columns = np.asarray(values, np.float64).T
    means = [float(np.mean(column)) for column in columns]
    _, unit = np.unique(np.asarray(pictures), return_inverse=True)
    counts = np.bincount(unit).astype(np.float64)
    if len(counts) < LEAST:
        return [Mean(mean, math.nan, math.nan) for mean in means]
    sums = [np.bincount(unit, weights=column) for column in columns]
    drawn = _sums_of_drawn(np.stack([counts, *sums], axis=1))
    tails = [(100 - LEVEL) / 2, (100 + LEVEL) / 2]
    lows, highs = np.percentile(drawn[:, 1:] / drawn[:, :1], tails, axis=0)
    return [Mean(*told) for told in zip(means, lows.tolist(), highs.tolist(), strict=True)]


def _sums_of_drawn(sums: Float[np.ndarray, "n C"]) -> Float[np.ndarray, "draws C"]:
    """The sums of as many pictures as there are, drawn with replacement, many times."""
    rng = np.random.default_rng(0)
    rows = max(1, AT_ONCE // len(sums))
    numbers = (min(rows, DRAWS - start) for start in range(0, DRAWS, rows))
    return np.concatenate([_drawn(rng, number, len(sums)) @ sums for number in numbers])


def _drawn(rng: np.random.Generator, draws: int, n: int) -> Float[np.ndarray, "draws n"]:
    """How often each of n pictures is in each draw of n."""
    chosen: Int[np.ndarray, "draws n"] = rng.integers(n, size=(draws, n))
    chosen += n * np.arange(draws)[:, None]  # counted all in one pass
    times = np.bincount(chosen.ravel(), minlength=draws * n)
    return times.reshape(draws, n).astype(np.float64)
