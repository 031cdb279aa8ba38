"""Smoothness: total variation."""

from jaxinpaint.array_typing import Hole, Image, PerImage
from jaxinpaint.objectives.reduction import absolute, difference, mean_per_image
from jaxinpaint.ops.morphology import dilate


def total_variation(image: Image, *, hole: Hole | None = None) -> PerImage:
    """How much neighbouring pixels differ.

    ::

        mean |x[i, j+1] - x[i, j]| + mean |x[i+1, j] - x[i, j]|

    Each mean is over its whole array of differences. (tanimutomo/partialconv subtracts the last row
    from the first among the vertical neighbours; here no row wraps around.)

    Source: Liu et al., ECCV 2018, section 3.3.
    Range: [0, 2] for pictures in [0, 1]; the picture's unit.
    Reduction: mean over the pairs of rows, plus that over the pairs of columns.

    Args:
        image: the composite, in any range.
        hole: the paper's region: a pair counts where both of its pixels lie in the hole dilated by
            3×3, and as 0 elsewhere. None: every pair counts, as in a published program.

    Returns:
        one value per image; 0 for an empty hole.

    Raises:
        ValueError: if the hole is not ``[N, H, W, 1]`` of the picture's ``N, H, W``.
    """
    horizontal = absolute(difference(image[:, :, 1:], image[:, :, :-1]))
    vertical = absolute(difference(image[:, 1:], image[:, :-1]))
    if hole is None:
        return mean_per_image(horizontal) + mean_per_image(vertical)
    if hole.shape != (*image.shape[:3], 1):
        raise ValueError(f"hole has shape {hole.shape}; it needs {(*image.shape[:3], 1)}")
    inside = dilate(hole)
    return mean_per_image(horizontal, region=inside[:, :, 1:] * inside[:, :, :-1]) + mean_per_image(
        vertical, region=inside[:, 1:] * inside[:, :-1]
    )
