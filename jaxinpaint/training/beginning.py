"""A run that begins with the weights of another."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from jaxinpaint.array_typing import Variables
from jaxinpaint.recipes.base import TrainState
from jaxinpaint.training.parallel import Placement

Parts = frozenset[tuple[str, str]]  # of players, as of `Recipe.dispensable`


def require_fitting(
    weights: Mapping[str, Variables], state: TrainState, dispensable: Parts = frozenset()
) -> None:
    """Raises ValueError if weights to start from are not those of the networks of a state.

    Args:
        weights: variables of players, by name.
        state: a first one, or its shapes.
        dispensable: parts of players that may be missing, as a whole.
    """
    if "generator" not in weights:
        raise ValueError("the weights to start from have no generator")
    for name in weights.keys() & state.players.keys():
        given, wanted = _shapes(weights[name]), _shapes(state.players[name].variables)
        missing = {part for part in _parts(wanted) - _parts(given) if (name, part) in dispensable}
        for place in sorted(given.keys() | wanted.keys()):
            if given.get(place) != wanted.get(place) and not _parts([place]) & missing:
                raise ValueError(
                    f"the weights to start from are of another {name}: {place} is "
                    f"{given.get(place, 'missing')} there, {wanted.get(place, 'missing')} here"
                )


def starting_from(
    weights: Mapping[str, Variables],
    state: TrainState,
    placement: Placement,
    dispensable: Parts = frozenset(),
) -> TrainState:
    """The first state, with given variables of some of its players, and averages of these.

    Args:
        weights, dispensable: as for `require_fitting`.
        state: the first one; parts that are not given stay as it has them.
        placement: of the state.
    """
    require_fitting(weights, state, dispensable)
    players = {}
    for name, player in state.players.items():
        # By way of the host: what lies on one device can't go to those of other processes.
        given = jax.tree.map(np.asarray, dict(weights.get(name, {})))
        variables = _merged(player.variables, given)
        where = placement.of_state(player.variables)
        players[name] = player._replace(variables=jax.device_put(variables, where))
    averages = {name: jax.tree.map(jnp.copy, players[name].variables) for name in state.averages}
    return replace(state, players=players, averages=averages)


def _merged(variables: Variables, given: Variables) -> Variables:
    """The variables, with what is given in place of theirs."""
    return {
        name: _merged(own, given.get(name, {}))
        if isinstance(own, Mapping)
        else given.get(name, own)
        for name, own in variables.items()
    }


def _parts(places: Iterable[str]) -> set[str]:
    """The parts of variables that places are in: the second name of each."""
    return {place.split("/")[1] for place in places if "/" in place}


def _shapes(variables: Variables) -> dict[str, tuple[int, ...]]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(variables)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf.shape for path, leaf in leaves
    }
