import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from jaxinpaint.data.pictures import (
    UnreadablePicture,
    list_pictures,
    partners,
    read_hole,
    read_rgb,
    scaled,
    scaled_hole,
)

GREY = np.array([[0, 127, 128], [200, 254, 255]], np.uint8)
COLOURS = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)


def saved(picture: Image.Image, path: Path, **options: Any) -> Path:
    picture.save(path, **options)
    return path


def with_alpha(colours: np.ndarray, alpha: np.ndarray) -> Image.Image:
    return Image.fromarray(np.dstack([colours, alpha]))


def test_grey_becomes_three_equal_channels(tmp_path: Path) -> None:
    rgb = read_rgb(saved(Image.fromarray(GREY), tmp_path / "grey.png"))
    np.testing.assert_array_equal(rgb, np.repeat(GREY[..., None], 3, axis=-1))


def test_black_and_white_becomes_0_and_255(tmp_path: Path) -> None:
    bits = Image.fromarray(GREY > 127)
    rgb = read_rgb(saved(bits, tmp_path / "bits.png"))
    np.testing.assert_array_equal(rgb[..., 1], (GREY > 127) * np.uint8(255))


def test_palettes_are_looked_up(tmp_path: Path) -> None:
    palette = Image.fromarray(np.array([[0, 1], [2, 0]], np.uint8))
    palette.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    rgb = read_rgb(saved(palette, tmp_path / "palette.png"))
    assert rgb.tolist() == [
        [[10, 20, 30], [40, 50, 60]],
        [[70, 80, 90], [10, 20, 30]],
    ]


def test_transparent_palette_colours_are_laid_over_white(tmp_path: Path) -> None:
    palette = Image.fromarray(np.array([[0, 1, 2]], np.uint8))
    palette.putpalette([10, 20, 30, 0, 0, 0, 70, 80, 90])
    path = saved(palette, tmp_path / "palette.png", transparency=bytes([255, 51, 0]))
    # 51 / 255 = 1/5 of black over white leaves 4/5 of 255.
    assert read_rgb(path).tolist() == [[[10, 20, 30], [204, 204, 204], [255, 255, 255]]]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_laid_over_white(tmp_path: Path, mode: str) -> None:
    black = np.zeros((1, 3, 3), np.uint8)
    picture = with_alpha(black, np.array([[0, 51, 255]], np.uint8)).convert(mode)
    rgb = read_rgb(saved(picture, tmp_path / "alpha.png"))
    assert rgb[0, :, 0].tolist() == [255, 204, 0]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bits_are_scaled_not_cut(tmp_path: Path, suffix: str) -> None:
    deep = Image.fromarray(np.array([[0, 257, 32896, 65535]], np.uint16))
    rgb = read_rgb(saved(deep, tmp_path / f"deep{suffix}"))
    assert rgb[0, :, 2].tolist() == [0, 1, 128, 255]


def test_cmyk_jpeg_becomes_rgb(tmp_path: Path) -> None:
    cyan = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    rgb = read_rgb(saved(cyan, tmp_path / "cyan.jpg"))
    # 2 levels: what JPEG may lose of a flat colour.
    np.testing.assert_allclose(rgb, np.broadcast_to([0, 255, 255], (8, 8, 3)), atol=2)


UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    # What a viewer does to the stored rows and columns, by the EXIF standard.
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).swapaxes(0, 1),
    8: np.rot90,
}


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_undone(tmp_path: Path, orientation: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(Image.fromarray(COLOURS), tmp_path / f"turned{suffix}", exif=exif)
    np.testing.assert_array_equal(read_rgb(path), UPRIGHT[orientation](COLOURS))


@pytest.mark.parametrize("kind", [2, 7, 11])
@pytest.mark.parametrize("tag", [0x0100, 0x010F, 0x011A])
def test_damaged_exif_does_not_keep_a_picture_from_being_turned(
    tmp_path: Path, tag: int, kind: int
) -> None:
    # Two fields: orientation 6, and one whose type is not that of its tag.
    fields = [struct.pack(">HHIHxx", 0x0112, 3, 1, 6), struct.pack(">HHI4s", tag, kind, 1, b"a")]
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 2) + b"".join(fields) + bytes(4)
    path = saved(Image.fromarray(COLOURS), tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(read_rgb(path), UPRIGHT[6](COLOURS))


def test_a_turned_mask_is_turned_too(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(Image.fromarray(GREY), tmp_path / "mask.png", exif=exif)
    np.testing.assert_array_equal(read_hole(path), np.rot90(GREY > 127, -1))


def text(path: Path) -> None:
    path.write_text("no picture")


def truncated(path: Path) -> None:
    Image.effect_noise((64, 64), 50).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:-700])


def of_floats(path: Path) -> None:
    Image.fromarray(np.ones((2, 2), np.float32)).save(path, "TIFF")


@pytest.mark.parametrize("read", [read_rgb, read_hole])
@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("gone.png", lambda path: None, "no such file"),
        ("folder.png", Path.mkdir, "directory"),
        ("text.png", text, "not a picture"),
        ("empty.png", Path.touch, "not a picture"),
        ("cut.jpg", truncated, "truncated"),
        ("floats.tif", of_floats, "floats has no stated range"),
    ],
)
def test_unreadable_files_are_named_once_with_the_reason(
    tmp_path: Path,
    name: str,
    make: Callable[[Path], object],
    reason: str,
    read: Callable[[Path], np.ndarray],
) -> None:
    path = tmp_path / name
    make(path)
    with pytest.raises(UnreadablePicture, match=reason) as raised:
        read(path)
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    assert message.count(str(path)) == 1
    assert "\n" not in message


def test_the_threshold_of_a_mask_is_half(tmp_path: Path) -> None:
    hole = read_hole(saved(Image.fromarray(GREY), tmp_path / "mask.png"))
    assert hole.tolist() == [[False, False, True], [True, True, True]]


def test_a_16_bit_mask_has_the_same_threshold(tmp_path: Path) -> None:
    deep = Image.fromarray(np.array([[0, 127 * 257, 128 * 257, 65535]], np.uint16))
    hole = read_hole(saved(deep, tmp_path / "mask.png"))
    assert hole.tolist() == [[False, False, True, True]]


def test_a_palette_mask_goes_by_its_colours(tmp_path: Path) -> None:
    palette = Image.fromarray(np.array([[0, 1]], np.uint8))
    palette.putpalette([255, 255, 255, 0, 0, 0])  # index 0 is white
    assert read_hole(saved(palette, tmp_path / "mask.png")).tolist() == [[True, False]]


def test_transparent_parts_of_a_mask_are_known(tmp_path: Path) -> None:
    white = np.full((1, 3, 3), 255, np.uint8)
    mask = with_alpha(white, np.array([[0, 127, 128]], np.uint8))
    assert read_hole(saved(mask, tmp_path / "mask.png")).tolist() == [[False, False, True]]


def test_pictures_are_found_in_all_folders_whatever_the_case_sorted(tmp_path: Path) -> None:
    names = ["b.JPG", "a/z.png", "a/deeper/y.Tiff", "c.webp"]
    for name in [*names, "notes.txt", "a/png", ".png.bak"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    found = [str(path.relative_to(tmp_path)) for path in list_pictures(tmp_path)]
    assert found == ["a/deeper/y.Tiff", "a/z.png", "b.JPG", "c.webp"]


def test_a_folder_without_pictures_is_an_error_that_tells_what_was_looked_for(
    tmp_path: Path,
) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ValueError, match=rf"no pictures in {tmp_path} .*\.png"):
        list_pictures(tmp_path)


@pytest.mark.parametrize("name", ["gone", "file.png"])
def test_a_missing_folder_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.png").touch()
    with pytest.raises(ValueError, match=f"{name} is not a folder"):
        list_pictures(tmp_path / name)


def test_lab_pictures_become_rgb(tmp_path: Path) -> None:
    lab = ImageCms.createProfile("LAB")
    srgb = ImageCms.createProfile("sRGB")
    grey = Image.new("RGB", (2, 2), (119, 119, 119))
    picture = ImageCms.profileToProfile(grey, srgb, lab, outputMode="LAB")
    assert picture is not None
    rgb = read_rgb(saved(picture, tmp_path / "lab.tif"))
    # 3 levels: Lab has 8 bits a channel here.
    np.testing.assert_allclose(rgb, np.full((2, 2, 3), 119), atol=3)


@pytest.mark.parametrize(
    ("before", "short_side", "after"),
    [
        ((12, 17), 12, (12, 17)),
        ((12, 17), 6, (6, 8)),
        ((17, 12), 24, (34, 24)),
        ((1, 100), 3, (3, 300)),
        ((999, 1000), 7, (7, 7)),
    ],
)
def test_scaling_keeps_the_proportions(
    before: tuple[int, int], short_side: int, after: tuple[int, int]
) -> None:
    picture = np.full((*before, 3), 99, np.uint8)
    result = scaled(picture, short_side)
    assert result.shape == (*after, 3)
    assert np.all(result == 99)


def test_shrinking_averages_so_that_no_pattern_appears() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    # 8 levels: a filter of finite width. Without antialiasing this is all black or white.
    np.testing.assert_allclose(scaled(stripes, 16)[:, 2:-2], 127.5, atol=8)


def empty_files(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return [folder / name for name in names]


def test_partners_have_the_same_place_and_stem_whatever_the_suffix(tmp_path: Path) -> None:
    pictures = empty_files(tmp_path / "in", "b.jpg", "a/b.PNG", "a/b.c.png")
    others = empty_files(tmp_path / "out", "b.png", "a/b.jpg", "a/b.c.gif")
    empty_files(tmp_path / "out", "more.png")
    assert partners(pictures, tmp_path / "in", tmp_path / "out", noun="mask") == others


def test_pictures_without_partners_are_counted_and_the_first_named(tmp_path: Path) -> None:
    pictures = empty_files(tmp_path / "in", *(f"{i}.png" for i in range(8)))
    empty_files(tmp_path / "out", "0.png", "a/1.png")
    listed = ", ".join(path.name for path in pictures[1:6])
    whole = f"^{tmp_path / 'out'} has no label for 7 pictures: {listed}, …$"
    with pytest.raises(ValueError, match=whole):
        partners(pictures, tmp_path / "in", tmp_path / "out", noun="label")


def test_two_partners_of_one_stem_are_an_error(tmp_path: Path) -> None:
    pictures = empty_files(tmp_path / "in", "a.png")
    empty_files(tmp_path / "out", "a.jpg", "a.png")
    where = tmp_path / "out"
    with pytest.raises(ValueError, match=rf"two masks of one name in {where}: a\.jpg and a\.png$"):
        partners(pictures, tmp_path / "in", tmp_path / "out", noun="mask")


def test_scaled_holes_are_of_ones_and_zeros() -> None:
    hole = scaled_hole(np.array([[False, True], [True, True]]), 4)
    # As bytes too: another True is -1 where it is read as a number.
    assert hole.view(np.uint8).tolist() == [[0, 0, 1, 1]] * 2 + [[1, 1, 1, 1]] * 2
