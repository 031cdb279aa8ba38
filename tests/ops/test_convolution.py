from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from as_installed import as_installed
from jax import export, lax
from jax.test_util import check_grads

from jaxinpaint.ops.convolution import FEW_CHANNELS, FEW_WINDOWS, Windows, conv

# Enough of them that 16 windows in each are not few in all.
PICTURES = FEW_WINDOWS // 16 + 1

# input sides, kernel sides, and how it is laid. Few windows: no more than taps, or few in all.
FEW = [
    ((2, 2), (3, 3), {"padding": 1}),
    ((2, 2), (3, 3), {"padding": 1, "strides": 2}),
    ((4, 4), (4, 4), {}),
    ((1, 1), (3, 3), {"padding": 1}),
    ((1, 5), (3, 1), {"padding": (3, 0), "strides": (4, 2)}),  # a row of windows sees padding only
    ((2, 2, 2), (3, 3, 3), {"padding": 1, "strides": 2}),
    ((4, 3), (3, 3), {"padding": 1}),
    ((4, 3), (3, 3), {"padding": 2, "dilation": 2}),
    ((6, 5), (3, 3), {"padding": ((1, -1), (0, 0))}),
]
STRIDED = [
    ((8, 8), (3, 3), {"padding": 1, "strides": 2}),
    ((11, 14), (5, 5), {"padding": 2, "strides": 2}),
    ((9, 10), (4, 4), {"padding": 1, "strides": 2}),
    ((16, 15), (7, 7), {"padding": 3, "strides": 2}),
    ((9, 11), (3, 4), {"padding": ((2, 1), (0, 3)), "strides": (3, 2)}),
    ((12, 8), (3, 2), {"padding": 4, "strides": (1, 2)}),  # wider than the kernel
    ((8, 8), (3, 3), {"padding": ((3, 0), (1, 1)), "strides": 2}),  # wider at one end alone
    ((8, 8), (3, 3), {"padding": ((3, 0), (0, 5)), "strides": 2}),
    ((8, 8), (1, 1), {"strides": 2}),  # a stride that leaves pixels out
]
PLAIN = [
    ((6, 7), (3, 3), {"padding": 1}),
    ((5, 5), (3, 3), {"padding": 4, "dilation": 4}),
    ((9, 9), (3, 3), {"padding": 2, "dilation": 2}),
    ((9, 9), (3, 3), {"padding": ((1, 0), (-2, 1))}),  # less than none cuts off
    ((9, 9), (3, 3), {"padding": 2, "dilation": 2, "strides": 2}),
    ((5, 5, 7), (3, 3, 3), {"padding": 1, "strides": 2}),
    ((2, 2), (3, 3), {"padding": 0}),  # no window fits
    ((1, 1), (3, 3), {"padding": 0}),
]
CASES = FEW + STRIDED + PLAIN


# Channels in and out: few or many of them have a form of their own.
MANY, FEW_IN, FEW_OUT = (FEW_CHANNELS, FEW_CHANNELS + 1), (3, FEW_CHANNELS), (FEW_CHANNELS, 3)
each_form = pytest.mark.parametrize(
    "channels", [MANY, FEW_IN, FEW_OUT], ids=["many", "few in", "few out"]
)


def arrays(
    sides: tuple[int, ...], taps: tuple[int, ...], channels: tuple[int, int]
) -> tuple[jax.Array, jax.Array]:
    of_x, of_kernel = jax.random.split(jax.random.key(0))
    x = jax.random.normal(of_x, (PICTURES, *sides, channels[0]))
    return x, jax.random.normal(of_kernel, (*taps, *channels))


def by_xla(x: jax.Array, kernel: jax.Array, how: dict[str, Any]) -> jax.Array:
    strides, padding, dilation = (how.get(name, default) for name, default in DEFAULTS)
    windows = Windows.of(strides, padding, dilation, kernel.ndim - 2)
    spatial = "DHW"[2 - kernel.ndim :]
    return lax.conv_general_dilated(
        x,
        kernel,
        *windows[:2],
        rhs_dilation=windows.dilation,
        dimension_numbers=(f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
    )


DEFAULTS = (("strides", 1), ("padding", 0), ("dilation", 1))


@pytest.mark.parametrize(("sides", "taps", "how"), CASES)
def test_few_windows_are_one_product(
    sides: tuple[int, ...], taps: tuple[int, ...], how: dict[str, Any]
) -> None:
    traced = str(jax.make_jaxpr(partial(conv, **how))(*arrays(sides, taps, MANY)))
    assert ("conv_general_dilated" in traced) == ((sides, taps, how) not in FEW)


@each_form
@pytest.mark.parametrize(("sides", "taps", "how"), CASES)
def test_every_form_is_the_convolution_in_value_and_gradients(
    sides: tuple[int, ...],
    taps: tuple[int, ...],
    how: dict[str, Any],
    channels: tuple[int, int],
) -> None:
    x, kernel = arrays(sides, taps, channels)

    @jax.jit
    def compared(x: jax.Array, kernel: jax.Array) -> Any:
        expected, expected_pullback = jax.vjp(lambda x, kernel: by_xla(x, kernel, how), x, kernel)
        value, pullback = jax.vjp(lambda x, kernel: conv(x, kernel, **how), x, kernel)
        cotangent = jax.random.normal(jax.random.key(2), expected.shape)
        return (expected, *expected_pullback(cotangent)), (value, *pullback(cotangent))

    for expected, found in zip(*compared(x, kernel), strict=True):
        # Sums of at most a few hundred products in another order.
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@each_form
@pytest.mark.parametrize("case", [FEW[1], STRIDED[1], PLAIN[0]])
def test_second_derivatives_are_those_of_the_convolution(
    case: Any, channels: tuple[int, int]
) -> None:
    sides, taps, how = case
    x, kernel = arrays(sides, taps, channels)

    def penalty(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
        def of(x: jax.Array, kernel: jax.Array) -> jax.Array:
            return jnp.sum(jnp.square(jax.grad(lambda x: jnp.sum(function(x, kernel) ** 2))(x)))

        return of

    ours = jax.jit(jax.grad(penalty(lambda x, kernel: conv(x, kernel, **how)), argnums=1))
    theirs = jax.jit(jax.grad(penalty(lambda x, kernel: by_xla(x, kernel, how)), argnums=1))
    expected = theirs(x, kernel)
    # Rounding of sums of a few thousand products, of numbers up to the largest.
    tolerance = 1e-5 * float(jnp.max(jnp.abs(expected)))
    np.testing.assert_allclose(ours(x, kernel), expected, atol=tolerance)


@each_form
def test_a_strided_one_has_derivatives_in_forward_mode_of_its_gradient(
    channels: tuple[int, int],
) -> None:
    x, kernel = arrays((8, 8), (3, 3), channels)

    @jax.jit
    def gradient(x: jax.Array) -> jax.Array:
        return jax.grad(lambda x: jnp.sum(conv(x, kernel, strides=2, padding=1) ** 2) / 2)(x)

    _, along_x = jax.jvp(gradient, (x,), (x,))
    np.testing.assert_allclose(along_x, gradient(x), rtol=1e-4, atol=1e-4)  # it is linear in x


@each_form
@pytest.mark.parametrize("case", [FEW[0], PLAIN[0]])
def test_others_have_derivatives_in_both_modes(case: Any, channels: tuple[int, int]) -> None:
    sides, taps, how = case
    with jax.enable_x64(True):
        x, kernel = (a.astype(jnp.float64) for a in arrays(sides, taps, channels))
        compiled = jax.jit(lambda x, kernel: conv(x, kernel, **how))
        check_grads(lambda *a: compiled(*map(jnp.asarray, a)), (x, kernel), order=1)


@each_form
@pytest.mark.parametrize("case", [FEW[1], STRIDED[0]])
def test_jit_and_vmap_change_nothing(case: Any, channels: tuple[int, int]) -> None:
    sides, taps, how = case
    x, kernel = arrays(sides, taps, channels)

    def value_and_gradients(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        y, pullback = jax.vjp(lambda x: conv(x, kernel, **how), x)
        return y, pullback(y)[0]

    expected = value_and_gradients(x)
    twice = jax.vmap(value_and_gradients)(jnp.stack([x, 2 * x]))
    for a, b, c in zip(expected, jax.jit(value_and_gradients)(x), twice, strict=True):
        # Sums of a few hundred products in another order.
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(c, jnp.stack([a, 2 * a]), rtol=1e-4, atol=1e-4)


@each_form
@pytest.mark.parametrize("case", [FEW[0], FEW[-2], STRIDED[0], PLAIN[0]])
def test_a_program_for_any_batch_computes_the_same(case: Any, channels: tuple[int, int]) -> None:
    sides, taps, how = case
    x, kernel = arrays(sides, taps, channels)
    (n,) = export.symbolic_shape("n")
    any_batch = jax.ShapeDtypeStruct((n, *x.shape[1:]), x.dtype)
    program = export.export(jax.jit(lambda x: conv(x, kernel, **how)))(any_batch)
    for pictures in (x, x[:1]):
        # Sums of a few hundred products in another order.
        np.testing.assert_allclose(
            program.call(pictures), conv(pictures, kernel, **how), rtol=1e-4, atol=1e-4
        )


@each_form
@pytest.mark.parametrize("case", [FEW[1], STRIDED[0], PLAIN[0]])
def test_keeps_bfloat16(case: Any, channels: tuple[int, int]) -> None:
    sides, taps, how = case
    x, kernel = (a.astype(jnp.bfloat16) for a in arrays(sides, taps, channels))
    value, pullback = jax.vjp(lambda x, kernel: conv(x, kernel, **how), x, kernel)
    assert {value.dtype, *(g.dtype for g in pullback(value))} == {jnp.dtype(jnp.bfloat16)}


@each_form
def test_no_convolution_has_zeros_between_its_pixels_on_a_cpu(channels: tuple[int, int]) -> None:
    x, kernel = arrays((8, 8), (3, 3), channels)

    def of_input(x: jax.Array) -> jax.Array:
        return jax.grad(lambda x: jnp.sum(conv(x, kernel, strides=2, padding=1) ** 2))(x)

    assert "lhs_dilate" not in jax.jit(of_input).lower(x).as_text("hlo")
    assert "lhs_dilate" in jax.jit(
        jax.grad(lambda x: jnp.sum(by_xla(x, kernel, {"strides": 2, "padding": 1}) ** 2))
    ).lower(x).as_text("hlo")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"strides": (1, 2, 3)}, "spatial axes"),
        ({"padding": (1,)}, "spatial axes"),
        ({"dilation": (2,)}, "spatial axes"),
    ],
)
def test_numbers_for_other_axes_are_refused(how: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        as_installed(conv)(jnp.ones((1, 8, 8, 3)), jnp.ones((3, 3, 3, 4)), **how)
