"""Steps of every recipe that may not be made, or turn out to be none: nothing changes."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxinpaint.recipes import (
    ContextEncoderConfig,
    CRFillConfig,
    MembraneConfig,
    PANConfig,
    PartialConvConfig,
    RecipeConfig,
    make,
)
from jaxinpaint.recipes.averages import with_average
from jaxinpaint.recipes.base import Batch, Recipe, TrainState, finite

CONFIGS: dict[str, RecipeConfig] = {
    "partial-conv": PartialConvConfig(
        layer_size=2,
        width=1 / 16,
        perceptual_weight=0.0,
        style_output_weight=0.0,
        style_composite_weight=0.0,
    ),
    "context-encoder": ContextEncoderConfig(
        size=64, width=4, discriminator_width=4, bottleneck=8, pixel_weight=0.5
    ),
    "pan": PANConfig(
        task="holes",
        levels=2,
        width=4,
        discriminator_width=4,
        in_turn=False,
        moves_others_averages=True,
    ),
    "crfill": CRFillConfig(stages=("coarse:1", "auxiliary"), width=8, discriminator_width=2),
    "membrane": MembraneConfig(levels=2, width=4),
}
# What breaks the generator's loss and leaves its judge's whole.
BREAKS: dict[str, dict[str, Any]] = {
    "partial-conv": {"hole_weight": np.inf},
    "context-encoder": {"overlap_weight": np.inf},
    "pan": {"perceptual_weight": np.inf},
    "crfill": {"pixel_weight": np.inf},
    "membrane": {"hole_weight": np.inf},
}
each = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name == "crfill" else ()) for name in CONFIGS],
)


def size(config: RecipeConfig) -> tuple[int, int]:
    return (64, 64) if isinstance(config, ContextEncoderConfig) else (32, 32)


def begun(config: RecipeConfig) -> tuple[Recipe, TrainState]:
    """A recipe that keeps an average too, and its state before the first step of its last stage."""
    recipe = with_average(make(config), 0.5)
    state = jax.jit(recipe.init, static_argnums=1)(jax.random.key(0), size(config))
    first = recipe.stages[-1][1] if recipe.stages else 0
    return recipe, dataclasses.replace(state, step=jnp.int32(first))


def batch_for(config: RecipeConfig) -> Batch:
    image = jax.random.randint(jax.random.key(1), (2, *size(config), 3), 0, 256)
    return Batch(image.astype(jnp.uint8), jnp.arange(2))


def assert_unmoved(after: TrainState, before: TrainState) -> None:
    """Bit for bit, but for its number."""
    assert after.step == before.step + 1
    jax.tree.map(np.testing.assert_array_equal, after.players, before.players)
    jax.tree.map(np.testing.assert_array_equal, after.averages, before.averages)


@each
def test_a_step_that_may_not_be_made_changes_its_number_alone(name: str) -> None:
    recipe, state = begun(CONFIGS[name])
    step, batch = jax.jit(recipe.step_at(int(state.step))), batch_for(CONFIGS[name])
    moved, metrics = step(state, batch, jnp.array(True))
    assert finite(metrics)
    for player in metrics.keys() & {"generator_update_norm", "discriminator_update_norm"}:
        assert metrics[player].total > 0
    # A run that stopped before a stage begins, whose optimisers it would have forget what they saw.
    stopped = dataclasses.replace(moved, step=jnp.int32(0))
    for before in (state, moved, stopped):
        after, _ = step(before, batch, jnp.array(False))
        assert_unmoved(after, before)


@each
def test_a_step_whose_loss_breaks_moves_no_player(name: str) -> None:
    config = dataclasses.replace(CONFIGS[name], **BREAKS[name])
    recipe, state = begun(config)
    after, metrics = jax.jit(recipe.step_at(int(state.step)))(state, batch_for(config))
    assert not np.isfinite(metrics["loss"].total)
    if "discriminator" in state.players:  # it had moved before that was known
        assert np.isfinite(metrics["discriminator"].total)
        assert metrics["discriminator_update_norm"].total > 0
    assert_unmoved(after, state)
