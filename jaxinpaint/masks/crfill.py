"""The holes that CR-Fill is trained on."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxinpaint.array_typing import RandomKey
from jaxinpaint.masks.brush import Lines, mirrored, series, walk
from jaxinpaint.masks.drawing import as_hole, covered
from jaxinpaint.masks.rectangles import square
from jaxinpaint.masks.shapes import Shapes, object_shape

STROKES = 5  # at most
LINES = 5  # of a stroke, at most


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
        other = crfill_strokes(of_object, size)
    else:
        other = object_shape(of_object, size, shapes=shapes)
    second = jnp.where(jax.random.bernoulli(which), other, square(of_square, size))
    return jnp.maximum(crfill_strokes(of_strokes, size), second)


def crfill_strokes(key: RandomKey, size: tuple[int, int]) -> Float[Array, "H W 1"]:
    """One to five strokes, each of one to five lines.

    Each line goes on where the last ended, up and down in turn, at any angle; it is at most half of
    the shorter side long, and at the border it stops; its brush is a tenth to two fifths of that
    half wide. Each stroke may be mirrored either way.

    CR-Fill (Zeng et al., ICCV 2021), as in its program.

    Args:
        key: a random key; the same key gives the same hole.
        size: height and width in pixels.

    Returns:
        1 where a pixel is missing. Works under ``jit`` and ``vmap``.
    """
    count, *keys = jax.random.split(key, STROKES + 1)
    lines = jax.vmap(partial(_stroke, size=size))(jnp.stack(keys))
    wanted = jnp.arange(STROKES) < jax.random.randint(count, (), 1, STROKES + 1)
    lines = lines._replace(there=lines.there & wanted[:, None])
    return as_hole(covered(series(lines), size))


def _stroke(key: RandomKey, size: tuple[int, int]) -> Lines:
    draws = jax.random.uniform(key, (5 + 3 * LINES,))
    flips, count, place = draws[:2] < 0.5, draws[2], draws[3:5]
    angles, lengths, widths = draws[5:].reshape(3, LINES)
    longest, extent = min(size) / 2, jnp.array(size, jnp.float32)
    turned = jnp.where(jnp.arange(LINES) % 2 == 0, -1, 1)
    ways = (longest * lengths)[:, None] * jnp.stack(
        [turned * jnp.sin(jnp.pi * angles), jnp.cos(jnp.pi * angles)], axis=-1
    )
    starts, ends = walk(place * extent, ways, extent)
    radii = longest * (0.1 + 0.3 * widths) / 2
    there = jnp.arange(LINES) < jnp.floor(1 + LINES * count)
    return mirrored(Lines(starts, ends, radii, there), flips, extent)
