"""Holes of straight strokes of a brush."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxinpaint.array_typing import RandomKey
from jaxinpaint.masks.brush import pen

STROKES = 5  # at most
LINES = 5  # of a stroke, at most


def strokes(key: RandomKey, size: tuple[int, int]) -> Float[Array, "H W 1"]:
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
    starts, ends, radii, drawn = jax.vmap(lambda stroke: _stroke(stroke, size))(jnp.stack(keys))
    wanted = jnp.arange(STROKES) < jax.random.randint(count, (), 1, STROKES + 1)
    drawn &= wanted[:, None]
    y = jnp.arange(size[0])[:, None] + 0.5
    x = jnp.arange(size[1])[None, :] + 0.5

    def draw(hole: Array, line: tuple[Array, ...]) -> tuple[Array, None]:
        start, end, radius, there = line
        _, beyond = pen(y, x, start, end, radius)
        return hole | (there & (beyond <= 0)), None

    lines = (starts.reshape(-1, 2), ends.reshape(-1, 2), radii.ravel(), drawn.ravel())
    hole, _ = jax.lax.scan(draw, jnp.zeros(size, bool), lines)
    return hole.astype(jnp.float32)[..., None]


def _stroke(
    key: RandomKey, size: tuple[int, int]
) -> tuple[Float[Array, "L 2"], Float[Array, "L 2"], Float[Array, " L"], Bool[Array, " L"]]:
    """Starts, ends and radii of the lines of a stroke, and which of them are drawn."""
    draws = jax.random.uniform(key, (5 + 3 * LINES,))
    mirrored, count, place = draws[:2] < 0.5, draws[2], draws[3:5]
    angles, lengths, widths = draws[5:].reshape(3, LINES)
    longest, extent = min(size) / 2, jnp.array(size, jnp.float32)
    turned = jnp.where(jnp.arange(LINES) % 2 == 0, -1, 1)
    ways = (longest * lengths)[:, None] * jnp.stack(
        [turned * jnp.sin(jnp.pi * angles), jnp.cos(jnp.pi * angles)], axis=-1
    )

    def go_on(at: Array, way: Array) -> tuple[Array, Array]:
        to = jnp.clip(at + way, 0, extent)
        return to, to

    start = place * extent
    _, ends = jax.lax.scan(go_on, start, ways)
    starts = jnp.concatenate([start[None], ends[:-1]])
    radii = longest * (0.1 + 0.3 * widths) / 2
    starts, ends = (jnp.where(mirrored, extent - points, points) for points in (starts, ends))
    return starts, ends, radii, jnp.arange(LINES) < jnp.floor(1 + LINES * count)
