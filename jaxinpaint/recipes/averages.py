"""Running averages of the generator's variables, beside any recipe."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp

from jaxinpaint.array_typing import RandomKey
from jaxinpaint.recipes.base import (
    Batch,
    Metrics,
    Moves,
    Recipe,
    Step,
    TrainState,
    finite,
    new_if,
)


def with_average(recipe: Recipe, decay: float) -> Recipe:
    """The recipe that also keeps a running average of the generator's variables.

    ::

        average ← d · average + (1 - d) · variables,  d = min(decay, (1 + t) / (10 + t))

    after step t, so that the first steps are soon forgotten. Nothing else changes.

    Args:
        recipe: any.
        decay: in (0, 1).

    Raises:
        ValueError: for another decay.
    """
    if not 0 < decay < 1:
        raise ValueError(f"the decay of a running average is {decay}; it must be in (0, 1)")

    def init(key: RandomKey, size: tuple[int, int]) -> TrainState:
        state = recipe.init(key, size)
        # Copied: a step takes its state's arrays away, and can't take one twice.
        average = jax.tree.map(jnp.copy, state.players["generator"].variables)
        return replace(state, averages={"generator": average})

    @cache  # one function for each: each is compiled once
    def averaging(step: Step) -> Step:
        def averaged(
            state: TrainState, batch: Batch, may_move: Moves = True
        ) -> tuple[TrainState, Metrics]:
            moved, metrics = step(state, batch, may_move)
            d = jnp.minimum(decay, (1 + state.step) / (10 + state.step))
            before = state.averages["generator"]
            average = jax.tree.map(
                lambda old, new: d * old + (1 - d) * new,
                before,
                moved.players["generator"].variables,
            )
            average = new_if(may_move & finite(metrics), average, before)
            return replace(moved, averages={"generator": average}), metrics

        return averaged

    def step_at(number: int) -> Step:
        return averaging(recipe.step_at(number))

    return recipe._replace(init=init, step_at=step_at)
