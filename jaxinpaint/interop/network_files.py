"""Trained networks in one safetensors file each, with all that it takes to run them again."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import cattrs
import jax
import numpy as np
import yaml
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

import jaxinpaint
from jaxinpaint import recipes
from jaxinpaint.array_typing import Variables
from jaxinpaint.interop.weight_files import Arrays, UnreadableWeights, digest_of
from jaxinpaint.recipes import RecipeConfig
from jaxinpaint.recipes.base import Multiple, Recipe, TrainState
from jaxinpaint.recipes.converting import converter
from jaxinpaint.recipes.fitting import misfit

FORMAT = "jaxinpaint network 1"
UNUSED = "unused"  # in place of a player's name


class NetworkFile(NamedTuple):
    """A trained network, and what else of its training may be there.

    Attributes:
        config: of the recipe that it is part of.
        players: variables by player; ``generator`` fills holes.
        source: what it was made from, for people.
        unused: arrays of a published state dict that no network reads, by their keys there.
    """

    config: RecipeConfig
    players: Mapping[str, Variables]
    source: str
    unused: Arrays = {}  # noqa: RUF012 (a mapping that is not written to)


def write(file: NetworkFile, path: Path) -> None:
    """Writes a network file; one that is there is replaced when the new one is whole.

    Raises:
        OSError: if it can't be written.
    """
    arrays = {f"{UNUSED}/{key}": np.asarray(array, order="C") for key, array in file.unused.items()}
    for player, variables in file.players.items():
        leaves, _ = jax.tree_util.tree_flatten_with_path(variables)
        for place, leaf in leaves:
            arrays["/".join([player, *(part.key for part in place)])] = np.asarray(leaf, order="C")
    told = {
        "format": FORMAT,
        "recipe": config_as_text(file.config),
        "source": file.source,
        "written_by": f"jaxinpaint {jaxinpaint.__version__}",
        "digest": digest_of(arrays),
    }
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(arrays, partial, told)
        partial.replace(path)
    except SafetensorError as error:  # such as a full disk
        raise OSError(f"{path} can't be written: {error}") from error
    finally:
        partial.unlink(missing_ok=True)


def is_network_file(path: Path) -> bool:
    """Whether a file says of itself that it is one."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(min(length, path.stat().st_size))
    try:
        return json.loads(header)["__metadata__"]["format"].startswith("jaxinpaint network")
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def read(path: Path) -> NetworkFile:
    """What `write` wrote.

    Raises:
        UnreadableWeights: if the file is damaged, of another version, or its arrays are not those
            of the networks that it says they are.
    """
    try:
        with safe_open(path, framework="np") as file:
            told = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise UnreadableWeights(f"{path} is damaged or cut short: {error}") from error
    if told.get("format") != FORMAT:
        raise UnreadableWeights(f"{path} is a {told.get('format')}; this version reads a {FORMAT}")
    if told.get("digest") != digest_of(arrays):
        raise UnreadableWeights(f"{path} is damaged: its numbers are not those that were saved")
    try:
        config = config_from_text(told.get("recipe", ""))
    except UnreadableWeights as error:
        raise UnreadableWeights(f"{path}: {error}") from error
    players: dict[str, Any] = {}
    unused = {}
    for name, array in arrays.items():
        player, *place = name.split("/")
        if player == UNUSED:
            unused["/".join(place)] = array
            continue
        node = players.setdefault(player, {})
        for part in place[:-1]:
            node = node.setdefault(part, {})
        node[place[-1]] = array
    file = NetworkFile(config, players, told.get("source", ""), unused)
    _check(file, path)
    return file


def config_as_text(config: RecipeConfig) -> str:
    """A recipe's config as network files keep it."""
    return yaml.safe_dump(converter().unstructure(config, RecipeConfig), sort_keys=False)


def config_from_text(text: str) -> RecipeConfig:
    """The inverse of `config_as_text`.

    Raises:
        UnreadableWeights: if it is none, or of another version.
    """
    try:
        # It takes unions too, of which the types of Python 3.11 know nothing.
        return converter().structure(yaml.safe_load(text), cast(Any, RecipeConfig))
    except (cattrs.BaseValidationError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise UnreadableWeights("it has a config that this version can't read") from error


def _check(file: NetworkFile, path: Path) -> None:
    """Raises UnreadableWeights if the arrays are not those of the recipe's networks."""
    recipe, state = first_state(file.config)
    for player, variables in file.players.items():
        if player not in state.players:
            raise UnreadableWeights(f"{path} has a {player}, which its recipe has not")
        if told := misfit(player, variables, state.players[player].variables, recipe.dispensable):
            raise UnreadableWeights(f"{path} is of another {player} than it says: {told}")


def first_state(config: RecipeConfig) -> tuple[Recipe, TrainState]:
    """The recipe of a config, and the shapes of its first state."""
    recipe = recipes.make(config)
    takes = recipe.takes
    side = max(takes.of, takes.least) if isinstance(takes, Multiple) else takes.side
    state = jax.eval_shape(lambda key: recipe.init(key, (side, side)), jax.random.key(0))
    return recipe, state
