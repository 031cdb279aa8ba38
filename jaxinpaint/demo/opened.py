"""A photograph on which holes are painted and filled, in full size; the page sees small views."""

import weakref
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copyfile, rmtree
from tempfile import mkdtemp

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from jaxinpaint.array_typing import RGB, Missing
from jaxinpaint.data.pictures import UnreadablePicture, read_hole_of, read_rgb
from jaxinpaint.data.rewriting import write_filled
from jaxinpaint.evaluation.baselines import Fill

# The long side of what browsers show and are painted on, in pixels.
VIEW = 1024
# How much of a pixel the brush must have covered: its strokes have soft edges.
COVERED = 128
# What is taken: some of the other formats that Pillow reads are programs that other programs run.
FORMATS = frozenset({"BMP", "GIF", "JPEG", "MPO", "PNG", "PPM", "TIFF", "WEBP"})
TINT = np.array((225, 29, 72), np.uint8)


class Folder:
    """A new folder that goes when nobody holds it any more: sessions end without a word."""

    def __init__(self) -> None:
        self.path = Path(mkdtemp(prefix="jaxinpaint-"))
        weakref.finalize(self, rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True)
class Opened:
    """A photograph, and what has become of it.

    Attributes:
        folder: of its own.
        source: the file in it, as it came.
        picture: as it is now.
        filled: all pixels that are no longer the file's.
    """

    folder: Folder
    source: Path
    picture: RGB
    filled: Missing


def open_photo(file: Path, *, most_pixels: int) -> Opened:
    """A photograph from a file, of which a copy is kept.

    Raises:
        UnreadablePicture: for what is no picture, or one of more pixels than may be.
    """
    _check(file, most_pixels)
    picture = read_rgb(file)
    folder = Folder()
    source = Path(copyfile(file, folder.path / file.name))
    return Opened(folder, source, picture, np.zeros(picture.shape[:2], bool))


def _check(file: Path, most: int) -> None:
    """Refuses a picture by what its first bytes say of it; what is none is left to who reads it."""
    try:
        with Image.open(file) as image:
            (width, height), kind = image.size, image.format
    except Image.DecompressionBombError as error:
        raise UnreadablePicture(f"{file}: more pixels than {most / 1e6:g} million") from error
    except (OSError, SyntaxError, ValueError):
        return
    if kind not in FORMATS:
        raise UnreadablePicture(f"{file} is {kind}, which is not taken here; save it as PNG")
    if width * height > most:
        raise UnreadablePicture(
            f"{file} is {width}x{height}: {width * height / 1e6:g} million pixels, and "
            f"{most / 1e6:g} million are the most"
        )


def read_mask(file: Path, photo: Opened, *, most_pixels: int) -> Missing:
    """The hole in a mask file of the photograph's size: white is missing.

    Raises:
        UnreadablePicture: as `open_photo`.
        ValueError: for a mask of another size.
    """
    _check(file, most_pixels)
    return read_hole_of(photo.source, photo.picture, file)


def view(picture: RGB, hole: Missing | None = None) -> RGB:
    """The picture as it is shown: at most `VIEW` pixels long, its hole tinted."""
    if hole is not None:
        picture = np.where(hole[..., None], picture // 2 + TINT // 2, picture)
    shown = Image.fromarray(picture)
    shown.thumbnail((VIEW, VIEW), Image.Resampling.BICUBIC)
    return np.asarray(shown)


def hole_of_strokes(paint: UInt8[np.ndarray, "h w"], photo: Opened) -> Missing:
    """The hole that was painted on a view, in the photograph's size.

    Args:
        paint: how much paint is on each pixel of the view: 0 is none, 255 covers it.
        photo: the photograph that was viewed.

    Raises:
        ValueError: if it was painted on something of another size, as where the editor's own undo
            has taken the photograph away.
    """
    if paint.shape != view(photo.picture).shape[:2]:
        raise ValueError("the photograph is no longer under the paint: open it once more")
    height, width = photo.filled.shape
    covered = Image.fromarray(np.where(paint < COVERED, 0, 255).astype(np.uint8))
    return np.asarray(covered.resize((width, height), Image.Resampling.NEAREST)) > 0


def fill(photo: Opened, hole: Missing, by: Fill) -> Opened:
    """The photograph with a hole filled.

    Raises:
        ValueError: if there is no hole, or nothing else; or as what fills it.
    """
    if not hole.any():
        raise ValueError("there is no hole: paint over what is to go, or open a mask")
    if hole.all():
        raise ValueError("all is hole: something must be known")
    return replace(photo, picture=by(photo.picture, hole), filled=photo.filled | hole)


def save(photo: Opened) -> Path:
    """A PNG of the photograph in full size: what was not filled is as in its file."""
    target = photo.folder.path / f"{photo.source.stem}-filled.png"
    write_filled(photo.source, photo.picture, photo.filled, target)
    return target
