import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxinpaint.nets.layers import BatchNorm
from jaxinpaint.nets.network import network


def test_batch_norm_by_hand() -> None:
    norm = network(BatchNorm())
    x = jnp.array([1.0, 3.0, 5.0, 7.0]).reshape(4, 1, 1, 1)
    variables = norm.init(jax.random.key(0), x)
    y, updated = norm.apply(variables, x, train=True)
    # Mean 4, variance 5 (biased) and 20 / 3 (unbiased, which is what is kept).
    np.testing.assert_allclose(y.ravel(), (x.ravel() - 4) / np.sqrt(5 + 1e-5), rtol=1e-6)
    stats = updated["batch_stats"]
    np.testing.assert_allclose(stats["mean"], [0.4], rtol=1e-6)
    np.testing.assert_allclose(stats["var"], [0.9 + 0.1 * 20 / 3], rtol=1e-6)
    y, _ = norm.apply(updated, x)
    np.testing.assert_allclose(
        y.ravel(), (x.ravel() - 0.4) / np.sqrt(0.9 + 2 / 3 + 1e-5), rtol=1e-6
    )


def test_statistics_over_devices_are_those_of_the_whole_batch() -> None:
    x = jax.random.normal(jax.random.key(0), (8, 3, 3, 2)) * 5 + 7
    whole, split = network(BatchNorm()), network(BatchNorm(axis_name="data"))
    variables = whole.init(jax.random.key(1), x)
    y, updated = whole.apply(variables, x, train=True)
    parts = x.reshape(4, 2, 3, 3, 2)
    y_parts, updated_parts = jax.vmap(
        lambda part: split.apply(variables, part, train=True), axis_name="data"
    )(parts)
    # Means of means: a few roundings apart.
    np.testing.assert_allclose(y_parts.reshape(y.shape), y, rtol=1e-4, atol=1e-5)
    for name in ("mean", "var"):
        np.testing.assert_allclose(
            updated_parts["batch_stats"][name][0], updated["batch_stats"][name], rtol=1e-5
        )


def test_one_value_a_channel_is_refused_in_training() -> None:
    norm = network(BatchNorm())
    x = jnp.ones((1, 1, 1, 4))
    variables = norm.init(jax.random.key(0), x)
    norm.apply(variables, x)
    with pytest.raises(ValueError, match="single value a channel"):
        norm.apply(variables, x, train=True)


def test_statistics_are_float32_under_bfloat16() -> None:
    norm = network(BatchNorm())
    x = (1000 + jax.random.normal(jax.random.key(0), (64, 4, 4, 1))).astype(jnp.bfloat16)
    variables = norm.init(jax.random.key(1), x)
    y, updated = norm.apply(variables, x, train=True)
    assert y.dtype == jnp.bfloat16
    np.testing.assert_allclose(
        updated["batch_stats"]["mean"], 0.1 * jnp.mean(x.astype(jnp.float32)), rtol=1e-5
    )
