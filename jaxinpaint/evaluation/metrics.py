"""Metrics of filled pictures, one value per image."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxinpaint.array_typing import Image, PerImage

CEILING = 60.0  # dB; a perfect picture has this, not infinity, so that means exist


def psnr(
    estimate: Image, truth: Image, *, region: Float[Array, "N H W 1"] | None = None
) -> PerImage:
    """Peak signal-to-noise ratio in dB, of pictures in [0, 1].

    ::

        10 log10(1 / mse), at most 60

    Args:
        estimate, truth: pictures of equal shape.
        region: 1 where pixels count, such as the hole; None counts all. An empty one gives 60.

    Raises:
        ValueError: if shapes differ.
    """
    if estimate.shape != truth.shape:
        raise ValueError(f"estimate has shape {estimate.shape}, truth {truth.shape}; they differ")
    weight = jnp.ones((*truth.shape[:3], 1)) if region is None else region
    if weight.shape != (*truth.shape[:3], 1):
        raise ValueError(f"region has shape {weight.shape}; it needs {(*truth.shape[:3], 1)}")
    squares = jnp.sum(jnp.square(estimate - truth) * weight, axis=(1, 2, 3))
    count = truth.shape[3] * jnp.sum(weight, axis=(1, 2, 3))
    mse = squares / jnp.maximum(count, 1)
    return -10 * jnp.log10(jnp.maximum(mse, 10 ** (-CEILING / 10)))
