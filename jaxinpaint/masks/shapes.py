"""Holes of a single outline: squares, and shapes of objects."""

from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, UInt8

from jaxinpaint.array_typing import RandomKey

# Outlines of objects, 8 pixels a byte, the first in the highest bit: S pixels to a side, S = 8 B,
# that their longer side fills.
Shapes: TypeAlias = UInt8[Array, "K S B"]

LONGER_SIDE = (0.25, 1.0)  # of an object, to the picture's shorter side


def square(
    key: RandomKey, size: tuple[int, int], *, side: tuple[float, float] = (0.25, 0.5)
) -> Float[Array, "H W 1"]:
    """A square in a random place, all of it in the picture.

    CR-Fill (Zeng et al., ICCV 2021), as in its program.

    Args:
        key: a random key; the same key gives the same hole.
        size: height and width in pixels.
        side: least and greatest, as shares of the shorter side.

    Returns:
        1 where a pixel is missing. Works under ``jit`` and ``vmap``.

    Raises:
        ValueError: if the shares are not in (0, 1], the first no larger.
    """
    if not 0 < side[0] <= side[1] <= 1:
        raise ValueError(f"sides of {side}; they must be in (0, 1], the first no larger")
    draws = jax.random.uniform(key, (3,))
    least, greatest = (max(1, round(share * min(size))) for share in side)
    length = least + jnp.floor(draws[0] * (greatest - least + 1))
    top, left = (
        jnp.floor(draw * (n - length + 1)) for draw, n in zip(draws[1:], size, strict=True)
    )
    rows, columns = _grid(size)
    inside = (rows >= top) & (rows < top + length) & (columns >= left) & (columns < left + length)
    return inside.astype(jnp.float32)[..., None]


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
    rows, columns = _grid(size)
    # Where each pixel of the picture, by its middle, lies in the shape.
    y = jnp.floor((rows + 0.5 - draws[1] * size[0]) * scale + pixels / 2).astype(jnp.int32)
    x = jnp.floor((columns + 0.5 - draws[2] * size[1]) * scale + pixels / 2).astype(jnp.int32)
    inside = (y >= 0) & (y < pixels) & (x >= 0) & (x < pixels)
    x = jnp.where(draws[3] < 0.5, x, pixels - 1 - x)
    return (inside & _bit(chosen, y, x)).astype(jnp.float32)[..., None]


def _grid(size: tuple[int, int]) -> tuple[Array, Array]:
    return jnp.arange(size[0])[:, None], jnp.arange(size[1])[None, :]


def _bit(shape: UInt8[Array, "S B"], y: Array, x: Array) -> Bool[Array, "H W"]:
    held = shape[jnp.clip(y, 0, shape.shape[0] - 1), jnp.clip(x // 8, 0, shape.shape[1] - 1)]
    return (held >> (7 - x % 8).astype(jnp.uint8)) & 1 > 0
