import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from as_installed import as_installed
from jax.test_util import check_grads

from jaxinpaint.ops.convolution import conv
from jaxinpaint.ops.partial_conv import partial_conv

CASES = golden.facts("partial_conv2d")["cases"]

# What the reference's authors state; float32 of both sides differs by about 1e-7.
GOLDEN = 1e-5


def random(seed: int, *shape: int) -> jax.Array:
    return jax.random.normal(jax.random.key(seed), shape)


def random_valid(seed: int, *shape: int) -> jax.Array:
    return jax.random.bernoulli(jax.random.key(seed), 0.6, shape).astype(jnp.float32)


@pytest.mark.parametrize("case", range(len(CASES)))
def test_matches_the_original_program_in_two_dimensions(case: int) -> None:
    facts = CASES[case]
    z = golden.arrays("partial_conv2d")
    x, kernel = jnp.asarray(z[f"{case}/x"]), jnp.asarray(z[f"{case}/kernel"])
    bias = jnp.asarray(z[f"{case}/bias"]) if facts["bias"] else None
    valid = jnp.asarray(z[f"{case}/valid"]) if f"{case}/valid" in z else None

    def layer(x: jax.Array, kernel: jax.Array, bias: jax.Array | None):
        return partial_conv(
            x,
            valid,
            kernel,
            bias,
            strides=facts["stride"],
            padding=facts["padding"],
            dilation=facts["dilation"],
        )

    (y, updated), pullback = jax.vjp(layer, x, kernel, bias)
    assert golden.relative_error(y, z[f"{case}/y"]) < GOLDEN
    if valid is None:
        return
    np.testing.assert_array_equal(updated, z[f"{case}/updated"][..., :1])
    dx, dkernel, dbias = pullback((jnp.asarray(z[f"{case}/cotangent"]), jnp.zeros_like(updated)))
    assert golden.relative_error(dx, z[f"{case}/dx"]) < GOLDEN
    assert golden.relative_error(dkernel, z[f"{case}/dkernel"]) < GOLDEN
    if bias is not None:
        assert golden.relative_error(dbias, z[f"{case}/dbias"]) < GOLDEN


def test_matches_the_original_program_in_three_dimensions() -> None:
    z = {name: jnp.asarray(array) for name, array in golden.arrays("partial_conv3d").items()}

    def layer(x: jax.Array, kernel: jax.Array, bias: jax.Array):
        return partial_conv(x, z["valid"], kernel, bias, padding=1)

    (y, updated), pullback = jax.vjp(layer, z["x"], z["kernel"], z["bias"])
    gradients = pullback((z["cotangent"], jnp.zeros_like(updated)))
    np.testing.assert_array_equal(updated, z["updated"][..., :1])
    for name, value in zip(("y", "dx", "dkernel", "dbias"), (y, *gradients), strict=True):
        assert golden.relative_error(value, np.asarray(z[name])) < GOLDEN, name


def test_one_window_by_hand() -> None:
    x = jnp.arange(1.0, 10).reshape(1, 3, 3, 1)
    valid = jnp.zeros((1, 3, 3, 1)).at[0, 0, 0].set(1).at[0, 2, 2].set(1)
    y, updated = partial_conv(x, valid, jnp.full((3, 3, 1, 1), 2.0), jnp.array([0.5]))
    # (1 + 9) · 2 of the two known pixels, times 9 / 2, plus the bias.
    assert y.item() == 20 * 9 / 2 + 0.5
    assert updated.item() == 1


def test_a_window_that_sees_nothing_gives_zero_without_bias_and_no_nan() -> None:
    x = random(0, 1, 8, 8, 2).at[0, :, :4].set(jnp.nan)
    valid = jnp.ones((1, 8, 8, 1)).at[0, :, :4].set(0)
    kernel, bias = random(1, 3, 3, 2, 3), jnp.ones(3)

    def total(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
        return jnp.sum(partial_conv(x, valid, kernel, bias, padding=1)[0] ** 2)

    y, updated = partial_conv(x, valid, kernel, bias, padding=1)
    assert not np.any(y[:, :, :3])
    assert not np.any(updated[:, :, :3])
    assert np.all(updated[:, :, 3:] == 1)
    for gradient in jax.grad(total, argnums=(0, 1, 2))(x, kernel, bias):
        assert np.all(np.isfinite(gradient))


def test_an_empty_mask_gives_zero_everywhere_with_zero_gradients() -> None:
    valid = jnp.zeros((2, 6, 6, 1))

    def total(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
        return jnp.sum(partial_conv(x, valid, kernel, bias, padding=1)[0])

    args = random(0, 2, 6, 6, 3), random(1, 3, 3, 3, 4), random(2, 4)
    assert total(*args) == 0
    for gradient in jax.grad(total, argnums=(0, 1, 2))(*args):
        assert not np.any(gradient)


def test_what_lies_in_the_hole_has_no_influence() -> None:
    valid, kernel = random_valid(0, 2, 9, 9, 1), random(1, 3, 3, 4, 5)
    x = random(2, 2, 9, 9, 4)
    other = jnp.where(valid > 0, x, jnp.nan)
    for a, b in zip(
        partial_conv(x, valid, kernel), partial_conv(other, valid, kernel), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_all_known_is_a_convolution_away_from_the_border() -> None:
    x, kernel = random(0, 1, 9, 9, 3), random(1, 3, 3, 3, 4)
    y, _ = partial_conv(x, jnp.ones((1, 9, 9, 1)), kernel, padding=1)
    plain = conv(x, kernel, padding=1)
    # The ratio is exactly one there.
    np.testing.assert_array_equal(y[:, 1:-1, 1:-1], plain[:, 1:-1, 1:-1])
    # In a corner four of nine pixels are seen; one multiplication and division apart.
    np.testing.assert_allclose(y[:, 0, 0], plain[:, 0, 0] * 9 / 4, rtol=1e-6)


def test_no_mask_is_a_mask_of_ones() -> None:
    x, kernel = random(0, 2, 7, 8, 3), random(1, 5, 5, 3, 2)
    np.testing.assert_array_equal(
        partial_conv(x, None, kernel, strides=2, padding=2)[0],
        partial_conv(x, jnp.ones((2, 7, 8, 1)), kernel, strides=2, padding=2)[0],
    )


@pytest.mark.parametrize(
    ("strides", "padding", "dilation"),
    [(1, 1, 1), (2, 2, 1), ((1, 2), ((0, 1), (2, 0)), (2, 1)), (1, (1, 2), 2)],
)
def test_one_mask_channel_equals_as_many_as_the_input(strides, padding, dilation) -> None:
    x, kernel, bias = random(0, 2, 11, 12, 3), random(1, 3, 3, 3, 4), random(2, 4)
    valid = random_valid(3, 2, 11, 12, 1)
    options = {"strides": strides, "padding": padding, "dilation": dilation}
    one = partial_conv(x, valid, kernel, bias, **options)
    many = partial_conv(x, jnp.repeat(valid, 3, axis=-1), kernel, bias, **options)
    for a, b in zip(one, many, strict=True):
        np.testing.assert_array_equal(a, b)


def test_groups_equal_their_concatenation() -> None:
    parts = random(0, 2, 8, 8, 3), random(1, 2, 8, 8, 5)
    masks = random_valid(2, 2, 8, 8, 1), random_valid(3, 2, 8, 8, 1)
    kernel, bias = random(4, 3, 3, 8, 4), random(5, 4)
    grouped = partial_conv(parts, masks, kernel, bias, padding=1)
    every_channel = [jnp.repeat(m, x.shape[-1], -1) for x, m in zip(parts, masks, strict=True)]
    whole = partial_conv(
        jnp.concatenate(parts, -1), jnp.concatenate(every_channel, -1), kernel, bias, padding=1
    )
    for a, b in zip(grouped, whole, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_older_form_is_a_rescaling_of_the_kernel() -> None:
    x, valid, kernel = random(0, 1, 8, 8, 3), random_valid(1, 1, 8, 8, 1), random(2, 3, 3, 3, 2)
    y, _ = partial_conv(x, valid, kernel / 27, padding=1)
    count = 3 * conv(valid, jnp.ones((3, 3, 1, 1)), padding=1)
    by_sum = conv(x * valid, kernel, padding=1) / jnp.maximum(count, 1)
    # A few roundings of float32 apart.
    np.testing.assert_allclose(y, by_sum, rtol=1e-4, atol=1e-6)


def test_the_ratio_is_float32_under_bfloat16() -> None:
    # 600 channels · 9 pixels: a count that bfloat16 can't hold.
    x = jnp.ones((1, 4, 4, 600), jnp.bfloat16)
    valid = jnp.ones((1, 4, 4, 1), jnp.bfloat16).at[0, 0, 0].set(0)
    kernel = jnp.full((3, 3, 600, 1), 1 / 5400, jnp.float32)
    y, updated = partial_conv(x, valid, kernel)
    assert y.dtype == jnp.bfloat16
    assert updated.dtype == jnp.float32
    # The mean of ones is one, up to bfloat16's eight bits in the kernel and in the output.
    np.testing.assert_allclose(y.astype(jnp.float32), 1, rtol=2**-7)


def test_gradients_are_the_derivatives() -> None:
    valid = random_valid(0, 1, 5, 5, 1)

    def layer(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
        return partial_conv(x, valid, kernel, bias, strides=2, padding=1)[0]

    with jax.enable_x64(True):
        shapes = (1, 5, 5, 2), (3, 3, 2, 3), (3,)
        args = [random(i, *shape).astype(jnp.float64) for i, shape in enumerate(shapes)]
        # The layer renormalises in float32, whose roundings finite differences magnify.
        check_grads(lambda *a: layer(*map(jnp.asarray, a)), args, 1, ("rev",), atol=1e-2, rtol=1e-2)


def test_the_mask_gets_no_gradient() -> None:
    x, kernel = random(0, 1, 6, 6, 2), random(1, 3, 3, 2, 2)
    valid = jnp.ones((1, 6, 6, 1))
    gradient = jax.grad(lambda valid: jnp.sum(partial_conv(x, valid, kernel)[0]))(valid)
    assert not np.any(gradient)


def test_jit_and_vmap_change_nothing() -> None:
    x, valid, kernel = random(0, 3, 8, 8, 2), random_valid(1, 3, 8, 8, 1), random(2, 3, 3, 2, 4)
    y, updated = partial_conv(x, valid, kernel, padding=1)
    one_by_one = jax.vmap(lambda x, v: partial_conv(x[None], v[None], kernel, padding=1))(x, valid)
    compiled = jax.jit(lambda *a: partial_conv(*a, padding=1))(x, valid, kernel)
    # The compiler may add in another order: a few roundings.
    np.testing.assert_allclose(one_by_one[0][:, 0], y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(compiled[0], y, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(one_by_one[1][:, 0], updated)
    np.testing.assert_array_equal(compiled[1], updated)


@pytest.mark.parametrize(
    ("valid", "kernel", "bias", "message"),
    [
        ((1, 8, 8, 2), (3, 3, 3, 4), None, "needs 1 or the 3"),
        ((1, 7, 8, 1), (3, 3, 3, 4), None, "valid has shape"),
        ((1, 8, 8, 1), (3, 3, 2, 4), None, "takes 2 channels"),
        ((1, 8, 8, 1), (3, 3, 3, 4), (3,), "bias has shape"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(valid, kernel, bias, message: str) -> None:
    ones = [None if shape is None else jnp.ones(shape) for shape in (valid, kernel, bias)]
    with pytest.raises(ValueError, match=message):
        as_installed(partial_conv)(jnp.ones((1, 8, 8, 3)), *ones)
