"""Holes of rectangles."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxinpaint.array_typing import RandomKey
from jaxinpaint.masks.drawing import Series, as_hole, covered


def rectangle(
    y: Float[Array, "H 1"], x: Float[Array, "1 W"], middle: Array, sides: Array
) -> tuple[Float[Array, "H W"], Float[Array, "H W"]]:
    """An upright rectangle: when it covers each pixel as it grows, and how far it stays off.

    Returns:
        the share in [0, 1] of its sides at which it first covers the pixel, and the pixel's
        distance to it (the greater of those along both axes), not positive where it is covered.
    """
    half = sides / 2
    down, right = jnp.abs(y - middle[0]), jnp.abs(x - middle[1])
    share = jnp.maximum(down / half[0], right / half[1])
    return jnp.clip(share, 0, 1), jnp.maximum(down - half[0], right - half[1])


def placed(
    draws: Float[Array, "*K 2"],
    sides: Float[Array, "*K 2"],
    size: tuple[int, int],
    margin: Float[Array, "*K 2"] | int = 0,
) -> Float[Array, "*K 2"]:
    """The middles of rectangles in random places, their corners on whole pixels.

    Args:
        draws: uniform in [0, 1).
        sides: heights and widths, in whole pixels.
        size: height and width of the picture.
        margin: pixels that they keep off the border, or, where negative, may be beyond it.
    """
    extent = jnp.array(size, jnp.float32)
    return margin + jnp.floor(draws * (extent - 2 * margin - sides + 1)) + sides / 2


def whole(draws: Float[Array, "..."], least: int, greatest: int) -> Float[Array, "..."]:
    """Uniform draws in [0, 1) as whole numbers, any of least to greatest alike."""
    return least + jnp.floor(draws * (greatest - least + 1))


def pixels(shares: tuple[float, float], size: tuple[int, int]) -> tuple[int, int]:
    """Least and greatest side in pixels, from those in shares of the shorter side.

    Raises:
        ValueError: if the shares are not in (0, 1], the first no larger.
    """
    if not 0 < shares[0] <= shares[1] <= 1:
        raise ValueError(f"sides of {shares}; they must be in (0, 1], the first no larger")
    least, greatest = (max(1, round(share * min(size))) for share in shares)
    return least, greatest


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
    draws = jax.random.uniform(key, (3,))
    sides = jnp.full((1, 2), whole(draws[0], *pixels(side, size)))
    middles = placed(draws[None, 1:], sides, size)
    return as_hole(covered(Series(rectangle, (middles, sides), jnp.ones(1, bool)), size))


def box(key: RandomKey, size: tuple[int, int]) -> Float[Array, "H W 1"]:
    """A rectangle in a random place, all of it in the picture.

    Height and width are drawn apart, each 96 to 128 pixels of a shorter side of 256.

    Args:
        key: a random key; the same key gives the same hole.
        size: height and width in pixels.

    Returns:
        1 where a pixel is missing. Works under ``jit`` and ``vmap``.
    """
    return boxes(key, size, count=(1, 1), side=(96 / 256, 128 / 256))


def boxes(
    key: RandomKey,
    size: tuple[int, int],
    *,
    count: tuple[int, int] = (1, 4),
    side: tuple[float, float] = (1 / 8, 3 / 8),
    margin: float = 0.0,
) -> Float[Array, "H W 1"]:
    """Rectangles in random places, all of them in the picture; they may overlap.

    Args:
        key: a random key; the same key gives the same hole.
        size: height and width in pixels.
        count: least and greatest number of rectangles.
        side: least and greatest height and width, drawn apart, as shares of the shorter side.
        margin: share of the shorter side that they keep off the border.

    Returns:
        1 where a pixel is missing. Works under ``jit`` and ``vmap``.

    Raises:
        ValueError: if there may be no rectangle, the shares are not in (0, 1], the first no larger,
            or what is drawn may not fit inside the margin.
    """
    if not 1 <= count[0] <= count[1]:
        raise ValueError(f"{count} boxes; the least must be 1 or more, and no more than the most")
    least, greatest = pixels(side, size)
    off = round(margin * min(size))
    if off < 0 or greatest > min(size) - 2 * off:
        raise ValueError(
            f"boxes of {side} of the shorter side do not fit {margin} of it off the border"
        )
    draws = jax.random.uniform(key, (1 + 4 * count[1],))
    of_sides, of_places = draws[1:].reshape(2, count[1], 2)
    sides = whole(of_sides, least, greatest)
    middles = placed(of_places, sides, size, off)
    there = jnp.arange(count[1]) < whole(draws[0], *count)
    return as_hole(covered(Series(rectangle, (middles, sides), there), size))
