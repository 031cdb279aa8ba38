"""How steps are made: rates, clipping, and batches in parts."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxinpaint.recipes import StepConfig
from jaxinpaint.recipes.base import Mean, Player
from jaxinpaint.recipes.optimisers import from_optax
from jaxinpaint.recipes.stepping import (
    Move,
    accumulated,
    averaged_gradients,
    rate_factor,
    stepped,
)


def factors(how: StepConfig, steps: list[int], examples: int = 8) -> list[float]:
    return [float(rate_factor(how, jnp.int32(step), examples)) for step in steps]


def test_rates_are_as_told_unless_something_else_is_asked_for() -> None:
    assert factors(StepConfig(), [0, 1, 10**6]) == [1, 1, 1]


def test_rates_rise_over_the_warm_up_and_its_last_step_has_all_of_them() -> None:
    how = StepConfig(warm_up=4)
    np.testing.assert_allclose(factors(how, [0, 1, 2, 3, 4, 100]), [0.25, 0.5, 0.75, 1, 1, 1])
    assert factors(StepConfig(warm_up=1), [0, 1]) == [1, 1]


def test_rates_fall_on_a_line_after_the_warm_up() -> None:
    how = StepConfig(warm_up=2, decay="linear", decay_steps=4, decay_to=0.2)
    expected = [0.5, 1, 1, 0.8, 0.6, 0.4, 0.2, 0.2]
    np.testing.assert_allclose(factors(how, list(range(8))), expected, rtol=1e-6)


def test_rates_fall_along_half_a_cosine() -> None:
    how = StepConfig(decay="cosine", decay_steps=10, decay_to=0.1)
    expected = [0.1 + 0.9 * (1 + math.cos(math.pi * t / 10)) / 2 for t in range(11)]
    np.testing.assert_allclose(factors(how, list(range(11))), expected, rtol=1e-5)
    assert factors(how, [10**6]) == pytest.approx([0.1])


def test_rates_grow_with_the_batch_as_told_for_a_smaller_one() -> None:
    how = StepConfig(base_batch=16, warm_up=2)
    np.testing.assert_allclose(factors(how, [0, 1, 2], examples=48), [1.5, 3, 3])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"accumulate": 0}, "--accumulate is 0"),
        ({"clip": -1.0}, "--clip is -1.0"),
        ({"warm_up": -1}, "--warm-up is -1"),
        ({"decay": "cosine"}, "--decay needs --decay-steps"),
        ({"decay_steps": 5}, "--decay needs --decay-steps"),
        ({"decay_to": 0.5}, "--decay-to is not read"),
        ({"decay": "linear", "decay_steps": 5, "decay_to": 1.5}, "--decay-to is 1.5"),
    ],
)
def test_what_can_not_be_is_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StepConfig(**options)


def moved(gradient: list[float], **options: Any) -> tuple[np.ndarray, dict[str, float]]:
    optimiser = from_optax(optax.sgd(1.0))
    variables = {"params": {"w": jnp.zeros(2)}}
    player = Player(variables, optimiser.init(variables["params"]))
    gradients = {"w": jnp.array(gradient)}
    move = Move(variables, gradients, optimiser, **options)
    after, told = stepped("generator", player, move, {})
    values = {name: float(mean.total) for name, mean in told.items()}
    params: Any = after.variables["params"]
    return np.asarray(params["w"]), values


def test_a_long_gradient_is_clipped_and_told_as_it_was() -> None:
    w, told = moved([3.0, -4.0], clip=1.0)
    np.testing.assert_allclose(w, [-0.6, 0.8], rtol=1e-6)
    assert told["generator_gradient_norm"] == pytest.approx(5)
    assert told["generator_update_norm"] == pytest.approx(1)


def test_a_short_gradient_is_left_alone() -> None:
    w, _ = moved([0.3, -0.4], clip=1.0)
    np.testing.assert_array_equal(w, np.array([-0.3, 0.4], np.float32))


def test_the_rate_multiplies_the_update() -> None:
    w, told = moved([1.0, 0.0], rate=0.25)
    np.testing.assert_array_equal(w, [-0.25, 0])
    assert told["generator_update_norm"] == 0.25


def seen(kept: jax.Array, part: dict[str, jax.Array]) -> tuple[jax.Array, jax.Array, dict]:
    """Gradients, what is kept, and metrics of a part: the last remembers the order of the parts."""
    x = part["x"]
    return jnp.mean(x), 10 * kept + x[0], {"sum": Mean(jnp.sum(x), jnp.float32(x.size))}


def test_parts_of_a_batch_make_the_mean_of_their_gradients_and_all_their_metrics() -> None:
    batch = {"x": jnp.arange(8.0)}
    gradient, kept, metrics = accumulated(seen, jnp.zeros(()), batch, 4)
    assert gradient == 3.5
    assert (metrics["sum"].total, metrics["sum"].n) == (28, 8)
    # Neighbours are in different parts, and each finds what the one before kept.
    assert kept == 123


def test_one_part_is_a_plain_call() -> None:
    batch = {"x": jnp.arange(8.0)}
    for one, other in zip(
        jax.tree.leaves(accumulated(seen, jnp.zeros(()), batch, 1)),
        jax.tree.leaves(seen(jnp.zeros(()), batch)),
        strict=True,
    ):
        assert one == other


def test_gradients_are_averaged_over_parts_and_devices_and_what_is_kept_is_not() -> None:
    def on_a_device(x: jax.Array) -> tuple[jax.Array, jax.Array, dict]:
        return averaged_gradients(seen, jnp.zeros(()), {"x": x}, 2, "data")

    gradient, kept, metrics = jax.vmap(on_a_device, axis_name="data")(jnp.arange(8.0).reshape(2, 4))
    np.testing.assert_array_equal(gradient, [3.5, 3.5])
    np.testing.assert_array_equal(metrics["sum"].total, [14, 14])
    np.testing.assert_array_equal(metrics["sum"].n, [4, 4])
    np.testing.assert_array_equal(kept, [1, 45])  # from 0 and 1, and from 4 and 5


def test_a_batch_that_does_not_divide_into_its_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="batch of 8 on a device does not divide into 3 parts"):
        accumulated(seen, jnp.zeros(()), {"x": jnp.arange(8.0)}, 3)
