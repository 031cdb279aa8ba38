import math
import tracemalloc

import numpy as np
import pytest

from jaxinpaint.evaluation.bootstrap import mean_with_interval, means_with_intervals

RNG = np.random.default_rng(0)


def test_the_interval_is_the_normal_ones_for_many_pictures() -> None:
    values = RNG.normal(20, 4, 900)
    mean, low, high = mean_with_interval(values, [str(i) for i in range(900)])
    assert mean == values.mean()
    # 1.96 standard errors, of which 2000 draws know three or so in a hundred.
    error = 1.96 * values.std() / 30
    np.testing.assert_allclose([mean - low, high - mean], error, rtol=0.1)


def test_values_of_one_picture_are_no_independent_witnesses() -> None:
    of_picture = RNG.normal(20, 4, 50)
    values, pictures = np.repeat(of_picture, 6), [str(i) for i in range(50) for _ in range(6)]
    _, low, high = mean_with_interval(values, pictures)
    _, alone_low, alone_high = mean_with_interval(of_picture, pictures[::6])
    np.testing.assert_allclose([low, high], [alone_low, alone_high])
    _, naive_low, naive_high = mean_with_interval(values, [str(i) for i in range(300)])
    assert naive_high - naive_low < 0.6 * (high - low)


def test_pictures_may_have_different_numbers_of_values() -> None:
    """A draw of a alone has the mean of a, whether a has three values or one."""
    values = np.array([*[0.0] * 30, 9, 9, 9, 9])
    mean, low, high = mean_with_interval(values, ["a"] * 30 + list("bcde"))
    assert mean == pytest.approx(36 / 34)
    # Without a, which one draw in three is, all are 9; with a three times of five, 18 of 92 are.
    assert low == pytest.approx(18 / 92)
    assert high == 9


def test_fewer_than_five_pictures_have_a_mean_and_no_interval() -> None:
    values, pictures = np.array([1.0, 2, 3, 10, 4, 5]), ["a", "a", "a", "b", "c", "d"]
    mean, low, high = mean_with_interval(values, pictures)
    assert mean == values.mean()
    assert math.isnan(low)
    assert math.isnan(high)
    mean, low, high = mean_with_interval(np.append(values, 7.0), [*pictures, "e"])
    assert low < mean < high


def test_columns_together_have_the_intervals_that_each_has_alone() -> None:
    values = RNG.random((60, 4)) * [1, 100, 0.01, 1]
    values[:, 3] = values[:, 0]
    pictures = [str(i // 3) for i in range(60)]
    together = means_with_intervals(values, pictures)
    alone = [mean_with_interval(column, pictures) for column in values.T]
    # Of float64, summed in another order.
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    np.testing.assert_allclose(together[3], together[0], rtol=1e-12)
    assert means_with_intervals(np.zeros((60, 0)), pictures) == []


def test_sums_are_of_float64_whatever_the_values_are_of() -> None:
    values = (1000 + RNG.random(50)).astype(np.float32)
    pictures = [str(i) for i in range(50)]
    assert mean_with_interval(values, pictures) == mean_with_interval(
        values.astype(np.float64), pictures
    )


def test_draws_of_many_pictures_are_not_held_at_once() -> None:
    tracemalloc.start()
    try:
        means_with_intervals(RNG.random((5000, 2)), np.arange(5000))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 20e6  # all 2000 draws of 5000 pictures are 80 MB


def test_a_constant_has_no_width_and_the_same_call_the_same_interval() -> None:
    assert mean_with_interval(np.full(7, 3.0), list("abcdefg")) == (3, 3, 3)
    values = RNG.random(9)
    assert mean_with_interval(values, list("abcdefghi")) == mean_with_interval(
        values, list("abcdefghi")
    )
    with pytest.raises(ValueError, match="no values"):
        mean_with_interval(np.array([]), [])
