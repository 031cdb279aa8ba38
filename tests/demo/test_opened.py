from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jaxinpaint.data.pictures import UnreadablePicture, read_rgb
from jaxinpaint.demo.opened import (
    VIEW,
    Opened,
    fill,
    hole_of_strokes,
    open_photo,
    read_mask,
    save,
    view,
)
from jaxinpaint.evaluation.baselines import mean_colour

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (40, 60, 3), dtype=np.uint8)
HOLE = np.zeros((40, 60), bool)
HOLE[10:20, 30:45] = True


def opened(path: Path, picture: np.ndarray = PHOTO, **settings: Any) -> Opened:
    Image.fromarray(picture).save(path, **settings)
    return open_photo(path, most_pixels=picture.shape[0] * picture.shape[1])


def test_what_is_known_stays_as_in_the_file(tmp_path: Path) -> None:
    grey = RNG.integers(0, 65536, (40, 60), dtype=np.uint16)
    photo = opened(tmp_path / "grey.png", grey)
    (tmp_path / "grey.png").unlink()  # a copy is kept
    saved = save(fill(photo, HOLE, mean_colour))
    assert saved.name == "grey-filled.png"
    found = np.asarray(Image.open(saved))
    np.testing.assert_array_equal(found[~HOLE], grey[~HOLE])  # all 16 bits
    assert len(np.unique(found[HOLE])) == 1


def test_a_photograph_lying_on_its_side_is_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = opened(tmp_path / "photo.png", np.rot90(PHOTO), exif=exif)
    np.testing.assert_array_equal(photo.picture, PHOTO)
    found = read_rgb(save(fill(photo, HOLE, mean_colour)))
    np.testing.assert_array_equal(found[~HOLE], PHOTO[~HOLE])


def test_one_filling_after_another(tmp_path: Path) -> None:
    photo = opened(tmp_path / "photo.png")
    other = np.roll(HOLE, 15, axis=0)
    twice = fill(fill(photo, HOLE, mean_colour), other, mean_colour)
    np.testing.assert_array_equal(twice.filled, HOLE | other)
    found = read_rgb(save(twice))
    np.testing.assert_array_equal(found[~twice.filled], PHOTO[~twice.filled])
    assert np.all(photo.picture == PHOTO)  # what was painted on is as it was


def test_strokes_on_a_small_view_are_holes_of_the_whole(tmp_path: Path) -> None:
    picture = np.zeros((3 * VIEW, 2 * VIEW, 3), np.uint8)
    photo = opened(tmp_path / "large.png", picture)
    seen = view(photo.picture)
    assert max(seen.shape[:2]) == VIEW
    paint = np.zeros(seen.shape[:2], np.uint8)
    paint[300:400, 100:200] = 255
    paint[299, 100:200] = 127  # the soft edge of the brush
    hole = hole_of_strokes(paint, photo)
    rows, columns = np.nonzero(hole)
    scale = 3 * VIEW / VIEW
    # Within a pixel: the view's sides are rounded.
    np.testing.assert_allclose((rows.min(), rows.max() + 1), (300 * scale, 400 * scale), atol=1)
    np.testing.assert_allclose(
        (columns.min(), columns.max() + 1), (100 * scale, 200 * scale), atol=scale
    )
    assert hole.sum() == np.prod([np.ptp(rows) + 1, np.ptp(columns) + 1])


def test_small_pictures_are_seen_as_they_are() -> None:
    np.testing.assert_array_equal(view(PHOTO), PHOTO)
    tinted = view(PHOTO, HOLE)
    np.testing.assert_array_equal(tinted[~HOLE], PHOTO[~HOLE])
    assert np.all(tinted[HOLE][:, 0] >= 112)  # half the brush's red


def test_what_cannot_be_filled(tmp_path: Path) -> None:
    photo = opened(tmp_path / "photo.png")
    with pytest.raises(ValueError, match="there is no hole"):
        fill(photo, np.zeros_like(HOLE), mean_colour)
    with pytest.raises(ValueError, match="all is hole"):
        fill(photo, np.ones_like(HOLE), mean_colour)


def test_pictures_that_are_none_or_too_large(tmp_path: Path) -> None:
    Image.fromarray(PHOTO).save(tmp_path / "photo.png")
    with pytest.raises(
        UnreadablePicture, match=r"60x40: 0\.0024 million pixels, and 0\.002399 mill"
    ):
        open_photo(tmp_path / "photo.png", most_pixels=2399)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(UnreadablePicture, match="not a picture"):
        open_photo(tmp_path / "text.png", most_pixels=10**6)
    whole = (tmp_path / "photo.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadablePicture, match=r"cut\.png"):
        open_photo(tmp_path / "cut.png", most_pixels=10**6)


def test_formats_that_are_programs_are_refused(tmp_path: Path) -> None:
    Image.fromarray(PHOTO).save(tmp_path / "photo.eps")
    (tmp_path / "photo.eps").rename(tmp_path / "photo.png")
    with pytest.raises(UnreadablePicture, match="is EPS, which is not taken"):
        open_photo(tmp_path / "photo.png", most_pixels=10**6)


def test_paint_on_something_else_is_refused(tmp_path: Path) -> None:
    photo = opened(tmp_path / "photo.png")
    with pytest.raises(ValueError, match="no longer under the paint"):
        hole_of_strokes(np.full((VIEW, VIEW), 255, np.uint8), photo)


def test_masks_are_of_the_photograph(tmp_path: Path) -> None:
    photo = opened(tmp_path / "photo.png")
    Image.fromarray(HOLE).save(tmp_path / "hole.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "hole.png", photo, most_pixels=10**6), HOLE)
    Image.fromarray(HOLE[:, 1:]).save(tmp_path / "other.png")
    with pytest.raises(ValueError, match=r"other\.png is 59x40, but .*photo\.png is 60x40"):
        read_mask(tmp_path / "other.png", photo, most_pixels=10**6)
    Image.new("L", (6000, 4000)).save(tmp_path / "huge.png")
    with pytest.raises(UnreadablePicture, match="are the most"):  # before it is decoded
        read_mask(tmp_path / "huge.png", photo, most_pixels=10**6)


def test_files_go_with_the_photograph(tmp_path: Path) -> None:
    photo = opened(tmp_path / "photo.png")
    folder = photo.folder.path
    assert folder.exists()
    del photo
    assert not folder.exists()
