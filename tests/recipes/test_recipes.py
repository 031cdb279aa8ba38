"""One table for all recipes: they learn, compile once, and are the same however they are run."""

import dataclasses
from collections import Counter
from functools import cache, partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxinpaint import recipes
from jaxinpaint.nets.vgg import random_variables
from jaxinpaint.objectives.partial_conv import PUBLISHED_WEIGHTS
from jaxinpaint.recipes import (
    ContextEncoderConfig,
    CRFillConfig,
    MembraneConfig,
    PANConfig,
    PartialConvConfig,
    Recipe,
    RecipeConfig,
    make,
)
from jaxinpaint.recipes.base import (
    Batch,
    Metrics,
    Step,
    TrainState,
    gradient_norms,
    weighted_sum,
)
from jaxinpaint.training import parallel
from jaxinpaint.training.checkpoints import abstract_like, open_checkpoints
from jaxinpaint.training.parallel import Placement, place_on_all_devices, spread

LEARNING_RATE = 1e-2  # enough to see tiny networks learn in a few steps

# A small net whose losses look through no other.
PIXELWISE = PartialConvConfig(
    layer_size=2,
    width=1 / 16,
    hole_ratio=(0.1, 0.4),
    perceptual_weight=0.0,
    style_output_weight=0.0,
    style_composite_weight=0.0,
    learning_rate=LEARNING_RATE,
)
THROUGH_VGG = PartialConvConfig(
    layer_size=2,
    width=1 / 16,
    features="random",
    gradient_norms=True,
    finetune_from=1,
    learning_rate=LEARNING_RATE,
    finetune_learning_rate=LEARNING_RATE,
)
CONTEXT = ContextEncoderConfig(
    size=64, width=4, discriminator_width=4, bottleneck=8, learning_rate=LEARNING_RATE
)
RANDOM_REGION = dataclasses.replace(CONTEXT, holes="random-region")
# The margin lies a little below the distance at the start, so that it is active on some of the
# devices if each takes its own mean, and on none if they take the mean of all.
PAN = PANConfig(
    task="holes",
    levels=2,
    width=4,
    discriminator_width=4,
    dropout=0.5,
    in_turn=False,
    margin=5.6,
    learning_rate=LEARNING_RATE,
)
CRFILL = CRFillConfig(
    stages=("coarse:1", "auxiliary"),
    width=16,
    discriminator_width=2,
    learning_rate=LEARNING_RATE,
    discriminator_learning_rate=1e-4,
)
MEMBRANE = MembraneConfig(levels=2, width=8, hole_ratio=(0.1, 0.4), learning_rate=LEARNING_RATE)
CONFIGS: dict[str, RecipeConfig] = {
    "partial-conv": PIXELWISE,
    "partial-conv through VGG-16, fine-tuned": THROUGH_VGG,
    "context-encoder": CONTEXT,
    "context-encoder on random regions": RANDOM_REGION,
    "pan": PAN,
    "crfill": CRFILL,
    "membrane": MEMBRANE,
}

# Random regions share all of their step with the centre, but for what is drawn. CR-Fill's takes
# longest to compile; test_crfill_steps.py is about it.
SLOW = ("context-encoder on random regions", "crfill")
each = pytest.mark.parametrize(
    "config",
    [
        pytest.param(config, id=name, marks=pytest.mark.slow if name in SLOW else ())
        for name, config in CONFIGS.items()
    ],
)


def first_of(recipe: Recipe) -> int:
    """The first step of the last stage, where optimisers begin anew."""
    return recipe.stages[-1][1] if recipe.stages else 0


def step_of(recipe: Recipe) -> Step:
    """The step that all of the last stage is made of."""
    first = first_of(recipe)
    assert recipe.step_at(first) is recipe.step_at(first + 1)
    return recipe.step_at(first)


def size(config: RecipeConfig) -> tuple[int, int]:
    side = config.size if isinstance(config, ContextEncoderConfig) else 16
    return side, side


def batch(config: RecipeConfig, n: int = 8, seed: int = 0) -> Batch:
    """Pictures of 4×4 patches of random colours: enough for a small network to learn."""
    colours = jax.random.randint(jax.random.key(seed), (n, 4, 4, 3), 0, 256).astype(jnp.uint8)
    side, _ = size(config)
    image = jnp.repeat(jnp.repeat(colours, side // 4, axis=1), side // 4, axis=2)
    return Batch(image, jnp.arange(n))


TRACED: Counter[RecipeConfig] = Counter()


@cache
def compiled(config: RecipeConfig) -> Step:
    step = step_of(make(config))

    def counted(state: TrainState, some: Batch) -> tuple[TrainState, Metrics]:
        TRACED[config] += 1
        return step(state, some)

    return jax.jit(counted)


@cache
def start(config: RecipeConfig) -> TrainState:
    recipe = make(config)
    state = jax.jit(recipe.init, static_argnums=1)(jax.random.key(0), size(config))
    return dataclasses.replace(state, step=jnp.int32(first_of(recipe)))


def numbers(state: TrainState) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state.players)]


def assert_close(state: TrainState, other: TrainState, config: RecipeConfig) -> None:
    # Adam's first steps divide small gradients by their own size, so that one rounding of a sum in
    # another order moves a weight by a share of its step, which is the learning rate; and of a
    # gradient next to nothing it turns the sign, so that a weight in hundreds goes the other way.
    rates = {
        "generator": config.learning_rate,
        "discriminator": getattr(config, "discriminator_learning_rate", 0),
    }
    for name in state.players:
        one, same = (
            np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(players[name])])
            for players in (state.players, other.players)
        )
        assert np.mean(~np.isclose(one, same, rtol=1e-3, atol=rates[name] / 4)) < 5e-3
        np.testing.assert_allclose(one, same, rtol=1e-3, atol=2.1 * rates[name])


# Programs that round differently: a pixel on the edge of a region may change sides; and the smooth
# fill of a patch of one colour is the truth but for rounding, whose sign is the gradient of L1.
METRICS: dict[RecipeConfig, float] = {RANDOM_REGION: 5e-3, MEMBRANE: 5e-3}


def assert_told_alike(metrics: Metrics, others: Metrics, config: RecipeConfig) -> None:
    for name, mean in metrics.items():
        told = others[name]
        rtol = METRICS.get(config, 1e-4)  # sums in another order
        np.testing.assert_allclose(told.total / told.n, mean.total / mean.n, rtol=rtol)


@each
def test_learns_a_batch_by_heart_compiled_once_with_nothing_moved_to_the_host(
    config: RecipeConfig,
) -> None:
    step, state, some, told = compiled(config), start(config), batch(config), []
    with jax.transfer_guard("disallow"):
        for _ in range(30):
            state, metrics = step(state, some)
            told.append(metrics["loss"].total)
    losses = [float(loss) for loss in told]
    # Three pictures through four halvings of the channels: CR-Fill takes its time.
    enough = 0.95 if config == CRFILL else 0.8
    assert np.mean(losses[-5:]) < enough * np.mean(losses[:5])
    assert state.step == 30 + start(config).step
    assert TRACED[config] == 1


def assert_eight_make_the_step_of_one(config: RecipeConfig, placement: Placement) -> None:
    state, metrics = compiled(config)(start(config), batch(config))
    step = step_of(make(config, axis_name=placement.axis_name))
    where = placement.of_state(start(config))
    eight = jax.jit(
        spread(step, placement),
        in_shardings=(where, placement.split),
        out_shardings=(where, placement.replicated),
    )
    on_eight, on_eight_metrics = eight(start(config), batch(config))
    assert_close(on_eight, state, config)
    assert_told_alike(metrics, on_eight_metrics, config)


@each
def test_eight_devices_make_the_step_that_one_makes(config: RecipeConfig) -> None:
    assert_eight_make_the_step_of_one(config, place_on_all_devices())


@pytest.mark.parametrize("config", [PIXELWISE, CONTEXT], ids=["partial-conv", "context-encoder"])
def test_devices_with_parts_of_the_parameters_make_the_same_step(
    config: RecipeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "FEWEST_SPLIT", 64)
    placement = place_on_all_devices(shard_params=True)
    assert placement.axis_name is None
    where = placement.of_state(start(config))
    assert not all(leaf.is_fully_replicated for leaf in jax.tree.leaves(where))
    assert_eight_make_the_step_of_one(config, placement)


@each
def test_replicas_under_pmap_make_the_same_step(config: RecipeConfig) -> None:
    state, metrics = compiled(config)(start(config), batch(config))
    replica = make(config, axis_name="data")
    split = jax.tree.map(lambda leaf: leaf.reshape(8, 1, *leaf.shape[1:]), batch(config))
    run = jax.pmap(step_of(replica), axis_name="data", in_axes=(None, 0))
    replicas, replica_metrics = jax.block_until_ready(run(start(config), split))
    first = jax.tree.map(lambda leaf: leaf[0], replicas)
    last = jax.tree.map(lambda leaf: leaf[-1], replicas)
    assert_close(first, state, config)
    assert_told_alike(metrics, replica_metrics, config)
    for a, b in zip(numbers(first), numbers(last), strict=True):
        np.testing.assert_array_equal(a, b)


@each
def test_a_saved_state_goes_on_with_the_bits_of_one_in_memory(config, tmp_path: Path) -> None:
    step = compiled(config)
    first, _ = step(start(config), batch(config))
    second, metrics = step(first, batch(config, seed=1))
    assert np.isfinite(metrics["generator_gradient_norm"].total)
    with open_checkpoints(tmp_path, keep=1) as checkpoints:
        checkpoints.save(first, 1)
    here = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    with open_checkpoints(tmp_path, keep=1) as checkpoints:
        restored = checkpoints.restore_latest(abstract_like(first, here))
    assert restored is not None
    again, _ = step(restored, batch(config, seed=1))
    assert again.step == 2 + start(config).step
    for a, b in zip(numbers(again), numbers(second), strict=True):
        np.testing.assert_array_equal(a, b)


@each
def test_the_composite_keeps_known_pixels_and_the_output_is_in_range(config: RecipeConfig) -> None:
    recipe = make(config)
    assert recipe.inpaint is not None
    variables = start(config).players["generator"].variables
    image = batch(config).image.astype(jnp.float32) / 255
    side, _ = size(config)
    inside = slice(side // 4, side // 2)
    hole = jnp.zeros((8, side, side, 1)).at[:, inside, inside].set(1)
    output, composite = jax.jit(recipe.inpaint)(variables, image, hole)
    known = np.broadcast_to(np.asarray(hole) == 0, image.shape)
    np.testing.assert_array_equal(np.asarray(composite)[known], np.asarray(image)[known])
    np.testing.assert_array_equal(np.asarray(composite)[~known], np.asarray(output)[~known])
    assert output.min() >= 0
    assert output.max() <= 1


def test_what_is_drawn_depends_on_the_position_not_on_the_row() -> None:
    config = dataclasses.replace(PIXELWISE, batch_norm=False)
    step = compiled(config)
    images = batch(PIXELWISE, 4)
    turned = Batch(images.image[::-1], images.position[::-1])
    _, metrics = step(start(config), images)
    _, turned_metrics = step(start(config), turned)
    # The same examples with the same holes, added up in another order.
    np.testing.assert_allclose(turned_metrics["loss"].total, metrics["loss"].total, rtol=1e-5)
    _, others = step(start(config), Batch(images.image[::-1], images.position))
    assert not np.isclose(others["loss"].total, metrics["loss"].total, rtol=1e-5)


def test_terms_are_told_with_and_without_their_published_weight_and_their_pull() -> None:
    _, metrics = compiled(THROUGH_VGG)(start(THROUGH_VGG), batch(THROUGH_VGG))
    mean = {name: float(m.total / m.n) for name, m in metrics.items()}
    for name, weight in PUBLISHED_WEIGHTS.items():
        assert mean[f"{name}_weighted"] == pytest.approx(weight * mean[name])
        assert mean[f"{name}_gradient"] > 0
    told = sum(mean[f"{name}_weighted"] for name in PUBLISHED_WEIGHTS)
    assert mean["loss"] == pytest.approx(told, rel=1e-5)


def test_the_pull_of_a_term_is_the_norm_of_its_gradient_in_each_picture() -> None:
    output = jax.random.normal(jax.random.key(0), (2, 3, 3, 1))
    terms = {"square": lambda x: jnp.sum(x**2, (1, 2, 3)), "sum": lambda x: jnp.sum(x, (1, 2, 3))}
    found = gradient_norms(
        lambda x: {name: term(x) for name, term in terms.items()},
        output,
        {"square": 3.0, "sum": 2.0},
    )
    square, total = (found[f"{name}_gradient"] for name in terms)
    lengths = np.linalg.norm(np.asarray(output).reshape(2, -1), axis=1)
    np.testing.assert_allclose(square.total / square.n, np.mean(3 * 2 * lengths), rtol=1e-6)
    np.testing.assert_allclose(total.total / total.n, 2 * np.sqrt(9), rtol=1e-6)


def test_published_weights_are_needed_to_train_but_not_to_fill() -> None:
    config = PartialConvConfig(layer_size=2, width=1 / 16)
    assert recipes.vgg16_weights(config) == "imagenet"
    assert recipes.vgg16_weights(PIXELWISE) is None
    recipe = recipes.make(config)
    assert recipe.inpaint is not None
    state = start(PIXELWISE)  # of the same network
    with pytest.raises(ValueError, match="VGG-16"):
        jax.eval_shape(step_of(recipe), state, batch(config))
    image, hole = jnp.ones((1, 16, 16, 3)), jnp.ones((1, 16, 16, 1))
    jax.eval_shape(recipe.inpaint, state.players["generator"].variables, image, hole)


def test_published_weights_that_are_given_are_looked_through() -> None:
    published = dataclasses.replace(THROUGH_VGG, features="imagenet")
    given = recipes.make(published, vgg16=random_variables(16, until="pool3"))
    _, metrics = jax.jit(step_of(given))(start(THROUGH_VGG), batch(published))
    _, expected = compiled(THROUGH_VGG)(start(THROUGH_VGG), batch(published))
    for name, mean in metrics.items():
        np.testing.assert_array_equal(mean.total, expected[name].total)


def test_fine_tuning_lowers_the_learning_rate_and_freezes_the_encoders_norms() -> None:
    config = dataclasses.replace(PIXELWISE, finetune_from=1, finetune_learning_rate=0.0)
    first, _ = compiled(config)(start(config), batch(config))
    second, _ = compiled(config)(first, batch(config, seed=1))
    before, after = (s.players["generator"].variables for s in (first, second))
    jax.tree.map(np.testing.assert_array_equal, before["params"], after["params"])
    stats = partial(jax.tree.map, np.asarray)
    before, after = stats(before["batch_stats"]), stats(after["batch_stats"])
    np.testing.assert_array_equal(before["enc_2"]["norm"]["mean"], after["enc_2"]["norm"]["mean"])
    assert np.any(before["dec_2"]["norm"]["mean"] != after["dec_2"]["norm"]["mean"])


def test_the_rate_of_fine_tuning_begins_at_its_step_even_after_skipped_ones() -> None:
    config = dataclasses.replace(PIXELWISE, finetune_from=1, finetune_learning_rate=0.0)
    # No step was made before: the first one was skipped.
    skipped = dataclasses.replace(start(config), step=jnp.int32(1))
    moved, _ = compiled(config)(skipped, batch(config))
    before, after = (s.players["generator"].variables["params"] for s in (skipped, moved))
    jax.tree.map(np.testing.assert_array_equal, before, after)


def test_terms_without_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="differ"):
        weighted_sum({"hole": jnp.ones(2)}, {"hole": 1.0, "tv": 0.1})


def test_the_generators_pass_moves_the_discriminators_averages_only_as_published() -> None:
    still = dataclasses.replace(CONTEXT, moves_others_averages=False)
    means = []
    for config in (CONTEXT, still):
        state, _ = compiled(config)(start(CONTEXT), batch(CONTEXT))
        averages = state.players["discriminator"].variables["batch_stats"]
        means.append(np.asarray(averages["norm_2"]["mean"]))
    assert np.any(means[0] != means[1])
