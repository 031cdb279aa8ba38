"""What a run has trained, read from its folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jax

from jaxinpaint.array_typing import Variables
from jaxinpaint.recipes.base import Recipe, TrainState
from jaxinpaint.run_config import RunConfig, load_config, recipe_of
from jaxinpaint.training.checkpoints import Checkpoints, abstract_like, open_checkpoints


def read(run: Path) -> tuple[Recipe, Variables]:
    """The recipe of a run, and the variables of its generator in the newest checkpoint.

    Raises:
        NoRun: if the folder is no run.
        ValueError: if it has no checkpoint that can be read.
    """
    config = load_config(run)
    recipe = recipe_of(config)
    with _saved(run, config, recipe) as (checkpoints, abstract):
        variables, _ = checkpoints.restore_generator(abstract)
    return recipe, variables


def read_players(run: Path) -> dict[str, Variables]:
    """The variables of all players of a run in its newest checkpoint, by name.

    Raises:
        NoRun: if the folder is no run.
        ValueError: if it has no checkpoint that can be read.
    """
    config = load_config(run)
    with _saved(run, config, recipe_of(config)) as (checkpoints, abstract):
        return checkpoints.restore_players(abstract)


@contextmanager
def _saved(
    run: Path, config: RunConfig, recipe: Recipe
) -> Iterator[tuple[Checkpoints, TrainState]]:
    """The checkpoints of a run, and what a state of it is like, on one device."""
    size = (config.data.size, config.data.size)
    state = jax.eval_shape(lambda key: recipe.init(key, size), jax.random.key(0))
    on_one_device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    with open_checkpoints(run / "checkpoints") as checkpoints:
        yield checkpoints, abstract_like(state, on_one_device)
