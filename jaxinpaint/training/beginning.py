"""A run that begins with the weights of another."""

from collections.abc import Mapping
from dataclasses import replace

import jax
import jax.numpy as jnp

from jaxinpaint.array_typing import Variables
from jaxinpaint.recipes.base import TrainState
from jaxinpaint.training.parallel import Placement


def require_fitting(weights: Mapping[str, Variables], state: TrainState) -> None:
    """Raises ValueError if weights to start from are not those of the networks of a state.

    Args:
        weights: variables of players, by name.
        state: a first one, or its shapes.
    """
    if "generator" not in weights:
        raise ValueError("the weights to start from have no generator")
    for name in weights.keys() & state.players.keys():
        given, wanted = _shapes(weights[name]), _shapes(state.players[name].variables)
        for place in sorted(given.keys() | wanted.keys()):
            if given.get(place) != wanted.get(place):
                raise ValueError(
                    f"the weights to start from are of another {name}: {place} is "
                    f"{given.get(place, 'missing')} there, {wanted.get(place, 'missing')} here"
                )


def starting_from(
    weights: Mapping[str, Variables], state: TrainState, placement: Placement
) -> TrainState:
    """The first state, with given variables of some of its players, and averages of these."""
    require_fitting(weights, state)
    players = {
        name: player._replace(
            variables=jax.device_put(
                weights.get(name, player.variables), placement.of_state(player.variables)
            )
        )
        for name, player in state.players.items()
    }
    averages = {name: jax.tree.map(jnp.copy, players[name].variables) for name in state.averages}
    return replace(state, players=players, averages=averages)


def _shapes(variables: Variables) -> dict[str, tuple[int, ...]]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(variables)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf.shape for path, leaf in leaves
    }
