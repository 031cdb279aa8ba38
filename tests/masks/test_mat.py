from functools import cache, partial

import jax
import numpy as np
import pytest
from masks.drawing_many import SIZE, drawn, parts

from jaxinpaint import masks

N = 96
PIXELS = SIZE[0] * SIZE[1]


@cache
def of(low: float, high: float) -> masks.Sampler:
    """The sampler of a bucket, the same function each time."""
    return partial(masks.mat, ratio=(low, high))


@pytest.mark.parametrize(
    "ratio", [(0.0, 1.0), (0.01, 0.1), (0.1, 0.2), (0.2, 0.5), (0.5, 0.6), (0.9, 1.0)]
)
def test_ratios_lie_in_their_bucket(ratio: tuple[float, float]) -> None:
    counts = drawn(of(*ratio), N).sum(axis=(1, 2), dtype=int)
    assert np.all((ratio[0] * PIXELS < counts) & (counts <= ratio[1] * PIXELS))


def test_what_fits_stays_as_drawn() -> None:
    # Both have the same numbers of shapes, because min(low + high, 1) is 1.
    free, narrow = drawn(of(0.0, 1.0), N), drawn(of(0.3, 0.7), N)
    ratios = free.mean(axis=(1, 2))
    fits = (ratios > 0.3) & (ratios <= 0.7)
    assert 5 < fits.sum() < N
    # Programs that round differently.
    assert np.mean(free[fits] != narrow[fits]) < 2e-3
    # What was too large lost some of its pixels, what was too small got others.
    assert np.mean((narrow > free)[ratios > 0.7]) < 2e-3
    assert np.mean((narrow < free)[ratios <= 0.3]) < 2e-3
    assert np.all(narrow[ratios > 0.7].sum(axis=(1, 2)) == np.floor(0.7 * PIXELS))
    assert np.all(narrow[ratios <= 0.3].sum(axis=(1, 2)) == np.floor(0.3 * PIXELS) + 1)


def test_a_small_bucket_has_one_stroke_which_may_be_cut_short() -> None:
    # ⌊9 · 0.11⌋ is 0, so there is the one stroke that there is at least.
    assert np.all(parts(drawn(of(0.01, 0.1), N)) == 1)


def test_ratios_are_spread_over_everything() -> None:
    ratios = drawn(of(0.0, 1.0), N).mean(axis=(1, 2))
    # Four strokes on average of a tenth to a quarter each, and boxes: half of the picture or so.
    assert 0.35 < ratios.mean() < 0.75
    assert ratios.min() < 0.15
    assert ratios.max() > 0.8


@pytest.mark.parametrize("ratio", [(0.3, 0.2), (-0.1, 0.2), (0.5, 1.5), (0.20001, 0.20002)])
def test_impossible_buckets_of_boxes_and_strokes_are_refused(ratio: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="ratio"):
        masks.mat(jax.random.key(0), SIZE, ratio=ratio)
