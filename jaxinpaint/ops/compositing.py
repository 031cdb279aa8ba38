"""Pictures and holes put together, and pictures as bytes."""

import jax.numpy as jnp

from jaxinpaint.array_typing import Bytes, Hole, Image


def composite(output: Image, image: Image, hole: Hole) -> Image:
    """The completed picture: ``hole · output + (1 - hole) · image``.

    A selection, not a sum: known pixels come back bit for bit, and whatever the output holds there
    (infinities too) reaches neither the value nor the gradient.
    """
    return jnp.where(hole > 0, output, image)


def from_bytes(picture: Bytes) -> Image:
    """uint8 in 0..255 to float32 in [0, 1]."""
    return picture.astype(jnp.float32) / 255


def to_bytes(image: Image) -> Bytes:
    """Floats to uint8 by clipping to [0, 1] and rounding; the inverse of `from_bytes`.

    Truncation would darken: after a trip through [-1, 1] it changes 63 of the 256 levels.
    """
    return jnp.round(jnp.clip(image, 0, 1) * 255).astype(jnp.uint8)
