import sys
from typing import Literal

import numpy as np
import pytest
import scipy.linalg
from as_installed import as_installed

from jaxinpaint.evaluation.distributions import fid, ids

# Of sums and products of matrices with numbers around 1, in float64.
ROUNDING = 1e-9


def sample(n: int, features: int, seed: int) -> np.ndarray:
    """Draws of no particular distribution, whose features are correlated."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, features)) @ rng.standard_normal((features, features))


def with_moments(mean: np.ndarray, covariance: np.ndarray, *, ddof: int) -> np.ndarray:
    """Numbers that have exactly this mean and covariance."""
    n = 40
    centred = sample(n, len(mean), 5)
    white, _ = np.linalg.qr(centred - centred.mean(axis=0))
    return mean + np.sqrt(n - ddof) * white @ np.linalg.cholesky(covariance).T


@pytest.mark.parametrize("ddof", [0, 1])
def test_distance_of_independent_features_is_of_means_and_deviations(ddof: Literal[0, 1]) -> None:
    means = np.array([[1.0, 2, 3], [0, 2, 5]])
    deviations = np.array([[1.0, 0.5, 2], [3, 0.5, 1]])
    a, b = (
        with_moments(m, np.diag(s**2), ddof=ddof) for m, s in zip(means, deviations, strict=True)
    )
    expected = (1 + 0 + 4) + (4 + 0 + 1)
    assert fid(a, b, ddof=ddof) == pytest.approx(expected, rel=ROUNDING)
    assert fid(b, a, ddof=ddof) == pytest.approx(expected, rel=ROUNDING)


def test_distance_of_two_correlated_features_is_in_closed_form() -> None:
    one, other = np.array([[2.0, 1], [1, 3]]), np.array([[1.0, -0.5], [-0.5, 4]])
    a, b = (with_moments(np.zeros(2), covariance, ddof=1) for covariance in (one, other))
    # The trace of a 2×2 root: its square is the trace and twice the root of the determinant.
    product = one @ other
    root = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    expected = np.trace(one + other) - 2 * root
    assert fid(a, b, ddof=1) == pytest.approx(expected, rel=ROUNDING)


@pytest.mark.parametrize("ddof", [0, 1])
def test_distance_is_that_by_a_root_of_the_product(ddof: Literal[0, 1]) -> None:
    a, b = sample(300, 12, 0), sample(200, 12, 1) + 0.5
    one, other = (np.cov(x, rowvar=False, ddof=ddof) for x in (a, b))
    root = np.real(scipy.linalg.sqrtm(one @ other))
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(one + other - 2 * root)
    assert fid(a, b, ddof=ddof) == pytest.approx(expected, rel=ROUNDING)
    assert fid(a.astype(np.float32), b.astype(np.float32), ddof=ddof) == pytest.approx(
        expected,
        rel=1e-5,  # float32's numbers
    )


def test_fewer_pictures_than_features_are_no_approximation() -> None:
    a = sample(3, 50, 0)
    shift = np.linspace(0, 1, 50)
    # One covariance, of rank 2.
    assert fid(a, a + shift, ddof=1) == pytest.approx(np.sum(shift**2), rel=ROUNDING)
    assert fid(a, a, ddof=1) == pytest.approx(0, abs=ROUNDING * np.sum(a**2))
    # Two covariances of which neither sees what the other has.
    one, other = np.zeros((3, 50)), np.zeros((4, 50))
    one[:, :25], other[:, 25:] = sample(3, 25, 1), sample(4, 25, 2)
    moved = np.sum((one.mean(0) - other.mean(0)) ** 2)
    spread = one.var(0).sum() + other.var(0).sum()
    assert fid(one, other, ddof=0) == pytest.approx(moved + spread, rel=ROUNDING)


def test_what_has_no_distance_is_refused() -> None:
    a = sample(5, 3, 0)
    raw_fid = as_installed(fid)
    with pytest.raises(ValueError, match=r"b: .* two pictures at least.* \(1, 3\)"):
        fid(a, a[:1], ddof=1)
    with pytest.raises(ValueError, match=r"a row a picture, not an array of \(3,\)"):
        raw_fid(a[0], a, ddof=1)
    with pytest.raises(ValueError, match="3 features in one set, 2 in another"):
        raw_fid(a, a[:, 1:], ddof=1)
    with pytest.raises(ValueError, match="a: there are features that are not finite"):
        fid(a * np.array([1, np.nan, 1]), a, ddof=1)
    with pytest.raises(ValueError, match="not N - 2"):
        raw_fid(a, a, ddof=2)


def sides(shares: list[int]) -> np.ndarray:
    """Features of which the first tells two sides apart, and the second is the same for all."""
    return np.array([[side, 1.0] for side in shares])


def test_scores_are_shares_of_pairs_and_pictures_on_the_wrong_side() -> None:
    pytest.importorskip("sklearn")
    reals = sides([1, 1, 1, 1, 1, 1, 1, 1, 1, -1])
    fakes = sides([-1, -1, -1, -1, -1, -1, -1, -1, 1, 1])
    # Three of twenty are on the wrong side, and one fake is before the real one of its pair.
    assert ids(fakes, reals) == (0.1, 0.15)


def test_scores_of_what_is_told_apart_are_zero() -> None:
    pytest.importorskip("sklearn")
    a = sample(30, 4, 0)
    assert ids(a + 50, a) == (0, 0)


def test_of_the_same_pictures_half_are_taken_for_what_they_are_not() -> None:
    pytest.importorskip("sklearn")
    a = sample(30, 4, 0)
    assert ids(a, a) == (0, 0.5)


def test_pictures_without_their_pairs_are_refused() -> None:
    pytest.importorskip("sklearn")
    a = sample(5, 3, 0)
    with pytest.raises(ValueError, match=r"\(4, 3\), \(5, 3\)"):
        ids(a[1:], a)
    with pytest.raises(ValueError, match=r"reals: .* two pictures"):
        ids(a, a[:1])


def test_without_scikit_learn_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.svm", None)
    with pytest.raises(ModuleNotFoundError, match=r"jaxinpaint\[ids\]"):
        ids(sample(5, 3, 0), sample(5, 3, 1))
