"""Every protocol's numbers, made once more in float64 from the same pictures."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest
from quick_compile import quick_jit
from skimage.metrics import structural_similarity

from jaxinpaint.evaluation.protocols import PROTOCOLS, columns, patch, scores

RNG = np.random.default_rng(0)
SIDE = 32
TRUTH = RNG.integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)
HOLE = np.zeros((3, SIDE, SIDE, 1), bool)
HOLE[0, 10:22, 10:22] = True  # in the middle half
HOLE[1, 2:30, 4:9] = HOLE[1, 20:25, 5:31] = True
HOLE[2, 0, 0] = True
# Floats between levels, and beyond them.
OUTPUT = np.clip(TRUTH / 255 + RNG.normal(0, 0.1, TRUTH.shape), -0.05, 1.05).astype(np.float32)

Picture = Callable[[int], np.ndarray]


@pytest.fixture(scope="module")
def found() -> dict[str, np.ndarray]:
    of = columns(list(PROTOCOLS), SIDE, {})
    arrays = OUTPUT, TRUTH.astype(np.float32) / 255, HOLE.astype(np.float32)
    compiled = quick_jit(lambda *batch: scores(of, *batch))(*map(jnp.asarray, arrays))
    assert compiled.keys() == {one.name for one in of}
    return {name: np.asarray(values) for name, values in compiled.items()}


def composite(levels: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """In [0, 1]."""
    return levels(np.where(HOLE, np.clip(OUTPUT, 0, 1), (TRUTH / 255).astype(np.float32)))


def rounded(x: np.ndarray) -> np.ndarray:
    return np.round(255 * x.astype(np.float32)).astype(np.float64) / 255


def truncated(x: np.ndarray) -> np.ndarray:
    return np.floor(np.float32(255) * x.astype(np.float32)).astype(np.float64) / 255


def floats(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float64)


Y = TRUTH / 255


def per_image(
    f: Callable[[np.ndarray, np.ndarray, np.ndarray], float], x: np.ndarray
) -> list[float]:
    return [f(x[i], Y[i], np.broadcast_to(HOLE[i], Y[i].shape)) for i in range(len(Y))]


def psnr(x: np.ndarray, y: np.ndarray, hole: np.ndarray) -> float:
    return min(60, -10 * np.log10(max(np.mean((x - y) ** 2), 1e-12)))


def gaussian_ssim(x: np.ndarray, y: np.ndarray, hole: np.ndarray) -> float:
    value = structural_similarity(
        x,
        y,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1,
        channel_axis=-1,
    )
    return float(value)  # type: ignore[arg-type]


def uniform_ssim(x: np.ndarray, y: np.ndarray, hole: np.ndarray) -> float:
    return float(structural_similarity(x, y, data_range=1, channel_axis=-1))  # type: ignore


ROUNDED, FLOATS = composite(rounded), composite(floats)
RAW = rounded(np.clip(OUTPUT, 0, 1))
EXPECTED = {
    "house/composite/psnr_hole": per_image(lambda x, y, h: psnr(x[h], y[h], h), ROUNDED),
    "house/output/psnr_hole": per_image(lambda x, y, h: psnr(x[h], y[h], h), RAW),
    "house/output/psnr": per_image(psnr, RAW),
    "house/composite/ssim": per_image(gaussian_ssim, ROUNDED),
    "house/composite/l1_hole": per_image(lambda x, y, h: np.abs(x - y)[h].mean(), ROUNDED),
    "partial-conv/output/l1": per_image(lambda x, y, h: 100 * np.abs(x - y).mean(), RAW),
    "partial-conv/composite/psnr": per_image(psnr, ROUNDED),
    "mat/composite/l1": per_image(lambda x, y, h: np.abs(x - y).mean(), ROUNDED),
    "aot/composite/mae": per_image(
        lambda x, y, h: 100 * np.abs(x - y).sum() / (x + y).sum(), ROUNDED
    ),
    "aot/composite/ssim": per_image(uniform_ssim, ROUNDED),
    "mmagic/composite/l1": per_image(lambda x, y, h: 100 * np.abs(x - y)[h].mean(), FLOATS),
    "mmagic/composite/ssim": per_image(gaussian_ssim, FLOATS),
    "deepfill/composite/relative_l1": per_image(
        lambda x, y, h: 100 * np.abs(x - y).sum() / y.sum(), ROUNDED
    ),
    "deepfill/composite/relative_l2": per_image(
        lambda x, y, h: 100 * ((x - y) ** 2).sum() / (y**2).sum(), ROUNDED
    ),
    "crfill/composite/psnr": per_image(psnr, FLOATS),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_protocols_measure_what_they_say(name: str, found) -> None:
    # Of float32: of decibels, which lie below 60, the fifth digit; of SSIM as in its own tests.
    np.testing.assert_allclose(found[name], EXPECTED[name], rtol=2e-6, atol=2e-6)


def test_the_raw_patch_is_the_middle_half_or_what_is_around_the_hole(found) -> None:
    region = np.asarray(patch(jnp.asarray(HOLE, jnp.float32)))[..., 0] > 0
    expected = np.zeros_like(region)
    expected[0, 8:24, 8:24] = True
    expected[1, 2:30, 4:31] = True
    expected[2, 0, 0] = True
    np.testing.assert_array_equal(region, expected)
    clipped = np.clip(OUTPUT, 0, 1).astype(np.float64)
    errors = [np.mean((clipped[i] - Y[i])[region[i]] ** 2) for i in range(3)]
    np.testing.assert_allclose(
        found["context-encoder/output/l2"], 100 * np.array(errors), rtol=1e-5
    )


def test_truncation_can_lose_a_level_of_known_pixels_too(found) -> None:
    x = composite(truncated)
    known = ~np.broadcast_to(HOLE, x.shape)
    levels = np.round(255 * (Y - x))[known]
    assert set(np.unique(levels)) <= {0, 1}
    assert "lama/composite/ssim" in found


def test_the_same_pictures_move_from_protocol_to_protocol(found) -> None:
    ssims = [found[f"{name}/composite/ssim"].mean() for name in ("house", "lama", "aot", "mmagic")]
    assert len({round(float(value), 5) for value in ssims}) == 4
    errors = [
        found[name].mean()
        for name in ("partial-conv/composite/l1", "aot/composite/mae", "mmagic/composite/l1")
    ]
    assert max(errors) > 2 * min(errors)


def test_metrics_of_larger_pictures_are_left_out_and_distances_come_where_they_are_given() -> None:
    def distance(x, y):
        return jnp.mean(x - y, axis=(1, 2, 3))

    named = {one.name for one in columns(["house"], 175, {"vgg": distance})}
    assert "house/composite/ms_ssim" not in named
    assert {"house/composite/lpips_vgg", "house/output/lpips_vgg"} <= named
    assert "house/composite/lpips_alex" not in named
    assert "house/composite/ms_ssim" in {one.name for one in columns(["house"], 176, {})}
