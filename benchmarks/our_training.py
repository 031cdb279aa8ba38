"""A recipe's training as `train.py` makes it, to be timed."""
# pyright: reportMissingImports=false
# PyTorch is needed by the benchmarks only.

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from side_by_side import Side

from jaxinpaint.array_typing import Variables
from jaxinpaint.nets.network import Precision
from jaxinpaint.recipes import RecipeConfig, StepConfig, make
from jaxinpaint.recipes.base import Batch, Metrics, TrainState
from jaxinpaint.training.guarding import Guarded, guarded
from jaxinpaint.training.parallel import compile_init, compile_step, place_on_all_devices


class OurTraining:
    """The recipe's steps, compiled kind by kind; the state moves on from call to call."""

    def __init__(
        self,
        config: RecipeConfig,
        batch: Batch,
        kinds: int = 1,
        *,
        precision: Precision = "float32",
    ) -> None:
        placement = place_on_all_devices()
        recipe = make(config, StepConfig(precision), axis_name=placement.axis_name)
        broken = jax.device_put(jnp.zeros((), bool), placement.replicated)
        guard = Guarded(first_state(config, batch), broken)
        batch = jax.device_put(batch, placement.split)
        programs = [
            compile_step(guarded(recipe.step_at(kind), "stop"), placement, guard, batch)
            for kind in range(kinds)
        ]
        self.planned = [program.bytes for program in programs]
        self.flops = [program.flops for program in programs]

        def step(kind: int) -> Metrics:
            nonlocal guard
            guard, metrics = jax.block_until_ready(programs[kind].call(guard, batch))
            return metrics

        self.step = step

    def side_of(self, *kinds: int) -> Side:
        """The steps of these kinds, one after the other, each with its own metrics."""
        planned = [found for kind in kinds if (found := self.planned[kind]) is not None]
        return Side(lambda: [self.step(kind) for kind in kinds], max(planned, default=None))


def first_state(config: RecipeConfig, batch: Batch) -> TrainState:
    """The same at every call, for a step takes the arrays of a state away."""
    placement = place_on_all_devices()
    init = compile_init(make(config).init, placement)
    _, height, width, _ = batch.image.shape
    return init(jax.random.key(0), (height, width))


def first_variables(config: RecipeConfig, batch: Batch) -> dict[str, Variables]:
    """Every player's, of that state, for PyTorch."""
    players = first_state(config, batch).players.items()
    return {name: jax.tree.map(np.array, player.variables) for name, player in players}


def shapes_of_variables(config: RecipeConfig, batch: Batch) -> dict[str, Variables]:
    """The same without values, and without anything compiled."""
    _, height, width, _ = batch.image.shape
    init = make(config).init
    state = jax.eval_shape(lambda key: init(key, (height, width)), jax.random.key(0))
    return {name: player.variables for name, player in state.players.items()}


def apart(metrics: Metrics, told: Mapping[str, Any]) -> float:
    """The largest difference of what both sides tell of a step, over its value or 1.

    Losses are about 1; one that should be 0 has no value to be over. NaN if any is.
    """
    pairs = [(float(metrics[name].total / metrics[name].n), float(told[name])) for name in told]
    # NumPy's, for Python's `max` may pass over NaN.
    return float(np.max([abs(a - b) / np.maximum(abs(b), 1) for a, b in pairs]))
