"""Samplers of holes: pure functions of a random key, on the device, one hole a call.

``Sampler = (key, (height, width)) -> hole [H, W, 1]``; more holes come by ``vmap``.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

import jax
from jaxtyping import Array, Float, Int

from jaxinpaint.array_typing import Hole, RandomKey
from jaxinpaint.masks.center import center
from jaxinpaint.masks.crfill import crfill
from jaxinpaint.masks.irregular import irregular
from jaxinpaint.masks.random_region import random_region
from jaxinpaint.masks.shapes import Shapes, object_shape, square
from jaxinpaint.masks.strokes import strokes

Sampler = Callable[[RandomKey, tuple[int, int]], Float[Array, "H W 1"]]
SamplerName = Literal["irregular", "center", "random-region", "crfill"]

__all__ = [
    "Sampler",
    "SamplerName",
    "Shapes",
    "center",
    "crfill",
    "holes",
    "irregular",
    "object_shape",
    "random_region",
    "sampler",
    "square",
    "strokes",
]


def sampler(
    name: SamplerName,
    *,
    ratio: tuple[float, float],
    border: bool,
    shapes: Shapes | None = None,
) -> Sampler:
    """The sampler of a name; those without a choice of ratio, border or shapes ignore theirs."""
    match name:
        case "crfill":
            return partial(crfill, shapes=shapes)
        case "irregular":
            return partial(irregular, ratio=ratio, border=border)
        case "center":
            return center
        case "random-region":
            return partial(random_region, ratio=ratio)


def holes(
    sample: Sampler, key: RandomKey, positions: Int[Array, " N"], size: tuple[int, int]
) -> Hole:
    """One hole for each example, from the key and the example's position in the whole batch alone.

    So a batch gets the same holes whole on one device or cut over many.
    """
    return jax.vmap(lambda position: sample(jax.random.fold_in(key, position), size))(positions)
