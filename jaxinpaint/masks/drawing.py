"""What many shapes cover that are drawn one after the other."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

# What there is to know of a shape for each pixel: the share in [0, 1] of its making at which it
# first covers the pixel; and the pixel's distance to it, not positive where it is covered.
Traced = tuple[Float[Array, "H W"], Float[Array, "H W"]]


class Series(NamedTuple):
    """Shapes of one kind.

    Attributes:
        trace: the kind: takes the pixels' y and x and a shape's own numbers.
        numbers: those of each shape, as the kind takes them.
        there: which shapes are drawn; the others count in the order all the same.
    """

    trace: Callable[..., Traced]
    numbers: tuple[Float[Array, "K ..."], ...]
    there: Bool[Array, " K"]


def covered(series: Series, size: tuple[int, int]) -> Bool[Array, "H W"]:
    """Which pixels any of the shapes covers."""
    return _least(series, size, 1, lambda index, share, beyond: beyond) <= 0


def moments(
    series: Series, size: tuple[int, int], *, count: int, first: int = 0, unit: int = 1
) -> Float[Array, "H W"]:
    """When each pixel is first covered: the number of a shape, plus the share of its making.

    What no shape covers comes after all shapes, nearest first: the shapes grow evenly.

    Args:
        series: the shapes.
        size: height and width in pixels.
        count: of all shapes that are drawn, those of other series too.
        first: number of the series' first shape.
        unit: pixels that the shapes' lengths are told in.
    """

    def moment(index: Array, share: Array, beyond: Array) -> Array:
        return jnp.where(beyond <= 0, first + index + share, count + 1 + beyond)

    return _least(series, size, unit, moment)


def as_hole(missing: Bool[Array, "H W"]) -> Float[Array, "H W 1"]:
    """1 where a pixel is missing."""
    return missing.astype(jnp.float32)[..., None]


def _least(
    series: Series, size: tuple[int, int], unit: int, mark: Callable[..., Array]
) -> Float[Array, "H W"]:
    """For each pixel the least of what the shapes are marked with; infinite without any shape."""
    y = (jnp.arange(size[0])[:, None] + 0.5) / unit
    x = (jnp.arange(size[1])[None, :] + 0.5) / unit

    def draw(before: Array, one: tuple[Array, Array, tuple[Array, ...]]) -> tuple[Array, None]:
        index, there, numbers = one
        made = jnp.where(there, mark(index, *series.trace(y, x, *numbers)), jnp.inf)
        return jnp.minimum(before, made), None

    index = jnp.arange(len(series.there), dtype=jnp.float32)
    of_each = (index, series.there, series.numbers)
    return jax.lax.scan(draw, jnp.full(size, jnp.inf), of_each)[0]
