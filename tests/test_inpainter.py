import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_run import CONFIG, GATED, HOLES, PAIRS, REGIONS, SIZE_MULTIPLE, tiny_run

import jaxinpaint
from jaxinpaint import recipes
from jaxinpaint.array_typing import Variables
from jaxinpaint.inpainter import Inpainter, of
from jaxinpaint.memory import Budget
from jaxinpaint.recipes.base import Inpainted, Multiple, Recipe, Window
from jaxinpaint.run_config import NoRun, RunConfig, save_config


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


@pytest.mark.parametrize(
    "config", [HOLES, REGIONS, GATED], ids=["PAN", "Context Encoders", "CR-Fill"]
)
def test_networks_of_other_recipes_fill_any_hole_from_what_is_known(
    tmp_path: Path, config: RunConfig
) -> None:
    fill = jaxinpaint.load(tiny_run(tmp_path, config))
    for height, width in ((64, 64), (70, 45)):
        photo, hole = photo_and_hole(height, width)
        hole[:, 10:20] = True
        filled = fill(photo, hole)
        np.testing.assert_array_equal(filled[~hole], photo[~hole])
        assert np.any(filled[hole] != photo[hole])
        dirty = np.where(hole[..., None], 255 - photo, photo)
        np.testing.assert_array_equal(fill(dirty, hole), filled)
        assert np.any(fill(255 - photo, hole)[hole] != filled[hole])


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
    assert again.takes == Multiple(SIZE_MULTIPLE)


def test_weights_go_to_the_device_once(run: Path) -> None:
    leaves = jax.tree.leaves([jaxinpaint.load().variables, jaxinpaint.load(run).variables])
    assert leaves
    assert all(isinstance(leaf, jax.Array) for leaf in leaves)


def test_a_folder_that_is_no_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoRun, match="there is no run folder"):
        jaxinpaint.load(tmp_path / "gone")
    with pytest.raises(NoRun, match="is not a run folder"):
        jaxinpaint.load(tmp_path)


def test_a_run_that_has_saved_nothing_is_an_error(tmp_path: Path) -> None:
    save_config(CONFIG, tmp_path)
    with pytest.raises(ValueError, match="the run has not saved one yet"):
        jaxinpaint.load(tmp_path)


def test_a_network_that_fills_no_holes_is_an_error_that_says_what_runs_it() -> None:
    with pytest.raises(ValueError, match=r"fills no holes: .*jaxinpaint translate"):
        of(recipes.make(PAIRS.recipe), {})


def test_pictures_of_about_one_size_are_compiled_once() -> None:
    traced = []

    def inpaint(variables: Variables, image: jax.Array, hole: jax.Array) -> Inpainted:
        traced.append(image.shape[1:3])
        return Inpainted(1 - hole * image, image)

    def unused(*_: object) -> Any:
        raise AssertionError

    fill = of(Recipe(unused, unused, Multiple(4), inpaint), {}, max_memory=10**9)
    for height in range(130, 140):
        photo, hole = photo_and_hole(height, 258 + height % 3)
        np.testing.assert_array_equal(fill(photo, hole)[hole], 255)
    assert traced == [(144, 288)]
    fill(*photo_and_hole(136, 260))  # which the network takes as it is
    assert traced == [(144, 288), (136, 260)]


class Pixelwise:
    """A network that brings in some grey, by the share of the picture that is missing in it."""

    def __init__(self) -> None:
        self.shown: list[np.ndarray] = []

    def __call__(self, variables: Variables, image: np.ndarray, hole: np.ndarray) -> Inpainted:
        self.shown.append(hole[..., 0] > 0)
        grey = np.broadcast_to(np.float32(0.25 + hole.mean() / 2), image.shape)
        return Inpainted(jnp.asarray(grey), jnp.asarray(grey))


def pixelwise(limit: int) -> tuple[Inpainter, Pixelwise]:
    """An inpainter whose network takes a kilobyte for each pixel."""
    network = Pixelwise()
    budget = Budget(limit, lambda variables, shape: 1000 * int(np.prod(shape)))
    return Inpainter(network, {}, Multiple(8), budget), network


LARGE = (203, 301)  # 65 MB at once; 4 MB of this are for what is beside the network
BROAD = np.zeros(LARGE, bool)
BROAD[30:170, 20:280] = True


def test_a_picture_that_fits_is_filled_at_once(caplog: pytest.LogCaptureFixture) -> None:
    photo, _ = photo_and_hole(*LARGE)
    fill, network = pixelwise(80_000_000)
    free = Inpainter(Pixelwise(), {}, Multiple(8))
    np.testing.assert_array_equal(fill.fill(photo, BROAD).output, free.fill(photo, BROAD).output)
    assert len(network.shown) == 1
    assert not caplog.messages


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_a_picture_that_is_too_large_is_filled_by_tiles(
    dtype: type, caplog: pytest.LogCaptureFixture
) -> None:
    photo, _ = photo_and_hole(*LARGE)
    photo = photo if dtype == np.uint8 else (photo / 255).astype(dtype)
    before = photo.copy()
    fill, network = pixelwise(12_000_000)
    filled = fill.fill(photo, BROAD)
    np.testing.assert_array_equal(photo, before)
    assert filled.composite.dtype == dtype
    np.testing.assert_array_equal(filled.composite[~BROAD], photo[~BROAD])
    np.testing.assert_array_equal(filled.composite, filled.output)
    assert len(network.shown) > 6
    assert all(shown.any() and shown.size <= 8000 for shown in network.shown)
    inside = np.asarray(filled.output, np.float64)[BROAD] / (255 if dtype == np.uint8 else 1)
    assert inside.min() > 0.25
    assert np.std(inside) > 0.01
    (told,) = caplog.messages
    assert told.startswith("301x203 pixels at once would take")
    assert "12 MB is what there is: they are filled in tiles of" in told


def test_of_a_large_picture_only_what_is_around_the_hole_is_computed() -> None:
    photo, _ = photo_and_hole(*LARGE)
    fill, network = pixelwise(12_000_000)
    hole = np.zeros(LARGE, bool)
    np.testing.assert_array_equal(fill(photo, hole), photo)
    assert not network.shown
    hole[100:110, 200:230] = True
    fill(photo, hole)
    assert len(network.shown) == 1


def test_a_batch_that_is_too_large_is_filled_one_by_one() -> None:
    pairs = [photo_and_hole(*LARGE, seed) for seed in (1, 2, 3)]
    photos, holes = (np.stack(parts) for parts in zip(*pairs, strict=True))
    fill, network = pixelwise(80_000_000)
    together = fill(photos, holes)
    assert [len(shown) for shown in network.shown] == [1, 1, 1]
    for photo, hole, filled in zip(photos, holes, together, strict=True):
        np.testing.assert_array_equal(fill(photo, hole), filled)


def test_a_network_in_tiles_paints_what_it_does_elsewhere(run: Path) -> None:
    photo, _ = photo_and_hole(*LARGE)
    hole = np.zeros(LARGE, bool)
    hole[100:104, 200:203] = True
    whole = jaxinpaint.load(run).fill(photo, hole)
    little = Budget(20_000_000, lambda variables, shape: 1000 * int(np.prod(shape)))
    fill = dataclasses.replace(jaxinpaint.load(run), budget=little)
    # It sees 16 pixels to each side. Level: the order of sums depends on the picture's size.
    np.testing.assert_allclose(fill(photo, hole).astype(int), whole.composite, atol=1)


def test_too_little_memory_is_an_error_that_says_how_much_is_needed(run: Path) -> None:
    fill = jaxinpaint.load(run, max_memory=1000)
    with pytest.raises(ValueError, match=r"even in tiles of 64x64, .*max_memory"):
        fill(*photo_and_hole(7, 5))


MIDDLE, ANYWHERE = Window(128, margin=36), Window(128)


class Plane:
    """A network that continues what it sees evenly, and keeps what it was shown.

    With a margin it sees nothing of the middle and paints all of it, and nothing else.
    """

    def __init__(self, window: Window) -> None:
        self.shown: list[tuple[np.ndarray, np.ndarray]] = []
        self.covered = np.zeros((window.side, window.side), bool)
        if window.margin:
            self.covered[(slice(window.margin, -window.margin),) * 2] = True

    def __call__(self, variables: Variables, image: jax.Array, hole: jax.Array) -> Inpainted:
        self.shown.append((np.array(image), np.array(hole)))
        (seen,), missing = np.asarray(image), np.asarray(hole)[0, ..., 0] > 0
        rows, columns = np.indices(missing.shape) / missing.shape[0]
        over = np.stack([np.ones_like(rows), rows, columns], axis=-1)
        known = ~(missing | self.covered)
        if known[2:-2, 2:-2].any():  # along the border resampling bends what is even
            known &= np.pad(np.ones_like(known[2:-2, 2:-2]), 2)
        plane = over @ np.linalg.lstsq(over[known], seen[known], rcond=None)[0]
        painted = np.clip(plane, 0, 1).astype(np.float32)
        output = np.where(self.covered[..., None], painted, seen) if self.covered.any() else painted
        return Inpainted(jnp.asarray(output[None]), jnp.asarray(output[None]))


def plane_filler(window: Window) -> tuple[Inpainter, Plane]:
    network = Plane(window)
    return Inpainter(network, {}, window), network


def slope(height: int, width: int) -> np.ndarray:
    """A picture whose colours change evenly."""
    rows, columns = np.indices((height, width)) / (height + width)
    return np.stack([rows + columns, 1 - rows, (1 + rows - columns) / 2], axis=-1)


def hole_of(height: int, width: int, *boxes: tuple[int, int, int, int]) -> np.ndarray:
    """A hole of boxes, each given by its top, left, height and width."""
    hole = np.zeros((height, width), bool)
    for top, left, rows, columns in boxes:
        hole[top : top + rows, left : left + columns] = True
    return hole


@pytest.mark.parametrize(
    ("window", "hole"),
    [
        (MIDDLE, hole_of(128, 128, (36, 36, 56, 56))),
        (MIDDLE, hole_of(200, 300, (40, 40, 50, 20), (100, 200, 56, 40))),
        (MIDDLE, hole_of(200, 300, (90, 100, 10, 10), (110, 130, 10, 10))),
        (MIDDLE, hole_of(400, 300, (150, 90, 70, 120))),
        (MIDDLE, hole_of(400, 400, (150, 150, 100, 100), (80, 80, 3, 3))),
        (MIDDLE, hole_of(100, 80, (30, 30, 20, 20))),
        (ANYWHERE, hole_of(128, 128, (0, 30, 90, 98))),
        (ANYWHERE, hole_of(200, 300, (0, 0, 40, 50), (150, 200, 50, 20))),
        (ANYWHERE, hole_of(200, 300, (20, 10, 100, 130), (150, 200, 50, 20))),
        (ANYWHERE, hole_of(100, 80, (0, 0, 40, 40), (90, 70, 10, 10))),
        (ANYWHERE, np.random.default_rng(0).random((150, 140)) < 0.1),
    ],
)
def test_through_a_window_everything_is_filled_in_its_place(
    window: Window, hole: np.ndarray
) -> None:
    photo = slope(*hole.shape)
    fill, _ = plane_filler(window)
    filled = fill(photo, hole)
    np.testing.assert_array_equal(filled[~hole], photo[~hole])
    # A quarter of the slope's change from pixel to pixel, for holes at the border of enlarged
    # squares, where resampling bends it; elsewhere it is a hundredth.
    np.testing.assert_allclose(filled, photo, atol=0.25 / sum(hole.shape))


@pytest.mark.parametrize("window", [MIDDLE, ANYWHERE])
@pytest.mark.parametrize(
    "box", [(1, 1, 56, 56), (243, 1, 56, 20), (5, 343, 10, 56), (1, 1, 99, 99)]
)
def test_at_the_border_too(window: Window, box: tuple[int, int, int, int]) -> None:
    hole, colour = hole_of(300, 400, box), np.array([0.2, 0.7, 0.5])
    filled = plane_filler(window)[0](np.broadcast_to(colour, (300, 400, 3)), hole)
    # The order of float32 sums.
    np.testing.assert_allclose(filled, np.broadcast_to(colour, filled.shape), atol=1e-5)


@pytest.mark.parametrize("window", [MIDDLE, ANYWHERE])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_picture_of_the_windows_size_is_given_to_the_network_as_it_is(
    dtype: type, window: Window
) -> None:
    photo, _ = photo_and_hole(128, 128)
    photo = photo if dtype == np.uint8 else photo.astype(dtype) / 255
    hole = hole_of(128, 128, (36, 36, 56, 56))
    fill, network = plane_filler(window)
    filled = fill.fill(photo, hole)
    ((image, unknown),) = network.shown
    given = photo.astype(np.float32) / (255 if dtype == np.uint8 else 1)
    np.testing.assert_array_equal(image[0][~hole], given[~hole])
    np.testing.assert_array_equal(unknown, hole[None, ..., None].astype(np.float32))
    direct = np.asarray(network({}, jnp.asarray(image), jnp.asarray(unknown)).output[0])
    expected = np.round(direct * 255).astype(np.uint8) if dtype == np.uint8 else direct
    np.testing.assert_array_equal(filled.output, expected)
    np.testing.assert_array_equal(filled.composite, np.where(hole[..., None], expected, photo))


@pytest.mark.parametrize("window", [MIDDLE, ANYWHERE])
def test_a_window_network_is_not_run_without_a_hole(window: Window) -> None:
    photo, _ = photo_and_hole(70, 50)
    fill, network = plane_filler(window)
    filled = fill.fill(photo, np.zeros((70, 50), bool))
    np.testing.assert_array_equal(filled.output, photo)
    np.testing.assert_array_equal(filled.composite, photo)
    assert not network.shown


# One close to the border, two beside each other, one that needs resizing.
SCATTERED = hole_of(300, 400, (2, 9, 20, 30), (100, 30, 9, 9), (130, 40, 9, 9), (150, 200, 80, 70))


@pytest.mark.parametrize("window", [MIDDLE, ANYWHERE])
@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
def test_through_a_window_known_pixels_come_back_bit_for_bit(dtype: type, window: Window) -> None:
    rng = np.random.default_rng(0)
    photo = rng.random((*SCATTERED.shape, 3))
    photo = np.round(photo * 255).astype(dtype) if dtype == np.uint8 else photo.astype(dtype)
    before = photo.copy()
    output, composite = plane_filler(window)[0].fill(photo, SCATTERED)
    assert output.dtype == composite.dtype == dtype
    np.testing.assert_array_equal(composite[~SCATTERED], photo[~SCATTERED])
    np.testing.assert_array_equal(composite[SCATTERED], output[SCATTERED])
    np.testing.assert_array_equal(photo, before)


@pytest.mark.parametrize("window", [MIDDLE, ANYWHERE])
@pytest.mark.parametrize("garbage", [0.7, -1e300, np.inf, np.nan])
def test_a_window_shows_nothing_of_what_stands_in_the_hole(garbage: float, window: Window) -> None:
    clean = np.random.default_rng(0).random((*SCATTERED.shape, 3))
    dirty = np.where(SCATTERED[..., None], garbage, clean)
    (fill, network), (again, other) = plane_filler(window), plane_filler(window)
    for reference, filled in zip(
        fill.fill(clean, SCATTERED), again.fill(dirty, SCATTERED), strict=True
    ):
        np.testing.assert_array_equal(filled, reference)
    assert len(network.shown) == len(other.shown) > 2
    for reference, shown in zip(network.shown, other.shown, strict=True):
        np.testing.assert_array_equal(shown[0], reference[0])


def test_outside_the_middle_the_network_sees_known_and_filled_pixels_only() -> None:
    fill, network = plane_filler(MIDDLE)
    # Known pixels are green, and nothing else is.
    photo = np.where(SCATTERED[..., None], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0])
    fill(photo, SCATTERED)
    for image, unknown in network.shown:
        assert image.shape == (1, 128, 128, 3)
        assert not unknown[0, ~network.covered].any()
        assert unknown.any()
        np.testing.assert_allclose(image[0, ~network.covered], [[0, 1, 0]] * 13248, atol=1e-5)


def test_pictures_of_a_batch_have_windows_of_their_own() -> None:
    rng = np.random.default_rng(0)
    photos = rng.integers(0, 256, (3, 200, 150, 3), dtype=np.uint8)
    holes = np.stack(
        [
            hole_of(200, 150, (20, 20, 30, 30)),
            hole_of(200, 150),
            hole_of(200, 150, (150, 90, 9, 9), (20, 90, 9, 9)),
        ]
    )
    fill, _ = plane_filler(MIDDLE)
    together = fill.fill(photos, holes)
    for i in range(3):
        alone = fill.fill(photos[i], holes[i])
        np.testing.assert_array_equal(together.output[i], alone.output)
        np.testing.assert_array_equal(together.composite[i], alone.composite)


def test_what_was_filled_is_known_to_later_windows() -> None:
    hole = hole_of(100, 400, (0, 50, 100, 300))
    fill, network = plane_filler(ANYWHERE)
    photo = slope(100, 400)
    np.testing.assert_allclose(fill(photo, hole), photo, atol=1 / 255)
    assert len(network.shown) > 3
    assert not any(unknown.all() for _, unknown in network.shown)


def test_what_was_filled_stays_in_later_windows() -> None:
    photo = np.random.default_rng(0).random((400, 400, 3))
    small = hole_of(400, 400, (80, 80, 3, 3))
    fill, network = plane_filler(MIDDLE)
    filled = fill.fill(photo, small | hole_of(400, 400, (150, 150, 100, 100)))
    assert len(network.shown) == 2
    alone = fill(photo, small)
    np.testing.assert_array_equal(filled.composite[small], alone[small])
    np.testing.assert_array_equal(filled.output[small], alone[small])


def test_known_pixels_are_shown_as_they_are_in_every_window() -> None:
    photo = np.random.default_rng(0).random((480, 480, 3), np.float32)
    fill, network = plane_filler(MIDDLE)
    # The first window is resized and ends in row 323; the second begins in row 304.
    fill(photo, hole_of(480, 480, (150, 150, 100, 100), (340, 190, 56, 56)))
    _, (image, unknown) = network.shown
    known = unknown[0, ..., 0] == 0
    np.testing.assert_array_equal(image[0][known], photo[304:432, 154:282][known])


def test_nothing_is_run_for_a_batch_with_a_hole_that_cannot_be_filled() -> None:
    fill, network = plane_filler(MIDDLE)
    holes = np.stack([hole_of(200, 200, (90, 90, 9, 9)), hole_of(200, 200, (0, 90, 9, 9))])
    with pytest.raises(ValueError, match=r"200x200 picture .* one touches the border"):
        fill(np.zeros((2, 200, 200, 3)), holes)
    assert not network.shown


def test_a_window_network_is_compiled_once() -> None:
    traced = []

    def inpaint(variables: Variables, image: jax.Array, hole: jax.Array) -> Inpainted:
        traced.append(image.shape)
        return Inpainted(1 - hole * image, image)

    def unused(*_: object) -> Any:
        raise AssertionError

    fill = of(Recipe(unused, unused, Window(16), inpaint), {})
    for side in (8, 16, 40):
        fill(np.zeros((side, 50, 3)), hole_of(side, 50, (3, 3, 4, 4)))
    assert traced == [(1, 16, 16, 3)]
