"""Holes of an exact number of pixels, so that a wanted share is missing by construction."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


def pixels_in_bucket(size: tuple[int, int], ratio: tuple[float, float]) -> tuple[int, int]:
    """The least and greatest number of pixels whose share lies in ``(low, high]``."""
    pixels = size[0] * size[1]
    # A tolerance, because 0.1 * 1000 pixels is not always 100 in floats.
    least = math.floor(ratio[0] * pixels + 1e-6) + 1
    greatest = math.floor(ratio[1] * pixels + 1e-6)
    if not (0 <= ratio[0] < ratio[1] <= 1 and least <= greatest):
        raise ValueError(f"no hole of {size[0]}x{size[1]} pixels has a ratio in {ratio}")
    return least, greatest


def smallest(moments: Float[Array, "H W"], count: Int[Array, ""]) -> Bool[Array, "H W"]:
    """Marks exactly ``count`` pixels, those with the smallest moments (``>= 0``).

    Selection instead of sorting, which is twenty times slower: floats that are not negative are
    ordered as their bit patterns are, so the threshold is built bit by bit.
    """
    bits = jax.lax.bitcast_convert_type(moments.astype(jnp.float32), jnp.int32)

    def settle(i: Array, threshold: Array) -> Array:
        raised = threshold | (1 << (30 - i))
        return jnp.where(jnp.sum(bits < raised) < count, raised, threshold)

    threshold = jax.lax.fori_loop(0, 31, settle, jnp.int32(0))
    before, tied = bits < threshold, bits == threshold
    missing = count - jnp.sum(before)
    return before | (tied & (jnp.cumsum(tied.ravel()).reshape(tied.shape) <= missing))
