"""What generators are shown and asked for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxinpaint import masks
from jaxinpaint.array_typing import Variables
from jaxinpaint.recipes import tasks
from jaxinpaint.recipes.base import Batch, Multiple, Window

SIDE = 32
COVER = np.array((117, 104, 123)) / 127.5 - 1


IMAGE, SOURCE = np.random.default_rng(0).integers(0, 256, (2, 4, SIDE, SIDE, 3), np.uint8)


def batch() -> Batch:
    return Batch(jnp.asarray(IMAGE), jnp.arange(4), jnp.asarray(SOURCE))


def signed(pictures: np.ndarray) -> np.ndarray:
    return np.asarray(pictures, np.float32) / 127.5 - 1


def no_paint(variables: Variables, *arrays: jax.Array) -> jax.Array:
    raise AssertionError("posing paints nothing")


def test_in_the_centre_the_band_is_seen_and_painted() -> None:
    task = tasks.center(no_paint, SIDE, overlap=3)
    posed = task.pose(jax.random.key(0), batch())
    truth, covered = signed(IMAGE), np.zeros((SIDE, SIDE), bool)
    covered[11:21, 11:21] = True
    # float32 against float64.
    np.testing.assert_allclose(posed.shown[:, ~covered], truth[:, ~covered], atol=1e-6)
    np.testing.assert_allclose(
        posed.shown[:, covered], np.broadcast_to(COVER, (4, 100, 3)), atol=1e-6
    )
    np.testing.assert_allclose(posed.truth, truth[:, 8:24, 8:24], atol=1e-6)
    np.testing.assert_array_equal(posed.hole[..., 0], np.stack([covered[8:24, 8:24]] * 4))
    assert task.takes == Window(SIDE, margin=11)


def test_anywhere_exactly_the_hole_is_covered_and_each_example_has_its_own() -> None:
    task = tasks.anywhere(no_paint, masks.random_region, Multiple(1))
    posed = task.pose(jax.random.key(0), batch())
    hole, truth = np.asarray(posed.hole[..., 0]) > 0, signed(IMAGE)
    assert all(0.2 < one.mean() <= 0.3 for one in hole)
    assert len({one.tobytes() for one in hole}) == 4
    np.testing.assert_allclose(posed.shown[~hole], truth[~hole], atol=1e-6)
    np.testing.assert_allclose(
        posed.shown[hole], np.broadcast_to(COVER, (hole.sum(), 3)), atol=1e-6
    )
    np.testing.assert_allclose(posed.truth, truth, atol=1e-6)


def test_what_is_drawn_depends_on_the_key_and_the_position_alone() -> None:
    task = tasks.anywhere(no_paint, masks.random_region, Multiple(1))
    whole = task.pose(jax.random.key(0), batch())
    last = jax.tree.map(lambda leaf: leaf[2:], batch())
    part = task.pose(jax.random.key(0), last)
    np.testing.assert_array_equal(part.hole, whole.hole[2:])
    data = jax.random.key_data
    np.testing.assert_array_equal(data(part.keys), data(whole.keys)[2:])
    other = task.pose(jax.random.key(1), batch())
    assert np.any(other.hole != whole.hole)
    assert np.all(np.any(data(other.keys) != data(whole.keys), axis=1))


def test_pairs_are_made_from_their_sources() -> None:
    posed = tasks.pairs(no_paint, Multiple(1)).pose(jax.random.key(0), batch())
    np.testing.assert_allclose(posed.shown, signed(SOURCE), atol=1e-6)
    np.testing.assert_allclose(posed.truth, signed(IMAGE), atol=1e-6)
    assert np.all(posed.hole == 1)


def test_inpainting_shows_what_training_showed() -> None:
    image = batch().image.astype(jnp.float32) / 255
    seen: list[jax.Array] = []

    def paint(variables: Variables, shown: jax.Array, hole: jax.Array) -> jax.Array:
        seen.extend((shown, hole))
        return -shown

    task = tasks.anywhere(paint, masks.random_region, Multiple(1))
    posed = task.pose(jax.random.key(0), batch())
    assert task.inpaint is not None
    dirty = jnp.where(posed.hole > 0, jnp.nan, image)
    output, composite = task.inpaint({}, dirty, posed.hole)
    np.testing.assert_array_equal(seen[0], posed.shown)
    np.testing.assert_array_equal(seen[1], posed.hole)
    np.testing.assert_allclose(output, (1 - posed.shown) / 2, atol=1e-6)
    np.testing.assert_array_equal(composite, jnp.where(posed.hole > 0, output, image))


def test_a_band_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="overlap of 8 does not fit into 16"):
        tasks.center(no_paint, SIDE, overlap=8)


def test_a_batch_may_have_one_hole_under_a_colour_of_its_own() -> None:
    task = tasks.anywhere(
        no_paint, masks.random_region, Multiple(1), cover=tasks.GREY, one_hole=True
    )
    posed = task.pose(jax.random.key(0), batch())
    hole = np.asarray(posed.hole)
    np.testing.assert_array_equal(hole, np.broadcast_to(hole[:1], hole.shape))
    # 0 in [-1, 1], exactly: what a generator sees that is shown image · (1 - hole).
    np.testing.assert_array_equal(posed.shown[hole[..., 0] > 0], 0)
