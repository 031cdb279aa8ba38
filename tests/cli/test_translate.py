import logging
import os
from pathlib import Path

import numpy as np
import pytest
from cli.commands import Command, contents, only_line, saved, typed
from PIL import Image, ImageCms
from tiny_run import CONFIG, PAIRS, tiny_run

from jaxinpaint import translator
from jaxinpaint.data.pictures import read_rgb
from jaxinpaint.run_config import save_config

PHOTO = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("run"), PAIRS)


def test_a_user_makes_pictures_of_a_folder_and_is_told_what_could_not_be(
    run: Path, tmp_path: Path
) -> None:
    saved(tmp_path / "in/b.png", PHOTO)
    saved(tmp_path / "in/deeper/c.bmp", PHOTO)
    (tmp_path / "in/a.jpg").write_text("no picture")
    done = typed("translate", run, "in", "--output", "out", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["out/b.png", "out/deeper/c.bmp"]
    assert done.stderr.splitlines() == [
        "ERROR: in/a.jpg: not a picture that Pillow can read",
        "1 of 3 pictures were not translated",
    ]
    assert sorted(os.listdir(tmp_path / "out")) == ["b.png", "deeper"]
    made, nested = (read_rgb(tmp_path / name) for name in ("out/b.png", "out/deeper/c.bmp"))
    np.testing.assert_array_equal(made, nested)


def test_the_file_holds_what_the_network_makes(call: Command, run: Path, tmp_path: Path) -> None:
    photo, target = saved(tmp_path / "photo.png", PHOTO), tmp_path / "new/made.png"
    assert call("translate", run, photo, "-o", target) == 0
    np.testing.assert_array_equal(read_rgb(target), translator.load(run)(PHOTO))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg"])
def test_it_is_a_new_picture_whatever_it_is_made_from(
    call: Command, run: Path, tmp_path: Path, suffix: str
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    exif[0x0110] = "a camera"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    turned = Image.fromarray(np.rot90(PHOTO)).convert("RGBA")
    source, target = tmp_path / "photo.png", tmp_path / f"made{suffix}"
    turned.save(source, exif=exif, icc_profile=profile, dpi=(300, 300))
    assert call("translate", run, source, "-o", target) == 0
    with Image.open(target) as made:
        assert (made.mode, made.size) == ("RGB", (5, 7))
        assert 0x0110 not in made.getexif()
        assert made.getexif().get(0x0112, 1) == 1
        assert "icc_profile" not in made.info
        pixels = np.asarray(made).astype(int)
    # JPEG changes noise by up to 12 levels here, and by 26 or more with coarser settings.
    tolerance = 20 if suffix == ".jpg" else 0
    np.testing.assert_allclose(pixels, translator.load(run)(PHOTO), atol=tolerance)


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "I;16"])
def test_pictures_of_any_mode_are_taken(
    call: Command, run: Path, tmp_path: Path, mode: str
) -> None:
    grey = PHOTO[..., 0]
    sixteen = Image.fromarray(grey.astype(np.uint16) * 257)
    source = sixteen if mode == "I;16" else Image.fromarray(PHOTO).convert(mode)
    source.save(tmp_path / "source.tif")
    assert call("translate", run, tmp_path / "source.tif", "-o", tmp_path / "made.png") == 0
    with Image.open(tmp_path / "made.png") as made:
        assert (made.mode, made.size) == ("RGB", (5, 7))


def test_an_output_folder_keeps_the_name(
    call: Command, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = saved(tmp_path / "photo.png", PHOTO)
    assert call("translate", run, photo, "-o", tmp_path / "new") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'new/photo.png'}\n"
    assert (tmp_path / "new/photo.png").is_file()


def test_a_format_that_would_change_the_picture_is_told_and_does_not_stop_the_others(
    call: Command, run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    many = np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    saved(tmp_path / "in/many.gif", many)  # a palette of 256: what is made has more colours
    saved(tmp_path / "in/photo.png", PHOTO)
    out = tmp_path / "out"
    with caplog.at_level(logging.ERROR):
        assert call("translate", run, tmp_path / "in", "-o", out) == 1
    assert os.listdir(out) == ["photo.png"]
    (problem,) = caplog.messages
    assert problem.startswith(f"{out / 'many.gif'}: this format does not hold")


def nothing(folder: Path) -> None:
    """The files are there as they should be."""


def broken_photo(folder: Path) -> None:
    (folder / "photo.png").write_text("no picture")


def nested_pictures(folder: Path) -> None:
    saved(folder / "in/deeper/photo.png", PHOTO)


def old_pictures(folder: Path) -> None:
    saved(folder / "old/photo.png", PHOTO)


def unsaved_run(folder: Path) -> None:
    save_config(PAIRS, folder / "empty-run")


def run_on_holes(folder: Path) -> None:
    tiny_run(folder / "holes", CONFIG)


MISTAKES = {
    "no run": ("gone photo.png out.png", nothing, ["no run folder and no file gone"]),
    "not a run": ("in photo.png out.png", nothing, ["in is not a run folder"]),
    "unsaved": ("empty-run photo.png out.png", unsaved_run, ["not saved one yet"]),
    "a run on holes": (
        "holes photo.png out.png",
        run_on_holes,
        ["makes no pictures from others", "jaxinpaint inpaint"],
    ),
    "no picture": ("RUN gone.png out.png", nothing, ["gone.png: no such file"]),
    "broken": ("RUN photo.png out.png", broken_photo, ["photo.png: not a picture"]),
    "no format": ("RUN photo.png out.xyz", nothing, ["out.xyz: .xyz is no format"]),
    "no colours": ("RUN photo.png out.xbm", nothing, ["out.xbm", "does not hold this RGB"]),
    "over the photo": ("RUN photo.png in/../photo.png", nothing, ["photo.png would be written"]),
    "over the folder": ("RUN in in", nothing, ["in/photo.png would be written over"]),
    "over another": (
        "RUN in in/deeper",
        nested_pictures,
        ["in/deeper/photo.png would be written over"],
    ),
    "there already": ("RUN in old", old_pictures, ["old/photo.png is there already"]),
    "folder to file": ("RUN in photo.png", nothing, ["photo.png is a file"]),
    "no pictures": ("RUN empty out", nothing, ["no pictures in empty"]),
    "below a file": ("RUN in/photo.png photo.png/out.png", nothing, ["photo.png"]),
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
    (tmp_path / "empty").mkdir()
    prepare(tmp_path)
    before = contents(tmp_path)
    monkeypatch.chdir(tmp_path)
    folder, image, output = words.replace("RUN", str(run)).split()
    assert call("translate", folder, image, "-o", output) == 2
    error = only_line(capsys)
    assert all(part in error for part in told), error
    assert contents(tmp_path) == before
