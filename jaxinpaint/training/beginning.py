"""A run that begins with the weights of another."""

from collections.abc import Mapping
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from jaxinpaint.array_typing import Variables
from jaxinpaint.recipes.base import TrainState
from jaxinpaint.recipes.fitting import Parts, misfit
from jaxinpaint.training.parallel import Placement


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
        if told := misfit(name, weights[name], state.players[name].variables, dispensable):
            raise ValueError(f"the weights to start from are of another {name}: {told}")


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
