from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxinpaint.ops.convolution import conv
from jaxinpaint.ops.resampling import transposed_conv, upsample, upsample_conv


def two_steps(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return conv(upsample(x), kernel, padding=1)


def test_upsampling_repeats_pixels() -> None:
    x = jnp.array([[1.0, 2], [3, 4]]).reshape(1, 2, 2, 1)
    expected = [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    np.testing.assert_array_equal(upsample(x)[0, :, :, 0], expected)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (8, 8), (12, 5)])
def test_the_fused_form_equals_the_two_steps_in_value_and_gradient(size: tuple[int, int]) -> None:
    # All but the first are of more pixels than the few for which it makes the two steps.
    x = jax.random.normal(jax.random.key(0), (2, *size, 3))
    kernel = jax.random.normal(jax.random.key(1), (3, 3, 3, 4))
    expected, expected_pullback = jax.vjp(two_steps, x, kernel)
    value, pullback = jax.vjp(upsample_conv, x, kernel)
    cotangent = jax.random.normal(jax.random.key(2), expected.shape)
    # Sums of at most a few hundred products in another order.
    np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)
    for a, b in zip(pullback(cotangent), expected_pullback(cotangent), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("side", [3, 8])
def test_a_skip_is_seen_beside_what_is_upsampled(side: int) -> None:
    of_x, of_skip, of_kernel, of_pull = jax.random.split(jax.random.key(0), 4)
    x = jax.random.normal(of_x, (2, side, side, 3))
    skip = jax.random.normal(of_skip, (2, 2 * side, 2 * side, 2))
    kernel = jax.random.normal(of_kernel, (3, 3, 5, 4))

    def concatenated(x: jax.Array, kernel: jax.Array, skip: jax.Array) -> jax.Array:
        return conv(jnp.concatenate([upsample(x), skip], axis=-1), kernel, padding=1)

    expected, expected_pullback = jax.vjp(concatenated, x, kernel, skip)
    value, pullback = jax.vjp(upsample_conv, x, kernel, skip)
    cotangent = jax.random.normal(of_pull, expected.shape)
    # Sums of at most a few hundred products in another order.
    np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)
    for a, b in zip(pullback(cotangent), expected_pullback(cotangent), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (4, 4)])
def test_a_transposed_convolution_spreads_each_pixel_through_the_kernel(
    size: tuple[int, int],
) -> None:
    height, width = size
    x = np.asarray(jax.random.normal(jax.random.key(0), (2, *size, 3)), np.float64)
    kernel = np.asarray(jax.random.normal(jax.random.key(1), (4, 4, 3, 5)), np.float64)
    spread = np.zeros((2, 2 * height + 2, 2 * width + 2, 5))
    for i, j in np.ndindex(size):
        spread[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += np.einsum(
            "nc,hwco->nhwo", x[:, i, j], kernel
        )
    found = transposed_conv(jnp.asarray(x, jnp.float32), jnp.asarray(kernel, jnp.float32))
    # Sums of twelve float32 products.
    np.testing.assert_allclose(found, spread[:, 1:-1, 1:-1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("function", "side"), [(upsample_conv, 3), (transposed_conv, 4)])
def test_gradients_are_the_derivatives(function: Callable[..., jax.Array], side: int) -> None:
    with jax.enable_x64(True):
        x = jax.random.normal(jax.random.key(0), (1, 6, 11, 2), jnp.float64)
        kernel = jax.random.normal(jax.random.key(1), (side, side, 2, 2), jnp.float64)
        compiled = jax.jit(function)
        check_grads(lambda *a: compiled(*map(jnp.asarray, a)), (x, kernel), order=1, modes=("rev",))


def test_keeps_bfloat16() -> None:
    x = jnp.ones((1, 2, 2, 1), jnp.bfloat16)
    assert upsample_conv(x, jnp.ones((3, 3, 1, 1))).dtype == jnp.bfloat16
