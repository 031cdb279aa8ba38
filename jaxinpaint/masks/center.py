"""The centre hole of Context Encoders."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxinpaint.array_typing import RandomKey


def center(
    key: RandomKey, size: tuple[int, int], *, fraction: float = 0.5
) -> Float[Array, "H W 1"]:
    """A rectangle in the middle of the picture: half of each side, a quarter of the area.

    Pathak et al., Context Encoders, CVPR 2016, section 4.

    Args:
        key: not used; every sampler takes one.
        size: height and width in pixels.
        fraction: of each side; the sides of the hole are rounded to whole pixels.

    Returns:
        1 where a pixel is missing.

    Raises:
        ValueError: if the fraction is not in (0, 1].
    """
    del key
    if not 0 < fraction <= 1:
        raise ValueError(f"a centre hole takes a fraction in (0, 1] of each side, not {fraction}")
    height, width = (round(fraction * side) for side in size)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    hole = jnp.zeros((*size, 1), jnp.float32)
    return hole.at[top : top + height, left : left + width].set(1)
