"""Whole steps in parts, in another precision, at other rates, with inner layers computed again."""

import dataclasses
from functools import cache
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
    StepConfig,
    make,
)
from jaxinpaint.recipes.base import Batch, Metrics, TrainState

pytestmark = pytest.mark.slow  # whole steps and networks, compiled many times

PARTIAL_CONV = PartialConvConfig(layer_size=2, width=1 / 16, batch_norm=False, features="random")
CRFILL = CRFillConfig(stages=("auxiliary",), width=8, discriminator_width=4)
COARSE = dataclasses.replace(CRFILL, stages=("coarse",))
PAN = PANConfig(task="holes", levels=2, width=4, discriminator_width=4, in_turn=False)
CONTEXT_ENCODER = ContextEncoderConfig(size=64, width=4, discriminator_width=4, bottleneck=8)

RECIPES = {
    "partial_conv": PARTIAL_CONV,
    "context_encoder": CONTEXT_ENCODER,
    "crfill": CRFILL,
    "pan": PAN,
    "membrane": MembraneConfig(levels=2, width=4),
}


@cache
def stepped(
    config: RecipeConfig, how: StepConfig, *, alike: bool = False
) -> tuple[TrainState, Metrics]:
    """The state after a step, from the same one and on the same four examples each time.

    If these are alike, the first is the same as the second, and the third as the fourth.
    """
    side = config.size if isinstance(config, ContextEncoderConfig) else 32
    recipe = make(config, how)
    image = jax.random.randint(jax.random.key(1), (4, side, side, 3), 0, 256).astype(jnp.uint8)
    index = jnp.array([0, 0, 2, 2]) if alike else jnp.arange(4)
    state = jax.jit(recipe.init, static_argnums=1)(jax.random.key(0), (side, side))
    return jax.jit(recipe.step_at(0))(state, Batch(image[index], index))


def parameters(state: TrainState, player: str = "generator") -> np.ndarray:
    params: Any = state.players[player].variables["params"]
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(params)])


def mean(metrics: Metrics, name: str) -> float:
    return float(metrics[name].total / metrics[name].n)


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(PARTIAL_CONV, id="partial_conv"),
        pytest.param(COARSE, marks=pytest.mark.slow, id="coarse"),
    ],
)
def test_a_batch_in_parts_makes_the_step_of_the_whole_where_no_batch_norm_intervenes(
    config: RecipeConfig,
) -> None:
    whole, told = stepped(config, StepConfig())
    parts, told_of_parts = stepped(config, StepConfig(accumulate=2))
    for name in told:
        # Sums in another order.
        assert mean(told_of_parts, name) == pytest.approx(mean(told, name), rel=1e-4), name
    one, same = parameters(whole), parameters(parts)
    # Adam's first step is of one size whatever the gradient: where that is next to nothing a
    # rounding of it turns the sign.
    assert isinstance(config, PartialConvConfig | CRFillConfig)
    assert np.mean(np.abs(one - same) > config.learning_rate / 10) < 5e-3


@pytest.mark.parametrize("name", ["context_encoder", "pan"])
def test_parts_with_the_statistics_of_the_whole_make_its_step(name: str) -> None:
    _, told = stepped(RECIPES[name], StepConfig(), alike=True)
    parts, told_of_parts = stepped(RECIPES[name], StepConfig(accumulate=2), alike=True)
    assert parts.step == 1
    assert told.keys() == told_of_parts.keys()
    for metric in told:
        # The generator is judged by a discriminator that moved by Adam's first step, which turns
        # the roundings of tiny gradients into whole updates.
        assert mean(told_of_parts, metric) == pytest.approx(mean(told, metric), rel=0.02), metric
    # The same pictures, seen as often.
    assert told_of_parts["right_about_real"].n == told["right_about_real"].n


@pytest.mark.parametrize(
    "name",
    [
        "partial_conv",
        "pan",
        "membrane",
        pytest.param("context_encoder", marks=pytest.mark.slow),
        pytest.param("crfill", marks=pytest.mark.slow),
    ],
)
def test_a_step_in_bfloat16_is_near_one_in_float32_and_keeps_float32(name: str) -> None:
    wide, told = stepped(RECIPES[name], StepConfig())
    narrow, told_narrow = stepped(RECIPES[name], StepConfig(precision="bf16"))
    for leaf, same in zip(jax.tree.leaves(wide), jax.tree.leaves(narrow), strict=True):
        assert leaf.dtype == same.dtype
    # A bfloat16 has 8 bits, and errors of layers add up.
    assert mean(told_narrow, "loss") == pytest.approx(mean(told, "loss"), rel=0.05)
    for player in wide.players:
        length = f"{player}_gradient_norm"
        # The generator's is of a judge that moved by Adam's first step: by the signs of gradients.
        assert mean(told_narrow, length) == pytest.approx(mean(told, length), rel=0.3)
    assert not np.array_equal(parameters(wide), parameters(narrow))


@pytest.mark.parametrize("name", ["partial_conv", "pan", "membrane"])
def test_rates_and_clipping_reach_every_player(name: str) -> None:
    _, told = stepped(RECIPES[name], StepConfig())
    _, slower = stepped(RECIPES[name], StepConfig(warm_up=4, base_batch=2))
    _, clipped = stepped(RECIPES[name], StepConfig(clip=1e-12))
    for metric in told:
        if metric.endswith("_update_norm"):
            # A quarter of the way up, for a batch twice as large.
            assert mean(slower, metric) == pytest.approx(mean(told, metric) / 2, rel=1e-5)
            # Adam makes up for the size of a gradient, but for one below its epsilon of 1e-8.
            assert mean(clipped, metric) < 0.01 * mean(told, metric)
