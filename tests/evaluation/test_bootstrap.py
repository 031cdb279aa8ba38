import numpy as np
import pytest

from jaxinpaint.evaluation.bootstrap import mean_with_interval

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
    values = np.array([1.0, 2, 3, 10])
    mean, low, high = mean_with_interval(values, ["a", "a", "a", "b"])
    assert mean == 4
    assert (low, high) == (2, 10)  # as means of a alone and of b alone


def test_a_constant_has_no_width_and_the_same_call_the_same_interval() -> None:
    assert mean_with_interval(np.full(7, 3.0), list("abcdefg")) == (3, 3, 3)
    values = RNG.random(9)
    assert mean_with_interval(values, list("abcdefghi")) == mean_with_interval(
        values, list("abcdefghi")
    )
    with pytest.raises(ValueError, match="no values"):
        mean_with_interval(np.array([]), [])
