"""The holes that LaMa is trained on."""

from collections.abc import Mapping
from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxinpaint.array_typing import RandomKey
from jaxinpaint.masks.brush import Lines, series, walk
from jaxinpaint.masks.drawing import as_hole, covered
from jaxinpaint.masks.rectangles import boxes, whole

Thickness = Literal["thin", "medium", "thick"]
LINES = 5  # of a stroke, at most
NARROWEST = 1.5  # pixels: so wide a line marks a pixel wherever it lies
BOXES = 0.3 / 1.3  # share of holes that are boxes, where there are such


class Boxes(NamedTuple):
    """Least and greatest number and side of boxes, and how far they keep off the border."""

    number: tuple[int, int]
    side: tuple[int, int]
    margin: int


class Family(NamedTuple):
    """Least and greatest number of strokes, greatest width and length of lines; and boxes."""

    strokes: tuple[int, int]
    width: int
    length: int
    boxes: Boxes | None


# Lengths are in pixels of a shorter side of 512.
FAMILIES: Mapping[Thickness, Family] = {
    "thin": Family((4, 70), 24, 109, None),
    "medium": Family((4, 10), 104, 209, Boxes((1, 5), (30, 150), 0)),
    "thick": Family((1, 5), 254, 459, Boxes((1, 4), (30, 300), 10)),
}


@partial(jax.jit, static_argnames=("size", "thickness"))
def lama(key: RandomKey, size: tuple[int, int], *, thickness: Thickness) -> Float[Array, "H W 1"]:
    """Strokes of one to five lines; of medium and thick holes three in thirteen are boxes instead.

    ======  =======  ===============  ================  ================================
    holes   strokes  width at 512²    length at 512²    boxes at 512²
    ======  =======  ===============  ================  ================================
    thin    4 to 70  5 to 24          10 to 109         none
    medium  4 to 10  5 to 104         10 to 209         1 to 5, sides 30 to 150
    thick   1 to 5   5 to 254         10 to 459         1 to 4, sides 30 to 300, 10 off the border
    ======  =======  ===============  ================  ================================

    A stroke starts anywhere. Each of its lines has its own width, length and one of four angles
    (0, 1, 2 or 3 radians, turned about in every other stroke), and ends at the border at the
    latest. Widths and lengths are uniform, and so are a box's height and width, each by itself.

    LaMa (Suvorov et al., WACV 2022), as in its program, whose lengths do not grow with the picture.
    For judging, it throws away holes of more than half of the picture, which this sampler keeps.
    Lines in small pictures are at least 1.5 pixels wide.

    Args:
        key: a random key; the same key gives the same hole.
        size: height and width in pixels.
        thickness: of the lines.

    Returns:
        1 where a pixel is missing. Works under ``jit`` and ``vmap``.
    """
    family = FAMILIES[thickness]
    which, of_strokes, of_boxes = jax.random.split(key, 3)
    strokes = as_hole(covered(series(strokes_of(of_strokes, size, family)), size))
    if family.boxes is None:
        return strokes
    number, side, margin = family.boxes
    other = boxes(
        of_boxes, size, count=number, side=(side[0] / 512, side[1] / 512), margin=margin / 512
    )
    return jnp.where(jax.random.bernoulli(which, BOXES), other, strokes)


def strokes_of(key: RandomKey, size: tuple[int, int], family: Family) -> Lines:
    """The strokes of a hole, each with as many lines as it may have; some are not there."""
    of_count, of_each = jax.random.split(key)
    least, most = family.strokes
    draws = jax.random.uniform(of_each, (most, 3 + 3 * LINES))
    turned = jnp.where(jnp.arange(most) % 2 == 0, -1.0, 1.0)
    lines = jax.vmap(partial(_stroke, size=size, family=family))(draws, turned)
    wanted = jnp.arange(most) < whole(jax.random.uniform(of_count), least, most)
    return lines._replace(there=lines.there & wanted[:, None])


def _stroke(
    draws: Float[Array, " D"], turned: Float[Array, ""], size: tuple[int, int], family: Family
) -> Lines:
    """A stroke, of an angle's sine if ``turned`` is 1, of its opposite if it is -1."""
    extent, unit = jnp.array(size, jnp.float32), min(size) / 512
    of_angles, of_lengths, of_widths = draws[3:].reshape(3, LINES)
    angles = 0.01 + whole(of_angles, 0, 3)
    lengths = unit * whole(of_lengths, 10, family.length)
    ways = lengths[:, None] * jnp.stack([jnp.cos(angles), turned * jnp.sin(angles)], axis=-1)
    starts, ends = walk(draws[1:3] * extent, ways, extent)
    radii = jnp.maximum(unit * whole(of_widths, 5, family.width), NARROWEST) / 2
    return Lines(starts, ends, radii, jnp.arange(LINES) < whole(draws[0], 1, LINES))
