"""Holes of the outlines of objects."""

from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, UInt8

from jaxinpaint.array_typing import RandomKey
from jaxinpaint.masks.drawing import as_hole

# Outlines of objects, 8 pixels a byte, the first in the highest bit: S pixels to a side, S = 8 B,
# that their longer side fills.
Shapes: TypeAlias = UInt8[Array, "K S B"]

LONGER_SIDE = (0.25, 1.0)  # of an object, to the picture's shorter side


def object_shape(key: RandomKey, size: tuple[int, int], *, shapes: Shapes) -> Float[Array, "H W 1"]:
    """The outline of an object, in a random place and size.

    CR-Fill (Zeng et al., ICCV 2021). Its program scales shapes by a normal factor that depends on
    their own size in pixels; here their longer side is uniform, between a quarter of the picture's
    shorter side and all of it. Its middle is anywhere in the picture, and it may be mirrored.

    Args:
        key: a random key; the same key gives the same hole.
        size: height and width in pixels.
        shapes: to choose from.

    Returns:
        1 where a pixel is missing. Works under ``jit`` and ``vmap``.
    """
    which, place = jax.random.split(key)
    chosen = shapes[jax.random.randint(which, (), 0, shapes.shape[0])]
    draws = jax.random.uniform(place, (4,))
    pixels = shapes.shape[1]
    least, greatest = (share * min(size) for share in LONGER_SIDE)
    scale = pixels / (least + draws[0] * (greatest - least))
    rows, columns = jnp.arange(size[0])[:, None], jnp.arange(size[1])[None, :]
    # Where each pixel of the picture, by its middle, lies in the shape.
    y = jnp.floor((rows + 0.5 - draws[1] * size[0]) * scale + pixels / 2).astype(jnp.int32)
    x = jnp.floor((columns + 0.5 - draws[2] * size[1]) * scale + pixels / 2).astype(jnp.int32)
    inside = (y >= 0) & (y < pixels) & (x >= 0) & (x < pixels)
    x = jnp.where(draws[3] < 0.5, x, pixels - 1 - x)
    return as_hole(inside & _bit(chosen, y, x))


def _bit(shape: UInt8[Array, "S B"], y: Array, x: Array) -> Bool[Array, "H W"]:
    held = shape[jnp.clip(y, 0, shape.shape[0] - 1), jnp.clip(x // 8, 0, shape.shape[1] - 1)]
    return (held >> (7 - x % 8).astype(jnp.uint8)) & 1 > 0
