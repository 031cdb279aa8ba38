"""CR-Fill's steps: the published program's, and what its stages train."""

import dataclasses
from functools import cache
from typing import Any

import golden
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxinpaint import masks
from jaxinpaint.array_typing import Variables
from jaxinpaint.nets.crfill import crfill_generator
from jaxinpaint.recipes import CRFillConfig, crfill, tasks
from jaxinpaint.recipes.base import Batch, Metrics, Player, Recipe, Step, TrainState
from jaxinpaint.recipes.crfill import schedule

# The reference is float32: the adversarial loss is a small mean of large numbers, and Adam has
# divided small gradients by their size before the second step.
FIRST_STEP = 1e-4
SECOND_STEP = 1e-3
GRADIENTS = 1e-5

TINY = CRFillConfig(
    stages=("coarse:2", "fine:2", "all:2", "auxiliary"), width=4, discriminator_width=2
)


QUICKLY: dict[str, str | bool] = {"xla_backend_optimization_level": "0"}


def told(metrics: Metrics) -> dict[str, float]:
    return {name: float(mean.total / mean.n) for name, mean in metrics.items()}


def reference_state(recipe: Recipe) -> TrainState:
    facts = golden.facts("crfill_generator")["state_dict"]
    fine, auxiliary = (golden.variables(golden.state_dict(facts["netD"], seed)) for seed in (0, 1))
    published: dict[str, Variables] = {
        "generator": golden.variables(golden.state_dict(facts["netG"])),
        "discriminator": {
            kept: {"fine": fine[kept], "auxiliary": auxiliary[kept]} for kept in fine
        },
    }
    shapes = jax.eval_shape(lambda key: recipe.init(key, (64, 64)), jax.random.key(0)).players
    players = {}
    for name, player in shapes.items():
        zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), player.opt_state)
        players[name] = Player(jax.tree.map(jnp.asarray, published[name]), zeros)
        assert jax.tree.structure(players[name]) == jax.tree.structure(player)
    return TrainState(jnp.zeros((), jnp.int32), jax.random.key(0), players)


def test_two_steps_are_those_of_the_published_program(monkeypatch: pytest.MonkeyPatch) -> None:
    facts, z = golden.facts("crfill_training"), golden.arrays("crfill_generator")
    recipe = crfill(CRFillConfig(stages=("auxiliary",)))
    state = reference_state(recipe)
    batch = Batch(jnp.asarray(z["image_u8"]), jnp.arange(2))
    # In float32, features of the attention's that are nearly 0 end on its other side on some
    # machines, and for pictures rounded otherwise: that alone moves its gradients by 1e-4.
    monkeypatch.setattr(tasks, "from_bytes", lambda picture: picture.astype(jnp.float64) / 255)
    with jax.enable_x64(True):
        hole = jnp.asarray(z["hole"], jnp.float64)
        monkeypatch.setattr(masks, "holes", lambda *arguments: hole)
        assert_steps(jax.jit(recipe.step_at(0)), jax.tree.map(doubled, state), batch, facts)


def doubled(leaf: jax.Array) -> jax.Array:
    return leaf.astype(jnp.float64) if leaf.dtype == jnp.float32 else leaf


def assert_steps(step: Step, state: TrainState, batch: Batch, facts: dict[str, Any]) -> None:
    for expected, tolerance in zip(facts["steps"], (FIRST_STEP, SECOND_STEP), strict=True):
        state, metrics = step(state, batch)
        found = told(metrics)
        # The weight of the auxiliary terms is in the recorded ones.
        for name, value in {
            "discriminator": expected["D_Fake"] + expected["D_real"],
            "auxiliary_discriminator": expected["D_Fake_aux"] + expected["D_real_aux"],
            "adversarial": expected["GAN"],
            "coarse": expected["L1c"],
            "fine": expected["L1f"],
            "auxiliary_adversarial_weighted": expected["GAN_aux"],
            "auxiliary_weighted": expected["L1f_aux"],
        }.items():
            assert found[name] == pytest.approx(value, rel=tolerance)
        if state.step == 1:
            assert_gradients(state, facts["g_grad_norm_step0"])


def assert_gradients(state: TrainState, expected: dict[str, float]) -> None:
    """Adam's second moment after a step is a tenth of the squared gradient."""
    shapes = golden.facts("crfill_generator")["state_dict"]["netG"]
    names = list(shapes)
    # Where each array of the program is here, by a number in place of its values.
    numbered = {name: np.full(shapes[name], i, np.float32) for i, name in enumerate(names)}
    places = golden.variables(numbered)["params"]
    moments = optax.tree.get(state.players["generator"].opt_state, "nu")
    assert jax.tree.structure(places) == jax.tree.structure(moments)
    found = {
        names[int(place.flat[0])]: np.sqrt(10 * np.sum(np.asarray(moment, np.float64)))
        for place, moment in zip(jax.tree.leaves(places), jax.tree.leaves(moments), strict=True)
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=GRADIENTS)


@cache
def recipe(config: CRFillConfig = TINY) -> Recipe:
    return crfill(config)


@cache
def step(number: int) -> Step:
    """The step of a number of the tiny recipe, compiled once for each stage."""
    first = max(start for _, start in recipe().stages if start <= number)
    return step(first) if first < number else jax.jit(recipe().step_at(number))


@cache
def start(config: CRFillConfig = TINY) -> TrainState:
    init = jax.jit(recipe(config).init, static_argnums=1)
    return init(jax.random.key(0), (32, 32))


def batch(seed: int = 0) -> Batch:
    rng = np.random.default_rng(seed)
    return Batch(jnp.asarray(rng.integers(0, 256, (2, 32, 32, 3), np.uint8)), jnp.arange(2))


def moved_parts(before: TrainState, after: TrainState) -> set[str]:
    """Networks that are not bit for bit what they were."""

    def parts(state: TrainState) -> dict[str, Variables]:
        generator, discriminator = (
            state.players[name].variables["params"] for name in ("generator", "discriminator")
        )
        judges = {f"{name} discriminator": params for name, params in discriminator.items()}
        return {**generator, **judges}

    one, other = parts(before), parts(after)
    return {
        name
        for name in one
        if any(map(np.any, jax.tree.leaves(jax.tree.map(jnp.not_equal, one[name], other[name]))))
    }


FINE = {"hallucination", "matching", "features", "matched", "fine"}


@pytest.mark.slow
def test_each_stage_trains_its_parts_from_what_the_last_left() -> None:
    state, moved, terms = start(), [], []
    for number in (0, 2, 4, 6):
        begun = dataclasses.replace(state, step=jnp.int32(number))
        state, metrics = step(number)(begun, batch())
        moved.append(moved_parts(begun, state))
        terms.append({name.removesuffix("_weighted") for name in metrics if "weighted" in name})
    assert moved == [
        {"coarse"},
        FINE | {"fine discriminator"},
        FINE | {"coarse", "fine discriminator"},
        FINE | {"coarse", "auxiliary", "fine discriminator", "auxiliary discriminator"},
    ]
    assert terms == [
        {"coarse"},
        {"adversarial", "fine"},
        {"adversarial", "coarse", "fine"},
        {"adversarial", "coarse", "fine", "auxiliary_adversarial", "auxiliary"},
    ]
    step_at = recipe().step_at
    assert [step_at(number) is step_at(number + 1) for number in range(6)] == [True, False] * 3


@pytest.mark.slow
def test_optimisers_begin_anew_with_a_stage_and_go_on_within_it() -> None:
    def count(state: TrainState) -> int:
        return int(optax.tree.get(state.players["generator"].opt_state, "count"))

    state, counts = start(), []
    for number in range(4):
        state, _ = step(number)(state, batch(number))
        counts.append(count(state))
    assert counts == [1, 2, 1, 2]
    # As if the second stage were a run of its own that starts from the first one's weights.
    first = start()
    for number in range(2):
        first, _ = step(number)(first, batch(number))
    fresh = {
        name: player._replace(opt_state=start().players[name].opt_state)
        for name, player in first.players.items()
    }
    alone, _ = step(2)(dataclasses.replace(first, players=fresh), batch(2))
    alone, _ = step(3)(alone, batch(3))
    for a, b in zip(jax.tree.leaves(alone.players), jax.tree.leaves(state.players), strict=True):
        np.testing.assert_array_equal(a, b)


def test_optimisers_begin_anew_where_the_first_step_of_a_stage_is_skipped() -> None:
    state = start()
    for number in range(2):
        state, _ = step(number)(state, batch(number))
    skipped = dataclasses.replace(state, step=state.step + 1)
    moved, _ = step(3)(skipped, batch(3))
    assert int(optax.tree.get(moved.players["generator"].opt_state, "count")) == 1


def test_directions_of_spectral_norms_move_with_every_pass_of_a_discriminator() -> None:
    begun = dataclasses.replace(start(), step=jnp.int32(2))
    after, _ = step(2)(begun, batch())
    before, now = (
        state.players["discriminator"].variables["spectral_norm"] for state in (begun, after)
    )
    assert np.any(before["fine"]["conv_1"]["u"] != now["fine"]["conv_1"]["u"])
    jax.tree.map(np.testing.assert_array_equal, before["auxiliary"], now["auxiliary"])


def test_what_the_branch_copies_is_shown() -> None:
    show = recipe().show
    assert show is not None
    image = batch().image / jnp.float32(255)
    hole = jnp.zeros((2, 32, 32, 1)).at[:, 8:20, 8:20].set(1)
    dirty = jnp.where(hole > 0, jnp.nan, image)
    variables = start().players["generator"].variables
    shown = jax.jit(show)(variables, dirty, hole)
    assert list(shown) == ["auxiliary", "coarse", "copied", "from hole"]
    for picture in shown.values():
        assert picture.shape == image.shape
        assert np.all((picture >= 0) & (picture <= 1 + 1e-6))


def test_the_variant_with_attention_shows_what_it_mixes() -> None:
    made = crfill(CRFillConfig(attention=True, stages=("all",), width=4, discriminator_width=2))
    state = jax.eval_shape(lambda key: made.init(key, (16, 24)), jax.random.key(0))
    image, hole = jnp.zeros((1, 16, 24, 3)), jnp.zeros((1, 16, 24, 1))
    assert made.show is not None
    variables = state.players["generator"].variables
    assert "auxiliary" not in variables["params"]
    shown = jax.eval_shape(made.show, variables, image, hole)
    assert {name: leaf.shape for name, leaf in shown.items()} == dict.fromkeys(
        ("coarse", "copied", "from hole"), image.shape
    )


def test_the_coarse_stage_computes_nothing_of_the_fine_network() -> None:
    def flops(number: int) -> float:
        state = jax.eval_shape(start)
        lowered = jax.jit(recipe().step_at(number)).lower(state, batch())
        costs = lowered.compile(QUICKLY).cost_analysis()
        assert costs is not None
        return costs["flops"]

    def coarse_alone(params: Variables, image: jax.Array, hole: jax.Array) -> jax.Array:
        generator = crfill_generator(width=TINY.width)
        return jnp.mean(jnp.abs(generator.apply({"params": params}, image, hole)[0].coarse - image))

    image, hole = jnp.zeros((2, 32, 32, 3)), jnp.zeros((2, 32, 32, 1))
    params = start().players["generator"].variables["params"]
    lowered = jax.jit(jax.grad(coarse_alone)).lower(params, image, hole)
    costs = lowered.compile(QUICKLY).cost_analysis()
    assert costs is not None
    # Drawing holes and Adam come on top; the fine network would more than double it.
    assert flops(0) < 1.5 * costs["flops"]


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        (("auxiliary",), [("auxiliary", 0)]),
        (("coarse:5", "all"), [("coarse", 0), ("all", 5)]),
        (
            ("coarse:5", "fine:7", "all:1", "auxiliary"),
            [("coarse", 0), ("fine", 5), ("all", 12), ("auxiliary", 13)],
        ),
    ],
)
def test_stages_follow_one_another(
    stages: tuple[str, ...], expected: list[tuple[str, int]]
) -> None:
    assert schedule(stages) == expected


def test_options_that_make_no_sense_are_refused() -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"stages": ()}, "stages are coarse, fine, all, auxiliary"),
        ({"stages": ("course",)}, "stages are coarse, fine, all, auxiliary"),
        ({"stages": ("coarse", "fine")}, "every stage but the last"),
        ({"stages": ("coarse:0", "fine")}, "every stage but the last"),
        ({"stages": ("coarse:²", "all")}, "every stage but the last"),
        ({"stages": ("coarse:5",)}, "the last stage goes on to --steps"),
        ({"stages": ("coarse:5", "all:")}, "the last stage goes on to --steps"),
        ({"attention": True}, "needs no auxiliary branch"),
        ({"hole_ratio": (0.1, 0.2)}, "--recipe.hole-ratio says nothing"),
        ({"holes": "center", "hole_border": False}, "--recipe.hole-border says nothing"),
        (
            {"attention": True, "stages": ("all",), "auxiliary_weight": 1.0},
            "--recipe.auxiliary-weight says nothing",
        ),
    ]
    for options, message in cases:
        with pytest.raises(ValueError, match=message):
            CRFillConfig(**options)
