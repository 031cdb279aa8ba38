from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxinpaint import masks

SIZE = (48, 64)


def shapes() -> masks.Shapes:
    """A full square, and the upper half of one."""
    outlines = np.zeros((2, 16, 16), bool)
    outlines[0] = outlines[1, :8] = True
    return jnp.asarray(np.packbits(outlines, axis=-1))


OF_CRFILL = {
    "strokes": masks.crfill_strokes,
    "square": masks.square,
    "object": partial(masks.object_shape, shapes=shapes()),
    "crfill": masks.crfill,
    "crfill with objects": partial(masks.crfill, shapes=shapes()),
}


@pytest.mark.parametrize("name", OF_CRFILL)
def test_holes_of_crfill_are_binary_all_over_and_no_two_alike(name: str) -> None:
    draw_all = jax.jit(lambda p: masks.holes(OF_CRFILL[name], jax.random.key(0), p, SIZE))
    holes = np.asarray(draw_all(jnp.arange(200)))
    assert holes.shape == (200, *SIZE, 1)
    assert set(np.unique(holes)) == {0, 1}
    assert np.all(holes.any(axis=(1, 2, 3)) | (name == "object"))  # which may lie at a corner
    mean = holes.mean(axis=0)[..., 0]
    # Squares keep inside, so corners are rarest; no place is missing twice as often as not.
    assert mean.max() < 0.67
    assert mean[8:-8, 8:-8].min() > 0.01
    unlike = len(np.unique(holes.reshape(200, -1), axis=0))
    assert unlike > 190  # squares of whole pixels may meet
    # Flips leave no side of the picture preferred: 200 draws of about 0.2 deviate by 0.03.
    halves = [half.mean() for half in (*np.split(mean, 2, 0), *np.split(mean, 2, 1))]
    assert np.ptp(halves) < 0.12
    some = np.asarray(draw_all(jnp.array([5, 3])))
    assert np.mean(some != holes[[5, 3]]) < 2e-3  # programs that round differently


def test_objects_keep_their_outline_in_any_size() -> None:
    lower = partial(masks.object_shape, shapes=shapes()[1:])
    draw_all = jax.jit(lambda p: masks.holes(lower, jax.random.key(0), p, (200, 200)))
    holes = np.asarray(draw_all(jnp.arange(100)))[..., 0]
    rows, columns = (holes.max(axis) > 0 for axis in (2, 1))
    whole = [
        (hole, height, width)
        for hole, down, across in zip(holes, rows, columns, strict=True)
        for height, width in [(int(down.sum()), int(across.sum()))]
        if down.any() and not (down[0] or down[-1] or across[0] or across[-1])
    ]
    assert len(whole) > 5
    for hole, height, width in whole:
        assert hole.sum() == height * width  # half a square is a rectangle
        assert abs(2 * height - width) <= 2  # twice as wide as high, to a pixel of either
        assert 49 <= width <= 201
