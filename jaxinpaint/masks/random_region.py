"""The random regions of Context Encoders: blots of thresholded noise."""

import math

import jax
import jax.numpy as jnp
from jax.image import scale_and_translate
from jaxtyping import Array, Float

from jaxinpaint.array_typing import RandomKey
from jaxinpaint.masks.area import pixels_in_bucket, smallest

REACH = 2  # cells to each side that a bicubic interpolation looks at


def random_region(
    key: RandomKey,
    size: tuple[int, int],
    *,
    ratio: tuple[float, float] = (0.2, 0.3),
    resolution: float = 0.06,
) -> Float[Array, "H W 1"]:
    """A hole of blots all over the picture.

    Uniform noise on a coarse grid, at a random place of it, is interpolated bicubically; the hole
    is where it is lowest.

    Pathak et al., Context Encoders, CVPR 2016, section 4.2. The published program cuts the noise of
    a large pattern at 0.25 and throws away what is not 20 to 30 % hole: four of five at 128², and
    next to all at 512². Here the threshold is the one that leaves a share which is uniform in the
    bucket. The program gives a whole batch one hole; here each picture has its own.

    Args:
        key: a random key; the same key gives the same hole.
        size: height and width in pixels.
        ratio: the bucket ``(low, high]`` of the missing share.
        resolution: cells of the noise a pixel: the less, the larger the blots.

    Returns:
        1 where a pixel is missing. Works under ``jit`` and ``vmap``.

    Raises:
        ValueError: if the bucket holds no number of pixels, or the resolution is not in (0, 1].
    """
    if not 0 < resolution <= 1:
        raise ValueError(f"the resolution of the noise is {resolution}; it must be in (0, 1]")
    low, high = pixels_in_bucket(size, ratio)
    cells = [math.ceil(resolution * side) + 1 + 2 * REACH for side in size]
    draws = jax.random.uniform(key, (3 + cells[0] * cells[1],))
    place = REACH + draws[:2]
    noise = scale_and_translate(
        draws[3:].reshape(cells),
        size,
        (0, 1),
        jnp.full(2, 1 / resolution),
        -place / resolution,
        method="cubic",
    )
    count = low + (draws[2] * (high - low + 1)).astype(jnp.int32)
    hole = smallest(noise - jnp.min(noise), jnp.minimum(count, high))
    return hole.astype(jnp.float32)[..., None]
