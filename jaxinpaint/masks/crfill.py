"""The holes that CR-Fill is trained on."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxinpaint.array_typing import RandomKey
from jaxinpaint.masks.shapes import Shapes, object_shape, square
from jaxinpaint.masks.strokes import strokes


def crfill(
    key: RandomKey, size: tuple[int, int], *, shapes: Shapes | None = None
) -> Float[Array, "H W 1"]:
    """Strokes, and with them a square or, half of the time, an object's outline.

    CR-Fill (Zeng et al., ICCV 2021), as in its program; there all pictures of a batch have one
    hole.

    Args:
        key: a random key; the same key gives the same hole.
        size: height and width in pixels.
        shapes: of objects to choose from; without them, more strokes are in their place.

    Returns:
        1 where a pixel is missing. Works under ``jit`` and ``vmap``.
    """
    of_strokes, of_square, of_object, which = jax.random.split(key, 4)
    if shapes is None:
        other = strokes(of_object, size)
    else:
        other = object_shape(of_object, size, shapes=shapes)
    second = jnp.where(jax.random.bernoulli(which), other, square(of_square, size))
    return jnp.maximum(strokes(of_strokes, size), second)
