"""What all samplers have in common."""

from functools import partial
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from masks.drawing_many import SIZE, compiled, drawn

from jaxinpaint import masks

SAMPLERS: dict[str, masks.Sampler] = {
    name: masks.sampler(name, ratio=(0.01, 0.6), border=True)
    for name in get_args(masks.SamplerName)
}
N = 200
# But for the blots of noise, which are as large in any picture.
GROWING = [name for name in SAMPLERS if name != "random-region"]
MOVING = [name for name in SAMPLERS if name != "center"]


@pytest.mark.parametrize("name", SAMPLERS)
def test_holes_are_zeros_and_ones_of_the_pictures_size(name: str) -> None:
    holes = compiled(SAMPLERS[name], SIZE)(jax.random.key(0), jnp.arange(N))
    assert holes.shape == (N, *SIZE, 1)
    assert holes.dtype == jnp.float32
    assert set(np.unique(holes)) == {0, 1}
    assert np.asarray(holes).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("name", MOVING)
def test_no_two_holes_are_alike_and_no_side_is_preferred(name: str) -> None:
    holes = drawn(SAMPLERS[name], N)
    # Boxes of whole pixels may meet: two of 200 among 40 000.
    assert len(np.unique(holes.reshape(N, -1), axis=0)) >= N - 5
    mean = holes.mean(axis=0)
    assert mean[8:-8, 8:-8].min() > 0.01
    halves = np.array([half.mean() for axis in (0, 1) for half in np.split(mean, 2, axis)])
    # Of 200 holes a half's share deviates by 0.02 or less; their difference by 0.03, five of these.
    assert abs(halves[0] - halves[1]) < 0.15
    assert abs(halves[2] - halves[3]) < 0.15


@pytest.mark.parametrize("name", SAMPLERS)
def test_one_hole_alone_is_the_same_as_in_a_batch(name: str) -> None:
    sample, key = SAMPLERS[name], jax.random.key(0)
    third = drawn(sample, N)[3]
    own = jax.random.fold_in(key, 3)
    for hole in (sample(own, SIZE), compiled(sample, SIZE)(key, jnp.array([5, 3]))[1]):
        # Fused and unfused programs round differently: a pixel on an edge may change sides.
        assert np.mean(np.asarray(hole)[..., 0] != third) < 2e-3


@pytest.mark.parametrize("name", GROWING)
def test_holes_grow_with_the_picture(name: str) -> None:
    small, large = (drawn(SAMPLERS[name], 8, (side, side)) for side in (160, 320))
    ratios = np.array([holes.mean(axis=(1, 2)) for holes in (small, large)])
    # The same draws: only where edges fall among pixels differs, and sides of whole pixels, by half
    # a pixel of 15 in the smallest box.
    np.testing.assert_allclose(*ratios, rtol=0.06, atol=0.004)


@pytest.mark.parametrize("size", [(8, 8), (5, 23)])
@pytest.mark.parametrize("name", SAMPLERS)
def test_small_pictures_have_holes_too(name: masks.SamplerName, size: tuple[int, int]) -> None:
    sample = masks.sampler(name, ratio=(0.1, 0.6), border=True)
    hole = np.asarray(jax.jit(lambda key: sample(key, size))(jax.random.key(1)))
    assert hole.shape == (*size, 1)
    assert set(np.unique(hole)) <= {0, 1}
    assert hole.any()


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_is_given_the_options_that_it_reads(name: masks.SamplerName) -> None:
    sample = masks.sampler(name, ratio=(0.1, 0.2), border=False)
    options = set(get_args(masks.Option))
    given = set(sample.keywords) & options if isinstance(sample, partial) else set()
    assert given == options - set(masks.unread(name))
