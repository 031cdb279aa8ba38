"""The holes that DeepFill v2 is trained on, and the strokes that MAT shares with it."""

import math
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxinpaint.array_typing import RandomKey
from jaxinpaint.masks.brush import Lines, mirrored, series, walk
from jaxinpaint.masks.drawing import Series, as_hole, covered
from jaxinpaint.masks.rectangles import placed, rectangle, whole

STROKES = 3  # at most
BOX = 128 / 256  # side of the box, as a share of the shorter side
SHRINKS = 16 / 256  # how much its sides come in at most, at both ends
ANGLE, SPREAD = 2 * jnp.pi / 5, 2 * jnp.pi / 15  # of the lines' directions


@partial(jax.jit, static_argnames="size")
def strokes(key: RandomKey, size: tuple[int, int]) -> Float[Array, "H W 1"]:
    """One to three zigzag strokes of a broad brush, and a box.

    Strokes have 4 to 11 lines and are 12 to 40 pixels wide at 256². The box is half of the shorter
    side high and wide, in a random place inside the picture; its sides then come in by up to a
    sixteenth at both ends, height and width each by its own number of pixels.

    DeepFill v2 (Yu et al., ICCV 2019), as in its program; there all pictures of a batch have one
    hole, and widths do not grow with the picture.

    Args:
        key: a random key; the same key gives the same hole.
        size: height and width in pixels.

    Returns:
        1 where a pixel is missing. Works under ``jit`` and ``vmap``.
    """
    of_count, of_strokes, of_box = jax.random.split(key, 3)
    count = whole(jax.random.uniform(of_count), 1, STROKES)
    lines = zigzags(of_strokes, size, count, most=STROKES, lines=(4, 11), width=(12, 40))
    return as_hole(covered(series(lines), size) | covered(_box(of_box, size), size))


def _box(key: RandomKey, size: tuple[int, int]) -> Series:
    draws = jax.random.uniform(key, (2, 1, 2))
    full = jnp.full((1, 2), max(1, round(BOX * min(size))), jnp.float32)
    sides = full - 2 * whole(draws[0], 0, round(SHRINKS * min(size)))
    return Series(rectangle, (placed(draws[1], full, size), sides), jnp.ones(1, bool))


def zigzags(
    key: RandomKey,
    size: tuple[int, int],
    count: Float[Array, ""],
    *,
    most: int,
    lines: tuple[int, int],
    width: tuple[int, int],
) -> Lines:
    """Strokes that start anywhere and go up and down in turn.

    Lines are as long as a normal number around an eighth of the picture's diagonal, its deviation
    half of that, cut to between nothing and twice the mean. Their angles to the horizontal are
    uniform between two bounds, up to 24° to either side of 72°, which each stroke draws anew. At
    the border they stop. Each stroke may be mirrored either way.

    Args:
        key: a random key.
        size: height and width in pixels.
        count: how many are there, the first of ``most``.
        most: how many there may be.
        lines: least and greatest number of a stroke's lines.
        width: least and greatest width of a stroke, in pixels of a shorter side of 256.
    """
    stroke = partial(_zigzag, size=size, lines=lines, width=width)
    drawn = jax.vmap(stroke)(jax.random.split(key, most))
    wanted = jnp.arange(most) < count
    return drawn._replace(there=drawn.there & wanted[:, None])


def _zigzag(
    key: RandomKey, size: tuple[int, int], lines: tuple[int, int], width: tuple[int, int]
) -> Lines:
    of_lengths, of_rest = jax.random.split(key)
    most, extent = lines[1], jnp.array(size, jnp.float32)
    draws = jax.random.uniform(of_rest, (8 + most,))
    flips, place, bounds = draws[:2] < 0.5, draws[2:4], draws[4:6]
    least, greatest = ANGLE - SPREAD * bounds[0], ANGLE + SPREAD * bounds[1]
    angles = least + (greatest - least) * draws[8:]
    mean = math.hypot(*size) / 8
    lengths = mean * jnp.clip(1 + jax.random.normal(of_lengths, (most,)) / 2, 0, 2)
    up_and_down = jnp.where(jnp.arange(most) % 2 == 0, -1, 1)
    ways = jnp.stack([up_and_down * lengths * jnp.sin(angles), lengths * jnp.cos(angles)], axis=-1)
    starts, ends = walk(place * extent, ways, extent)
    thin, thick = (min(size) / 256 * side for side in width)
    radii = jnp.full(most, (thin + (thick - thin) * draws[6]) / 2)
    there = jnp.arange(most) < whole(draws[7], *lines)
    return mirrored(Lines(starts, ends, radii, there), flips, extent)
