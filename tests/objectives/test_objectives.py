"""One table for all objectives: values, gradients, invariance, degenerate cases, bad shapes."""

from collections.abc import Callable

import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from as_installed import as_installed
from jax.test_util import check_grads

from jaxinpaint.objectives.pixel import l1, mse
from jaxinpaint.objectives.smoothness import total_variation
from jaxinpaint.ops.compositing import composite

Objective = Callable[..., jax.Array]

# What the reference's authors state.
GOLDEN = 1e-4


def pictures(seed: int = 0) -> tuple[jax.Array, jax.Array, jax.Array]:
    x, y, h = jax.random.split(jax.random.key(seed), 3)
    shape = (3, 6, 7, 2)
    hole = jax.random.bernoulli(h, 0.4, (*shape[:3], 1)).astype(jnp.float32)
    return jax.random.uniform(x, shape), jax.random.uniform(y, shape), hole


OBJECTIVES: dict[str, Objective] = {
    "l1": lambda x, y, hole: l1(x, y),
    "l1 of hole": lambda x, y, hole: l1(x, y, region=hole),
    "l1 of hole by hole": lambda x, y, hole: l1(x, y, region=hole, denominator="region"),
    "mse": lambda x, y, hole: mse(x, y),
    "mse of hole": lambda x, y, hole: mse(x, y, region=hole),
    "mse of hole by hole": lambda x, y, hole: mse(x, y, region=hole, denominator="region"),
    "tv": lambda x, y, hole: total_variation(x),
    "tv of hole": lambda x, y, hole: total_variation(x, hole=hole),
}

each = pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)


@each
def test_gives_one_float32_value_per_image(objective: Objective) -> None:
    value = objective(*pictures())
    assert value.shape == (3,)
    assert value.dtype == jnp.float32
    x, y, hole = pictures()
    assert objective(x.astype(jnp.bfloat16), y.astype(jnp.bfloat16), hole).dtype == jnp.float32


@each
def test_jit_and_vmap_change_nothing(objective: Objective) -> None:
    x, y, hole = pictures()
    value = objective(x, y, hole)
    one_by_one = jax.vmap(lambda *a: objective(*(b[None] for b in a))[0])(x, y, hole)
    # The compiler may add in another order.
    np.testing.assert_allclose(jax.jit(objective)(x, y, hole), value, rtol=1e-5)
    np.testing.assert_allclose(one_by_one, value, rtol=1e-5)


@each
def test_gradient_is_the_derivative(objective: Objective) -> None:
    x, y, hole = pictures()
    # Away from ties, where |·| has no derivative. The value is float32: coarse differences.
    check_grads(
        lambda x: objective(jnp.asarray(x), y, hole),
        (x,),
        1,
        ("rev",),
        atol=2e-2,
        rtol=2e-2,
        eps=1e-3,
    )


@each
def test_gradients_are_finite_at_ties_zeros_and_empty_or_full_holes(objective: Objective) -> None:
    zeros = jnp.zeros((2, 4, 4, 3))
    for hole in (jnp.zeros((2, 4, 4, 1)), jnp.ones((2, 4, 4, 1))):
        value, gradient = jax.value_and_grad(lambda x: jnp.sum(objective(x, zeros, hole)))(zeros)  # noqa: B023
        assert value == 0
        assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if "hole" in name])
def test_an_empty_hole_gives_zero(name: str) -> None:
    x, y, hole = pictures()
    assert not np.any(OBJECTIVES[name](x, y, jnp.zeros_like(hole)))


def test_pixel_values_by_hand() -> None:
    x = jnp.array([0.5, 0.5, 1.0, 0.0]).reshape(1, 2, 2, 1)
    y = jnp.array([0.0, 0.5, 0.0, 0.25]).reshape(1, 2, 2, 1)
    hole = jnp.array([1.0, 1, 0, 0]).reshape(1, 2, 2, 1)
    assert l1(x, y).item() == (0.5 + 1 + 0.25) / 4
    assert l1(x, y, region=hole).item() == 0.5 / 4
    assert l1(x, y, region=hole, denominator="region").item() == 0.5 / 2
    assert mse(x, y).item() == (0.25 + 1 + 0.0625) / 4
    assert mse(x, y, region=10 * hole, denominator="region").item() == 0.25 / 2


def test_total_variation_by_hand() -> None:
    x = jnp.array([[0.0, 1, 0], [0, 0, 0]]).reshape(1, 2, 3, 1)
    assert total_variation(x).item() == pytest.approx(2 / 4 + 1 / 3)
    # A hole in the left column, dilated, holds two columns: one pair a row, and two columns' pairs.
    hole = jnp.zeros((1, 2, 3, 1)).at[0, :, 0].set(1)
    assert total_variation(x, hole=hole).item() == pytest.approx(1 / 4 + 1 / 3)


def test_a_single_pixel_has_no_variation() -> None:
    assert not np.any(total_variation(jnp.ones((2, 1, 1, 3)), hole=jnp.ones((2, 1, 1, 1))))


def test_terms_of_partial_convolutions_match_the_reference() -> None:
    z, facts = golden.arrays("objectives_partial_conv"), golden.facts("objectives_partial_conv")
    truth, output = (jnp.asarray(z[n], jnp.float32) / 255 for n in ("target_u8", "output_u8"))
    hole = 1 - jnp.asarray(z["valid"], jnp.float32)
    completed = composite(output, truth, hole)
    values = {
        "hole": l1(output, truth, region=hole),
        "valid": l1(output, truth, region=1 - hole),
        "tv": total_variation(completed, hole=hole),
        "tv_whole": total_variation(completed),
    }
    for name, value in values.items():
        expected = facts["per_image_normalised_input"][name]
        np.testing.assert_allclose(value, expected, rtol=GOLDEN, err_msg=name)


@pytest.mark.parametrize("objective", [l1, mse])
def test_pixel_objectives_refuse_shapes_that_differ(objective: Objective) -> None:
    with pytest.raises(ValueError, match="differ"):
        as_installed(objective)(jnp.zeros((1, 4, 4, 3)), jnp.zeros((1, 4, 4, 1)))


def test_regions_of_another_shape_are_refused() -> None:
    x = jnp.zeros((2, 4, 4, 3))
    with pytest.raises(Exception, match="region"):
        l1(x, x, region=jnp.ones((2, 4, 4, 3)))
    with pytest.raises(ValueError, match="hole has shape"):
        as_installed(total_variation)(x, hole=jnp.ones((1, 4, 4, 1)))
