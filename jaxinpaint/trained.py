"""What has been trained: in a run's folder, or in a file of its network."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jaxinpaint import recipes
from jaxinpaint.array_typing import Variables
from jaxinpaint.interop.export_folders import is_program, network_in
from jaxinpaint.interop.network_files import NetworkFile
from jaxinpaint.interop.published_networks import read_network, read_painting
from jaxinpaint.recipes import RecipeConfig
from jaxinpaint.recipes.base import Recipe, TrainState
from jaxinpaint.run_config import NoRun, RunConfig, load_config, recipe_of
from jaxinpaint.training.checkpoints import Checkpoints, abstract_like, open_checkpoints


class Start(NamedTuple):
    """What training starts from.

    Attributes:
        config: of the recipe that it is of.
        untold: options of the config that are not known, as of `NetworkFile`.
        players: reads the variables of all players, by name, once.
    """

    config: RecipeConfig
    untold: frozenset[str]
    players: Callable[[], Mapping[str, Variables]]

    @property
    def network_options(self) -> dict[str, Any]:
        """The options that are known to say which function the generator is, by name."""
        options = recipes.network_options(self.config).items()
        return {name: value for name, value in options if name not in self.untold}


def require_there(path: Path) -> None:
    """Raises NoRun unless there is a run, a file or an export; it is quick to."""
    if not path.exists():
        raise NoRun(f"there is no run folder and no file {path}")
    if not (path.is_file() or is_program(path)):
        load_config(path)


def read(path: Path) -> tuple[Recipe, Variables]:
    """The recipe of a run or a file, and the variables of its generator.

    Args:
        path: a run's folder, of which the newest checkpoint is read, and of that the average if
            one is kept; a file, as for `read_network`; or the folder of an export of a network.

    Raises:
        NoRun: if there is nothing, or a folder is no run.
        ValueError: if it has no checkpoint that can be read.
        UnreadableWeights: if a file can't be read, or holds no generator.
    """
    network = read_generator(path, average=True)
    recipe = recipe_of(load_config(path)) if _is_run(path) else recipes.make(network.config)
    return recipe, network.players["generator"]


def read_generator(path: Path, *, average: bool) -> NetworkFile:
    """The generator of a run or a file, with its config.

    Args:
        path: as for `read`.
        average: whether a run's is the running average, where one is kept, or the one that is
            trained.

    Raises:
        NoRun, ValueError, UnreadableWeights: as `read`.
    """
    require_there(path)
    if not _is_run(path):
        return read_painting(_file(path))
    config = load_config(path)
    with _saved(path, config, recipe_of(config)) as (checkpoints, abstract):
        if average:
            generator, _ = checkpoints.restore_generator(abstract)
        else:
            generator = checkpoints.restore_players(abstract)["generator"]
    source = f"{path.name}, {'average' if average else 'trained'} weights"
    return NetworkFile(config.recipe, {"generator": generator}, source)


def start(path: Path) -> Start:
    """What a run or a file has for another run to start from.

    Args:
        path: as for `read`; of a run all that it trains is read, and no average.

    Raises:
        NoRun, UnreadableWeights: as `read`.
    """
    require_there(path)
    if not _is_run(path):
        network = read_network(_file(path))
        return Start(network.config, network.untold, lambda: network.players)
    return Start(load_config(path).recipe, frozenset(), cache(partial(_trained, path)))


def read_players(path: Path) -> Mapping[str, Variables]:
    """The variables of all players of a run in its newest checkpoint, or in a file, by name.

    Raises:
        NoRun, ValueError, UnreadableWeights: as `read`.
    """
    return start(path).players()


def _is_run(path: Path) -> bool:
    return path.is_dir() and not is_program(path)


def _file(path: Path) -> Path:
    """The file of a network: the one that is named, or in the folder of an export."""
    return network_in(path) if is_program(path) else path


def _trained(run: Path) -> Mapping[str, Variables]:
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
    on_one_device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    with open_checkpoints(run / "checkpoints") as checkpoints:
        yield checkpoints, abstract_like(state, on_one_device)
