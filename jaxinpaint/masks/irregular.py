"""Irregular holes: strokes, disks and ellipse arcs, drawn until the asked-for share is missing."""

import math
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxinpaint.array_typing import RandomKey
from jaxinpaint.masks.area import pixels_in_bucket, smallest
from jaxinpaint.masks.brush import Lines, series
from jaxinpaint.masks.drawing import as_hole, moments

SHAPES = 10  # drawn one after the other; the last one is left unfinished
SEGMENTS = 9  # of a path: the pen is set down, then moves along eight lines
DRAWS = 4 + 2 * SEGMENTS - 1  # random numbers a shape: kind, place, radius, path
MARGIN = 50 / 512  # Liu et al., ECCV 2018, section 4.1: holes that keep 50 pixels off the border


def irregular(
    key: RandomKey,
    size: tuple[int, int],
    *,
    ratio: tuple[float, float] = (0.01, 0.6),
    border: bool = True,
) -> Float[Array, "H W 1"]:
    """A hole of random strokes, disks and ellipse arcs that covers a share of the picture.

    A round pen draws the shapes one after the other. Every pixel has the moment at which the pen
    first covers it, and the hole is what is covered when exactly the wanted number of pixels is:
    the ratio holds by construction. Should all shapes cover too little, they grow evenly.

    Args:
        key: a random key; the same key gives the same hole.
        size: height and width in pixels.
        ratio: the bucket ``(low, high]`` of the missing share, which is uniform inside it.
        border: whether the hole may come nearer to the border than 50/512 of the shorter side.

    Returns:
        1 where a pixel is missing. Works under ``jit`` and ``vmap``.

    Raises:
        ValueError: if the bucket holds no number of pixels, or more than may be covered.
    """
    height, width = size
    low, high = pixels_in_bucket(size, ratio)
    margin = 0 if border else math.ceil(MARGIN * min(size))
    if high > (height - 2 * margin) * (width - 2 * margin):
        raise ValueError(
            f"a hole of {ratio[1]:.0%} of the picture does not fit without touching the border; "
            f"ask for less, or allow the border"
        )
    return _drawn(key, jnp.int32(low), jnp.int32(high), size, margin)


@partial(jax.jit, static_argnames=("size", "margin"))
def _drawn(
    key: RandomKey, low: Int[Array, ""], high: Int[Array, ""], size: tuple[int, int], margin: int
) -> Float[Array, "H W 1"]:
    """The hole of at least ``low`` and at most ``high`` pixels, ``margin`` off the border."""
    # One call for all that is drawn: each call is a program of its own to compile.
    draws = jax.random.uniform(key, (1 + SHAPES * DRAWS,))
    count = low + (draws[0] * (high - low + 1)).astype(jnp.int32)
    side = min(size)
    lines = _paths(draws[1:].reshape(SHAPES, DRAWS), jnp.array(size) / side)
    covered = moments(series(lines), size, count=SHAPES * SEGMENTS, unit=side)
    if margin:
        inside = jnp.zeros(size, bool).at[margin:-margin, margin:-margin].set(True)
        covered = jnp.where(inside, covered, jnp.inf)
    return as_hole(smallest(covered, jnp.minimum(count, high)))


def _paths(draws: Float[Array, "P D"], extent: Array) -> Lines:
    """Every path's segments, in units of the shorter side."""
    points, radii = jax.vmap(lambda d: _shape(d, extent))(draws)
    # The first segment does not move: it sets the pen down.
    starts = jnp.concatenate([points[:, :1], points[:, :-1]], axis=1)
    there = jnp.ones((SHAPES, SEGMENTS), bool)
    return Lines(starts, points, jnp.broadcast_to(radii[:, None], there.shape), there)


def _shape(
    draws: Float[Array, " D"], extent: Array
) -> tuple[Float[Array, "S 2"], Float[Array, ""]]:
    """The pen's stops along one shape, and its radius."""
    kind = jnp.sum(draws[0] > jnp.array([0.55, 0.75]))  # stroke, disk or arc
    place, path = draws[1:3] * extent, draws[4:]
    stops = jnp.stack([_stroke(path), jnp.zeros((SEGMENTS, 2)), _arc(path)])[kind]
    thin, thick = jnp.array([0.015, 0.05, 0.015])[kind], jnp.array([0.06, 0.14, 0.05])[kind]
    return place + stops, thin + (thick - thin) * draws[3]


def _stroke(draws: Float[Array, " D"]) -> Float[Array, "S 2"]:
    """A walk that keeps its heading for a while, from the origin."""
    first, turns, lengths = draws[0], draws[1:SEGMENTS], draws[SEGMENTS : 2 * SEGMENTS - 1]
    headings = 2 * jnp.pi * first + jnp.cumsum(2.8 * (turns - 0.5))
    steps = (0.03 + 0.12 * lengths[:, None]) * _directions(headings)
    return jnp.concatenate([jnp.zeros((1, 2)), jnp.cumsum(steps, axis=0)])


def _arc(draws: Float[Array, " D"]) -> Float[Array, "S 2"]:
    """A part of an ellipse around the origin, between a quarter and the whole of it."""
    axes = 0.06 + 0.19 * draws[:2]
    tilt, first, sweep = jnp.pi * draws[2], 2 * jnp.pi * draws[3], jnp.pi * (0.5 + 1.5 * draws[4])
    ellipse = axes * _directions(first + sweep * jnp.linspace(0, 1, SEGMENTS))
    across, along = _directions(tilt), _directions(tilt + jnp.pi / 2)
    return ellipse[:, :1] * across + ellipse[:, 1:] * along


def _directions(angles: Float[Array, "..."]) -> Float[Array, "... 2"]:
    return jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1)
