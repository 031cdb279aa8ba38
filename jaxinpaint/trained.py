"""What has been trained: in a run's folder, or in a file of its network."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import jax

from jaxinpaint import recipes
from jaxinpaint.array_typing import Variables
from jaxinpaint.interop.published_networks import read_network
from jaxinpaint.interop.weight_files import UnreadableWeights
from jaxinpaint.recipes import RecipeConfig
from jaxinpaint.recipes.base import Recipe, TrainState
from jaxinpaint.run_config import RunConfig, load_config, recipe_of
from jaxinpaint.training.checkpoints import Checkpoints, abstract_like, open_checkpoints


def read(path: Path) -> tuple[Recipe, Variables]:
    """The recipe of a run or a file, and the variables of its generator.

    Args:
        path: a run's folder, of which the newest checkpoint is read, and of that the average if
            one is kept; or a file, as for `read_network`.

    Raises:
        NoRun: if a folder is no run.
        ValueError: if it has no checkpoint that can be read.
        UnreadableWeights: if a file can't be read, or holds no generator.
    """
    if path.is_file():
        file = read_network(path)
        if "generator" not in file.players:
            raise UnreadableWeights(f"{path} holds no network that paints: {file.source}")
        return recipes.make(file.config), file.players["generator"]
    config = load_config(path)
    recipe = recipe_of(config)
    with _saved(path, config, recipe) as (checkpoints, abstract):
        variables, _ = checkpoints.restore_generator(abstract)
    return recipe, variables


def read_config(path: Path) -> RecipeConfig:
    """The config of the recipe of a run or a file.

    Raises:
        NoRun, UnreadableWeights: as `read`.
    """
    return read_network(path).config if path.is_file() else load_config(path).recipe


def read_generator(path: Path, *, average: bool) -> tuple[RecipeConfig, Variables]:
    """The config of a run or a file, and its generator's variables.

    Args:
        path: as for `read`.
        average: whether they are the running average, where one is kept, or those that are trained.

    Raises:
        NoRun, ValueError, UnreadableWeights: as `read`.
    """
    if average:
        return read_config(path), read(path)[1]
    players = read_players(path)
    if "generator" not in players:
        raise UnreadableWeights(f"{path} holds no network that paints")
    return read_config(path), players["generator"]


def read_players(path: Path) -> Mapping[str, Variables]:
    """The variables of all players of a run in its newest checkpoint, or in a file, by name.

    Raises:
        NoRun, ValueError, UnreadableWeights: as `read`.
    """
    if path.is_file():
        return read_network(path).players
    config = load_config(path)
    with _saved(path, config, recipe_of(config)) as (checkpoints, abstract):
        return checkpoints.restore_players(abstract)


@contextmanager
def _saved(
    run: Path, config: RunConfig, recipe: Recipe
) -> Iterator[tuple[Checkpoints, TrainState]]:
    """The checkpoints of a run, and what a state of it is like, on one device."""
    size = (config.data.size, config.data.size)
    state = jax.eval_shape(lambda key: recipe.init(key, size), jax.random.key(0))
    on_one_device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    with open_checkpoints(run / "checkpoints") as checkpoints:
        yield checkpoints, abstract_like(state, on_one_device)
