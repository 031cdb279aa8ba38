import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxinpaint.evaluation.lpips import TAPS, lpips

SHAPES = {"near": (3, 7, 5, 4), "far": (3, 2, 1, 6)}
# Sums of a few dozen products, of float32.
ROUNDING = 1e-5


def features(seed: int) -> dict[str, jax.Array]:
    """Of three pictures, some of them 0 as behind a ReLU."""
    rng = np.random.default_rng(seed)
    return {
        name: jnp.asarray(np.maximum(rng.standard_normal(shape), 0), jnp.float32)
        for name, shape in SHAPES.items()
    }


def weights() -> dict[str, jax.Array]:
    rng = np.random.default_rng(9)
    return {name: jnp.asarray(rng.random(s[-1]), jnp.float32) for name, s in SHAPES.items()}


def by_hand(estimate: dict, truth: dict, weights: dict) -> np.ndarray:
    """Pixel by pixel, in float64."""
    totals = np.zeros(3)
    for name, (n, h, w, _) in SHAPES.items():
        for i, y, x in np.ndindex(n, h, w):
            one, other = (np.asarray(t[name][i, y, x], np.float64) for t in (estimate, truth))
            one, other = (v / (np.linalg.norm(v) + 1e-10) for v in (one, other))
            totals[i] += np.dot(weights[name], (one - other) ** 2) / (h * w)
    return totals


def test_it_is_the_weighted_squared_distance_of_unit_features() -> None:
    estimate, truth = features(0), features(1)
    expected = by_hand(estimate, truth, weights())
    np.testing.assert_allclose(lpips(estimate, truth, weights()), expected, rtol=ROUNDING)
    compiled = jax.jit(lpips)(estimate, truth, weights())
    np.testing.assert_allclose(compiled, expected, rtol=ROUNDING)


def test_equal_pictures_have_no_distance_and_brighter_features_none_either() -> None:
    x = features(0)
    np.testing.assert_array_equal(lpips(x, x, weights()), np.zeros(3))
    brighter = {name: 7 * tap for name, tap in x.items()}
    # A square of the rounding of numbers up to 1.
    np.testing.assert_allclose(lpips(brighter, x, weights()), np.zeros(3), atol=1e-12)


def test_features_that_are_all_zero_are_no_direction() -> None:
    x = features(0)
    nothing = {name: jnp.zeros_like(tap) for name, tap in x.items()}
    np.testing.assert_array_equal(lpips(nothing, nothing, weights()), np.zeros(3))
    expected = by_hand(nothing, x, weights())
    np.testing.assert_allclose(lpips(nothing, x, weights()), expected, rtol=ROUNDING)


def test_only_weighed_layers_count() -> None:
    x, y = features(0), features(1)
    only = {"near": weights()["near"]}
    rest = lpips(x, y, weights()) - lpips(x, y, only)
    np.testing.assert_allclose(rest, lpips(x, y, {"far": weights()["far"]}), rtol=ROUNDING)


def test_each_network_has_five_layers() -> None:
    assert [len(taps) for taps in TAPS.values()] == [5, 5]


def test_what_does_not_fit_is_refused() -> None:
    x, y = features(0), features(1)
    with pytest.raises(ValueError, match="far is not among the features of the truth"):
        lpips(x, {"near": y["near"]}, weights())
    with pytest.raises(ValueError, match=r"at near .* \(3, 7, 5, 4\) and \(3, 6, 5, 4\)"):
        lpips(x, y | {"near": y["near"][:, 1:]}, weights())
    with pytest.raises(ValueError, match=r"at far .* weights \(4,\)"):
        lpips(x, y, {"far": weights()["near"]})
    with pytest.raises(ValueError, match="weights of a layer at least"):
        lpips(x, y, {})
