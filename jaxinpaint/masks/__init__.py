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
from jaxinpaint.masks.crfill import crfill, crfill_strokes
from jaxinpaint.masks.irregular import irregular
from jaxinpaint.masks.lama import lama
from jaxinpaint.masks.mat import mat
from jaxinpaint.masks.random_region import random_region
from jaxinpaint.masks.rectangles import box, boxes, square
from jaxinpaint.masks.shapes import Shapes, object_shape
from jaxinpaint.masks.strokes import strokes
from jaxinpaint.names import SamplerName

Option = Literal["ratio", "border", "shapes"]  # of `sampler`
Sampler = Callable[[RandomKey, tuple[int, int]], Float[Array, "H W 1"]]

__all__ = [
    "Sampler",
    "SamplerName",
    "Shapes",
    "box",
    "boxes",
    "center",
    "crfill",
    "crfill_strokes",
    "holes",
    "irregular",
    "lama",
    "mat",
    "object_shape",
    "random_region",
    "sampler",
    "square",
    "strokes",
    "unread",
]


def sampler(
    name: SamplerName,
    *,
    ratio: tuple[float, float],
    border: bool,
    shapes: Shapes | None = None,
) -> Sampler:
    """The sampler of a name; `unread` tells which options it ignores.

    Args:
        name: of the sampler.
        ratio: for irregular, mat and random-region: the bucket ``(low, high]`` of the missing
            share.
        border: for irregular: whether holes may touch the border.
        shapes: for crfill: outlines of objects to choose from.
    """
    match name:
        case "irregular":
            return partial(irregular, ratio=ratio, border=border)
        case "center":
            return center
        case "box":
            return box
        case "boxes":
            return boxes
        case "strokes":
            return strokes
        case "lama-thin":
            return partial(lama, thickness="thin")
        case "lama-medium":
            return partial(lama, thickness="medium")
        case "lama-thick":
            return partial(lama, thickness="thick")
        case "mat":
            return partial(mat, ratio=ratio)
        case "random-region":
            return partial(random_region, ratio=ratio)
        case "crfill":
            return partial(crfill, shapes=shapes)


def unread(name: SamplerName) -> tuple[Option, ...]:
    """The options of `sampler` that leave a sampler as it is."""
    match name:
        case "irregular":
            return ("shapes",)
        case "mat" | "random-region":
            return ("border", "shapes")
        case "crfill":
            return ("ratio", "border")
        case _:
            return ("ratio", "border", "shapes")


def holes(
    sample: Sampler, key: RandomKey, positions: Int[Array, " N"], size: tuple[int, int]
) -> Hole:
    """One hole for each example, from the key and the example's position in the whole batch alone.

    So a batch gets the same holes whole on one device or cut over many.
    """
    return jax.vmap(lambda position: sample(jax.random.fold_in(key, position), size))(positions)
