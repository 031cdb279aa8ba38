"""What a run has trained, read from its folder."""

from pathlib import Path

import jax

from jaxinpaint.array_typing import Variables
from jaxinpaint.recipes.base import Recipe
from jaxinpaint.run_config import load_config, recipe_of
from jaxinpaint.training.checkpoints import abstract_like, open_checkpoints


def read(run: Path) -> tuple[Recipe, Variables]:
    """The recipe of a run, and the variables of its generator in the newest checkpoint.

    Raises:
        NoRun: if the folder is no run.
        ValueError: if it has no checkpoint that can be read.
    """
    config = load_config(run)
    recipe = recipe_of(config)
    size = (config.data.size, config.data.size)
    state = jax.eval_shape(lambda key: recipe.init(key, size), jax.random.key(0))
    on_one_device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    with open_checkpoints(run / "checkpoints") as checkpoints:
        variables, _ = checkpoints.restore_generator(abstract_like(state, on_one_device))
    return recipe, variables
