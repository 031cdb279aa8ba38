"""The network that corrects smooth fills; what it computes in training is tested with the steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxinpaint.array_typing import Variables
from jaxinpaint.nets.membrane_unet import _folded, _unfolded, membrane_unet

TINY = membrane_unet(levels=3, width=4)


def shown(height: int, width: int, n: int = 1) -> tuple[jax.Array, jax.Array, jax.Array]:
    keys = jax.random.split(jax.random.key(0), 2)
    filled = jax.random.uniform(keys[0], (n, height, width, 3))
    hole = jax.random.bernoulli(keys[1], 0.4, (n, height, width, 1)).astype(jnp.float32)
    return filled, hole, hole / 3


def drawn() -> Variables:
    """Variables that are nowhere zero."""
    shapes = jax.eval_shape(TINY.init, jax.random.key(0), *shown(8, 8))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda x: jnp.asarray(rng.normal(0, 0.1, x.shape), x.dtype), shapes)


def test_it_is_small_and_holds_no_more_than_parameters() -> None:
    variables = jax.eval_shape(membrane_unet().init, jax.random.key(0), *shown(32, 32))
    assert variables.keys() == {"params"}
    count = sum(leaf.size for leaf in jax.tree.leaves(variables))
    assert 1.3e6 < count < 1.4e6
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}


@pytest.mark.parametrize("levels", [1, 2, 5])
def test_any_number_of_levels_begins_by_correcting_nothing(levels: int) -> None:
    net = membrane_unet(levels=levels, width=2)
    given = shown(2**levels, 2 * 2**levels)
    variables = jax.jit(net.init)(jax.random.key(0), *given)
    correction, kept = jax.jit(net.apply)(variables, *given)
    np.testing.assert_array_equal(correction, jnp.zeros_like(given[0]))
    jax.tree.map(np.testing.assert_array_equal, kept, variables)


def test_what_is_made_of_a_picture_depends_on_no_other() -> None:
    variables, given = drawn(), shown(16, 24, n=3)
    apply = jax.jit(TINY.apply)
    together, _ = apply(variables, *given)
    alone, _ = apply(variables, *(x[1:2] for x in given))
    assert np.std(together) > 0
    # Sums in another order.
    np.testing.assert_allclose(together[1:2], alone, atol=1e-5)


def test_training_computes_what_filling_does() -> None:
    variables, given = drawn(), shown(16, 16)
    trained, _ = TINY.apply(variables, *given, train=True)
    filled, _ = TINY.apply(variables, *given)
    np.testing.assert_array_equal(trained, filled)


def test_all_parameters_have_a_part_in_the_correction() -> None:
    given = shown(16, 16)
    gradient = jax.jit(
        jax.grad(lambda variables: jnp.sum(jnp.square(TINY.apply(variables, *given)[0])))
    )(drawn())
    for leaf in jax.tree.leaves(gradient):
        assert np.any(leaf)


def test_blocks_as_channels_come_back_as_blocks() -> None:
    x = jnp.arange(2 * 4 * 6 * 3.0).reshape(2, 4, 6, 3)
    folded = _folded(x)
    assert folded.shape == (2, 2, 3, 12)
    np.testing.assert_array_equal(folded[0, 1, 2].reshape(2, 2, 3), x[0, 2:4, 4:6])
    np.testing.assert_array_equal(_unfolded(folded), x)


@pytest.mark.parametrize("options", [{"levels": 0}, {"width": 0}])
def test_no_levels_and_no_channels_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="it must be at least 1"):
        membrane_unet(**options)


def test_sides_that_do_not_halve_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 8"):
        TINY.apply(drawn(), *shown(8, 12))
