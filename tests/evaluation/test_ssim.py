from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from as_installed import as_installed
from scipy import ndimage, signal
from skimage.metrics import structural_similarity

from jaxinpaint.evaluation.ssim import GAUSSIAN, SCALES, UNIFORM, ms_ssim, ssim

RNG = np.random.default_rng(0)


def pictures(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Bytes: smooth ones, in which variances are small, and one of them with a constant square."""
    truth = ndimage.gaussian_filter(RNG.random((3, side, side, 3)), (0, 3, 3, 0))
    truth = np.round(255 * (truth - truth.min()) / np.ptp(truth)).astype(np.uint8)
    truth[1, :30, :30] = 200
    estimate = np.clip(truth + RNG.normal(0, [[[[1]]], [[[4]]], [[[30]]]], truth.shape), 0, 255)
    return np.round(estimate).astype(np.uint8), truth


@pytest.mark.parametrize(
    ("window", "options"),
    [
        (GAUSSIAN, {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}),
        (UNIFORM, {}),
    ],
)
def test_ssim_is_scikit_images(window, options) -> None:
    estimate, truth = pictures(64)
    ours = jax.jit(partial(ssim, window=window))(
        jnp.asarray(estimate / np.float32(255)), jnp.asarray(truth / np.float32(255))
    )
    theirs = [
        structural_similarity(x / 255, y / 255, data_range=1, channel_axis=-1, **options)
        for x, y in zip(estimate, truth, strict=True)
    ]
    # scikit-image computes in float64; we in float32, of differences from local means.
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def by_correlation(x: np.ndarray, y: np.ndarray, mode: str) -> tuple[np.ndarray, np.ndarray]:
    """Luminance and structure of one channel, in float64, by two-dimensional windows."""
    weights = np.array(GAUSSIAN.weights)
    kernel = np.outer(weights, weights)

    def mean(z: np.ndarray) -> np.ndarray:
        return signal.correlate2d(z, kernel, mode=mode)

    mx, my, c1, c2 = mean(x), mean(y), 0.01**2, 0.03**2
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    return (2 * mx * my + c1) / (mx**2 + my**2 + c1), (2 * cov + c2) / (vx + vy + c2)


def test_zeros_beyond_the_border_are_part_of_some_programs_windows() -> None:
    estimate, truth = pictures(32)
    ours = jax.jit(partial(ssim, padding="zeros"))(
        jnp.asarray(estimate / np.float32(255)), jnp.asarray(truth / np.float32(255))
    )
    expected = [
        np.mean([np.prod(by_correlation(x[..., c], y[..., c], "same"), axis=0) for c in range(3)])
        for x, y in zip(estimate / 255, truth / 255, strict=True)
    ]
    np.testing.assert_allclose(ours, expected, atol=1e-6)  # float32


def test_ms_ssim_is_the_product_over_halved_scales() -> None:
    estimate, truth = pictures(180)
    ours = jax.jit(ms_ssim)(
        jnp.asarray(estimate / np.float32(255)), jnp.asarray(truth / np.float32(255))
    )

    def of_channel(x: np.ndarray, y: np.ndarray) -> float:
        product = 1.0
        for i, weight in enumerate(SCALES):
            luminance, structure = by_correlation(x, y, "valid")
            term = (luminance * structure if i == 4 else structure).mean()
            product *= max(term, 0) ** weight
            side = len(x) // 2 * 2
            x, y = (
                z[:side, :side].reshape(side // 2, 2, side // 2, 2).mean((1, 3)) for z in (x, y)
            )
        return product

    expected = [
        np.mean([of_channel(x[..., c], y[..., c]) for c in range(3)])
        for x, y in zip(estimate / 255, truth / 255, strict=True)
    ]
    np.testing.assert_allclose(ours, expected, atol=2e-6)  # float32, of roots


def test_equal_pictures_are_alike_and_small_ones_are_refused() -> None:
    _, truth = pictures(16)
    x = jnp.asarray(truth / np.float32(255))
    np.testing.assert_allclose(ssim(x, x), [1, 1, 1], atol=1e-6)
    with pytest.raises(ValueError, match="smaller than 11 pixels"):
        ssim(x[:, :8], x[:, :8])
    with pytest.raises(ValueError, match="smaller than 176 pixels"):
        ms_ssim(x, x)
    with pytest.raises(ValueError, match="they differ"):
        as_installed(ssim)(x, x[:1])
