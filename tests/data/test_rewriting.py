import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, JpegImagePlugin

from jaxinpaint.data.pictures import UnreadablePicture, read_rgb
from jaxinpaint.data.rewriting import check_writable, write_filled

HEIGHT, WIDTH = 20, 30
NOISE = np.random.default_rng(0)
COLOURS = NOISE.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
ALPHA = NOISE.integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
ALPHA[:4] = 0  # colours under it are known pixels too
SMOOTH = np.dstack(
    [np.linspace(a, b, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) for a, b in ((60, 160), (180, 90))]
    + [np.full((HEIGHT, WIDTH), 120)]
).astype(np.uint8)
FILLED = NOISE.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
FILLED_GREY = np.asarray(Image.fromarray(FILLED).convert("L"))
HOLE = np.zeros((HEIGHT, WIDTH), bool)
HOLE[2:9, 5:12] = True
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def picture(mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(COLOURS[..., 0].astype(np.uint16) * 251 + ALPHA)
    if mode in ("RGBA", "LA"):
        return Image.fromarray(np.dstack([COLOURS, ALPHA])).convert(mode)
    return Image.fromarray(COLOURS).convert(mode)


# What a filled pixel becomes.
REPLACEMENT = {
    "L": FILLED_GREY,
    "LA": np.dstack([FILLED_GREY, np.full_like(FILLED_GREY, 255)]),
    "RGB": FILLED,
    "RGBA": np.dstack([FILLED, np.full_like(FILLED_GREY, 255)]),
    "I;16": FILLED_GREY.astype(np.uint16) * 257,
}


def rewritten(tmp_path: Path, source: Image.Image, suffixes: str, **options: Any) -> Path:
    """The filled file of a source of one suffix in another one, such as ``.png.jpg``."""
    first, second = (f".{suffix}" for suffix in suffixes.split(".")[1:])
    path, target = tmp_path / f"source{first}", tmp_path / f"filled{second}"
    source.save(path, **options)
    write_filled(path, FILLED, HOLE, target)
    return target


@pytest.mark.parametrize("suffixes", [".png.png", ".tif.png", ".tif.tif", ".png.tif"])
@pytest.mark.parametrize("mode", REPLACEMENT)
def test_known_pixels_and_mode_stay_and_the_hole_is_filled(
    tmp_path: Path, mode: str, suffixes: str
) -> None:
    source = picture(mode)
    with Image.open(rewritten(tmp_path, source, suffixes)) as result:
        assert result.mode == mode
        pixels = np.asarray(result)
    np.testing.assert_array_equal(pixels[~HOLE], np.asarray(source)[~HOLE])
    np.testing.assert_array_equal(pixels[HOLE], REPLACEMENT[mode][HOLE])


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_webp_is_lossless_also_where_nothing_is_to_be_seen(tmp_path: Path, mode: str) -> None:
    source = picture(mode)
    with Image.open(rewritten(tmp_path, source, ".png.webp")) as result:
        pixels = np.asarray(result.convert(mode))
    np.testing.assert_array_equal(pixels[~HOLE], np.asarray(source)[~HOLE])
    np.testing.assert_array_equal(pixels[HOLE], REPLACEMENT[mode][HOLE])


def test_a_palette_becomes_rgb(tmp_path: Path) -> None:
    source = picture("P")
    with Image.open(rewritten(tmp_path, source, ".png.png")) as result:
        assert result.mode == "RGB"
        pixels = np.asarray(result)
    np.testing.assert_array_equal(pixels[~HOLE], np.asarray(source.convert("RGB"))[~HOLE])
    np.testing.assert_array_equal(pixels[HOLE], FILLED[HOLE])


@pytest.mark.parametrize(("mode", "becomes"), [("P", "RGBA"), ("RGB", "RGBA"), ("L", "LA")])
def test_a_transparent_colour_becomes_alpha(tmp_path: Path, mode: str, becomes: str) -> None:
    source = picture(mode)
    colour = source.getpixel((0, 0))
    with Image.open(rewritten(tmp_path, source, ".png.png", transparency=colour)) as result:
        assert result.mode == becomes
        alpha = np.asarray(result)[..., -1]
    values = np.asarray(source).reshape(HEIGHT, WIDTH, -1)
    transparent = np.all(values == np.array(colour), axis=-1)
    np.testing.assert_array_equal(alpha == 0, transparent & ~HOLE)


def test_black_and_white_becomes_grey(tmp_path: Path) -> None:
    source = picture("1")
    with Image.open(rewritten(tmp_path, source, ".png.png")) as result:
        assert result.mode == "L"
        pixels = np.asarray(result)
    np.testing.assert_array_equal(pixels[~HOLE], np.asarray(source.convert("L"))[~HOLE])
    np.testing.assert_array_equal(pixels[HOLE], FILLED_GREY[HOLE])


@pytest.mark.parametrize("target", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize("source", ["png", "jpg", "tif", "webp"])
def test_exif_and_profile_stay_and_the_picture_is_upright(
    tmp_path: Path, source: str, target: str
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    exif[0x010F] = "a camera"
    exif[0x8769] = {0x9003: "2020:01:02 03:04:05"}
    stored = Image.fromarray(np.rot90(SMOOTH))
    options = {"exif": exif.tobytes(), "icc_profile": SRGB}
    path = rewritten(tmp_path, stored, f".{source}.{target}", **options)
    with Image.open(path) as result:
        tags = result.getexif()
        assert tags.get(0x0112, 1) == 1
        assert tags[0x010F] == "a camera"
        assert tags.get_ifd(0x8769)[0x9003] == "2020:01:02 03:04:05"
        assert result.info["icc_profile"] == SRGB
    pixels = read_rgb(path)
    assert pixels.shape == SMOOTH.shape
    # 4 levels: what JPEG and lossy WebP sources lose; turned the other way it differs by 50.
    assert np.median(np.abs(pixels[~HOLE].astype(int) - SMOOTH[~HOLE])) < 4


@pytest.mark.parametrize("suffixes", [".png.png", ".jpg.jpg", ".tif.tif", ".jpg.png", ".tif.jpg"])
def test_the_resolution_stays(tmp_path: Path, suffixes: str) -> None:
    path = rewritten(tmp_path, Image.fromarray(SMOOTH), suffixes, dpi=(300, 300))
    with Image.open(path) as result:
        # 0.01: PNG counts in pixels a metre.
        assert result.info["dpi"] == pytest.approx((300, 300), abs=0.01)


def test_no_resolution_is_made_up(tmp_path: Path) -> None:
    with Image.open(rewritten(tmp_path, picture("RGB"), ".tif.png")) as result:
        assert "dpi" not in result.info
        assert "exif" not in result.info


def test_stored_sizes_in_exif_do_not_spoil_a_tiff(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0100], exif[0x0101] = 4000, 3000  # some cameras write width and height
    exif[0x010F] = "a camera"
    path = rewritten(tmp_path, picture("RGB"), ".jpg.tif", exif=exif)
    assert read_rgb(path).shape == COLOURS.shape
    with Image.open(path) as result:
        assert result.getexif()[0x010F] == "a camera"


@pytest.mark.parametrize("mode", ["CMYK", "LAB"])
def test_a_profile_of_other_channels_is_not_kept_for_rgb(tmp_path: Path, mode: str) -> None:
    source = Image.new(mode, (WIDTH, HEIGHT), 77)
    with Image.open(rewritten(tmp_path, source, ".tif.png", icc_profile=SRGB)) as result:
        assert result.mode == "RGB"
        assert "icc_profile" not in result.info


@pytest.mark.parametrize(("quality", "subsampling"), [(35, 2), (80, 0), (92, 1)])
@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "jfif"])
def test_a_jpeg_is_compressed_again_as_it_was(
    tmp_path: Path, suffix: str, quality: int, subsampling: int
) -> None:
    source = Image.fromarray(SMOOTH)
    options = {"quality": quality, "subsampling": subsampling}
    path = rewritten(tmp_path, source, f".jpg.{suffix}", **options)
    with Image.open(tmp_path / "source.jpg") as before, Image.open(path) as after:
        assert isinstance(before, JpegImagePlugin.JpegImageFile)
        assert isinstance(after, JpegImagePlugin.JpegImageFile)
        assert after.quantization == before.quantization
        assert JpegImagePlugin.get_sampling(after) == subsampling


@pytest.mark.parametrize(
    ("mode", "options"),
    [("RGB", {"progressive": True}), ("L", {}), ("CMYK", {"quality": 95, "subsampling": 0})],
)
def test_any_jpeg_can_be_written_again(tmp_path: Path, mode: str, options: dict) -> None:
    source = Image.fromarray(SMOOTH).convert(mode)
    path = rewritten(tmp_path, source, ".jpg.jpg", **options)
    before, after = read_rgb(tmp_path / "source.jpg"), read_rgb(path)
    # 8 levels, far from the fill's edge: compressing twice; the filled noise differs by 60.
    np.testing.assert_allclose(after[:, 20:].astype(int), before[:, 20:], atol=8)
    assert np.abs(after[HOLE].astype(int) - before[HOLE]).mean() > 30


def test_a_lossless_source_becomes_a_good_jpeg(tmp_path: Path) -> None:
    path = rewritten(tmp_path, Image.fromarray(SMOOTH), ".png.jpg")
    # 4 levels: JPEG at quality 95 with full colour, far from the noise in the hole.
    np.testing.assert_allclose(read_rgb(path)[:, 20:].astype(int), SMOOTH[:, 20:], atol=4)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        ("RGBA", ".jpg"),  # no alpha
        ("LA", ".jpg"),
        ("RGBA", ".bmp"),  # Pillow drops the alpha
        ("RGBA", ".ppm"),
        ("I;16", ".jpg"),  # no 16 bits
        ("I;16", ".webp"),  # Pillow clips to 255
        ("RGB", ".gif"),  # 256 colours
        ("RGB", ".ico"),  # of at most 256 pixels, and with an alpha
        ("LA", ".pcx"),
        ("RGB", ".pdf"),
    ],
)
def test_a_format_that_cannot_hold_the_picture_is_refused_and_leaves_nothing(
    tmp_path: Path, mode: str, suffix: str
) -> None:
    source, target = tmp_path / "source.png", tmp_path / "out" / f"filled{suffix}"
    picture(mode).save(source)
    target.parent.mkdir()
    target.write_bytes(b"what was here before")
    with pytest.raises(ValueError, match=rf"{target}: this format does not hold this {mode} "):
        write_filled(source, FILLED, HOLE, target)
    assert os.listdir(target.parent) == [target.name]
    assert target.read_bytes() == b"what was here before"


def test_few_colours_fit_into_a_gif(tmp_path: Path) -> None:
    target = tmp_path / "filled.gif"
    two = np.where(COLOURS[..., :1] > 99, np.uint8(255), np.uint8(7)).repeat(3, axis=-1)
    Image.fromarray(two).save(tmp_path / "source.png")
    write_filled(tmp_path / "source.png", np.full_like(two, 40), HOLE, target)
    np.testing.assert_array_equal(read_rgb(target), np.where(HOLE[..., None], 40, two))


def test_a_save_that_fails_half_way_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "source.png", tmp_path / "out" / "filled.png"
    picture("RGB").save(source)

    def disk_full(self: Image.Image, path: Path, **options: Any) -> None:
        path.write_bytes(b"half a picture")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Image.Image, "save", disk_full)
    with pytest.raises(OSError, match="No space left"):
        write_filled(source, FILLED, HOLE, target)
    assert os.listdir(target.parent) == []


def test_an_existing_file_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "filled.png"
    target.write_bytes(b"what was here before")
    rewritten(tmp_path, picture("RGB"), ".png.png")
    np.testing.assert_array_equal(read_rgb(target)[HOLE], FILLED[HOLE])
    assert sorted(os.listdir(tmp_path)) == ["filled.png", "source.png"]


@pytest.mark.parametrize("name", ["filled.xyz", "filled", "filled.psd"])
def test_a_suffix_that_pillow_does_not_write_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name}: .* is no format to write"):
        check_writable(tmp_path / name)
    picture("RGB").save(tmp_path / "source.png")
    with pytest.raises(ValueError, match=rf"{name}: .* is no format to write"):
        write_filled(tmp_path / "source.png", FILLED, HOLE, tmp_path / name)


@pytest.mark.parametrize("name", ["a.PNG", "a.jpeg", "a.tif", "a.webp", "a.bmp"])
def test_usual_suffixes_can_be_written(name: str) -> None:
    check_writable(Path(name))


def test_an_unreadable_source_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(UnreadablePicture, match="no such file"):
        write_filled(tmp_path / "gone.png", FILLED, HOLE, tmp_path / "filled.png")
    assert os.listdir(tmp_path) == []
