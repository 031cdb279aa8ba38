from functools import partial

import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from as_installed import as_installed

from jaxinpaint.nets.vgg import kernel_shapes, layer_names, pool, random_variables, vgg_taps
from jaxinpaint.objectives.texture import gram_matrix

# What the reference's authors state.
GOLDEN = 1e-4


def test_vgg19_matches_the_reference_and_its_gram_matrices() -> None:
    z, facts = golden.arrays("vgg19"), golden.facts("vgg19")
    variables = golden.vgg_variables("vgg19", list(kernel_shapes(19)))
    pools = [f"pool{i}" for i in range(1, 6)]

    @jax.jit
    def seen(image: jax.Array) -> tuple:
        taps = vgg_taps(variables, image, depth=19, taps=pools)
        return taps, {name: gram_matrix(tap, normalised=True) for name, tap in taps.items()}

    taps, grams = seen(jnp.asarray(z["image_u8"], jnp.float32) / 255)
    assert golden.relative_error(taps["pool2"][:, ::4, ::4], z["pool2"]) < GOLDEN
    assert golden.relative_error(taps["pool5"], z["pool5"]) < GOLDEN
    assert golden.relative_error(grams["pool1"], z["gram_pool1"]) < GOLDEN
    close = partial(np.testing.assert_allclose, rtol=GOLDEN)
    close([np.trace(np.sum(grams[name], 0)) for name in pools], z["gram_trace"])
    close([np.mean(taps[name]) for name in pools], facts["mean_of_pool"])
    close([np.std(taps[name]) for name in pools], facts["std_of_pool"])


def test_vgg16_matches_the_reference() -> None:
    z, facts = golden.arrays("vgg16"), golden.facts("vgg16")
    variables = golden.vgg_variables("vgg16", list(kernel_shapes(16))[:7])
    pools = ["pool1", "pool2", "pool3"]
    seen = jax.jit(partial(vgg_taps, depth=16, taps=pools))
    taps = seen(variables, jnp.asarray(z["image_u8"], jnp.float32) / 255)
    assert golden.relative_error(taps["pool3"][:1], z["pool3"]) < GOLDEN
    means = [np.mean(taps[name]) for name in pools]
    np.testing.assert_allclose(means, facts["mean_of_pool"], rtol=GOLDEN)


def test_layers_have_the_names_and_shapes_of_the_paper() -> None:
    assert len(kernel_shapes(16)) == 13
    assert len(kernel_shapes(19)) == 16
    assert kernel_shapes(19)["conv3_4"] == (3, 3, 256, 256)
    assert "conv3_4" not in kernel_shapes(16)
    assert layer_names(16)[:6] == ["conv1_1", "relu1_1", "conv1_2", "relu1_2", "pool1", "conv2_1"]
    assert layer_names(19)[-1] == "pool5"


def test_nothing_behind_the_last_tap_is_computed_or_needed() -> None:
    variables = random_variables(16, until="relu1_2")
    assert variables.keys() == {"mean", "std", "conv1_1", "conv1_2"}
    image = jnp.ones((1, 16, 16, 3))
    seen = partial(vgg_taps, variables, depth=16, taps=["relu1_2", "conv1_1"])
    assert list(seen(image)) == ["relu1_2", "conv1_1"]
    assert str(jax.make_jaxpr(seen)(image)).count("conv_general_dilated[") == 2


def test_taps_are_named_for_what_they_are() -> None:
    variables = random_variables(16, until="pool1")
    image = jax.random.uniform(jax.random.key(0), (1, 6, 6, 3))
    seen = vgg_taps(variables, image, depth=16, taps=layer_names(16)[:5])
    np.testing.assert_array_equal(seen["relu1_2"], np.maximum(seen["conv1_2"], 0))
    blocks = np.asarray(seen["relu1_2"]).reshape(1, 3, 2, 3, 2, 64)
    np.testing.assert_array_equal(seen["pool1"], blocks.max((2, 4)))
    averaged = vgg_taps(variables, image, depth=16, taps=["pool1"], pooling="average")
    # A mean of four, added in another order.
    np.testing.assert_allclose(averaged["pool1"], blocks.mean((2, 4)), rtol=1e-5, atol=1e-6)


def test_pictures_are_normalised_inside_by_the_numbers_of_the_weights() -> None:
    variables = random_variables(16, until="conv1_1")
    image = jax.random.uniform(jax.random.key(0), (1, 6, 6, 3))
    seen = partial(vgg_taps, depth=16, taps=["conv1_1"])
    by_hand = (image - jnp.array([0.485, 0.456, 0.406])) / jnp.array([0.229, 0.224, 0.225])
    raw = seen(variables, by_hand, normalise=False)
    np.testing.assert_allclose(seen(variables, image)["conv1_1"], raw["conv1_1"], rtol=1e-5)


def test_an_odd_row_or_column_is_left_out_by_pooling() -> None:
    variables = random_variables(16, until="pool1")
    image = jax.random.uniform(jax.random.key(0), (1, 7, 9, 3))
    seen = vgg_taps(variables, image, depth=16, taps=["relu1_2", "pool1"])
    assert seen["pool1"].shape == (1, 3, 4, 64)
    whole = seen["relu1_2"][:, :6, :8].reshape(1, 3, 2, 4, 2, 64)
    np.testing.assert_array_equal(seen["pool1"], whole.max((2, 4)))


def test_among_equals_the_first_gets_the_gradient_of_pooling() -> None:
    # A flat picture without borders: the four values under a pooling are equal.
    kernel = jnp.zeros((3, 3, 3, 64)).at[1, 1].set(1)
    inner = jnp.zeros((3, 3, 64, 64)).at[1, 1].set(jnp.eye(64))
    layers = {
        name: {"kernel": k, "bias": jnp.zeros(64)}
        for name, k in (("conv1_1", kernel), ("conv1_2", inner))
    }

    def total(image: jax.Array) -> jax.Array:
        seen = vgg_taps(layers, image, depth=16, taps=["pool1"], normalise=False)
        return jnp.sum(seen["pool1"])

    gradient = jax.grad(total)(jnp.ones((1, 4, 4, 3)))[0, :, :, 0]
    first = np.zeros((4, 4))
    first[::2, ::2] = 64
    np.testing.assert_array_equal(gradient, first)


def test_a_value_that_is_no_number_is_not_pooled_away() -> None:
    variables = random_variables(16, until="pool1")
    image = jnp.ones((1, 8, 8, 3)).at[0, 3, 3, 0].set(jnp.nan)
    seen = vgg_taps(variables, image, depth=16, taps=["relu1_2", "pool1"])
    isnan = np.isnan(np.asarray(seen["relu1_2"])).reshape(1, 4, 2, 4, 2, 64)
    np.testing.assert_array_equal(np.isnan(seen["pool1"]), isnan.any((2, 4)))


def test_half_precision_stays_half_precision() -> None:
    variables = random_variables(16, until="pool1")
    image = jax.random.uniform(jax.random.key(0), (1, 8, 8, 3))
    seen = partial(vgg_taps, variables, depth=16, taps=["pool1"])
    half = seen(image.astype(jnp.bfloat16))["pool1"]
    assert half.dtype == jnp.bfloat16
    # Eight bits of mantissa through two layers.
    assert golden.relative_error(half, np.asarray(seen(image)["pool1"])) < 0.03


def test_random_weights_are_the_same_however_far_they_go_and_differ_by_seed() -> None:
    few, more = random_variables(16, until="conv1_1"), random_variables(16, until="conv2_1")
    np.testing.assert_array_equal(few["conv1_1"]["kernel"], more["conv1_1"]["kernel"])
    other = random_variables(16, until="conv1_1", seed=1)
    assert np.any(other["conv1_1"]["kernel"] != few["conv1_1"]["kernel"])
    # Runs that were made with them go on with them: they may never change.
    first = [-0.09868458, -0.11321399, 0.25988132]
    np.testing.assert_allclose(few["conv1_1"]["kernel"][0, 0, 0, :3], first, rtol=1e-6)
    # He et al.'s deviation; 1728 numbers give theirs to a few percent.
    assert np.std(few["conv1_1"]["kernel"]) == pytest.approx(np.sqrt(2 / 27), rel=0.1)


def test_what_does_not_fit_is_refused() -> None:
    variables = random_variables(16, until="pool2")
    image = jnp.ones((1, 3, 8, 3))
    with pytest.raises(ValueError, match="no conv3_1, and relu3_1 needs it"):
        vgg_taps(variables, jnp.ones((1, 8, 8, 3)), depth=16, taps=["relu3_1"])
    with pytest.raises(ValueError, match="sequence of names"):
        vgg_taps(variables, image, depth=16, taps="pool1")
    with pytest.raises(ValueError, match="max or average, not 'avg'"):
        as_installed(pool)(image, "avg")
    with pytest.raises(ValueError, match=r"floats in .* not uint8"):
        as_installed(vgg_taps)(variables, image.astype("uint8"), depth=16, taps=["pool1"])
    with pytest.raises(ValueError, match="16 or 19 layers, not 13"):
        as_installed(layer_names)(13)
    with pytest.raises(ValueError, match="no layer 'relu1_3'"):
        vgg_taps(variables, image, depth=16, taps=["relu1_3"])
    with pytest.raises(ValueError, match="no taps"):
        vgg_taps(variables, image, depth=16, taps=[])
    with pytest.raises(ValueError, match=r"3x8 is too small.* pool2"):
        vgg_taps(variables, image, depth=16, taps=["pool2"])
