"""Many holes of a sampler, compiled once for all tests of a file."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from jaxinpaint import masks
from jaxinpaint.array_typing import RandomKey
from jaxinpaint.evaluation.mask_statistics import mask_statistics

SIZE = (48, 64)


def parts(holes: np.ndarray) -> np.ndarray:
    """How many connected parts each hole has; pixels that meet at a corner are connected."""
    return mask_statistics(holes > 0).parts


@cache
def compiled(sample: masks.Sampler, size: tuple[int, int]) -> jax.stages.Wrapped:
    def draw(key: RandomKey, positions: jax.Array) -> jax.Array:
        return masks.holes(sample, key, positions, size)

    return jax.jit(draw)


def drawn(
    sample: masks.Sampler, n: int, size: tuple[int, int] = SIZE, *, seed: int = 0
) -> np.ndarray:
    """The first holes of a seed, without their last axis."""
    return np.asarray(compiled(sample, size)(jax.random.key(seed), jnp.arange(n)))[..., 0]
