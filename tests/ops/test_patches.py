"""Contextual attention: the published program's numbers, and loops over cut-out patches."""

import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxinpaint.ops.patches import Norm, copies, reconstruct, similarity

# What the reference's authors state.
AGREES = 1e-4


@pytest.fixture(scope="module")
def z() -> dict[str, np.ndarray]:
    return golden.arrays("crfill_attention")


def features(n: int = 2, side: int = 8, channels: int = 3) -> jax.Array:
    return jax.nn.relu(jax.random.normal(jax.random.key(0), (n, side, side, channels)))


def hole(n: int = 2, side: int = 8) -> jax.Array:
    return jnp.zeros((n, side, side, 1)).at[:, 2:5, 3:6].set(1).at[:, 5, 3].set(0.25)


@pytest.mark.parametrize(("norm", "number"), [("map", 1), ("patch", 2)])
def test_similarities_are_the_published_ones(z, norm: Norm, number: int) -> None:
    found = similarity(jnp.asarray(z["features"]), jnp.asarray(z["hole_small"]), norm=norm)
    expected = z[f"similarity_norm{number}"].reshape(2, 7, 7, 7, 7)
    assert golden.relative_error(found, expected) < AGREES


def test_reconstructions_are_the_published_ones(z) -> None:
    found = similarity(jnp.asarray(z["features"]), jnp.asarray(z["hole_small"]))
    values, hole = jnp.asarray(z["values"]), jnp.asarray(z["hole_full"])
    for rebuilt, name in (
        (reconstruct(found, values), "reconstruction"),
        (reconstruct(found, hole, averaged=True), "hole_reconstruction"),
        (reconstruct(copies(found), values, averaged=True), "copied_argmax"),
    ):
        assert golden.relative_error(rebuilt, z[name]) < AGREES


def cut_out(x: np.ndarray, side: int) -> dict[tuple[int, int], np.ndarray]:
    """Patches of a picture by their first pixel's place, half a side apart."""
    height, width, _ = x.shape
    step = side // 2
    return {
        (i, j): x[step * i : step * i + side, step * j : step * j + side]
        for i in range(height // step - 1)
        for j in range(width // step - 1)
    }


@pytest.mark.parametrize("norm", ["map", "patch"])
def test_similarities_are_those_of_cut_out_patches(norm: Norm) -> None:
    f = np.asarray(features(1, 8, 3)[:, :, :6], np.float64)[0]  # not square
    missing = np.asarray(hole(1)[:, :, :6], np.float64)[0]
    found = similarity(jnp.float32(f)[None], jnp.float32(missing)[None], norm=norm)[0]
    key_map = f / np.sqrt((f**2).sum((0, 1)) + 1e-8)
    patches, keys, known = cut_out(f, 4), cut_out(key_map, 4), cut_out(1 - missing, 4)
    if norm == "patch":
        keys = {at: p / np.sqrt((p**2).sum((0, 1)) + 1e-8) for at, p in patches.items()}
    for p, patch in patches.items():
        scores = np.zeros((3, 2))
        for q in keys:
            share, other = known[p].mean(), known[q].mean()
            if other == 1 or (share > 0.5 and other > share):
                scores[q] = (patch * keys[q]).sum()
        weights = np.exp(10 * scores - 10 * scores.max())
        np.testing.assert_allclose(found[p], weights / weights.sum(), rtol=1e-4, atol=1e-6)


def test_a_reconstruction_is_the_sum_of_the_mixed_patches() -> None:
    rng = np.random.default_rng(0)
    weights, image = rng.random((1, 3, 2, 3, 2)), rng.random((1, 32, 24, 2))
    expected, times = np.zeros((32, 24, 2)), np.zeros((32, 24, 1))
    patches = cut_out(image[0], 16)
    for (i, j), _ in patches.items():
        place = np.s_[8 * i : 8 * i + 16, 8 * j : 8 * j + 16]
        expected[place] += sum(weights[0, i, j][at] * patch for at, patch in patches.items())
        times[place] += 1
    arguments = jnp.float32(weights), jnp.float32(image)
    np.testing.assert_allclose(reconstruct(*arguments)[0], expected, rtol=1e-5)
    averaged = reconstruct(*arguments, averaged=True)[0]
    np.testing.assert_allclose(averaged, expected / times, rtol=1e-5)


def test_each_patch_copied_from_itself_gives_the_picture_back() -> None:
    image = jax.random.uniform(jax.random.key(0), (2, 16, 24, 3))
    itself = jnp.eye(2).reshape(1, 1, 2, 1, 2).repeat(2, 0)
    np.testing.assert_allclose(reconstruct(itself, image, averaged=True), image, rtol=1e-6)


def test_copies_choose_the_most_similar_patch() -> None:
    found = similarity(features(), hole())
    chosen = np.asarray(copies(found)).reshape(2, 9, 9)
    assert set(np.unique(chosen)) == {0, 1}
    np.testing.assert_array_equal(chosen.sum(-1), 1)
    np.testing.assert_array_equal(chosen.argmax(-1), found.reshape(2, 9, 9).argmax(-1))


@pytest.mark.parametrize("norm", ["map", "patch"])
def test_gradients_are_right_and_finite_where_channels_are_dead(norm: Norm) -> None:
    values = jax.random.normal(jax.random.key(1), (1, 16, 16, 2))

    def rebuilt(f: jax.Array) -> jax.Array:
        return reconstruct(similarity(jnp.asarray(f), hole(1), norm=norm), values)

    # Away from zero, where a norm with its small constant is no longer smooth at float32's steps.
    check_grads(rebuilt, (1 + features(1),), order=1, modes=["rev"], rtol=2e-2, atol=2e-2)
    dead = features(1).at[..., 0].set(0)
    for f in (dead, jnp.zeros_like(dead)):
        assert np.all(np.isfinite(jax.grad(lambda x: jnp.sum(rebuilt(x) ** 2))(f)))


def test_compiled_and_one_by_one_it_is_the_same() -> None:
    f, missing = features(), hole()
    eager = similarity(f, missing)
    np.testing.assert_allclose(jax.jit(similarity)(f, missing), eager, rtol=1e-5, atol=1e-7)
    one_by_one = jax.vmap(lambda a, b: similarity(a[None], b[None])[0])(f, missing)
    np.testing.assert_allclose(one_by_one, eager, rtol=1e-5, atol=1e-7)


def test_softmaxes_are_float32_whatever_the_features_are() -> None:
    found = similarity(features().astype(jnp.bfloat16), hole())
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found.sum((-1, -2)), 1, rtol=1e-5)
    image = jnp.ones((2, 32, 32, 3), jnp.bfloat16)
    assert reconstruct(found, image).dtype == jnp.bfloat16


def test_nothing_is_looked_at_where_nothing_is_known() -> None:
    found = similarity(features(), jnp.ones((2, 8, 8, 1)))
    np.testing.assert_allclose(found, 1 / 9, rtol=1e-6)


def test_what_makes_no_patches_is_refused() -> None:
    with pytest.raises(ValueError, match="even sides, 4 at least"):
        similarity(features(side=2), hole(side=2))
    with pytest.raises(ValueError, match="the hole is"):
        similarity(features(), hole(side=16))
    with pytest.raises(ValueError, match="30x32 can't be cut into 4x4 square blocks"):
        reconstruct(similarity(features(), hole()), jnp.zeros((2, 30, 32, 3)))
