"""Picture files: whatever the format, RGB bytes come out; files of holes; and which go together."""

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from jaxinpaint.array_typing import RGB, Missing

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})

# What Pillow raises when it writes EXIF with a field whose type is not the one that it should have.
MALFORMED_EXIF = (struct.error, TypeError, AttributeError, ValueError)


class UnreadablePicture(ValueError):
    """A file that is no picture, a broken one, or one that does not fit another."""


def open_upright(path: Path) -> Image.Image:
    """The decoded picture, turned as its EXIF orientation says.

    Raises:
        UnreadablePicture: if the file is missing, no picture, broken, or of floats.
    """
    try:
        with Image.open(path) as opened:
            opened.load()
            image = _upright(opened)
    except FileNotFoundError:
        raise UnreadablePicture(f"{path}: no such file") from None
    except UnidentifiedImageError:
        raise UnreadablePicture(f"{path}: not a picture that Pillow can read") from None
    except OSError as error:
        # The system's own messages would name the path once more.
        raise UnreadablePicture(f"{path}: {error.strerror or error}") from error
    # Pillow's decoders raise all of these for damaged files.
    except (SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise UnreadablePicture(f"{path}: {error}") from error
    if image.mode == "F":
        raise UnreadablePicture(
            f"{path}: a picture of floats has no stated range; save it with 8 or 16 bits"
        )
    return image


def _upright(image: Image.Image) -> Image.Image:
    """The picture turned; an EXIF that Pillow can't write again without its orientation is lost."""
    try:
        return ImageOps.exif_transpose(image)
    except MALFORMED_EXIF:
        bare = image.copy()
        bare.info.pop("exif", None)
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        bare.getexif()[ExifTags.Base.Orientation] = orientation
        return ImageOps.exif_transpose(bare)


def to_rgb(image: Image.Image) -> RGB:
    """RGB bytes of a picture of any mode but floats.

    Grey and palette pictures are expanded, transparent ones laid over white, 16-bit ones scaled to
    8 bits, and others (CMYK, Lab, …) converted as Pillow does.
    """
    if image.mode.startswith("I"):
        grey = grey_to_bytes(np.asarray(image))
        return np.repeat(grey[..., None], 3, axis=-1)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"))


def grey_to_bytes(values: np.ndarray) -> UInt8[np.ndarray, "_ _"]:
    """16-bit grey to 8 bits: 65535 is white. Values beyond are clipped."""
    return np.round(np.clip(values.astype(np.float64), 0, 65535) / 257).astype(np.uint8)


def read_rgb(path: Path) -> RGB:
    """The upright picture of a file as RGB bytes.

    Raises:
        UnreadablePicture: as `open_upright`.
    """
    return to_rgb(open_upright(path))


def read_hole(path: Path) -> Missing:
    """The hole of a mask file: white is missing, the threshold is half; transparent is known.

    Raises:
        UnreadablePicture: as `open_upright`.
    """
    image = open_upright(path)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    return to_rgb(image).mean(axis=-1) >= 127.5


def list_pictures(folder: Path) -> list[Path]:
    """All picture files in a folder and the folders in it, by suffix, sorted by path.

    Raises:
        ValueError: if there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder of pictures")
    paths = sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()
    )
    if not paths:
        raise ValueError(f"no pictures in {folder} (looked for {', '.join(sorted(SUFFIXES))})")
    return paths


def partners(pictures: Sequence[Path], folder: Path, others: Path, *, noun: str) -> list[Path]:
    """The file that goes with each picture: same place and stem in another folder, any suffix.

    Args:
        pictures: files in ``folder`` or the folders in it.
        folder: what their places are told from.
        others: the folder of their partners.
        noun: what messages call a partner, such as "mask".

    Raises:
        ValueError: if pictures have no partner, or two partners have one place and stem.
    """
    by_stem: dict[Path, Path] = {}
    for path in list_pictures(others):
        stem = path.relative_to(others).with_suffix("")
        if stem in by_stem:
            raise ValueError(f"two {noun}s of one name: {by_stem[stem]} and {path}")
        by_stem[stem] = path
    stems = [path.relative_to(folder).with_suffix("") for path in pictures]
    missing = [str(path) for path, stem in zip(pictures, stems, strict=True) if stem not in by_stem]
    if missing:
        listed = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        raise ValueError(f"{others} has no {noun} for {len(missing)} pictures: {listed}")
    return [by_stem[stem] for stem in stems]


def scaled(picture: RGB, short_side: int) -> RGB:
    """The whole picture with its shorter side at a length: bicubic, antialiased when it shrinks."""
    height, width = picture.shape[:2]
    if min(height, width) == short_side:
        return picture
    scale = short_side / min(height, width)
    target = (max(short_side, round(width * scale)), max(short_side, round(height * scale)))
    return np.asarray(Image.fromarray(picture).resize(target, Image.Resampling.BICUBIC))


def middle(picture: RGB, side: int) -> RGB:
    """The square in the middle of a picture."""
    height, width = picture.shape[:2]
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]
