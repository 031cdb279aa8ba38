"""One table for all objectives: values, gradients, invariance, degenerate cases, bad shapes."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from as_installed import as_installed
from jax.test_util import check_grads

from jaxinpaint.array_typing import Image, Logits, Taps
from jaxinpaint.evaluation.ssim import ssim
from jaxinpaint.nets.vgg import vgg_taps
from jaxinpaint.objectives.adversarial import (
    gradient_penalty,
    hinge_discriminator,
    hinge_generator,
    least_squares_discriminator,
    least_squares_generator,
    log_discriminator,
    log_generator,
    log_generator_saturating,
    r1,
    wasserstein_discriminator,
    wasserstein_generator,
)
from jaxinpaint.objectives.contextual import contextual_reconstruction_terms
from jaxinpaint.objectives.partial_conv import (
    PUBLISHED_WEIGHTS,
    partial_conv_terms,
    partial_conv_total,
)
from jaxinpaint.objectives.perceptual import (
    _mean_distance,
    content,
    feature_matching,
    perceptual,
)
from jaxinpaint.objectives.perceptual_adversarial import perceptual_adversarial, perceptual_margin
from jaxinpaint.objectives.pixel import l1, mse
from jaxinpaint.objectives.reduction import mean_per_image
from jaxinpaint.objectives.smoothness import total_variation
from jaxinpaint.objectives.structure import dissimilarity
from jaxinpaint.objectives.taps import taps_in_one_pass
from jaxinpaint.objectives.texture import gram_matrix, style, style_l1, texture_matching
from jaxinpaint.ops.compositing import composite

Objective = Callable[..., jax.Array]

# What the reference's authors state.
GOLDEN = 1e-4


def pictures(seed: int = 0) -> tuple[jax.Array, jax.Array, jax.Array]:
    x, y, h = jax.random.split(jax.random.key(seed), 3)
    shape = (3, 6, 7, 2)
    hole = jax.random.bernoulli(h, 0.4, (*shape[:3], 1)).astype(jnp.float32)
    return jax.random.uniform(x, shape), jax.random.uniform(y, shape), hole


def taps(x: Image) -> Taps:
    """What stands for a network: two layers, at two resolutions."""
    return {"fine": x - 0.5, "coarse": (x[:, ::2, 1::2] ** 2).astype(x.dtype)}


def logits(x: Image) -> Logits:
    """What stands for a discriminator: a map of logits, some of them negative."""
    return 4 * x[..., :1] - 2 * x[..., 1:]


MIX = jnp.array([0.1, 0.5, 0.8])
WEIGHTS = {"fine": 0.5, "coarse": 2.0}


class Case(NamedTuple):
    """An objective of two pictures and a hole."""

    of: Objective
    distance: bool = True
    """Whether it is zero where the pictures are equal and black."""


def of_taps(objective: Objective, **options: object) -> Case:
    return Case(lambda x, y, hole: objective(taps(x), taps(y), **options))


def of_logits(objective: Objective, **options: object) -> Case:
    return Case(lambda x, y, hole: objective(logits(y), logits(x), **options), distance=False)


def of_fake(objective: Objective) -> Case:
    return Case(lambda x, y, hole: objective(logits(x)), distance=False)


def penalty(x: Image, y: Image, hole: jax.Array) -> jax.Array:
    return gradient_penalty(lambda z: logits(z**2), y, x, MIX[: x.shape[0]])


def rebuilt_total(x: Image, y: Image) -> jax.Array:
    terms = contextual_reconstruction_terms(x, y, logits(x))
    return terms["auxiliary"] + terms["auxiliary_adversarial"]


CASES: dict[str, Case] = {
    "l1": Case(lambda x, y, hole: l1(x, y)),
    "l1 of hole": Case(lambda x, y, hole: l1(x, y, region=hole)),
    "l1 of hole by hole": Case(lambda x, y, hole: l1(x, y, region=hole, denominator="region")),
    "mse": Case(lambda x, y, hole: mse(x, y)),
    "mse of hole": Case(lambda x, y, hole: mse(x, y, region=hole)),
    "mse of hole by hole": Case(lambda x, y, hole: mse(x, y, region=hole, denominator="region")),
    "tv": Case(lambda x, y, hole: total_variation(x)),
    "tv of hole": Case(lambda x, y, hole: total_variation(x, hole=hole)),
    "dissimilarity": Case(lambda x, y, hole: dissimilarity(x, y, side=3), False),
    "perceptual": of_taps(perceptual, weights=WEIGHTS),
    "perceptual in l1": of_taps(perceptual, distance="l1"),
    "content": Case(lambda x, y, hole: content(x, y)),
    "feature matching": of_taps(feature_matching),
    "texture": of_taps(texture_matching, weights=WEIGHTS),
    "texture in patches": of_taps(texture_matching, patch_size=4, normalised=True),
    "style": of_taps(style),
    "style in l1": of_taps(style_l1, weights=WEIGHTS),
    "perceptual adversarial": of_taps(perceptual_adversarial, weights=WEIGHTS),
    "perceptual margin": Case(
        lambda x, y, hole: perceptual_margin(perceptual_adversarial(taps(x), taps(y))), False
    ),
    "log of D": of_logits(log_discriminator, real_label=0.9),
    "log of G": of_fake(log_generator),
    "saturating log of G": of_fake(log_generator_saturating),
    "hinge of D": of_logits(hinge_discriminator),
    "hinge of G": of_fake(hinge_generator),
    "least squares of D": of_logits(least_squares_discriminator),
    "least squares of G": of_fake(least_squares_generator),
    "Wasserstein of D": of_logits(wasserstein_discriminator),
    "Wasserstein of G": of_fake(wasserstein_generator),
    "gradient penalty": Case(penalty, distance=False),
    "r1": Case(lambda x, y, hole: r1(lambda z: logits(z**2), x)),
    "contextual reconstruction": Case(lambda x, y, hole: rebuilt_total(x, y), distance=False),
    "partial convolutions": Case(lambda x, y, hole: partial_conv_total(x, y, hole, taps)),
}

each = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@each
def test_gives_one_float32_value_per_image(case: Case) -> None:
    x, y, hole = pictures()
    value = jax.jit(case.of)(x, y, hole)
    assert value.shape == (3,)
    assert value.dtype == jnp.float32
    halved = jax.jit(case.of)(x.astype(jnp.bfloat16), y.astype(jnp.bfloat16), hole)
    assert halved.dtype == jnp.float32
    # Eight bits of mantissa; differences of nearby numbers keep fewer.
    np.testing.assert_allclose(halved, value, rtol=0.1, atol=0.02)


@each
def test_jit_and_vmap_change_nothing(case: Case) -> None:
    x, y, hole = pictures()
    value = case.of(x, y, hole)

    def of_one(x: jax.Array, y: jax.Array, hole: jax.Array, mix: jax.Array) -> jax.Array:
        if case.of is penalty:
            return gradient_penalty(lambda z: logits(z**2), y[None], x[None], mix[None])[0]
        return case.of(x[None], y[None], hole[None])[0]

    # The compiler may add in another order.
    np.testing.assert_allclose(jax.jit(case.of)(x, y, hole), value, rtol=1e-5)
    np.testing.assert_allclose(jax.jit(jax.vmap(of_one))(x, y, hole, MIX), value, rtol=1e-5)


@each
def test_gradient_is_the_derivative(case: Case) -> None:
    with jax.enable_x64(True):
        x, y, hole = (array.astype(jnp.float64) for array in pictures())
        objective = jax.jit(lambda x: case.of(x, y, hole))
        # Differences of float64 values, a thousandth of a grey level apart and away from ties.
        check_grads(
            lambda x: objective(jnp.asarray(x)), (x,), 1, ("rev",), atol=1e-6, rtol=1e-6, eps=1e-6
        )


@each
def test_gradients_are_finite_at_ties_zeros_and_empty_or_full_holes(case: Case) -> None:
    zeros = jnp.zeros((2, 4, 4, 2))
    value_and_gradient = jax.jit(
        jax.value_and_grad(lambda x, hole: jnp.sum(case.of(x, zeros, hole)))
    )
    for hole in (jnp.zeros((2, 4, 4, 1)), jnp.ones((2, 4, 4, 1))):
        value, gradient = value_and_gradient(zeros, hole)
        assert np.isfinite(value)
        assert np.all(np.isfinite(gradient))
        if case.distance:
            assert value == 0
            # Nothing pulls where nothing is to be mended.
            assert not np.any(gradient)


@pytest.mark.parametrize("name", [name for name in CASES if "of hole" in name])
def test_an_empty_hole_gives_zero(name: str) -> None:
    x, y, hole = pictures()
    assert not np.any(CASES[name].of(x, y, jnp.zeros_like(hole)))


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


def test_dissimilarity_is_what_the_score_lacks_of_one() -> None:
    x, y = (jax.random.uniform(jax.random.key(i), (2, 14, 17, 3)) for i in range(2))
    near = 0.9 * y + 0.1 * x
    for estimate in (x, near):
        # Differences of squares in float32, and of differences.
        np.testing.assert_allclose(dissimilarity(estimate, y), 1 - ssim(estimate, y), atol=1e-5)
    with pytest.raises(ValueError, match="smaller than windows of 11"):
        dissimilarity(x[:, :10], y[:, :10])


def test_a_single_pixel_has_no_variation() -> None:
    assert not np.any(total_variation(jnp.ones((2, 1, 1, 3)), hole=jnp.ones((2, 1, 1, 1))))


def test_feature_distances_by_hand() -> None:
    x = {"a": jnp.array([1.0, 2, 3, 4]).reshape(1, 2, 2, 1), "b": jnp.ones((1, 1, 1, 2))}
    y = {"a": jnp.zeros((1, 2, 2, 1)), "b": jnp.array([1.0, -1]).reshape(1, 1, 1, 2)}
    assert perceptual(x, y).item() == 30 / 4 + 4 / 2
    assert perceptual(x, y, distance="l1").item() == 10 / 4 + 2 / 2
    assert perceptual(x, y, weights={"a": 2.0, "b": 0.5}).item() == 2 * 30 / 4 + 0.5 * 2
    assert content(x["a"], y["a"]).item() == 30 / 2
    assert feature_matching(x, y).item() == perceptual_adversarial(x, y).item() == 3.5
    assert perceptual_adversarial(x, y, weights={"a": 2.0, "b": 1.0}).item() == 6.0


def test_the_margin_switches_its_gradient_off_at_its_end() -> None:
    distance = jnp.array([1.0, 2.9, 3.0, 5.0])
    np.testing.assert_allclose(perceptual_margin(distance), [2, 0.1, 0, 0], rtol=1e-5)
    gradient = jax.grad(lambda d: jnp.sum(perceptual_margin(d)))(distance)
    np.testing.assert_array_equal(gradient, [-1, -1, 0, 0])


def test_gram_matrices_and_what_rests_on_them_by_an_independent_statement() -> None:
    x, y, _ = pictures()
    grams = [np.zeros((3, 2, 2)), np.zeros((3, 2, 2))]
    for gram, features in zip(grams, (x, y), strict=True):
        for pixel in np.ndindex(6, 7):
            f = np.asarray(features, np.float64)[:, *pixel]
            gram += f[:, :, None] * f[:, None, :]
    apart = grams[0] - grams[1]
    size = 6 * 7 * 2
    # Sums of 42 float32 products.
    close = partial(np.testing.assert_allclose, rtol=1e-5)
    close(gram_matrix(x), grams[0])
    close(gram_matrix(x, normalised=True), grams[0] / size)
    a, b = {"a": x}, {"a": y}
    close(texture_matching(a, b), np.mean(apart**2, (1, 2)))
    close(style(a, b), np.sum(apart**2, (1, 2)) / (2 * size) ** 2)
    close(style_l1(a, b, weights={"a": 3.0}), 3 * np.mean(np.abs(apart), (1, 2)) / size)


def test_texture_in_patches_by_an_independent_statement() -> None:
    x, y, _ = pictures()
    total, patches = np.zeros(3), 0
    for top in (0, 4):
        for left in (0, 4):
            part = (slice(None), slice(top, top + 4), slice(left, left + 4))
            apart = gram_matrix(x[part]) - gram_matrix(y[part])
            total += np.mean(np.square(np.asarray(apart, np.float64)), (1, 2))
            patches += 1
    found = texture_matching({"a": x}, {"a": y}, patch_size=4)
    np.testing.assert_allclose(found, total / patches, rtol=1e-5)


def test_a_patch_as_large_as_the_map_is_the_whole_map() -> None:
    x, y, _ = pictures()
    whole = texture_matching({"a": x}, {"a": y})
    np.testing.assert_allclose(texture_matching({"a": x}, {"a": y}, patch_size=7), whole, rtol=1e-6)


def test_normalised_patches_are_divided_by_what_they_hold_not_by_the_zeros_around_it() -> None:
    x, y = {"a": jnp.ones((1, 17, 8, 3))}, {"a": jnp.zeros((1, 17, 8, 3))}
    # Each element of each patch's matrix is its positions over these times three channels.
    found = texture_matching(x, y, patch_size=16, normalised=True)
    np.testing.assert_allclose(found, 1 / 9, rtol=1e-6)


def test_a_gram_matrix_does_not_know_where_features_are() -> None:
    x, _, _ = pictures()
    flipped = x[:, ::-1, ::-1]
    # Sums in another order.
    np.testing.assert_allclose(gram_matrix(flipped), gram_matrix(x), rtol=1e-5)


@pytest.mark.parametrize(
    "gram",
    [gram_matrix, lambda f: texture_matching({"a": f}, {"a": jnp.zeros_like(f)}, patch_size=4)],
    ids=["whole map", "patches"],
)
def test_gram_matrices_are_single_products_summed_in_float32(gram: Objective) -> None:
    half = jax.ShapeDtypeStruct((3, 8, 8, 4), jnp.bfloat16)
    text = str(jax.make_jaxpr(gram)(half))
    products = text.count("dot_general")
    assert products == (1 if gram is gram_matrix else 2)  # one a picture, not one a patch
    assert text.count("preferred_element_type=float32") == products
    assert "scan" not in text
    assert "while" not in text


def test_adversarial_values_by_hand() -> None:
    real, fake = jnp.array([[0.5]]), jnp.array([[-2.0]])
    sigmoid = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731
    close = pytest.approx
    log_d = -np.log(sigmoid(0.5)) - np.log(1 - sigmoid(-2))
    assert log_discriminator(real, fake).item() == close(log_d)
    smooth = -0.9 * np.log(sigmoid(0.5)) - 0.1 * np.log(1 - sigmoid(0.5)) - np.log(1 - sigmoid(-2))
    assert log_discriminator(real, fake, real_label=0.9).item() == close(smooth)
    assert log_generator(fake).item() == close(-np.log(sigmoid(-2)))
    assert log_generator_saturating(fake).item() == close(np.log(1 - sigmoid(-2)))
    assert hinge_discriminator(real, fake).item() == 0.5 + 0
    assert hinge_discriminator(fake, real).item() == 3 + 1.5
    assert hinge_generator(fake).item() == 2
    assert least_squares_discriminator(real, fake).item() == (0.25 + 4) / 2
    assert least_squares_generator(fake).item() == 9 / 2
    assert wasserstein_discriminator(real, fake).item() == -2.5
    assert wasserstein_generator(fake).item() == 2


def test_logs_of_large_logits_are_finite() -> None:
    large = jnp.array([[1e4], [-1e4]])
    value = log_discriminator(large, large)
    np.testing.assert_array_equal(value, [1e4, 1e4])
    gradient = jax.grad(lambda z: jnp.sum(log_generator(z) + log_generator_saturating(z)))(large)
    assert np.all(np.isfinite(gradient))


def test_penalties_of_a_linear_critic_are_those_of_its_slope() -> None:
    x, y, hole = pictures()
    slope = jnp.arange(84.0).reshape(6, 7, 2) / 100

    def critic(z: Image) -> Logits:
        return jnp.sum(z * slope, axis=(1, 2, 3))

    norm = np.linalg.norm(slope)
    np.testing.assert_allclose(
        gradient_penalty(critic, x, y, MIX, target=0.5), [(norm - 0.5) ** 2] * 3, rtol=1e-5
    )
    np.testing.assert_allclose(r1(critic, x), [norm**2 / 2] * 3, rtol=1e-5)
    inside = np.linalg.norm((np.asarray(hole) * slope).reshape(3, -1), axis=1)
    found = gradient_penalty(critic, x, y, MIX, region=hole)
    np.testing.assert_allclose(found, (inside - 1) ** 2, rtol=1e-5)


def test_the_penalised_picture_lies_between_the_two() -> None:
    real, fake = jnp.ones((3, 1, 1, 1)), jnp.zeros((3, 1, 1, 1))
    # The slope of z² / 2 is z, here the share of the real picture.
    found = gradient_penalty(lambda z: z**2 / 2, real, fake, MIX)
    np.testing.assert_allclose(found, (MIX - 1) ** 2, rtol=1e-5)


def test_taps_of_several_pictures_come_from_one_pass() -> None:
    x, y, _ = pictures()
    passes = []

    def features(images: Image) -> Taps:
        passes.append(images.shape)
        return taps(images)

    of_x, of_y = taps_in_one_pass(features, x, y)
    assert passes == [(6, 6, 7, 2)]
    jax.tree.map(np.testing.assert_array_equal, (of_x, of_y), (taps(x), taps(y)))


def vgg16(dtype: type = np.float32) -> dict:
    """VGG-16 with the reference's weights, up to its third pooling."""
    names = ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3")
    return golden.vgg_variables("vgg16", names, dtype)


@pytest.mark.parametrize("normalise", [True, False], ids=["normalised", "raw"])
def test_terms_of_partial_convolutions_match_the_reference(normalise: bool) -> None:
    z, facts = golden.arrays("objectives_partial_conv"), golden.facts("objectives_partial_conv")
    truth, output = (jnp.asarray(z[n], jnp.float32) / 255 for n in ("target_u8", "output_u8"))
    hole = 1 - jnp.asarray(z["valid"], jnp.float32)
    taps = ("pool1", "pool2", "pool3")
    features = partial(vgg_taps, vgg16(), depth=16, taps=taps, normalise=normalise)
    values = jax.jit(partial(partial_conv_terms, features=features))(output, truth, hole)
    values["tv_whole"] = total_variation(composite(output, truth, hole))
    expected = facts[f"per_image_{'normalised' if normalise else 'raw'}_input"]
    expected["perceptual"] = np.add(expected.pop("perc_out"), expected.pop("perc_comp"))
    expected["style_output"] = expected.pop("style_out")
    expected["style_composite"] = expected.pop("style_comp")
    assert values.keys() == expected.keys()
    for name, value in values.items():
        np.testing.assert_allclose(value, expected[name], rtol=GOLDEN, err_msg=name)


def test_the_total_of_partial_convolutions_and_its_gradient_match_the_reference() -> None:
    z, facts = golden.arrays("objectives_partial_conv"), golden.facts("objectives_partial_conv")

    def mean_total(output: Image, truth: Image, hole: jax.Array, variables: dict) -> jax.Array:
        features = partial(vgg_taps, variables, depth=16, taps=("pool1", "pool2", "pool3"))
        return jnp.mean(partial_conv_total(output, truth, hole, features))

    # In float64, as the reference was: a rounding that switches a ReLU or a pooling at one pixel
    # turns the gradient around it, by up to a thousandth of the range.
    with jax.enable_x64(True):
        truth, output = (jnp.asarray(z[n], jnp.float64) / 255 for n in ("target_u8", "output_u8"))
        hole = 1 - jnp.asarray(z["valid"], jnp.float64)
        total, gradient = jax.jit(jax.value_and_grad(mean_total))(
            output, truth, hole, vgg16(np.float64)
        )
        assert float(total) == pytest.approx(facts["total"], rel=GOLDEN)
        assert golden.relative_error(gradient, z["grad_total_wrt_output"]) < GOLDEN


def test_the_truth_gets_no_gradient_through_its_features() -> None:
    x, y, hole = pictures()

    def perceptual_of(y: Image) -> jax.Array:
        return jnp.sum(partial_conv_terms(x, y, 0 * hole + 1, taps)["style_output"])

    assert not np.any(jax.grad(perceptual_of)(y))


def test_without_features_the_terms_that_need_them_are_left_out() -> None:
    assert partial_conv_terms(*pictures()).keys() == {"valid", "hole", "tv"}
    weights = {**PUBLISHED_WEIGHTS, "content": 1.0}
    with pytest.raises(ValueError, match="differ"):
        partial_conv_total(*pictures(), taps, weights=weights)


@pytest.mark.parametrize(
    "objective",
    [
        *(l1, mse, content),
        *(log_discriminator, hinge_discriminator),
        *(least_squares_discriminator, wasserstein_discriminator),
    ],
)
def test_shapes_that_differ_are_refused(objective: Objective) -> None:
    with pytest.raises(ValueError, match="differ"):
        as_installed(objective)(jnp.zeros((1, 4, 4, 3)), jnp.zeros((1, 4, 4, 1)))


@pytest.mark.parametrize(
    "objective",
    [perceptual, feature_matching, perceptual_adversarial, texture_matching, style, style_l1],
)
def test_taps_that_do_not_match_are_refused(objective: Objective) -> None:
    tap, larger = jnp.zeros((1, 4, 4, 3)), jnp.zeros((1, 5, 4, 3))
    with pytest.raises(ValueError, match="differ"):
        objective({"a": tap}, {"a": larger})
    with pytest.raises(ValueError, match="names"):
        objective({"a": tap}, {"b": tap})
    with pytest.raises(ValueError, match="names"):
        objective({"a": tap}, {"a": tap}, weights={"b": 1.0})
    with pytest.raises(ValueError, match="no taps"):
        objective({}, {})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"fake": jnp.ones((3, 4, 1, 2))}, "differ"),
        ({"mix": MIX[:1]}, "mix has shape"),
        ({"region": jnp.ones((1, 4, 4, 1))}, "region has shape"),
    ],
)
def test_penalties_refuse_what_would_be_broadcast(wrong: dict, message: str) -> None:
    pair = {"real": jnp.ones((3, 4, 4, 2)), "fake": jnp.ones((3, 4, 4, 2)), "mix": MIX}
    with pytest.raises(ValueError, match=message):
        as_installed(gradient_penalty)(logits, **{**pair, **wrong})


def test_options_of_other_names_are_refused() -> None:
    x, y, hole = pictures()
    with pytest.raises(ValueError, match="l1 or mse, not 'L1'"):
        as_installed(_mean_distance)(x, y, "L1")
    with pytest.raises(ValueError, match="picture or region, not 'image'"):
        as_installed(mean_per_image)(x, region=hole, denominator="image")
    with pytest.raises(ValueError, match="hole or picture, not 'all'"):
        as_installed(partial_conv_terms)(x, y, hole, tv_region="all")


def test_gram_matrices_of_other_than_maps_are_refused() -> None:
    with pytest.raises(ValueError, match=r"not \[3, 5\]"):
        as_installed(gram_matrix)(jnp.zeros((3, 5)))


def test_patches_without_a_size_are_refused() -> None:
    x, _, _ = pictures()
    with pytest.raises(ValueError, match="patch_size"):
        texture_matching({"a": x}, {"a": x}, patch_size=0)


def test_regions_of_another_shape_are_refused() -> None:
    x = jnp.zeros((2, 4, 4, 3))
    with pytest.raises(ValueError, match="region has shape"):
        as_installed(mean_per_image)(x, region=jnp.ones((2, 4, 4, 3)))
    with pytest.raises(ValueError, match="hole has shape"):
        as_installed(total_variation)(x, hole=jnp.ones((1, 4, 4, 1)))
