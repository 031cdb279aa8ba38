"""From one value per pixel to one value per image, with the denominator said."""

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxinpaint.array_typing import PerImage

Denominator = Literal["picture", "region"]


def mean_per_image(
    values: Float[Array, "N H W C"],
    *,
    region: Float[Array, "N H W 1"] | None = None,
    denominator: Denominator = "picture",
) -> PerImage:
    """``Σ region · values / denominator`` for each picture, in float32.

    Args:
        values: one number per pixel and channel.
        region: weights of the pixels, ``>= 0``; None weighs all of them 1.
        denominator: ``picture`` divides by ``H · W · C`` whatever the region; ``region`` divides by
            ``C · Σ region``, and a region without weight gives 0, in value and gradient.

    Raises:
        ValueError: if the region is not ``[N, H, W, 1]`` of the values' ``N, H, W``.
    """
    values = values.astype(jnp.float32)
    if values.size == 0:
        return jnp.zeros(values.shape[0])  # no pixels: such as the neighbours in a single row
    if region is None:
        return jnp.mean(values, axis=(1, 2, 3))
    if region.shape != (*values.shape[:3], 1):
        raise ValueError(f"region has shape {region.shape}; it needs {(*values.shape[:3], 1)}")
    total = jnp.sum(values * region, axis=(1, 2, 3))
    if denominator == "picture":
        return total / (values.shape[1] * values.shape[2] * values.shape[3])
    weight = values.shape[3] * jnp.sum(region, axis=(1, 2, 3))
    return jnp.where(weight > 0, total / jnp.where(weight > 0, weight, 1), 0)


def require_equal_shapes(estimate: Array, truth: Array) -> None:
    """Broadcasting would hide a mistake, so it is refused.

    Raises:
        ValueError: if the shapes differ.
    """
    if estimate.shape != truth.shape:
        raise ValueError(f"estimate has shape {estimate.shape}, truth {truth.shape}; they differ")
