from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxinpaint import masks

BUCKETS = [(0.01, 0.1), (0.1, 0.2), (0.2, 0.3), (0.3, 0.4), (0.4, 0.5), (0.5, 0.6)]
SIZE = (48, 64)


def draw(n: int, *, ratio: tuple[float, float] = (0.01, 0.6), border: bool = True) -> np.ndarray:
    sample = masks.sampler("irregular", ratio=ratio, border=border)
    draw_all = jax.jit(lambda key: masks.holes(sample, key, jnp.arange(n), SIZE))
    return np.asarray(draw_all(jax.random.key(0)))


@pytest.mark.parametrize("border", [True, False])
@pytest.mark.parametrize("ratio", BUCKETS)
def test_irregular_holes_lie_in_their_bucket(ratio: tuple[float, float], border: bool) -> None:
    holes = draw(24, ratio=ratio, border=border)
    assert holes.shape == (24, *SIZE, 1)
    assert set(np.unique(holes)) == {0, 1}
    shares = holes.mean(axis=(1, 2, 3), dtype=np.float64)
    assert np.all((ratio[0] < shares) & (shares <= ratio[1]))


def test_a_bucket_of_one_pixel_count_is_met_exactly() -> None:
    pixels = SIZE[0] * SIZE[1]
    holes = draw(16, ratio=(700 / pixels, 701 / pixels))
    assert np.all(holes.sum(axis=(1, 2, 3)) == 701)


def test_shares_are_spread_over_the_whole_range() -> None:
    shares = draw(200, ratio=(0.1, 0.5)).mean(axis=(1, 2, 3))
    counts, _ = np.histogram(shares, bins=4, range=(0.1, 0.5))
    # 50 are expected in each; five deviations of a binomial are 31.
    assert np.all(np.abs(counts - 50) < 31)


def test_holes_keep_off_the_border_when_asked() -> None:
    margin = int(np.ceil(50 / 512 * min(SIZE)))
    inside = np.zeros((*SIZE, 1), bool)
    inside[margin:-margin, margin:-margin] = True
    assert not np.any(draw(32, border=False)[:, ~inside])
    touching = draw(32)[:, ~inside].any(axis=-1)
    assert touching.mean() > 0.5


def test_no_two_holes_are_alike_and_every_place_can_be_missing() -> None:
    holes = draw(200, ratio=(0.2, 0.3))
    assert len(np.unique(holes.reshape(200, -1), axis=0)) == 200
    mean = holes.mean(axis=0)
    # About a quarter is missing on average; no place always, none never.
    assert mean.min() > 0.05
    assert mean.max() < 0.6


def test_a_hole_depends_on_its_key_and_position_alone() -> None:
    sample = masks.sampler("irregular", ratio=(0.1, 0.3), border=True)
    key = jax.random.key(3)

    def drawn(positions: list[int]) -> np.ndarray:
        draw_all = jax.jit(lambda p: masks.holes(sample, key, p, SIZE))
        return np.asarray(draw_all(jnp.array(positions)))

    whole = drawn([0, 1, 2, 3])
    eager = np.asarray(sample(jax.random.fold_in(key, 3), SIZE))
    for hole, same in ((drawn([2, 0]), whole[[2, 0]]), (eager, whole[3])):
        # Fused and unfused programs round differently: a pixel on an edge may change sides.
        assert np.mean(hole != same) < 2e-3


@pytest.mark.parametrize("ratio", [(0.3, 0.2), (-0.1, 0.2), (0.5, 1.5), (0.20001, 0.20002)])
def test_impossible_buckets_are_refused(ratio: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="ratio"):
        masks.irregular(jax.random.key(0), SIZE, ratio=ratio)


def test_more_than_fits_inside_the_border_is_refused() -> None:
    with pytest.raises(ValueError, match="without touching the border"):
        masks.irregular(jax.random.key(0), SIZE, ratio=(0.1, 0.9), border=False)


@pytest.mark.parametrize("size", [(1, 40), (40, 1), (8, 8)])
def test_small_and_thin_pictures_get_holes_too(size: tuple[int, int]) -> None:
    hole = jax.jit(lambda key: masks.irregular(key, size, ratio=(0.2, 0.6)))(jax.random.key(0))
    assert 0.2 < hole.mean() <= 0.6


def test_the_centre_hole_is_the_middle_of_each_side() -> None:
    hole = np.asarray(masks.center(jax.random.key(0), (8, 12)))[..., 0]
    assert hole.sum() == 4 * 6
    assert np.all(hole[2:6, 3:9] == 1)


@pytest.mark.parametrize("fraction", [0.0, 1.5])
def test_a_centre_hole_of_no_or_more_than_all_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match="fraction"):
        masks.center(jax.random.key(0), (8, 8), fraction=fraction)


REGION = masks.sampler("random-region", ratio=(0.2, 0.3), border=True)


def test_random_regions_lie_in_their_bucket_and_fill_it() -> None:
    draw_all = jax.jit(lambda key: masks.holes(REGION, key, jnp.arange(200), SIZE))
    holes = np.asarray(draw_all(jax.random.key(0)))
    assert set(np.unique(holes)) == {0, 1}
    shares = holes.mean(axis=(1, 2, 3), dtype=np.float64)
    assert np.all((shares > 0.2) & (shares <= 0.3))
    # Uniform: the mean is 0.25, its deviation 0.1 / sqrt(12 · 200), and five of these 0.01.
    assert abs(shares.mean() - 0.25) < 0.01
    assert len(np.unique(holes.reshape(200, -1), axis=0)) == 200
    # Every place is missing about as often; 200 draws deviate by 0.03, seven of these are 0.21.
    mean = holes.mean(axis=0)
    assert mean.min() > 0.04
    assert mean.max() < 0.46


@pytest.mark.parametrize("resolution", [0.03, 0.06, 0.12])
def test_blots_are_as_large_as_the_cells_of_the_noise(resolution: float) -> None:
    key = jax.random.key(0)
    hole = np.asarray(masks.random_region(key, (400, 400), resolution=resolution))[..., 0]
    edges = np.mean(hole[:, 1:] != hole[:, :-1])
    # A quarter of the cells' length is crossed by an edge, more or less: about 0.5 a cell and row.
    assert 0.2 * resolution < edges < 0.8 * resolution


def test_a_random_region_depends_on_its_key_and_position_alone() -> None:
    key = jax.random.key(3)
    draw_all = jax.jit(lambda p: masks.holes(REGION, key, p, SIZE))
    whole, some = (np.asarray(draw_all(jnp.array(p))) for p in ([0, 1, 2, 3], [2, 0]))
    assert np.mean(some != whole[[2, 0]]) < 2e-3  # programs that round differently


@pytest.mark.parametrize("resolution", [0.0, 1.5])
def test_noise_without_cells_or_finer_than_pixels_is_refused(resolution: float) -> None:
    with pytest.raises(ValueError, match="resolution"):
        masks.random_region(jax.random.key(0), SIZE, resolution=resolution)


def shapes() -> masks.Shapes:
    """A full square, and the upper half of one."""
    outlines = np.zeros((2, 16, 16), bool)
    outlines[0] = outlines[1, :8] = True
    return jnp.asarray(np.packbits(outlines, axis=-1))


OF_CRFILL = {
    "strokes": masks.strokes,
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


def test_squares_are_squares_of_every_side_and_within_the_picture() -> None:
    draw_all = jax.jit(lambda p: masks.holes(masks.square, jax.random.key(0), p, SIZE))
    holes = np.asarray(draw_all(jnp.arange(300)))[..., 0]
    sides = [(int(hole.any(1).sum()), int(hole.any(0).sum())) for hole in holes]
    assert all(
        height == width == hole.sum() ** 0.5
        for (height, width), hole in zip(sides, holes, strict=True)
    )
    assert {height for height, _ in sides} == set(range(12, 25))


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


def test_impossible_squares_are_refused() -> None:
    with pytest.raises(ValueError, match="sides of"):
        masks.square(jax.random.key(0), SIZE, side=(0.5, 0.25))
