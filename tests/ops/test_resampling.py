import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxinpaint.ops.partial_conv import conv
from jaxinpaint.ops.resampling import upsample, upsample_conv


def two_steps(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return conv(upsample(x), kernel, padding=1)


def test_upsampling_repeats_pixels() -> None:
    x = jnp.array([[1.0, 2], [3, 4]]).reshape(1, 2, 2, 1)
    expected = [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    np.testing.assert_array_equal(upsample(x)[0, :, :, 0], expected)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (4, 4), (6, 3)])
def test_the_fused_form_equals_the_two_steps_in_value_and_gradient(size: tuple[int, int]) -> None:
    x = jax.random.normal(jax.random.key(0), (2, *size, 3))
    kernel = jax.random.normal(jax.random.key(1), (3, 3, 3, 4))
    expected, expected_pullback = jax.vjp(two_steps, x, kernel)
    value, pullback = jax.vjp(upsample_conv, x, kernel)
    cotangent = jax.random.normal(jax.random.key(2), expected.shape)
    # Sums of at most a few hundred products in another order.
    np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)
    for a, b in zip(pullback(cotangent), expected_pullback(cotangent), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_gradients_are_the_derivatives() -> None:
    with jax.enable_x64(True):
        x = jax.random.normal(jax.random.key(0), (1, 2, 3, 2), jnp.float64)
        kernel = jax.random.normal(jax.random.key(1), (3, 3, 2, 2), jnp.float64)
        check_grads(
            lambda *a: upsample_conv(*map(jnp.asarray, a)), (x, kernel), order=1, modes=("rev",)
        )


def test_keeps_bfloat16() -> None:
    x = jnp.ones((1, 2, 2, 1), jnp.bfloat16)
    assert upsample_conv(x, jnp.ones((3, 3, 1, 1))).dtype == jnp.bfloat16
