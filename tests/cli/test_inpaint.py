import logging
import os
from pathlib import Path

import numpy as np
import pytest
from cli.commands import Command, contents, only_line, saved, typed
from PIL import Image
from tiny_run import CENTER, CONFIG, PAIRS, tiny_run

import jaxinpaint
from jaxinpaint.data.pictures import read_rgb
from jaxinpaint.run_config import save_config

SIZE = (7, 5)  # height and width
RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
HOLE = np.zeros(SIZE, bool)
HOLE[2:5, 1:4] = True


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def center(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run for the middle of 64x64 pictures: 24x24 pixels at their own scale."""
    return tiny_run(tmp_path_factory.mktemp("center"), CENTER)


def test_a_user_fills_one_picture(run: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side; the mask is of the picture as it is seen
    Image.fromarray(np.rot90(PHOTO)).save(tmp_path / "photo.png", exif=exif)
    saved(tmp_path / "mask.png", HOLE)
    done = typed(
        "inpaint", run, "photo.png", "--hole", "mask.png", "-o", "out/filled.png", cwd=tmp_path
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "out/filled.png\n", "")
    filled = read_rgb(tmp_path / "out/filled.png")
    np.testing.assert_array_equal(filled[~HOLE], PHOTO[~HOLE])
    assert np.any(filled[HOLE] != PHOTO[HOLE])


def test_a_user_fills_a_folder_and_is_told_what_could_not_be(run: Path, tmp_path: Path) -> None:
    saved(tmp_path / "in/b.png", PHOTO)
    saved(tmp_path / "in/deeper/c.bmp", PHOTO)
    saved(tmp_path / "masks/deeper/c.png", HOLE)
    saved(tmp_path / "masks/b.tif", HOLE)
    saved(tmp_path / "masks/a.png", HOLE)
    (tmp_path / "in/a.jpg").write_text("no picture")
    done = typed("inpaint", run, "in", "--hole", "masks", "--output", "out", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["out/b.png", "out/deeper/c.bmp"]
    problem, summary = done.stderr.splitlines()
    assert problem == "ERROR: in/a.jpg: not a picture that Pillow can read"
    assert summary == "1 of 3 pictures were not filled"
    for name in ("out/b.png", "out/deeper/c.bmp"):
        np.testing.assert_array_equal(read_rgb(tmp_path / name)[~HOLE], PHOTO[~HOLE])
    assert sorted(os.listdir(tmp_path / "out")) == ["b.png", "deeper"]


def test_without_a_run_the_network_that_comes_along_fills(tmp_path: Path) -> None:
    stripes = np.zeros((40, 60, 3), np.uint8)
    stripes[:, 20:40] = (250, 200, 50)
    hole = np.zeros((40, 60), bool)
    hole[12:26, 15:45] = True
    saved(tmp_path / "photo.png", stripes)
    saved(tmp_path / "hole.png", hole)
    done = typed("inpaint", "photo.png", "--hole", "hole.png", "-o", "filled.png", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "filled.png\n", "")
    filled = read_rgb(tmp_path / "filled.png").astype(float)
    np.testing.assert_array_equal(filled[~hole], stripes[~hole])
    # It goes on with what it sees: the stripe is nearer to itself than a fill of one colour is.
    error = np.abs(filled - stripes)[hole].mean()
    assert error < np.abs(stripes[~hole].mean(axis=0) - stripes)[hole].mean() / 2


@pytest.mark.parametrize("paths", [(), ("a", "b", "c")])
def test_one_path_or_two_are_taken(
    call: Command, paths: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("inpaint", *paths, "--hole", tmp_path / "hole.png", "-o", tmp_path / "out.png") == 2
    assert "[RUN] IMAGE" in capsys.readouterr().err


def test_an_output_folder_keeps_the_name(
    call: Command, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, mask = saved(tmp_path / "photo.png", PHOTO), saved(tmp_path / "mask.png", HOLE)
    assert call("inpaint", run, photo, "--hole", mask, "-o", tmp_path / "new") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'new/photo.png'}\n"
    assert (tmp_path / "new/photo.png").is_file()


def test_without_a_hole_the_picture_stays_and_it_is_said(
    call: Command, run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    photo, mask = saved(tmp_path / "photo.png", PHOTO), saved(tmp_path / "mask.png", HOLE & False)
    target = tmp_path / "filled.png"
    assert call("inpaint", run, photo, "--hole", mask, "-o", target) == 0
    np.testing.assert_array_equal(read_rgb(target), PHOTO)
    assert [message.startswith(f"{mask} has no hole") for message in caplog.messages] == [True]


def test_a_mask_that_looks_swapped_is_pointed_out(
    call: Command, run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    photo, mask = saved(tmp_path / "photo.png", PHOTO), saved(tmp_path / "mask.png", ~HOLE)
    target = tmp_path / "filled.png"
    assert call("inpaint", run, photo, "--hole", mask, "-o", target) == 0
    # 35 pixels, 26 of them missing.
    assert [message.startswith(f"{mask}: 74% is hole") for message in caplog.messages] == [True]
    np.testing.assert_array_equal(read_rgb(target)[HOLE], PHOTO[HOLE])


def nothing(folder: Path) -> None:
    """The files are there as they should be."""


def larger_mask(folder: Path) -> None:
    saved(folder / "mask.png", np.zeros((9, 11), bool))


def all_hole(folder: Path) -> None:
    saved(folder / "mask.png", np.ones(SIZE, bool))


def broken_photo(folder: Path) -> None:
    (folder / "photo.png").write_text("no picture")


def see_through(folder: Path) -> None:
    saved(folder / "photo.png", np.dstack([PHOTO, PHOTO[..., 0]]))


def more_pictures(folder: Path) -> None:
    saved(folder / "in/photo2.jpg", PHOTO)


def two_masks(folder: Path) -> None:
    saved(folder / "masks/photo.tif", HOLE)


def nested_pictures(folder: Path) -> None:
    for place in ("in/deeper/photo.png", "masks/deeper/photo.png"):
        saved(folder / place, HOLE)


def old_pictures(folder: Path) -> None:
    saved(folder / "old/photo.png", PHOTO)


def unsaved_run(folder: Path) -> None:
    save_config(CONFIG, folder / "empty-run")


def pairs_run(folder: Path) -> None:
    tiny_run(folder / "pairs", PAIRS)


MISTAKES = {
    "no run": ("gone photo.png mask.png out.png", nothing, ["no run folder and no file gone"]),
    "not a run": ("in photo.png mask.png out.png", nothing, ["in is not a run folder"]),
    "unsaved": ("empty-run photo.png mask.png out.png", unsaved_run, ["not saved one yet"]),
    "a run on pairs": (
        "pairs photo.png mask.png out.png",
        pairs_run,
        ["pairs: this network fills no holes", "jaxinpaint translate"],
    ),
    "no picture": ("RUN gone.png mask.png out.png", nothing, ["gone.png: no such file"]),
    "no mask": ("RUN photo.png gone.png out.png", nothing, ["gone.png: no such file"]),
    "broken": ("RUN photo.png mask.png out.png", broken_photo, ["photo.png: not a picture"]),
    "other size": (
        "RUN photo.png mask.png out.png",
        larger_mask,
        ["mask.png is 11x9", "photo.png is 5x7"],
    ),
    "all hole": ("RUN photo.png mask.png out.png", all_hole, ["mask.png is all hole"]),
    "no format": ("RUN photo.png mask.png out.xyz", nothing, ["out.xyz: .xyz is no format"]),
    "no alpha": ("RUN photo.png mask.png out.jpg", see_through, ["out.jpg", "hold", "RGBA"]),
    "over the photo": ("RUN photo.png mask.png ./in/../photo.png", nothing, ["written over"]),
    "over the mask": ("RUN photo.png mask.png mask.png", nothing, ["mask.png would be written"]),
    "over the folder": ("RUN in masks in", nothing, ["in/photo.png would be written over"]),
    "over another": (
        "RUN in masks in/deeper",
        nested_pictures,
        ["in/deeper/photo.png would be written over"],
    ),
    "there already": ("RUN in masks old", old_pictures, ["old/photo.png is there already"]),
    "file and folder": ("RUN photo.png masks out", nothing, ["photo.png and masks", "two files"]),
    "folder and file": ("RUN in mask.png out", nothing, ["in and mask.png must be", "two folders"]),
    "folder to file": ("RUN in masks mask.png", nothing, ["mask.png is a file"]),
    "unmatched": ("RUN in masks out", more_pictures, ["no mask for 1 pictures: photo2.jpg"]),
    "two masks": ("RUN in masks out", two_masks, ["in masks: photo.png and photo.tif"]),
    "no pictures": ("RUN empty masks out", nothing, ["no pictures in empty"]),
    "below a file": ("RUN photo.png mask.png mask.png/out.png", nothing, ["mask.png"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_one_line_and_nothing_is_written(
    call: Command,
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    mistake: str,
) -> None:
    words, prepare, told = MISTAKES[mistake]
    for place in ("photo.png", "in/photo.png"):
        saved(tmp_path / place, PHOTO)
    for place in ("mask.png", "masks/photo.png"):
        saved(tmp_path / place, HOLE)
    (tmp_path / "empty").mkdir()
    prepare(tmp_path)
    before = contents(tmp_path)
    monkeypatch.chdir(tmp_path)
    folder, image, hole, output = words.replace("RUN", str(run)).split()
    assert call("inpaint", folder, image, "--hole", hole, "-o", output) == 2
    error = only_line(capsys)
    assert all(part in error for part in told), error
    assert contents(tmp_path) == before


def test_developers_may_see_where_a_mistake_came_from(
    call: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAXINPAINT_TRACEBACK", "1")
    with pytest.raises(ValueError, match="no run folder"):
        call("inpaint", tmp_path / "gone", "photo.png", "--hole", "mask.png", "-o", "out.png")


def test_a_forgotten_option_is_named(call: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("inpaint", "run", "photo.png", "-o", "out.png") == 2
    assert "--hole" in capsys.readouterr().err


def test_a_run_without_a_picture_is_asked_for_one(
    call: Command, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("inpaint", run, "--hole", "mask.png", "-o", "out.png") == 2
    assert f"say which, jaxinpaint inpaint {run} IMAGE" in only_line(capsys)


def test_in_a_folder_pictures_are_written_over_where_that_is_asked_for(
    call: Command, run: Path, tmp_path: Path
) -> None:
    saved(tmp_path / "in/photo.png", PHOTO)
    saved(tmp_path / "masks/photo.png", HOLE)
    old = saved(tmp_path / "out/photo.png", HOLE)
    words = ("inpaint", run, tmp_path / "in", "--hole", tmp_path / "masks", "-o", tmp_path / "out")
    assert call(*words) == 2
    assert call(*words, "--overwrite") == 0
    assert read_rgb(old).shape == PHOTO.shape
    assert (read_rgb(old)[~HOLE] == PHOTO[~HOLE]).all()


def test_a_picture_of_a_folder_that_fails_does_not_stop_the_others(
    call: Command, run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, mask in {"a": np.zeros((9, 11), bool), "b": HOLE, "c": HOLE | True}.items():
        saved(tmp_path / f"in/{name}.png", PHOTO)
        saved(tmp_path / f"masks/{name}.png", mask)
    out = tmp_path / "out"
    with caplog.at_level(logging.ERROR):
        assert call("inpaint", run, tmp_path / "in", "--hole", tmp_path / "masks", "-o", out) == 1
    assert os.listdir(out) == ["b.png"]
    assert len(caplog.messages) == 2
    assert "a.png is 11x9" in caplog.messages[0]
    assert "c.png is all hole" in caplog.messages[1]


@pytest.mark.parametrize("size", ["4XB", "GB", "0GB", "-1GB", "4", "much"])
def test_a_size_of_memory_that_is_none_is_told(
    call: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str], size: str
) -> None:
    words = ("inpaint", "run", "in.png", "--hole", "mask.png", "-o", "out.png")
    assert call(*words, f"--max-memory={size}") == 2
    assert f"--max-memory is '{size}'; say a size such as 4GB" in only_line(capsys)


def test_within_little_memory_a_picture_is_filled_by_tiles(
    call: Command, run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    park = RNG.integers(0, 256, (300, 400, 3), dtype=np.uint8)
    hole = np.zeros(park.shape[:2], bool)
    hole[100:200, 50:350] = True
    photo, mask = saved(tmp_path / "photo.png", park), saved(tmp_path / "mask.png", hole)
    words = ("inpaint", run, photo, "--hole", mask)
    assert call(*words, "-o", tmp_path / "whole.png", "--max-memory", "2 GB") == 0
    assert not caplog.messages
    assert call(*words, "-o", tmp_path / "tiled.png", "--max-memory", "10.5MB") == 0
    assert ["in tiles of" in message for message in caplog.messages] == [True]
    whole, tiled = (read_rgb(tmp_path / name) for name in ("whole.png", "tiled.png"))
    np.testing.assert_array_equal(whole, jaxinpaint.load(run)(park, hole))
    np.testing.assert_array_equal(tiled[~hole], park[~hole])
    assert np.any(tiled != whole)
    # Beyond what the network sees of tiles' edges, nothing is another colour.
    np.testing.assert_allclose(
        tiled[hole].mean(axis=0), whole[hole].astype(float).mean(axis=0), atol=12
    )


def test_memory_that_is_too_little_is_told_with_the_file(
    call: Command, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, mask = saved(tmp_path / "photo.png", PHOTO), saved(tmp_path / "mask.png", HOLE)
    words = ("inpaint", run, photo, "--hole", mask, "-o", tmp_path / "filled.png")
    assert call(*words, "--max-memory", "0.001MB") == 2
    assert only_line(capsys).startswith(f"error: {photo}: this picture takes")


PARK = RNG.integers(0, 256, (90, 120, 3), dtype=np.uint8)


def square_hole(top: int, left: int) -> np.ndarray:
    hole = np.zeros(PARK.shape[:2], bool)
    hole[top : top + 24, left : left + 24] = True
    return hole


def test_a_run_for_the_middle_fills_a_hole_anywhere_off_the_border(
    call: Command, center: Path, tmp_path: Path
) -> None:
    hole = square_hole(12, 83)
    photo, mask = saved(tmp_path / "photo.png", PARK), saved(tmp_path / "mask.png", hole)
    assert call("inpaint", center, photo, "--hole", mask, "-o", tmp_path / "filled.png") == 0
    filled = read_rgb(tmp_path / "filled.png")
    np.testing.assert_array_equal(filled[~hole], PARK[~hole])
    assert np.mean(filled[hole] != PARK[hole]) > 0.9
    np.testing.assert_array_equal(filled, jaxinpaint.load(center)(PARK, hole))


def test_a_hole_that_it_cannot_fill_is_told_with_the_file(
    call: Command, center: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = saved(tmp_path / "photo.png", PARK)
    mask = saved(tmp_path / "mask.png", square_hole(0, 50))
    before = contents(tmp_path)
    assert call("inpaint", center, photo, "--hole", mask, "-o", tmp_path / "filled.png") == 2
    error = only_line(capsys)
    assert error.startswith(f"error: {photo}: this network paints the middle of a square")
    assert "one touches the border" in error
    assert contents(tmp_path) == before


def test_in_a_folder_the_pictures_with_such_holes_are_told(
    call: Command, center: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, hole in {"a": square_hole(40, 96), "b": square_hole(40, 60)}.items():
        saved(tmp_path / f"in/{name}.png", PARK)
        saved(tmp_path / f"masks/{name}.png", hole)
    out = tmp_path / "out"
    assert call("inpaint", center, tmp_path / "in", "--hole", tmp_path / "masks", "-o", out) == 1
    assert os.listdir(out) == ["b.png"]
    (problem,) = caplog.messages
    assert problem.startswith(f"{tmp_path / 'in/a.png'}: this network paints the middle")
