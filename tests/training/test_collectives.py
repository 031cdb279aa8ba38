"""What devices tell each other in a step, read from the compiled program."""

import math
import re

import jax
import jax.numpy as jnp
import pytest

from jaxinpaint import recipes
from jaxinpaint.recipes import (
    ContextEncoderConfig,
    CRFillConfig,
    PANConfig,
    PartialConvConfig,
    RecipeConfig,
)
from jaxinpaint.recipes.base import Batch, TrainState
from jaxinpaint.recipes.stepping import StepConfig
from jaxinpaint.training.parallel import AXIS, place_on_all_devices, spread

pytestmark = pytest.mark.slow  # whole steps and networks, compiled many times

FLOAT = 4  # bytes
# What is told of a step travels with the last gradients.
METRICS = 256


def compiled_text(
    config: RecipeConfig, how: StepConfig, parallel: str
) -> tuple[str | None, TrainState]:
    """The program of a step on the tests' eight devices, and its state."""
    placement = place_on_all_devices("pmap" if parallel == "pmap" else "jit")
    recipe = recipes.make(config, how, axis_name=placement.axis_name)
    side = config.size if isinstance(config, ContextEncoderConfig) else 32
    state = jax.eval_shape(lambda key: recipe.init(key, (side, side)), jax.random.key(0))

    def batch(*examples: int) -> Batch:
        image = jnp.zeros((*examples, side, side, 3), jnp.uint8)
        return Batch(image, jnp.zeros(examples, jnp.int32))

    step = recipe.step_at(0)
    if parallel == "pmap":
        replicas = jax.pmap(
            step,
            axis_name=AXIS,
            in_axes=(None, 0),
            out_axes=None,
        )
        return replicas.lower(state, batch(8, 2)).compile().as_text(), state
    whole = jax.jit(
        spread(step, placement),
        in_shardings=(placement.replicated, placement.split),
        out_shardings=placement.replicated,
    )
    return whole.lower(state, batch(16)).compile().as_text(), state


def all_reduces(program: str | None) -> list[int]:
    """The bytes of each all-reduce, the largest first. There are no other collectives."""
    assert program
    others = re.findall(
        r"= .+? (all-gather|all-to-all|collective-permute|reduce-scatter)(?:-start)?\(", program
    )
    assert not others
    found = []
    for shapes in re.findall(r"= (.+?) all-reduce(?:-start)?\(", program):
        arrays = re.findall(r"\w+\[([\d,]*)\]", shapes)
        found.append(sum(FLOAT * math.prod(map(int, filter(None, a.split(",")))) for a in arrays))
    return sorted(found, reverse=True)


def of(state: TrainState, player: str) -> tuple[int, int]:
    """Bytes of a player's parameters, and of what else it keeps."""
    variables = dict(state.players[player].variables)
    params = variables.pop("params")
    sizes = [sum(FLOAT * x.size for x in jax.tree.leaves(tree)) for tree in (params, variables)]
    return sizes[0], sizes[1]


PARTIAL_CONV = PartialConvConfig(layer_size=3, width=1 / 8, features="random")
CONTEXT_ENCODER = ContextEncoderConfig(size=64, width=8, discriminator_width=8, bottleneck=32)
CRFILL = CRFillConfig(stages=("auxiliary",), width=8, discriminator_width=8)
PAN = PANConfig(task="holes", levels=3, width=8, discriminator_width=8, in_turn=False)

# How often each player's statistics go round in a step: once a forward pass, once a backward one.
# Context Encoders' discriminator sees true and painted pictures in its own turn, painted ones in
# the generator's. That of PAN sees both in each, and in the second nothing is learnt of true ones.
ROUNDS = {
    "partial_conv": (PARTIAL_CONV, {"generator": 2}),
    "context_encoder": (CONTEXT_ENCODER, {"generator": 2, "discriminator": 4 + 2}),
    "crfill": (CRFILL, {"generator": 0, "discriminator": 0}),
    "pan": (PAN, {"generator": 2, "discriminator": 4 + 3}),
}


@pytest.mark.parametrize("parallel", ["jit", "pmap"])
@pytest.mark.parametrize("name", ROUNDS)
def test_gradients_go_round_once_for_each_player_and_statistics_once_a_pass(
    name: str, parallel: str
) -> None:
    config, rounds = ROUNDS[name]
    program, state = compiled_text(config, StepConfig(), parallel)
    exchanged = all_reduces(program)
    players = sorted((of(state, player) for player in rounds), reverse=True)
    assert len(exchanged) >= len(players)
    for (parameters, _), gradients in zip(players, exchanged, strict=False):
        assert parameters < gradients <= parameters + METRICS
    statistics = sum(times * of(state, player)[1] for player, times in rounds.items())
    # PAN's margin is one number more; sums that come to nothing are left out.
    assert sum(exchanged[len(players) :]) == pytest.approx(statistics, abs=64)


@pytest.mark.parametrize("how", [StepConfig(clip=1.0), StepConfig(accumulate=2)])
def test_clipping_and_parts_exchange_gradients_once_too(how: StepConfig) -> None:
    program, state = compiled_text(CRFILL, how, "jit")
    exchanged = all_reduces(program)
    assert len(exchanged) == len(state.players)
