import jax.numpy as jnp
import numpy as np
import pytest
from as_installed import as_installed

from jaxinpaint.evaluation import metrics
from jaxinpaint.evaluation.metrics import CEILING, psnr

TRUTH = jnp.full((2, 4, 5, 3), 0.5)


def test_psnr_is_that_of_the_mean_squared_error_of_each_picture() -> None:
    estimate = TRUTH.at[0].add(0.1).at[1, 0, 0, 0].add(0.3)
    # 10 log10(1 / 0.1²) = 20; 10 log10(4 · 5 · 3 / 0.3²) = 28.239.
    # 1e-3 dB: float32.
    np.testing.assert_allclose(psnr(estimate, TRUTH), [20, 28.239], atol=1e-3)


def test_only_the_region_counts() -> None:
    region = jnp.zeros((2, 4, 5, 1)).at[:, 1, 2].set(1).at[1, 3, 3].set(1)
    estimate = TRUTH.at[:, 1, 2].add(0.1).at[:, 0, 0].add(0.4)
    # One wrong pixel of one is 20 dB, one of two is 3.0103 dB more. 1e-3 dB: float32.
    np.testing.assert_allclose(psnr(estimate, TRUTH, region=region), [20, 23.0103], atol=1e-3)


def test_equal_pictures_have_the_ceiling_so_that_means_exist() -> None:
    np.testing.assert_array_equal(psnr(TRUTH, TRUTH), [CEILING, CEILING])
    almost = psnr(TRUTH + 1e-5, TRUTH)
    np.testing.assert_array_equal(almost, [CEILING, CEILING])


def test_an_empty_region_has_the_ceiling() -> None:
    score = psnr(TRUTH + 0.3, TRUTH, region=jnp.zeros((2, 4, 5, 1)))
    np.testing.assert_array_equal(score, [CEILING, CEILING])


def test_shapes_that_do_not_fit_are_errors() -> None:
    with pytest.raises(ValueError, match=r"estimate has shape \(1, 4, 5, 3\)"):
        as_installed(metrics.l2)(TRUTH[:1], TRUTH)
    with pytest.raises(ValueError, match=r"region has shape \(2, 4, 5\)"):
        as_installed(metrics.l2)(TRUTH, TRUTH, region=jnp.ones((2, 4, 5)))


def test_errors_are_means_over_the_region_and_its_channels() -> None:
    estimate = TRUTH.at[0].add(0.1).at[1, 0, 0, 0].add(0.3)
    # One of 4 · 5 · 3 numbers is off in the second. 1e-6: float32 near a half.
    np.testing.assert_allclose(metrics.l1(estimate, TRUTH), [0.1, 0.3 / 60], atol=1e-6)
    np.testing.assert_allclose(metrics.l2(estimate, TRUTH), [0.01, 0.09 / 60], atol=1e-6)
    corner = jnp.zeros((2, 4, 5, 1)).at[:, 0, :2].set(1)
    np.testing.assert_allclose(
        metrics.l1(estimate, TRUTH, region=corner), [0.1, 0.3 / 6], atol=1e-6
    )
    empty = jnp.zeros((2, 4, 5, 1))
    np.testing.assert_array_equal(metrics.l1(estimate, TRUTH, region=empty), [0, 0])


def test_relative_errors_are_of_the_true_picture_or_of_both() -> None:
    estimate = TRUTH + 0.1
    # 0.1 / 0.5, (0.1 / 0.5)², 0.1 / 1.1
    np.testing.assert_allclose(metrics.relative_l1(estimate, TRUTH), [0.2, 0.2], rtol=1e-5)
    np.testing.assert_allclose(metrics.relative_l2(estimate, TRUTH), [0.04, 0.04], rtol=1e-5)
    np.testing.assert_allclose(metrics.relative_to_both(estimate, TRUTH), [1 / 11] * 2, rtol=1e-5)
    black = jnp.zeros_like(TRUTH)
    for metric in (metrics.relative_l1, metrics.relative_l2, metrics.relative_to_both):
        assert np.isfinite(metric(TRUTH, black)).all()
        np.testing.assert_array_equal(metric(black, black), [0, 0])


def test_a_seam_is_an_error_that_begins_at_the_edge_of_the_hole() -> None:
    hole = jnp.zeros((3, 6, 6, 1)).at[:, 2:4, 2:4].set(1)
    constant, known = 0.2 * hole, 0.2 * jnp.ones_like(hole)
    error = jnp.concatenate([constant[:1], known[1:2], jnp.zeros_like(hole)[2:]])
    truth = jnp.broadcast_to(jnp.linspace(0, 0.5, 6)[:, None, None], (3, 6, 6, 3))
    # 1e-6: float32. An error that is the same on both sides makes no seam.
    np.testing.assert_allclose(
        metrics.seam_error(truth + error, truth, hole), [0.2, 0, 0], atol=1e-6
    )
    # One of the hole's eight neighbouring pairs, in one of three channels.
    one = truth.at[:, 2, 1, 0].add(0.24)
    np.testing.assert_allclose(metrics.seam_error(one, truth, hole), [0.24 / 24] * 3, atol=1e-6)
    np.testing.assert_array_equal(metrics.seam_error(truth, truth, jnp.zeros_like(hole)), [0] * 3)
