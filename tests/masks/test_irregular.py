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
