"""Pixel objectives: how far the colours are off, in all of a picture or in a region."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxinpaint.array_typing import Image, PerImage
from jaxinpaint.objectives.reduction import Denominator, mean_per_image, require_equal_shapes


def l1(
    estimate: Image,
    truth: Image,
    *,
    region: Float[Array, "N H W 1"] | None = None,
    denominator: Denominator = "picture",
) -> PerImage:
    """Mean absolute error.

    ::

        Σ region · |estimate - truth| / denominator

    With ``region=hole`` or ``region=valid`` and the whole picture as denominator it is L_hole and
    L_valid of partial convolutions (Liu et al., ECCV 2018, eq. 3), averaged over all elements as
    the published programs do; the paper's own normalisation is the same.

    Args:
        estimate, truth: pictures of equal shape, in any common range.
        region: weights of the pixels: a hole, its complement, or any map; None is all ones.
        denominator: ``picture`` (``H · W · C``) or ``region`` (``C · Σ region``).

    Returns:
        one value per image, in the units of the pictures. An empty region gives 0.

    Raises:
        ValueError: if shapes differ.
    """
    require_equal_shapes(estimate, truth)
    return mean_per_image(jnp.abs(estimate - truth), region=region, denominator=denominator)


def mse(
    estimate: Image,
    truth: Image,
    *,
    region: Float[Array, "N H W 1"] | None = None,
    denominator: Denominator = "picture",
) -> PerImage:
    """Mean squared error.

    ::

        Σ region · (estimate - truth)² / denominator

    The reconstruction loss of EnhanceNet (Sajjadi et al., ICCV 2017, eq. 2) and of Context Encoders
    (Pathak et al., CVPR 2016, eq. 1), whose overlap band is a region with weights 10 and 1.

    Arguments, shapes and errors are those of `l1`; the value is in squared units.
    """
    require_equal_shapes(estimate, truth)
    return mean_per_image(jnp.square(estimate - truth), region=region, denominator=denominator)
