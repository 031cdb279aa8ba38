from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from tiny_run import CONFIG, SIZE_MULTIPLE, tiny_run

import jaxinpaint
from jaxinpaint.inpainter import Inpainter
from jaxinpaint.run_config import NoRun, save_config


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def fill(run: Path) -> Inpainter:
    return jaxinpaint.load(run)


def photo_and_hole(height: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    photo = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    hole = rng.random((height, width)) < 0.3
    hole[0, 0] = True
    return photo, hole


@pytest.mark.parametrize(
    ("height", "width"),
    [(8, 8), (7, 5), (1, 6), (3, 1), (1, 1)],
)
def test_any_size_comes_back_with_its_known_pixels_bit_for_bit(
    fill: Inpainter, height: int, width: int
) -> None:
    photo, hole = photo_and_hole(height, width)
    filled = fill(photo, hole)
    assert filled.shape == photo.shape
    assert filled.dtype == np.uint8
    np.testing.assert_array_equal(filled[~hole], photo[~hole])
    assert np.any(filled[hole] != photo[hole])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_come_back_in_their_dtype_bit_for_bit(fill: Inpainter, dtype: type) -> None:
    _, hole = photo_and_hole(7, 5)
    photo = np.random.default_rng(1).random((7, 5, 3)).astype(dtype)
    photo[-1, -1] = 1 / 3  # not a float32 when it is a float64
    hole[-1, -1] = False
    filled = fill(photo, hole)
    assert filled.dtype == dtype
    np.testing.assert_array_equal(filled[~hole], photo[~hole])
    assert filled.min() >= 0
    assert filled.max() <= 1


def test_bytes_are_filled_as_the_same_floats_are(fill: Inpainter) -> None:
    photo, hole = photo_and_hole(7, 5)
    floats = fill.fill(photo.astype(np.float32) / 255, hole)
    filled = fill.fill(photo, hole)
    np.testing.assert_array_equal(filled.output, np.round(floats.output * 255))
    np.testing.assert_array_equal(filled.composite, np.round(floats.composite * 255))


def test_a_picture_of_a_batch_is_filled_as_alone(fill: Inpainter) -> None:
    pairs = [photo_and_hole(7, 5, seed) for seed in (1, 2)]
    photos, holes = (np.stack(parts) for parts in zip(*pairs, strict=True))
    together = fill(photos, holes)
    assert together.shape == photos.shape
    for (photo, hole), filled in zip(pairs, together, strict=True):
        # 1 level: the order of sums may depend on the batch's size, and so which way rounding goes.
        np.testing.assert_allclose(fill(photo, hole).astype(int), filled, atol=1)


def test_the_hole_of_a_picture_is_its_own(fill: Inpainter) -> None:
    photo, hole = photo_and_hole(7, 5)
    filled = fill(np.stack([photo, photo]), np.stack([hole, ~hole]))
    np.testing.assert_array_equal(filled[0][~hole], photo[~hole])
    np.testing.assert_array_equal(filled[1][hole], photo[hole])


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("channel", [False, True])
@pytest.mark.parametrize("scale", [1, 255])
def test_holes_may_be_given_in_several_forms(
    fill: Inpainter, scale: int, channel: bool, batched: bool
) -> None:
    photo, hole = photo_and_hole(7, 5)
    reference = fill(photo, hole)
    form = hole.astype(np.uint8) * np.uint8(scale)
    form = form[..., None] if channel else form
    filled = fill(photo[None], form[None])[0] if batched else fill(photo, form)
    np.testing.assert_array_equal(filled, reference)


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_holes_of_0_and_1_may_be_of_any_numbers(fill: Inpainter, dtype: type) -> None:
    photo, hole = photo_and_hole(7, 5)
    np.testing.assert_array_equal(fill(photo, hole.astype(dtype)), fill(photo, hole))


@pytest.mark.parametrize("garbage", [0.7, -1e30, np.inf, np.nan])
def test_what_stands_in_the_hole_changes_nothing(fill: Inpainter, garbage: float) -> None:
    photo, hole = photo_and_hole(7, 5)
    clean = photo.astype(np.float32) / 255
    dirty = clean.copy()
    dirty[hole] = garbage
    reference, filled = fill.fill(clean, hole), fill.fill(dirty, hole)
    np.testing.assert_array_equal(filled.output, reference.output)
    np.testing.assert_array_equal(filled.composite, reference.composite)


def test_beyond_the_picture_nothing_is_known(fill: Inpainter) -> None:
    photo, hole = photo_and_hole(8, 8)
    hole[7:], hole[:, 5:] = True, True
    np.testing.assert_array_equal(fill(photo[:7, :5], hole[:7, :5]), fill(photo, hole)[:7, :5])


def test_the_network_of_these_tests_is_not_saturated(fill: Inpainter) -> None:
    output = fill.fill(*photo_and_hole(7, 5)).output
    assert np.mean((output > 0) & (output < 255)) > 0.5


def test_known_pixels_are_what_the_hole_is_filled_from(fill: Inpainter) -> None:
    photo, hole = photo_and_hole(7, 5)
    assert np.any(fill(255 - photo, hole)[hole] != fill(photo, hole)[hole])


def test_the_composite_is_the_output_in_the_hole(fill: Inpainter) -> None:
    photo, hole = photo_and_hole(7, 5)
    output, composite = fill.fill(photo, hole)
    np.testing.assert_array_equal(composite, np.where(hole[..., None], output, photo))
    np.testing.assert_array_equal(composite, fill(photo, hole))


def test_without_a_hole_a_picture_stays_as_it_is(fill: Inpainter) -> None:
    photo, hole = photo_and_hole(7, 5)
    np.testing.assert_array_equal(fill(photo, np.zeros_like(hole)), photo)


def test_the_arrays_given_are_not_changed(fill: Inpainter) -> None:
    photo, hole = photo_and_hole(7, 5)
    before = photo.copy(), hole.copy()
    fill(photo, hole)
    np.testing.assert_array_equal(photo, before[0])
    np.testing.assert_array_equal(hole, before[1])


PHOTO, HOLE = photo_and_hole(7, 5)


@pytest.mark.parametrize(
    ("photo", "hole", "message"),
    [
        (PHOTO[..., 0], HOLE, r"not \[7, 5\]"),
        (PHOTO[..., :2], HOLE, r"not \[7, 5, 2\]"),
        (PHOTO[None, None], HOLE, r"not \[1, 1, 7, 5, 3\]"),
        (PHOTO.astype(np.int32), HOLE, "not int32"),
        (PHOTO > 3, HOLE, "not bool"),
        (PHOTO.astype(np.float32), HOLE, r"known pixels in \[0, 1\]"),
        (np.full((7, 5, 3), np.nan), HOLE, r"known pixels in \[0, 1\]"),
        (np.full((7, 5, 3), -0.001), HOLE, r"known pixels in \[0, 1\]"),
        (PHOTO, HOLE.T, r"the hole is \[5, 7\].*needs the photo's size, \[7, 5\]"),
        (PHOTO, HOLE[:, :, None].repeat(3, axis=2), r"the hole is \[7, 5, 3\]"),
        (PHOTO, HOLE[None], r"the hole is \[1, 7, 5\]"),
        (PHOTO[None], HOLE, r"the hole is \[7, 5\], the photo \[1, 7, 5, 3\]"),
        (PHOTO, HOLE * 0.5, "such as 0.5"),
        (PHOTO, HOLE * np.uint8(7), "such as 7"),
        (PHOTO, HOLE * 255, "such as 255"),
        (PHOTO, np.where(HOLE, np.nan, 0), "such as nan"),
    ],
)
def test_what_cannot_be_filled_is_an_error_that_says_why(
    fill: Inpainter, photo: np.ndarray, hole: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        fill(photo, hole)


def test_loading_takes_a_string_too_and_gives_the_same(run: Path, fill: Inpainter) -> None:
    again = jaxinpaint.load(str(run))
    chosen: Any = jax.tree.map(np.array_equal, again.variables, fill.variables)
    assert jax.tree.all(chosen)
    assert again.size_multiple == SIZE_MULTIPLE


def test_a_folder_that_is_no_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoRun, match="there is no run folder"):
        jaxinpaint.load(tmp_path / "gone")
    with pytest.raises(NoRun, match="is not a run folder"):
        jaxinpaint.load(tmp_path)


def test_a_run_that_has_saved_nothing_is_an_error(tmp_path: Path) -> None:
    save_config(CONFIG, tmp_path)
    with pytest.raises(ValueError, match="the run has not saved one yet"):
        jaxinpaint.load(tmp_path)
