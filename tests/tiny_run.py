"""A run folder with a network of random weights, made without training or compiling anything."""

from pathlib import Path

import jax
import numpy as np

from jaxinpaint import recipes
from jaxinpaint.data.config import DataConfig
from jaxinpaint.recipes import (
    ContextEncoderConfig,
    CRFillConfig,
    MembraneConfig,
    PANConfig,
    PartialConvConfig,
)
from jaxinpaint.run_config import RunConfig, save_config
from jaxinpaint.training.checkpoints import open_checkpoints

CONFIG = RunConfig(PartialConvConfig(layer_size=2, width=0.06), DataConfig(size=16))
PAIRS = RunConfig(
    PANConfig(task="pairs", levels=2, width=2, discriminator_width=2), DataConfig(size=16)
)
SIZE_MULTIPLE = 4  # of both
# Of 64x64 it paints the middle 32x32, and sees the outermost 4 pixels of that.
CENTER = RunConfig(
    ContextEncoderConfig(size=64, width=2, discriminator_width=2, bottleneck=4), DataConfig(size=64)
)
# The others that fill holes: anywhere, in pictures of any size and through windows.
HOLES = RunConfig(
    PANConfig(task="holes", levels=2, width=2, discriminator_width=2), DataConfig(size=16)
)
GATED = RunConfig(CRFillConfig(width=16, discriminator_width=2), DataConfig(size=16))
MEMBRANE = RunConfig(MembraneConfig(levels=2, width=2), DataConfig(size=16))
REGIONS = RunConfig(
    ContextEncoderConfig(
        holes="random-region", size=64, width=2, discriminator_width=2, bottleneck=4
    ),
    DataConfig(size=64),
)


def tiny_run(folder: Path, config: RunConfig = CONFIG) -> Path:
    """Makes the folder's run, and gives the folder."""
    key, rng = jax.random.key(0), np.random.default_rng(0)

    def drawn(leaf: jax.ShapeDtypeStruct) -> jax.Array | np.ndarray:
        if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return key
        # Kernels around 0; biases, scales and variances at a half: so outputs lie within [0, 1].
        spread = 0.1 if len(leaf.shape) > 1 else 0
        return np.asarray(rng.normal(0 if spread else 0.5, spread, leaf.shape), leaf.dtype)

    init, size = recipes.make(config.recipe).init, (config.data.size, config.data.size)
    state = jax.tree.map(drawn, jax.eval_shape(lambda key: init(key, size), key))
    save_config(config, folder)
    with open_checkpoints(folder / "checkpoints", keep=1) as checkpoints:
        checkpoints.save(state, 0)
    return folder
