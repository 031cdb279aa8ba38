import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxinpaint import masks

SIZE = (48, 64)
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
