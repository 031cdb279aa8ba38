"""The holes that MAT is trained on."""

import math
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxinpaint.array_typing import RandomKey
from jaxinpaint.masks import brush
from jaxinpaint.masks.area import pixels_in_bucket, smallest
from jaxinpaint.masks.drawing import Series, as_hole, moments
from jaxinpaint.masks.rectangles import placed, rectangle, whole
from jaxinpaint.masks.strokes import zigzags

SMALL, LARGE, STROKES = 5, 3, 9  # fewer than these: boxes of either kind, and strokes
LINES = 17  # of a stroke, at most


@partial(jax.jit, static_argnames=("size", "ratio"))
def mat(
    key: RandomKey, size: tuple[int, int], *, ratio: tuple[float, float] = (0.0, 1.0)
) -> Float[Array, "H W 1"]:
    """Boxes of every size and broad zigzag strokes, which together cover a share of the picture.

    With c = min(low + high, 1) there are fewer than ⌊5c⌋ boxes of sides below half of the shorter
    side, fewer than ⌊3c⌋ of sides below all of it, which may be beyond the border by half of their
    sides, and fewer than ⌊9c⌋ strokes of 4 to 17 lines, 12 to 48 pixels wide at 256²; of each any
    number alike, from none.

    MAT (Li et al., CVPR 2022). Its program draws anew until the ratio suits. Here a hole whose
    ratio suits is the same; of one too large, what is drawn last is taken back, to exactly the
    greatest ratio; one too small grows evenly to exactly the least; and where nothing would be
    drawn, a stroke is. Widths of strokes grow with the picture here.

    Args:
        key: a random key; the same key gives the same hole.
        size: height and width in pixels.
        ratio: the bucket ``(low, high]`` of the missing share.

    Returns:
        1 where a pixel is missing. Works under ``jit`` and ``vmap``.

    Raises:
        ValueError: if the bucket holds no number of pixels.
    """
    low, high = pixels_in_bucket(size, ratio)
    share, side = min(sum(ratio), 1), min(size)
    # A tolerance, because 5 · (0.1 + 0.7) is less than 4 in floats.
    small, large, strokes = (math.floor(below * share + 1e-6) for below in (SMALL, LARGE, STROKES))
    of_count, of_small, of_large, of_strokes = jax.random.split(key, 4)
    boxes = _joined(_boxes(of_small, size, small, side // 2), _boxes(of_large, size, large, side))
    count = _fewer_than(jax.random.uniform(of_count), strokes)
    count = jnp.where((count > 0) | jnp.any(boxes.there), count, 1)
    most = max(1, strokes - 1)
    lines = zigzags(of_strokes, size, count, most=most, lines=(4, LINES), width=(12, 48))
    before, shapes = len(boxes.there), len(boxes.there) + most * LINES
    covered = jnp.minimum(
        moments(boxes, size, count=shapes),
        moments(brush.series(lines), size, count=shapes, first=before),
    )
    pixels = jnp.sum(covered <= shapes)
    return as_hole(smallest(covered, jnp.clip(pixels, low, high)))


def _boxes(key: RandomKey, size: tuple[int, int], below: int, side: int) -> Series:
    """Boxes of sides below a number of pixels; there are fewer of them than another number."""
    draws = jax.random.uniform(key, (1 + 4 * max(0, below - 1),))
    of_sides, of_places = draws[1:].reshape(2, -1, 2)
    sides = jnp.floor(of_sides * side)
    middles = placed(of_places, sides, size, -jnp.floor(sides / 2))
    there = jnp.arange(len(sides)) < _fewer_than(draws[0], below)
    return Series(rectangle, (middles, sides), there)


def _joined(one: Series, other: Series) -> Series:
    """The shapes of both, which are of one kind."""
    numbers = tuple(map(jnp.concatenate, zip(one.numbers, other.numbers, strict=True)))
    return Series(one.trace, numbers, jnp.concatenate([one.there, other.there]))


def _fewer_than(draw: Float[Array, ""], below: int) -> Float[Array, ""]:
    """A whole number from 0, any below the bound alike; 0 if there is none."""
    return whole(draw, 0, max(1, below) - 1)
