"""Smooth fills and what is learnt to be added to them."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxinpaint.objectives.structure import dissimilarity
from jaxinpaint.ops.membrane import fill_smoothly
from jaxinpaint.recipes import MembraneConfig, make
from jaxinpaint.recipes.base import Batch, TrainState
from jaxinpaint.recipes.membrane import _terms

CONFIG = MembraneConfig(levels=2, width=2, hole_ratio=(0.1, 0.4))
RECIPE = make(CONFIG)


def begun() -> TrainState:
    return jax.jit(RECIPE.init, static_argnums=1)(jax.random.key(0), (16, 16))


def pictures() -> tuple[jax.Array, jax.Array, jax.Array]:
    image = jax.random.uniform(jax.random.key(1), (2, 16, 16, 3))
    output = jax.random.uniform(jax.random.key(2), image.shape)
    hole = jnp.zeros((2, 16, 16, 1)).at[:, 4:9, 5:12].set(1).at[1, :3].set(1)
    return output, image, hole


def test_before_it_learns_anything_it_paints_the_smooth_fill() -> None:
    _, image, hole = pictures()
    assert RECIPE.inpaint is not None
    output, composite = jax.jit(RECIPE.inpaint)(begun().generator, image, hole)
    # Programs that round differently.
    np.testing.assert_allclose(output, fill_smoothly(image, hole, levels=2), atol=1e-6)
    np.testing.assert_array_equal(composite, output)
    assert RECIPE.show is not None
    shown = jax.jit(RECIPE.show)(begun().generator, image, hole)
    np.testing.assert_allclose(shown["membrane"], output, atol=1e-6)


def test_what_stands_in_the_hole_is_nothing_to_it() -> None:
    _, image, hole = pictures()
    assert RECIPE.inpaint is not None
    variables = jax.tree.map(lambda x: x + 0.05, begun().generator)
    fill = jax.jit(RECIPE.inpaint)
    _, composite = fill(variables, image, hole)
    _, again = fill(variables, jnp.where(hole > 0, 1, image), hole)
    np.testing.assert_array_equal(composite, again)


def test_losses_are_the_error_in_the_hole_and_the_composites_unlikeness() -> None:
    output, truth, hole = pictures()
    terms = _terms(output, truth, hole)
    holes = np.broadcast_to(np.asarray(hole) > 0, truth.shape)
    apart = np.abs(np.asarray(output) - np.asarray(truth))
    expected = [apart[i][holes[i]].mean() for i in range(2)]
    np.testing.assert_allclose(terms["hole"], expected, rtol=1e-5)
    painted = jnp.where(hole > 0, output, truth)
    np.testing.assert_allclose(terms["structure"], dissimilarity(painted, truth), rtol=1e-5)


def test_gradients_reach_the_output_in_the_hole_only() -> None:
    output, truth, hole = pictures()
    gradient = jax.grad(lambda x: sum(jnp.sum(t) for t in _terms(x, truth, hole).values()))(output)
    holes = np.broadcast_to(np.asarray(hole) > 0, truth.shape)
    assert np.all(np.asarray(gradient)[holes] != 0)
    assert not np.any(np.asarray(gradient)[~holes])


def test_a_loss_is_the_weighted_sum_of_what_is_told() -> None:
    image = (255 * pictures()[1]).astype(jnp.uint8)
    state, metrics = jax.jit(RECIPE.step_at(0))(begun(), Batch(image, jnp.arange(2)))
    mean = {name: float(m.total / m.n) for name, m in metrics.items()}
    told = mean["hole"] + CONFIG.structure_weight * mean["structure"]
    assert mean["loss"] == pytest.approx(told, rel=1e-5)
    assert int(state.step) == 1
    # Only the last layer moves at first: all behind it is multiplied by its zeros.
    assert mean["generator_update_norm"] > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": 0}, "--recipe.levels is 0; it must be at least 1"),
        ({"width": 0}, "--recipe.width is 0; it must be at least 1"),
        ({"hole_weight": -1.0}, "--recipe.hole-weight is -1.0; it must be 0 or more"),
        ({"structure_weight": -0.5}, "--recipe.structure-weight is -0.5"),
        ({"hole_weight": 0.0, "structure_weight": 0.0}, "both 0: nothing is learnt"),
        ({"holes": "folder", "hole_ratio": (0.1, 0.2)}, "--recipe.hole-ratio says nothing"),
    ],
)
def test_what_can_not_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **options)
