"""Adam against Optax's, and optimisers that are told to stay as they are."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxinpaint.recipes.optimisers import Optimiser, adam, from_optax

PARAMS = {"kernel": jnp.arange(6.0).reshape(2, 3), "bias": jnp.zeros(3)}
OPTIMISERS: dict[str, Optimiser] = {
    "adam": adam(0.1),
    "momentum": from_optax(optax.sgd(0.1, momentum=0.9)),
}


def gradients(number: int) -> dict[str, jax.Array]:
    """Of ten orders of magnitude, where eps counts and where it does not."""
    keys = jax.random.split(jax.random.key(number))
    drawn = {
        name: jax.random.normal(key, leaf.shape)
        for key, (name, leaf) in zip(keys, PARAMS.items(), strict=True)
    }
    return {"kernel": 1e2 * drawn["kernel"], "bias": 1e-8 * drawn["bias"]}


@pytest.mark.parametrize("b1", [0.0, 0.5, 0.9])
def test_adam_makes_the_updates_of_optax_and_keeps_its_state(b1: float) -> None:
    ours, theirs = adam(0.1, b1=b1, b2=0.9), optax.adam(0.1, b1=b1, b2=0.9)
    state, their_state = ours.init(PARAMS), theirs.init(PARAMS)
    for number in range(5):
        updates, state = ours.update(gradients(number), state, PARAMS, True)
        expected, their_state = theirs.update(gradients(number), their_state)
        # Float32, in which the two round in another order.
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-6), updates, expected)
    # Checkpoints are trees of this structure.
    assert jax.tree.structure(state) == jax.tree.structure(their_state)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-6), state, their_state)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_an_optimiser_that_may_not_move_stays_as_it_was_whatever_the_gradient(name: str) -> None:
    optimiser = OPTIMISERS[name]
    _, state = optimiser.update(gradients(0), optimiser.init(PARAMS), PARAMS, True)
    broken = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), PARAMS)
    update = jax.jit(optimiser.update)
    _, stayed = update(broken, state, PARAMS, jnp.array(False))
    jax.tree.map(np.testing.assert_array_equal, stayed, state)
    _, moved = update(gradients(1), state, PARAMS, jnp.array(True))
    changed: Any = jax.tree.map(lambda a, b: bool(jnp.any(a != b)), moved, state)
    assert all(jax.tree.leaves(changed))


def test_an_optimiser_of_optax_that_makes_no_numbers_stays_as_it_was() -> None:
    optimiser = from_optax(optax.adam(0.1, eps=0.0))  # 0 / 0 where nothing pulls
    state = optimiser.init(PARAMS)
    still = jax.tree.map(jnp.zeros_like, PARAMS)
    updates, after = optimiser.update(still, state, PARAMS, True)
    assert not np.isfinite(updates["bias"]).any()
    jax.tree.map(np.testing.assert_array_equal, after, state)


@pytest.mark.parametrize(
    "told", [{"learning_rate": np.inf}, {"b1": 1.0}, {"b2": -0.1}, {"eps": 0.0}], ids=str
)
def test_an_adam_that_would_make_no_numbers_is_refused(told: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be finite"):
        adam(**{"learning_rate": 0.1, **told})
