"""Growing holes."""

import jax.numpy as jnp
from jax import lax

from jaxinpaint.array_typing import Hole


def dilate(hole: Hole, radius: int = 1) -> Hole:
    """The hole grown by a square of ``2 · radius + 1`` pixels a side."""
    side = 2 * radius + 1
    return lax.reduce_window(hole, -jnp.inf, lax.max, (1, side, side, 1), (1, 1, 1, 1), "SAME")
