"""Metrics of filled pictures, one value per image.

Pictures are in [0, 1]. A region is 1 where pixels count: the hole, what is known, or None for all.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxinpaint.array_typing import Hole, Image, PerImage

CEILING = 60.0  # dB; a perfect picture has this, not infinity, so that means exist
DARKEST = 1 / 255  # that errors are told relative to: a black picture has none of its own

Region = Float[Array, "N H W 1"] | None


def l1(estimate: Image, truth: Image, *, region: Region = None) -> PerImage:
    """``mean |x - y|`` over the region's pixels and channels; 0 where it is empty.

    Raises:
        ValueError: if shapes differ, as all of these.
    """
    return _mean(jnp.abs(_difference(estimate, truth)), region)


def l2(estimate: Image, truth: Image, *, region: Region = None) -> PerImage:
    """``mean (x - y)²`` over the region's pixels and channels; 0 where it is empty."""
    return _mean(jnp.square(_difference(estimate, truth)), region)


def psnr(estimate: Image, truth: Image, *, region: Region = None) -> PerImage:
    """Peak signal-to-noise ratio in dB.

    ::

        10 log10(1 / mse), at most 60

    Args:
        estimate, truth: pictures of equal shape.
        region: where pixels count. An empty one gives 60.
    """
    mse = l2(estimate, truth, region=region)
    # Twice: what is rounded may pass the ceiling, and log 0 is no number.
    return jnp.minimum(-10 * jnp.log10(jnp.maximum(mse, 10 ** (-CEILING / 10))), CEILING)


def relative_l1(estimate: Image, truth: Image) -> PerImage:
    """``sum |x - y| / sum y``, of which the mean of y counts as 1/255 at least."""
    return l1(estimate, truth) / jnp.maximum(_mean(truth, None), DARKEST)


def relative_l2(estimate: Image, truth: Image) -> PerImage:
    """``sum (x - y)² / sum y²``, of which the root mean square of y counts as 1/255 at least."""
    return l2(estimate, truth) / jnp.maximum(_mean(jnp.square(truth), None), DARKEST**2)


def relative_to_both(estimate: Image, truth: Image) -> PerImage:
    """``sum |x - y| / sum (x + y)``, which AOT-GAN's program calls MAE; the mean as `relative_l1`.

    Zeng et al., Aggregated Contextual Transformations for High-Resolution Image Inpainting, 2021.
    """
    return l1(estimate, truth) / jnp.maximum(_mean(estimate + truth, None), DARKEST)


def seam_error(estimate: Image, truth: Image, hole: Hole) -> PerImage:
    """How far differences between neighbours are off along the edge of the hole.

    ::

        mean |(x_i - x_j) - (y_i - y_j)|,  i missing, j known, one beside or below the other

    over such pairs and channels; 0 where there are none. It is what a visible seam is made of: a
    constant error in the hole has it, and an error that fades out towards the edge has not.
    """
    error = _difference(estimate, truth)
    total, count = jnp.zeros(len(hole)), jnp.zeros(len(hole))
    for axis in (1, 2):
        crosses = jnp.abs(jnp.diff(hole, axis=axis))
        total += _total(jnp.abs(jnp.diff(error, axis=axis)) * crosses)
        count += _total(crosses)
    return total / jnp.maximum(count * error.shape[3], 1)


def _difference(estimate: Array, truth: Array) -> Array:
    if estimate.shape != truth.shape:
        raise ValueError(f"estimate has shape {estimate.shape}, truth {truth.shape}; they differ")
    return estimate - truth


def _mean(values: Array, region: Array | None) -> PerImage:
    if region is None:
        return _total(values) / values[0].size
    if region.shape != (*values.shape[:3], 1):
        raise ValueError(f"region has shape {region.shape}; it needs {(*values.shape[:3], 1)}")
    count = values.shape[3] * _total(region)
    return _total(values * region) / jnp.maximum(count, 1)


def _total(values: Array) -> PerImage:
    """The sum of each picture, along one axis after the other.

    In one go a CPU would add pixel after pixel to a single number, of which float32 then loses the
    sixth digit; how, depends on how pictures are spread over devices.
    """
    for axis in (3, 2, 1):
        values = jax.lax.optimization_barrier(jnp.sum(values, axis=axis))
    return values
