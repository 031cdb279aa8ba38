"""A round pen that moves along a line."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def pen(
    y: Float[Array, "H 1"], x: Float[Array, "1 W"], start: Array, end: Array, radius: Array
) -> tuple[Float[Array, "H W"], Float[Array, "H W"]]:
    """A disk that moves from start to end: when it covers each pixel, and how far it stays off.

    Returns:
        the share in [0, 1] of its way at which the disk first covers the pixel (a pen that does not
        move grows from nothing to its radius instead), and the pixel's distance to all that the
        disk covers, not positive where it is covered.
    """
    way = end - start
    length = jnp.linalg.norm(way)
    moves = length > 0
    per_length = 1 / jnp.where(moves, length, 1)
    down, right = y - start[0], x - start[1]
    ahead = (down * way[0] + right * way[1]) * per_length
    aside2 = jnp.maximum(down**2 + right**2 - ahead**2, 0)
    distance = jnp.sqrt((ahead - jnp.clip(ahead, 0, length)) ** 2 + aside2)
    reached = ahead - jnp.sqrt(jnp.maximum(radius**2 - aside2, 0))
    share = jnp.where(moves, reached * per_length, distance / radius)
    return jnp.clip(share, 0, 1), distance - radius
