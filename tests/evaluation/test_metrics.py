import jax.numpy as jnp
import numpy as np
import pytest
from as_installed import as_installed

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
        as_installed(psnr)(TRUTH[:1], TRUTH)
    with pytest.raises(ValueError, match=r"region has shape \(2, 4, 5\)"):
        as_installed(psnr)(TRUTH, TRUTH, region=jnp.ones((2, 4, 5)))
