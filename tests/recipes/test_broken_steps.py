"""Steps of every recipe that may not be made, or turn out to be none: no player moves."""

import dataclasses
from typing import Any, NamedTuple

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
from jaxinpaint.recipes.averages import with_average
from jaxinpaint.recipes.base import Batch, Recipe, TrainState, finite
from jaxinpaint.recipes.stepping import PLAIN
from jaxinpaint.training.guarding import Guarded, OnNaN, guarded


class Case(NamedTuple):
    """A recipe's step.

    Attributes:
        config: of the recipe.
        breaks: options that break its loss; of two players' the generator's, if it moves.
        number: of the step.
        how: it is made.
    """

    config: RecipeConfig
    breaks: dict[str, Any]
    number: int = 0
    how: StepConfig = PLAIN


PAN = PANConfig(task="holes", levels=2, width=4, discriminator_width=4, moves_others_averages=True)
CASES = {
    "partial-conv": Case(
        PartialConvConfig(
            layer_size=2,
            width=1 / 16,
            perceptual_weight=0.0,
            style_output_weight=0.0,
            style_composite_weight=0.0,
        ),
        {"hole_weight": np.inf},
    ),
    "context-encoder, in parts, clipped": Case(
        ContextEncoderConfig(
            size=64,
            width=4,
            discriminator_width=4,
            bottleneck=8,
            pixel_weight=0.5,
            moves_others_averages=False,
        ),
        {"overlap_weight": np.inf},
        how=StepConfig(accumulate=2, clip=1.0),
    ),
    "pan, the judge": Case(PAN, {"real_label": np.inf}, number=0),
    "pan, the generator": Case(PAN, {"perceptual_weight": np.inf}, number=1),
    "pan, both": Case(PAN, {"perceptual_weight": np.inf}, number=2),
    "pan, both, by the judge": Case(PAN, {"real_label": np.inf}, number=2),
    # Its stage begins here, with optimisers that have seen nothing.
    "crfill": Case(
        CRFillConfig(stages=("coarse:1", "auxiliary"), width=8, discriminator_width=2),
        {"pixel_weight": np.inf},
        number=1,
    ),
    "membrane": Case(MembraneConfig(levels=2, width=4), {"hole_weight": np.inf}),
}
each = pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=name, marks=pytest.mark.slow if name == "crfill" else ())
        for name, case in CASES.items()
    ],
)


def size(config: RecipeConfig) -> tuple[int, int]:
    return (64, 64) if isinstance(config, ContextEncoderConfig) else (32, 32)


def begun(case: Case, **options: Any) -> tuple[Recipe, TrainState, Batch]:
    """A recipe that keeps an average too, its state before the step, and a batch."""
    recipe = with_average(make(dataclasses.replace(case.config, **options), case.how), 0.5)
    state = jax.jit(recipe.init, static_argnums=1)(jax.random.key(0), size(case.config))
    image = jax.random.randint(jax.random.key(1), (4, *size(case.config), 3), 0, 256)
    batch = Batch(image.astype(jnp.uint8), jnp.arange(4))
    return recipe, dataclasses.replace(state, step=jnp.int32(case.number)), batch


def assert_unmoved(after: TrainState, before: TrainState) -> None:
    """Bit for bit."""
    jax.tree.map(np.testing.assert_array_equal, after.players, before.players)
    jax.tree.map(np.testing.assert_array_equal, after.averages, before.averages)


@each
def test_a_step_that_may_not_be_made_moves_no_player(case: Case) -> None:
    recipe, state, batch = begun(case)
    step = jax.jit(recipe.step_at(case.number))
    moved, metrics = step(state, batch, jnp.array(True))
    assert finite(metrics)
    lengths = [mean.total for name, mean in metrics.items() if name.endswith("_update_norm")]
    assert lengths
    assert min(lengths) > 0
    # A run that stopped before a stage begins, whose optimisers it would have forget what they saw.
    stopped = dataclasses.replace(moved, step=jnp.int32(0))
    for before in (state, moved, stopped):
        after, _ = step(before, batch, jnp.array(False))
        assert_unmoved(after, before)


@each
@pytest.mark.parametrize("on_nan", ["skip", "stop"])
def test_a_step_whose_loss_breaks_moves_no_player(case: Case, on_nan: OnNaN) -> None:
    recipe, state, batch = begun(case, **case.breaks)
    step = jax.jit(guarded(recipe.step_at(case.number), on_nan))
    (after, broken), metrics = step(Guarded(state, jnp.array(False)), batch)
    assert not finite(metrics)
    assert_unmoved(after, state)
    assert (after.step - case.number, broken) == ((1, False) if on_nan == "skip" else (0, True))


def test_a_judge_whose_step_is_whole_does_not_move_where_the_generators_breaks() -> None:
    case = CASES["pan, both"]
    recipe, state, batch = begun(case, **case.breaks)
    after, metrics = jax.jit(recipe.step_at(case.number))(state, batch)
    assert np.isfinite(metrics["discriminator"].total)
    assert metrics["discriminator_update_norm"].total > 0
    assert_unmoved(after, state)
