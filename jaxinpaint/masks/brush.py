"""A round pen that moves along lines."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxinpaint.masks.drawing import Series


class Lines(NamedTuple):
    """Lines of a pen, one after the other; the axes of several strokes may come first.

    Attributes:
        starts, ends: y and x.
        radii: of the pen.
        there: which lines are drawn.
    """

    starts: Float[Array, "*strokes L 2"]
    ends: Float[Array, "*strokes L 2"]
    radii: Float[Array, "*strokes L"]
    there: Bool[Array, "*strokes L"]


def pen(
    y: Float[Array, "H 1"], x: Float[Array, "1 W"], start: Array, end: Array, radius: Array
) -> tuple[Float[Array, "H W"], Float[Array, "H W"]]:
    """A disk that moves from start to end: when it covers each pixel, and how far it stays off.

    Returns:
        the share in [0, 1] of its way at which the disk first covers the pixel (a pen that does not
        move grows from nothing to its radius instead), and the pixel's distance to all that the
        disk covers, not positive where it is covered.
    """
    way = end - start
    length = jnp.linalg.norm(way)
    moves = length > 0
    per_length = 1 / jnp.where(moves, length, 1)
    down, right = y - start[0], x - start[1]
    ahead = (down * way[0] + right * way[1]) * per_length
    aside2 = jnp.maximum(down**2 + right**2 - ahead**2, 0)
    distance = jnp.sqrt((ahead - jnp.clip(ahead, 0, length)) ** 2 + aside2)
    reached = ahead - jnp.sqrt(jnp.maximum(radius**2 - aside2, 0))
    share = jnp.where(moves, reached * per_length, distance / radius)
    return jnp.clip(share, 0, 1), distance - radius


def series(lines: Lines) -> Series:
    """All lines, those of several strokes one stroke after the other."""
    starts, ends = lines.starts.reshape(-1, 2), lines.ends.reshape(-1, 2)
    return Series(pen, (starts, ends, lines.radii.ravel()), lines.there.ravel())


def walk(
    start: Float[Array, "2"], ways: Float[Array, "L 2"], extent: Float[Array, "2"]
) -> tuple[Float[Array, "L 2"], Float[Array, "L 2"]]:
    """Starts and ends of lines that go on where the last ended, and stop at the border."""

    def go_on(at: Array, way: Array) -> tuple[Array, Array]:
        to = jnp.clip(at + way, 0, extent)
        return to, to

    _, ends = jax.lax.scan(go_on, start, ways)
    return jnp.concatenate([start[None], ends[:-1]]), ends


def mirrored(lines: Lines, which: Bool[Array, "2"], extent: Float[Array, "2"]) -> Lines:
    """The lines upside down, or left and right exchanged, or both."""
    starts, ends = (
        jnp.where(which, extent - points, points) for points in (lines.starts, lines.ends)
    )
    return lines._replace(starts=starts, ends=ends)
