"""Every protocol's numbers, made once more in float64 from the same pictures."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import signal
from skimage.metrics import structural_similarity

from jaxinpaint.evaluation.protocols import (
    PROTOCOLS,
    Levels,
    View,
    as_judged,
    columns,
    scores,
)

RNG = np.random.default_rng(0)
SIDE = 32
TRUTH = RNG.integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)
HOLE = np.zeros((3, SIDE, SIDE, 1), bool)
HOLE[0, 10:22, 10:22] = True  # in the middle half
HOLE[1, 2:30, 4:9] = HOLE[1, 20:25, 5:31] = True
HOLE[2, 0, 0] = True
# Floats between levels, and beyond them.
OUTPUT = np.clip(TRUTH / 255 + RNG.normal(0, 0.1, TRUTH.shape), -0.05, 1.05).astype(np.float32)

Measure = Callable[[np.ndarray, np.ndarray, np.ndarray], float]


@pytest.fixture(scope="module")
def found() -> dict[str, np.ndarray]:
    of = columns(list(PROTOCOLS), SIDE, {})
    arrays = OUTPUT, TRUTH.astype(np.float32) / 255, HOLE.astype(np.float32)
    compiled = jax.jit(lambda *batch: scores(of, *batch))(*map(jnp.asarray, arrays))
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


def per_image(f: Measure, x: np.ndarray) -> list[float]:
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


def padded_ssim(x: np.ndarray, y: np.ndarray, hole: np.ndarray) -> float:
    """With zeros beyond the border, and 11×11 windows around every pixel."""
    line = np.exp(-0.5 * (np.arange(11) - 5) ** 2 / 1.5**2)
    kernel = np.outer(line, line) / line.sum() ** 2

    def mean(z: np.ndarray) -> np.ndarray:
        channels = [signal.correlate2d(z[..., c], kernel, mode="same") for c in range(3)]
        return np.stack(channels, axis=-1)

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    above = (2 * mx * my + c1) * (2 * cov + c2)
    return float(np.mean(above / ((mx**2 + my**2 + c1) * (vx + vy + c2))))


def seam(x: np.ndarray, y: np.ndarray, hole: np.ndarray) -> float:
    error, steps = x - y, []
    for axis in (0, 1):
        crosses = np.diff(hole.astype(int), axis=axis) != 0
        steps.append(np.abs(np.diff(error, axis=axis))[crosses])
    return float(np.mean(np.concatenate(steps)))


def l1(x: np.ndarray, y: np.ndarray, hole: np.ndarray) -> float:
    return float(np.abs(x - y).mean())


def percent(f: Measure) -> Measure:
    return lambda x, y, hole: 100 * f(x, y, hole)


def inside(f: Measure) -> Measure:
    return lambda x, y, hole: f(x[hole], y[hole], hole)


def of_patch(f: Measure) -> Measure:
    """Of the middle half, if that has all of the hole; else of what is around the hole."""

    def measure(x: np.ndarray, y: np.ndarray, hole: np.ndarray) -> float:
        rows, columns = np.nonzero(hole[..., 0])
        box = [slice(n.min(), n.max() + 1) for n in (rows, columns)]
        if all(one.start >= 8 and one.stop <= 24 for one in box):
            box = [slice(8, 24)] * 2
        return f(x[*box], y[*box], hole[*box])

    return measure


COMPOSITE, FLOATS, RAW = composite(rounded), composite(floats), rounded(np.clip(OUTPUT, 0, 1))
RAW_FLOATS = np.clip(OUTPUT, 0, 1).astype(np.float64)
HOUSE: dict[str, Measure] = {
    "psnr_hole": inside(psnr),
    "psnr": psnr,
    "ssim": gaussian_ssim,
    "l1_hole": inside(l1),
    "l1": l1,
    "seam": seam,
}
OF_BOTH: dict[str, dict[str, Measure]] = {
    "house": HOUSE,
    "partial-conv": {"l1": percent(l1), "psnr": psnr, "ssim": gaussian_ssim},
}
EXPECTED = {
    f"{protocol}/{view}/{name}": per_image(f, picture)
    for protocol, measures in OF_BOTH.items()
    for view, picture in (("composite", COMPOSITE), ("output", RAW))
    for name, f in measures.items()
} | {
    "context-encoder/output/l1": per_image(of_patch(percent(l1)), RAW_FLOATS),
    "context-encoder/output/l2": per_image(
        of_patch(lambda x, y, h: float(100 * np.mean((x - y) ** 2))), RAW_FLOATS
    ),
    "context-encoder/output/psnr": per_image(of_patch(psnr), RAW_FLOATS),
    "lama/composite/ssim": per_image(padded_ssim, composite(truncated)),
    "mat/composite/psnr": per_image(psnr, COMPOSITE),
    "mat/composite/ssim": per_image(gaussian_ssim, COMPOSITE),
    "mat/composite/l1": per_image(l1, COMPOSITE),
    "aot/composite/mae": per_image(
        lambda x, y, h: 100 * np.abs(x - y).sum() / (x + y).sum(), COMPOSITE
    ),
    "aot/composite/psnr": per_image(psnr, COMPOSITE),
    "aot/composite/ssim": per_image(uniform_ssim, COMPOSITE),
    "mmagic/composite/l1": per_image(inside(percent(l1)), FLOATS),
    "mmagic/composite/psnr": per_image(psnr, FLOATS),
    "mmagic/composite/ssim": per_image(gaussian_ssim, FLOATS),
    "deepfill/composite/relative_l1": per_image(
        lambda x, y, h: 100 * np.abs(x - y).sum() / y.sum(), COMPOSITE
    ),
    "deepfill/composite/relative_l2": per_image(
        lambda x, y, h: 100 * ((x - y) ** 2).sum() / (y**2).sum(), COMPOSITE
    ),
    "deepfill/composite/psnr": per_image(psnr, COMPOSITE),
    "crfill/composite/psnr": per_image(psnr, FLOATS),
}


def test_every_number_of_every_protocol_is_made_once_more(found) -> None:
    assert found.keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_protocols_measure_what_they_say(name: str, found) -> None:
    # Of float32: of decibels, which lie below 60, the fifth digit; of SSIM as in its own tests.
    np.testing.assert_allclose(found[name], EXPECTED[name], rtol=2e-6, atol=2e-6)


def test_what_is_judged_is_floats_or_rounded_or_truncated_bytes() -> None:
    truth = np.full((1, 1, 3, 3), 100 / 255, np.float32)
    output = np.full((1, 1, 3, 3), 100.7 / 255, np.float32)
    hole = np.array([1, 1, 0], np.float32).reshape(1, 1, 3, 1)
    arrays = [jnp.asarray(a) for a in (output, truth, hole)]
    expected: dict[tuple[View, Levels], list[float]] = {
        ("composite", "float"): [100.7, 100.7, 100],
        ("composite", "rounded"): [101, 101, 100],
        ("composite", "truncated"): [100, 100, 100],
        ("output", "float"): [100.7] * 3,
        ("output", "rounded"): [101] * 3,
        ("output", "truncated"): [100] * 3,
    }
    for (view, levels), values in expected.items():
        judged = np.asarray(as_judged(view, levels, *arrays))[0, 0, :, 0] * 255
        np.testing.assert_allclose(judged, values, atol=1e-4)  # float32, of hundreds


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
