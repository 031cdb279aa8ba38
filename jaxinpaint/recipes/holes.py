"""The holes of a batch: drawn on the device, or come from files."""

from typing import Literal, TypeAlias

import jax.numpy as jnp

from jaxinpaint import masks
from jaxinpaint.array_typing import Hole, RandomKey
from jaxinpaint.masks.shapes import Shapes
from jaxinpaint.recipes.base import Batch

# Of files: any mask of a folder for any picture, or for each picture its own.
HolesName: TypeAlias = Literal[masks.SamplerName, "folder", "paired"]


def sampler_of(
    name: HolesName, *, ratio: tuple[float, float], border: bool, shapes: Shapes | None = None
) -> masks.Sampler | None:
    """What draws the holes of a name, as `masks.sampler`; None where they come from files."""
    if name in ("folder", "paired"):
        return None
    return masks.sampler(name, ratio=ratio, border=border, shapes=shapes)


def unread(name: HolesName) -> tuple[str, ...]:
    """The options of a recipe that holes of this name do not read: hole_ratio, hole_border."""
    if name in ("folder", "paired"):
        return ("hole_ratio", "hole_border")
    return tuple(f"hole_{option}" for option in masks.unread(name) if option != "shapes")


def holes_of(
    batch: Batch, sample: masks.Sampler | None, key: RandomKey, *, one: bool = False
) -> Hole:
    """One hole for each picture of a batch.

    Args:
        batch: of training pictures.
        sample: draws a hole; None: the batch brings them.
        key: what is drawn depends on it and the examples' positions.
        one: whether all pictures have the same hole, where they are drawn.

    Raises:
        ValueError: if the batch should bring holes and has none.
    """
    if sample is None:
        if batch.hole is None:
            raise ValueError("holes come from files: say where, --data.holes")
        return batch.hole
    _, height, width, _ = batch.image.shape
    positions = jnp.zeros_like(batch.position) if one else batch.position
    return masks.holes(sample, key, positions, (height, width))
