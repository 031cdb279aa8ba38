"""Pixel objectives: how far the colours are off, in all of a picture or in a region."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxinpaint.array_typing import Image, PerImage
from jaxinpaint.objectives.reduction import Denominator, absolute, difference, mean_per_image


def l1(
    estimate: Image,
    truth: Image,
    *,
    region: Float[Array, "N H W 1"] | None = None,
    denominator: Denominator = "picture",
) -> PerImage:
    """Mean absolute error.

    ::

        Σ region · |x - y| / denominator

    With ``region=hole`` or ``region=valid`` and the whole picture as denominator it is L_hole and
    L_valid of partial convolutions, averaged over all elements as the published programs do; the
    paper's own normalisation is the same.

    Source: EnhanceNet (Sajjadi et al., ICCV 2017), with L1; Liu et al., ECCV 2018, section 3.3.
    Range: [0, 1] for pictures in [0, 1]; the pictures' unit.
    Reduction: mean over H, W and C, or over the region.

    Args:
        estimate, truth: pictures of equal shape, in any common range.
        region: weights of the pixels: a hole, its complement, or any map; None is all ones.
        denominator: ``picture`` (``H · W · C``) or ``region`` (``C · Σ region``).

    Returns:
        one value per image. An empty region gives 0.

    Raises:
        ValueError: if shapes differ.
    """
    errors = absolute(difference(estimate, truth))
    return mean_per_image(errors, region=region, denominator=denominator)


def mse(
    estimate: Image,
    truth: Image,
    *,
    region: Float[Array, "N H W 1"] | None = None,
    denominator: Denominator = "picture",
) -> PerImage:
    """Mean squared error.

    ::

        Σ region · (x - y)² / denominator

    Context Encoders' overlap band is a region with weights 10 and 1.

    Source: EnhanceNet (Sajjadi et al., ICCV 2017); Pathak et al., CVPR 2016, eq. 1.
    Range: [0, 1] for pictures in [0, 1]; the pictures' unit, squared.
    Reduction: mean over H, W and C, or over the region.

    Arguments, shapes and errors are those of `l1`.
    """
    errors = jnp.square(difference(estimate, truth))
    return mean_per_image(errors, region=region, denominator=denominator)
