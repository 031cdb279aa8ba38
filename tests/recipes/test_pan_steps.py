"""PAN's steps: its formulas against NumPy's, whose turn it is, and the margin."""

import dataclasses
from collections import Counter
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy_pan
import optax
import pytest

from jaxinpaint.array_typing import Variables
from jaxinpaint.recipes import PANConfig, pan
from jaxinpaint.recipes.base import Batch, Metrics, Player, Recipe, Step, TrainState

CENTER = PANConfig(size=64, width=2, discriminator_width=2, bottleneck=3)
PAIRS = PANConfig(task="pairs", levels=3, width=2, discriminator_width=2)
SIZES = {"center": 64, "pairs": 16}


@cache
def recipe(config: PANConfig) -> Recipe:
    return pan(config)


TRACED: Counter[tuple[PANConfig, int]] = Counter()


@cache
def step(config: PANConfig, number: int) -> Step:
    made = recipe(config).step_at(number)

    def counted(state: TrainState, some: Batch) -> tuple[TrainState, Metrics]:
        TRACED[config, number] += 1
        return made(state, some)

    return jax.jit(counted)


@cache
def start(config: PANConfig) -> TrainState:
    """A state whose weights are as large as trained ones, so that no formula is near its zero."""
    side, rng = SIZES[config.task], np.random.default_rng(0)
    state = jax.eval_shape(lambda key: recipe(config).init(key, (side, side)), jax.random.key(0))

    def drawn(leaf: jax.ShapeDtypeStruct) -> np.ndarray:
        fan_in = np.prod(leaf.shape[:-1]) if len(leaf.shape) > 1 else 1
        spread = np.sqrt(2 / fan_in) if len(leaf.shape) > 1 else 0.1
        return rng.normal(0 if len(leaf.shape) > 1 else 0.5, spread, leaf.shape)

    players = {}
    for name, player in state.players.items():
        variables = jax.tree.map(lambda leaf: jnp.float32(drawn(leaf)), player.variables)
        zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), player.opt_state)
        players[name] = Player(variables, zeros)
    return TrainState(jnp.zeros((), jnp.int32), jax.random.key(0), players)


def batch(config: PANConfig, seed: int = 0) -> Batch:
    side, rng = SIZES[config.task], np.random.default_rng(seed)
    image, source = rng.integers(0, 256, (2, 4, side, side, 3), np.uint8)
    pairs = config.task == "pairs"
    return Batch(jnp.asarray(image), jnp.arange(4), jnp.asarray(source) if pairs else None)


def told(metrics: Metrics) -> dict[str, float]:
    return {name: float(mean.total / mean.n) for name, mean in metrics.items()}


def in_double(state: TrainState, name: str) -> dict:
    params = state.players[name].variables["params"]
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)


def by_numpy(config: PANConfig) -> dict[str, float]:
    state, examples = start(config), batch(config)
    truth = np.asarray(examples.image, np.float64) / 127.5 - 1
    generator, judge = in_double(state, "generator"), in_double(state, "discriminator")
    if config.task == "center":
        shown = truth.copy()
        shown[:, 16:48, 16:48] = np.array((117, 104, 123)) / 127.5 - 1
        painted = numpy_pan.center_generator(generator, shown)
        return numpy_pan.losses(
            judge, truth[:, 16:48, 16:48], painted, center=True, margin=config.margin
        )
    source = np.asarray(examples.source, np.float64) / 127.5 - 1
    painted = numpy_pan.unet(generator, source, config.levels)
    return numpy_pan.losses(judge, truth, painted, center=False, margin=config.margin)


# The distance is a little more than 4: a margin of 5 is active.
@pytest.mark.parametrize("config", [CENTER, dataclasses.replace(PAIRS, margin=5.0)])
def test_steps_tell_what_numpy_finds(config: PANConfig) -> None:
    expected = by_numpy(config)
    of_discriminator, of_generator = (
        told(step(config, number)(start(config), batch(config))[1]) for number in (0, 1)
    )
    names = ("discriminator", "margin", "right_about_real", "right_about_fake")
    # float32 against float64 through batch norms over few values.
    for name in names:
        assert of_discriminator[name] == pytest.approx(expected[name], rel=1e-4)
    assert of_discriminator["margin_active"] == (config is not CENTER)
    for name in ("perceptual", "adversarial"):
        assert of_generator[name] == pytest.approx(expected[name], rel=1e-4)
    total = expected["perceptual"] + expected["adversarial"]
    assert of_generator["loss"] == pytest.approx(total, rel=1e-4)


def params(state: TrainState, name: str) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state.players[name].variables["params"])]


def averages(state: TrainState, name: str) -> list[np.ndarray]:
    stats = state.players[name].variables["batch_stats"]
    return [np.asarray(leaf) for leaf in jax.tree.leaves(stats)]


def same(these: list[np.ndarray], those: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(these, those, strict=True))


def test_players_move_in_turn_then_both_and_again() -> None:
    begun = start(PAIRS)
    moved = {
        number: {
            name: not same(params(begun, name), params(after, name))
            for name in ("generator", "discriminator")
        }
        for number in range(3)
        for after, _ in [step(PAIRS, number)(begun, batch(PAIRS))]
    }
    assert moved == {
        0: {"generator": False, "discriminator": True},
        1: {"generator": True, "discriminator": False},
        2: {"generator": True, "discriminator": True},
    }
    step_at = recipe(PAIRS).step_at
    assert [step_at(number) for number in range(3)] == [step_at(number) for number in range(3, 6)]
    together = pan(dataclasses.replace(PAIRS, in_turn=False)).step_at
    assert together(0) is together(1)


def test_only_who_moves_is_told_of() -> None:
    metrics = [step(PAIRS, number)(start(PAIRS), batch(PAIRS))[1].keys() for number in range(3)]
    assert not metrics[0] & metrics[1]
    assert metrics[2] == metrics[0] | metrics[1]
    assert "loss" in metrics[1]


def test_in_a_step_of_both_the_generator_is_judged_by_the_discriminator_that_has_moved() -> None:
    # Pairs draw nothing, so two steps can be of the same task.
    both, metrics = step(PAIRS, 2)(start(PAIRS), batch(PAIRS))
    first, _ = step(PAIRS, 0)(start(PAIRS), batch(PAIRS))
    second, apart = step(PAIRS, 1)(first, batch(PAIRS))
    assert told(metrics)["perceptual"] == pytest.approx(told(apart)["perceptual"], rel=1e-5)
    for a, b in zip(params(both, "generator"), params(second, "generator"), strict=True):
        # Adam's first step is 2e-4 whatever the gradient's size: only its sign could differ.
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_turn_moves_the_others_averages_only_if_asked() -> None:
    crossing = dataclasses.replace(PAIRS, moves_others_averages=True)
    for number, mover, other in (
        (0, "discriminator", "generator"),
        (1, "generator", "discriminator"),
    ):
        for config in (PAIRS, crossing):
            after, _ = step(config, number)(start(PAIRS), batch(PAIRS))
            assert not same(averages(start(PAIRS), mover), averages(after, mover))
            still = same(averages(start(PAIRS), other), averages(after, other))
            assert still == (config is PAIRS)


@pytest.mark.parametrize("above", [True, False])
def test_the_margin_asks_for_more_differences_only_below_it(above: bool) -> None:
    distance = told(step(PAIRS, 1)(start(PAIRS), batch(PAIRS))[1])["perceptual"]
    margin = distance * (1.5 if above else 0.5)
    with_margin = dataclasses.replace(PAIRS, margin=margin)
    without = dataclasses.replace(PAIRS, margin=0.0)
    after, metrics = step(with_margin, 0)(start(PAIRS), batch(PAIRS))
    plain, _ = step(without, 0)(start(PAIRS), batch(PAIRS))
    assert told(metrics)["margin_active"] == above
    assert told(metrics)["margin"] == pytest.approx(max(0, margin - distance), rel=1e-4)
    moments = [after.players["discriminator"].opt_state, plain.players["discriminator"].opt_state]
    gradients = [list(map(np.asarray, jax.tree.leaves(optax.tree.get(m, "mu")))) for m in moments]
    assert same(*gradients) == (not above)


def test_each_kind_of_step_compiles_once_and_moves_nothing_between_host_and_device() -> None:
    state, batches = start(PAIRS), [batch(PAIRS, seed) for seed in range(6)]
    steps = [step(PAIRS, number) for number in range(3)]
    with jax.transfer_guard("disallow"):
        for number, some in enumerate(batches):
            state, _ = steps[number % 3](state, some)
    assert state.step == 6
    assert [TRACED[PAIRS, number] for number in range(3)] == [1, 1, 1]


def test_options_that_a_task_does_not_read_are_refused() -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"dropout": 0.5}, "--recipe.dropout says nothing where there is --recipe.task center"),
        ({"task": "holes", "size": 256}, "--recipe.size says nothing"),
        ({"task": "holes", "holes": "mat", "hole_border": False}, "--recipe.hole-border says no"),
        ({"task": "pairs", "hole_ratio": (0.1, 0.2)}, "--recipe.hole-ratio says nothing"),
        ({"size": 96}, "--recipe.size is 96; it must be a power of two"),
    ]
    for options, message in cases:
        with pytest.raises(ValueError, match=message):
            PANConfig(**options)


def test_the_saturating_term_can_be_left_for_the_other() -> None:
    other = dataclasses.replace(PAIRS, saturating=False)
    fake = by_numpy(PAIRS)["adversarial"]
    metrics = told(step(other, 1)(start(PAIRS), batch(PAIRS))[1])
    # log(1 - D) is `fake` on average of several pictures, so -log D can only be bounded by it.
    assert metrics["adversarial"] > 0 > fake
    assert metrics["adversarial"] >= -np.log(1 - np.exp(fake)) - 1e-5


def test_pairs_need_sources() -> None:
    alone = batch(PAIRS)._replace(source=None)
    with pytest.raises(ValueError, match=r"--data\.pairs"):
        jax.eval_shape(recipe(PAIRS).step_at(0), start(PAIRS), alone)


def test_pairs_are_translated_and_fill_no_holes() -> None:
    made = recipe(PAIRS)
    assert made.inpaint is None
    assert made.translate is not None
    variables: Variables = start(PAIRS).players["generator"].variables
    picture = made.translate(variables, jnp.full((1, 16, 24, 3), 0.5))
    assert picture.shape == (1, 16, 24, 3)
    assert 0 <= picture.min() <= picture.max() <= 1
