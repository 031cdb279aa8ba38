"""Trained networks in one safetensors file each, with all that it takes to run them again."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from safetensors import SafetensorError, safe_open

import jaxinpaint
from jaxinpaint.array_typing import Variables
from jaxinpaint.interop.state_dicts import nested
from jaxinpaint.interop.weight_files import (
    Arrays,
    UnreadableWeights,
    blaming,
    digest_of,
    read_safetensors,
    write_safetensors,
)
from jaxinpaint.recipes import RecipeConfig
from jaxinpaint.recipes.converting import config_as_text, config_from_text
from jaxinpaint.recipes.fitting import first_state, misfit

FORMAT = "jaxinpaint network 1"
UNUSED = "unused/"  # in place of a player's name


class NetworkFile(NamedTuple):
    """A trained network, and what else of its training may be there.

    Attributes:
        config: of the recipe that it is part of.
        players: variables by player; ``generator`` fills holes.
        source: what it was made from, for people.
        unused: arrays of a published state dict that no network reads, by their keys there.
        untold: options of the config that such a state dict does not tell; the config has their
            defaults.
    """

    config: RecipeConfig
    players: Mapping[str, Variables]
    source: str
    unused: Arrays = {}  # noqa: RUF012 (a mapping that is not written to)
    untold: frozenset[str] = frozenset()


def write(file: NetworkFile, path: Path) -> None:
    """Writes a network file; one that is there is replaced when the new one is whole.

    Raises:
        UnreadableWeights: for what `read` would refuse.
        OSError: if it can't be written.
    """
    check(file)
    arrays = {f"{UNUSED}{key}": np.asarray(array, order="C") for key, array in file.unused.items()}
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
    write_safetensors(arrays, path, told)


def is_network_file(path: Path) -> bool:
    """Whether a file says of itself that it is one."""
    try:
        with safe_open(path, framework="np") as file:  # which reads no arrays
            return (file.metadata() or {}).get("format", "").startswith("jaxinpaint network")
    except SafetensorError:
        return False


def read(path: Path) -> NetworkFile:
    """What `write` wrote.

    Raises:
        UnreadableWeights: if the file is damaged, of another version, or its arrays are not those
            of the networks that it says they are.
    """
    arrays, told = read_safetensors(path)
    with blaming(path):
        if told["format"] != FORMAT:
            raise UnreadableWeights(f"it is a {told['format']}; this version reads a {FORMAT}")
        if told["digest"] != digest_of(arrays):
            raise UnreadableWeights("it is damaged: its numbers are not those that were saved")
        unused, used = {}, {}
        for key, array in arrays.items():
            if key.startswith(UNUSED):
                unused[key.removeprefix(UNUSED)] = array
            else:
                used[tuple(key.split("/"))] = array
        config = config_from_text(told["recipe"])
        file = NetworkFile(config, nested(used), told["source"], unused)
        check(file)
    return file


def check(file: NetworkFile) -> None:
    """Raises UnreadableWeights if the arrays are not those of the recipe's networks, or not finite.

    Anything else may be raised for what are no variables.
    """
    recipe, state = first_state(file.config)
    if not file.players:
        raise UnreadableWeights("it holds no network")
    for player, variables in file.players.items():
        if player not in state.players:
            raise UnreadableWeights(f"it has a {player}, which its recipe has not")
        if told := misfit(player, variables, state.players[player].variables, recipe.dispensable):
            raise UnreadableWeights(f"it is of another {player} than it says: {told}")
        if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(variables)):
            raise UnreadableWeights(f"its {player} has values that are not finite")
