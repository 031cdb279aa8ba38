"""Smooth fills: what they restore, keep and never exceed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxinpaint.ops import membrane
from jaxinpaint.ops.membrane import depth

# One program, not dozens of an operation each.
fill_smoothly = jax.jit(
    membrane.fill_smoothly, static_argnames=("levels", "sweeps", "steps_at_coarsest")
)


def ramp(height: int, width: int) -> jax.Array:
    """Linear along both axes, another way in each channel; in [0, 1]."""
    rows, columns = jnp.linspace(0, 1, height)[:, None], jnp.linspace(0, 1, width)[None]
    channels = [0.2 + 0.6 * rows + 0 * columns, 0.9 - 0.8 * columns + 0 * rows]
    return jnp.stack([*channels, (rows + columns) / 2], axis=-1)[None]


def rectangle(height: int, width: int) -> jax.Array:
    """A hole in the middle, a third of each side or more."""
    inside = (slice(height // 3, -(height // 3)), slice(width // 3, -(width // 3)))
    return jnp.zeros((1, height, width, 1)).at[:, inside[0], inside[1]].set(1)


def noise(height: int, width: int, n: int = 1) -> tuple[jax.Array, jax.Array]:
    image = 0.25 + 0.5 * jax.random.uniform(jax.random.key(0), (n, height, width, 3))
    hole = jax.random.bernoulli(jax.random.key(1), 0.6, (n, height, width, 1))
    return image, hole.astype(jnp.float32)


@pytest.mark.parametrize("size", [(24, 24), (25, 33), (7, 40), (16, 3)])
def test_a_linear_picture_is_restored_where_sweeps_are_many(size: tuple[int, int]) -> None:
    image, hole = ramp(*size), rectangle(*size)
    filled = fill_smoothly(image, hole, sweeps=400)
    # Linear functions are harmonic; float32.
    np.testing.assert_allclose(filled, image, atol=1e-4)


def test_few_sweeps_are_near_a_linear_picture_and_far_nearer_than_the_mean() -> None:
    image, hole = ramp(64, 64), rectangle(64, 64)
    error = jnp.abs(fill_smoothly(image, hole) - image)
    mean = jnp.sum((1 - hole) * image, (1, 2), keepdims=True) / jnp.sum(1 - hole)
    assert jnp.sum(error) < 0.1 * jnp.sum(hole * jnp.abs(image - mean))
    assert jnp.max(error) < 0.03  # of a range of 0.8


@pytest.mark.parametrize("levels", [4, None])
def test_a_hole_of_hundreds_of_pixels_is_filled_from_its_rim(levels: int | None) -> None:
    image, hole = ramp(480, 640), rectangle(480, 640)
    filled = fill_smoothly(image, hole, levels=levels)
    # Of a range of 0.8: cells at the rim are means of a few known pixels of theirs.
    np.testing.assert_allclose(filled, image, atol=0.02)


@pytest.mark.parametrize("levels", [0, 4, None])
@pytest.mark.parametrize("side", [0, 3, 40, 63])
def test_gradients_are_finite_and_shares_of_what_is_known(side: int, levels: int | None) -> None:
    image, _ = noise(64, 64)
    hole = jnp.zeros((1, 64, 64, 1)).at[:, 1 : 1 + side, :side].set(1)
    gradient = jax.grad(lambda image: jnp.sum(fill_smoothly(image, hole, levels=levels)))(image)
    assert (jnp.where(hole > 0, gradient, 0) == 0).all()
    # What is added to all that is known is added to every pixel; float32, thousands of them.
    assert jnp.sum(gradient) == pytest.approx(image.size, rel=1e-3)


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_the_range_makes_no_difference(scale: float) -> None:
    image, hole = ramp(40, 40), rectangle(40, 40)
    filled = fill_smoothly(scale * image, hole, levels=1) / scale
    # Of about 1; roundings of float32, of 128 steps.
    np.testing.assert_allclose(filled, fill_smoothly(image, hole, levels=1), atol=1e-4)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_are_filled_as_whole_floats_are(dtype: str) -> None:
    image, hole = ramp(40, 40), rectangle(40, 40)
    filled = fill_smoothly(image.astype(dtype), hole.astype(dtype))
    assert filled.dtype == dtype
    # Steps of bfloat16 are of 1/256 below 1; sweeps add some.
    np.testing.assert_allclose(filled.astype(jnp.float32), fill_smoothly(image, hole), atol=0.02)


def test_the_middle_of_a_square_is_the_mean_of_what_is_around_it() -> None:
    image = (
        jnp.zeros((1, 3, 3, 1)).at[0, :, :, 0].set(jnp.array([[9.0, 1, 9], [2, 9, 3], [9, 6, 9]]))
    )
    hole = jnp.zeros((1, 3, 3, 1)).at[0, 1, 1, 0].set(1)
    # A sweep leaves a fifth of the error.
    filled = fill_smoothly(image, hole, sweeps=20)
    assert filled[0, 1, 1, 0] == pytest.approx((1 + 2 + 3 + 6) / 4)


@pytest.mark.parametrize("levels", [None, 0, 2, 9])
@pytest.mark.parametrize("size", [(1, 1), (5, 7), (16, 31)])
def test_known_pixels_are_kept_and_fills_lie_between_them(
    size: tuple[int, int], levels: int | None
) -> None:
    image, hole = noise(*size)
    hole = hole.at[:, 0, 0].set(0)
    filled = fill_smoothly(image, hole, levels=levels)
    known = np.broadcast_to(np.asarray(hole) == 0, image.shape)
    np.testing.assert_array_equal(np.asarray(filled)[known], np.asarray(image)[known])
    for channel in range(3):
        there = np.asarray(image)[..., channel][known[..., channel]]
        # A rounding more.
        assert filled[..., channel].max() <= there.max() + 1e-6
        assert filled[..., channel].min() >= there.min() - 1e-6


def test_what_stands_in_the_hole_is_not_read() -> None:
    image, hole = noise(9, 12)
    filled = fill_smoothly(image, hole)
    np.testing.assert_array_equal(fill_smoothly(jnp.where(hole > 0, jnp.nan, image), hole), filled)


@pytest.mark.parametrize("levels", [None, 2])
def test_where_nothing_is_known_all_is_grey(levels: int | None) -> None:
    filled = fill_smoothly(jnp.full((1, 6, 9, 3), jnp.inf), jnp.ones((1, 6, 9, 1)), levels=levels)
    np.testing.assert_array_equal(filled, jnp.full((1, 6, 9, 3), 0.5))


def test_a_picture_without_a_hole_comes_back() -> None:
    image, hole = noise(6, 9)
    np.testing.assert_array_equal(fill_smoothly(image, 0 * hole), image)


def test_jit_and_vmap_change_nothing() -> None:
    image, hole = noise(13, 10, n=3)
    filled = membrane.fill_smoothly(image, hole)

    def of_one(image: jax.Array, hole: jax.Array) -> jax.Array:
        return fill_smoothly(image[None], hole[None])[0]

    # Roundings of what is fused otherwise.
    np.testing.assert_allclose(fill_smoothly(image, hole), filled, atol=1e-5)
    np.testing.assert_allclose(jax.vmap(of_one)(image, hole), filled, atol=1e-5)


def test_depth_counts_the_cells_that_know_nothing() -> None:
    hole = jnp.ones((1, 5, 8, 1)).at[0, 0, 0, 0].set(0)
    found = depth(hole, levels=2)[0, ..., 0] * 3
    expected = np.full((5, 8), 3.0)
    expected[:4, :4] = 2  # its cell of 4×4 knows the corner
    expected[:2, :2] = 1
    expected[0, 0] = 0
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_depth_without_levels_is_the_hole() -> None:
    _, hole = noise(5, 6)
    np.testing.assert_array_equal(depth(hole, levels=0), hole)


@pytest.mark.parametrize("name", ["levels", "sweeps", "steps_at_coarsest"])
def test_less_than_none_is_refused(name: str) -> None:
    image, hole = noise(4, 4)
    with pytest.raises(ValueError, match=f"{name} is -1"):
        fill_smoothly(image, hole, **{name: -1})


def test_less_than_no_levels_of_depth_are_refused() -> None:
    with pytest.raises(ValueError, match="levels is -1"):
        depth(jnp.ones((1, 4, 4, 1)), levels=-1)
