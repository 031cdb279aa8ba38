"""Structure: how unlike two pictures are in their local means, contrasts and correlations."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxinpaint.array_typing import Image, PerImage
from jaxinpaint.objectives.reduction import (
    in_full_precision,
    mean_per_image,
    require_equal_shapes,
)
from jaxinpaint.ops.similarity import Moments, gaussian, similarity

GREY = 0.5  # what pictures are taken from: squares then lose less of what small variances are of


def dissimilarity(estimate: Image, truth: Image, *, side: int = 11, sigma: float = 1.5) -> PerImage:
    """One minus the mean structural similarity, over Gaussian windows.

    ::

        1 - mean (2 μx μy + C1) (2 σxy + C2) / ((μx² + μy² + C1) (σx² + σy² + C2))

    with C1 = 0.01² and C2 = 0.03². By default it is 1 less what `evaluation.ssim` gives, but for
    roundings: windows are laid by two matrix products here, which a step has the time for.

    Source: Wang et al., Image Quality Assessment, 2004, eq. 13; as a loss Zhao et al., Loss
    Functions for Image Restoration with Neural Networks, 2017.
    Range: [0, 2] for pictures in [0, 1]; no unit.
    Reduction: mean over the windows that lie in the picture, and over C.

    Args:
        estimate, truth: pictures of equal shape, in [0, 1].
        side: of the windows, in pixels.
        sigma: of the Gaussian, in pixels.

    Returns:
        one value per image.

    Raises:
        ValueError: if shapes differ, or a picture is smaller than a window.
    """
    require_equal_shapes(estimate=estimate, truth=truth)
    if min(truth.shape[1:3]) < side:
        raise ValueError(f"pictures of {truth.shape[1:3]} are smaller than windows of {side}")
    x, y = (in_full_precision(image) - GREY for image in (estimate, truth))
    means = _windowed(jnp.stack([x, y, x * x, y * y, x * y]), side, sigma)
    mean_x, mean_y, square_x, square_y, product = means
    var_x, var_y = square_x - mean_x**2, square_y - mean_y**2
    cov = product - mean_x * mean_y
    luminance, structure = similarity(Moments(mean_x + GREY, mean_y + GREY, var_x, var_y, cov))
    return mean_per_image(1 - luminance * structure)


def _windowed(x: Float[Array, "B N H W C"], side: int, sigma: float) -> Float[Array, "B N C h w"]:
    """Means over the windows that lie in the picture."""
    planes = jnp.moveaxis(x, -1, -3)
    rows, columns = (
        jnp.asarray(_windows(length, side, sigma), x.dtype) for length in planes.shape[-2:]
    )
    # In full: matrix products of less would lose what is left of a difference of squares.
    return jnp.matmul(jnp.matmul(rows, planes, precision="highest"), columns.T, precision="highest")


def _windows(length: int, side: int, sigma: float) -> np.ndarray:
    """The weights of every window along an axis, ``[windows, length]``; of each they sum to 1."""
    weights = gaussian(side, sigma)
    laid = np.zeros((length - side + 1, length))
    for start, row in enumerate(laid):
        row[start : start + side] = weights
    return laid
