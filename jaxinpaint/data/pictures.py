"""Picture files: whatever the format, RGB bytes come out; files of holes; and which go together."""

import errno
import struct
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from jaxinpaint.array_typing import RGB, Missing

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})

# What Pillow raises when it writes EXIF with a field whose type is not the one that it should have.
MALFORMED_EXIF = (struct.error, TypeError, AttributeError, ValueError)


# What the system says when it is short of something, or a disk is away.
PASSING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.ETIMEDOUT})

# How far the decoder of a JPEG may go ahead of the antialiased scaling that follows: what it leaves
# is at least this many times as large as what is asked for.
REDUCING_GAP = 2


class Encoded(NamedTuple):
    """A picture file that is a record of a dataset."""

    name: str
    content: bytes

    def __str__(self) -> str:
        """What messages call it."""
        return self.name


File: TypeAlias = Path | Encoded


def content_of(file: File) -> bytes:
    """The bytes of a file, as they are stored."""
    return file.content if isinstance(file, Encoded) else file.read_bytes()


class UnreadablePicture(ValueError):
    """A file that is no picture, a broken one, or one that does not fit another."""


def open_upright(path: File, *, short_side: int | None = None) -> Image.Image:
    """The decoded picture, turned as its EXIF orientation says.

    Args:
        path: a file, or a record.
        short_side: what it will be scaled down to, if that is known. JPEGs at least four times as
            large are then decoded at a half, a quarter or an eighth of their size, never at less
            than twice what is asked for.

    Raises:
        UnreadablePicture: if the file is missing, no picture, broken, or of floats.
    """
    try:
        with Image.open(BytesIO(path.content) if isinstance(path, Encoded) else path) as opened:
            if short_side is not None:
                opened.draft(None, (REDUCING_GAP * short_side, REDUCING_GAP * short_side))
            opened.load()
            image = _upright(opened)
    except FileNotFoundError:
        raise UnreadablePicture(f"{path}: no such file") from None
    except UnidentifiedImageError:
        raise UnreadablePicture(f"{path}: not a picture that Pillow can read") from None
    except OSError as error:
        if error.errno in PASSING:
            raise  # says nothing about the file: left out, it would be missing for no reason
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
    """RGB bytes of a picture of any mode but floats; as `in_colours`."""
    return np.asarray(in_colours(image))


def in_colours(image: Image.Image) -> Image.Image:
    """A picture of any mode but floats in RGB.

    Grey and palette pictures are expanded, transparent ones laid over white, 16-bit ones scaled to
    8 bits, and others (CMYK, Lab, …) converted as Pillow does.
    """
    if image.mode.startswith("I"):
        image = Image.fromarray(grey_to_bytes(np.asarray(image)))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def grey_to_bytes(values: np.ndarray) -> UInt8[np.ndarray, "_ _"]:
    """16-bit grey to 8 bits: 65535 is white. Values beyond are clipped."""
    return np.round(np.clip(values.astype(np.float64), 0, 65535) / 257).astype(np.uint8)


def read_rgb(path: File) -> RGB:
    """The upright picture of a file as RGB bytes.

    Raises:
        UnreadablePicture: as `open_upright`.
    """
    return to_rgb(open_upright(path))


def read_hole(path: File) -> Missing:
    """The hole of a mask file: white is missing, the threshold is half; transparent is known.

    Raises:
        UnreadablePicture: as `open_upright`.
    """
    image = open_upright(path)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    return to_rgb(image).mean(axis=-1) >= 127.5


def read_hole_of(picture: File, photo: RGB, mask: File) -> Missing:
    """The hole of a picture, from a mask file of its size; as `read_hole`.

    Args:
        picture: the picture's file, for messages.
        photo: what was read from it.
        mask: the mask's file.

    Raises:
        UnreadablePicture: as `open_upright`.
        ValueError: if the mask has another size, or leaves nothing known.
    """
    hole = read_hole(mask)
    if hole.shape != photo.shape[:2]:
        sizes = [f"{shape[1]}x{shape[0]}" for shape in (hole.shape, photo.shape)]
        raise ValueError(f"{mask} is {sizes[0]}, but {picture} is {sizes[1]}")
    if hole.all():
        raise ValueError(f"{mask} is all hole: white is missing, so nothing would be known")
    return hole


def list_pictures(folder: Path) -> list[Path]:
    """All picture files in a folder and the folders in it, by suffix, sorted by path.

    Hidden ones are left out: what other programs keep beside pictures, or have not finished.

    Raises:
        ValueError: if there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder of pictures")
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file() and not _is_hidden(path, folder)
    )
    if not paths:
        raise ValueError(f"no pictures in {folder} (looked for {', '.join(sorted(SUFFIXES))})")
    return paths


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def partners(pictures: Sequence[Path], folder: Path, others: Path, *, noun: str) -> list[Path]:
    """The file that goes with each picture: same place and stem in another folder, any suffix.

    Args:
        pictures: files in ``folder`` or the folders in it.
        folder: what their places are told from.
        others: the folder of their partners.
        noun: what messages call a partner, such as "mask".

    Raises:
        ValueError: as `matches`, or if there is no folder of partners.
    """
    found = list_pictures(others)
    places, other_places = (
        [path.relative_to(root) for path in paths]
        for paths, root in ((pictures, folder), (found, others))
    )
    return [found[i] for i in matches(places, other_places, where=str(others), noun=noun)]


def matches(places: Sequence[Path], others: Sequence[Path], *, where: str, noun: str) -> list[int]:
    """The number of the partner of each picture: that of its place and stem, whatever its suffix.

    Args:
        places: of pictures, in their folder.
        others: places of what may be their partners, in theirs.
        where: what messages call that folder.
        noun: what they call a partner, such as "mask".

    Raises:
        ValueError: if pictures have no partner, or two partners have one place and stem.
    """
    by_stem: dict[Path, int] = {}
    for number, place in enumerate(others):
        stem = place.with_suffix("")
        if stem in by_stem:
            raise ValueError(
                f"two {noun}s of one name in {where}: {others[by_stem[stem]]} and {place}"
            )
        by_stem[stem] = number
    missing = [str(place) for place in places if place.with_suffix("") not in by_stem]
    if missing:
        listed = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        raise ValueError(f"{where} has no {noun} for {len(missing)} pictures: {listed}")
    return [by_stem[place.with_suffix("")] for place in places]


def scaled(picture: RGB, short_side: int) -> RGB:
    """The whole picture with its shorter side at a length: bicubic, antialiased when it shrinks."""
    height, width = picture.shape[:2]
    if min(height, width) == short_side:
        return picture
    height, width = scaled_size(height, width, short_side)
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))


def scaled_hole(hole: Missing, short_side: int) -> Missing:
    """The same of its hole: the nearest pixel's."""
    height, width = scaled_size(hole.shape[0], hole.shape[1], short_side)
    scaled = Image.fromarray(hole).resize((width, height), Image.Resampling.NEAREST)
    return np.asarray(scaled).view(np.uint8) > 0  # Pillow's True is 255, which is -1 to XLA


def scaled_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Height and width of a picture whose shorter side is scaled to a length."""
    scale = short_side / min(height, width)
    return max(short_side, round(height * scale)), max(short_side, round(width * scale))


def middle(picture: RGB | Missing, side: int) -> RGB | Missing:
    """The square in the middle of a picture or a hole."""
    height, width = picture.shape[:2]
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]
