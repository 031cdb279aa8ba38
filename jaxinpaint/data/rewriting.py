"""Picture files out: with some pixels of another replaced and all else as it was; and new ones."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, JpegImagePlugin, UnidentifiedImageError

from jaxinpaint.array_typing import RGB, Missing
from jaxinpaint.data.pictures import MALFORMED_EXIF, open_upright
from jaxinpaint.whole_files import replaced

# What Pillow hands on from one file to the next, in the formats that can hold it.
METADATA = ("exif", "icc_profile", "dpi", "xmp", "comment")

# In a TIFF file these stand among the tags that say how its pixels are stored.
DESCRIPTIVE = (
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
)


def write_filled(
    source: Path,
    filled: RGB,
    hole: Missing,
    target: Path,
) -> None:
    """Writes the source's picture with the pixels of the hole taken from ``filled``.

    Mode (grey, alpha, 16 bits of grey), EXIF, colour profile and resolution are the source's,
    upright; the format is that of the target's suffix. Every known pixel keeps its value, and a
    format that would change any is refused, but for JPEG: it compresses all of them again, with the
    source's own tables if it is a JPEG too. Palette pictures become RGB, since a filled colour may
    not be in the palette; CMYK and Lab ones do too, without their profile; black and white becomes
    grey. Of a file with several frames the first is written.

    The file appears whole or not at all.

    Raises:
        UnreadablePicture: if the source can't be read.
        ValueError: if the target's suffix is no picture format that Pillow writes, or one that
            can't hold this picture.
    """
    check_writable(target)
    image = open_upright(source)
    pasted = _paste(image, filled, hole)
    _save(pasted, target, _options(source, image, pasted.mode, target))


def write_new(picture: RGB, target: Path) -> None:
    """Writes a picture that comes from no file: its pixels, and nothing else.

    The format is that of the target's suffix; one that would change any pixel is refused, but for
    JPEG. The file appears whole or not at all.

    Raises:
        ValueError: if the target's suffix is no picture format that Pillow writes, or one that
            can't hold this picture.
    """
    check_writable(target)
    _save(Image.fromarray(picture), target, _settings(target))


def check_writable(target: Path) -> None:
    """Raises ValueError if Pillow writes no format of that suffix."""
    if _format(target) not in Image.SAVE:
        raise ValueError(f"{target}: {target.suffix or 'no suffix'} is no format to write pictures")


def _format(target: Path) -> str | None:
    """Pillow's name of the format that it writes to such a file."""
    return Image.registered_extensions().get(target.suffix.lower())


def _is_jpeg(target: Path) -> bool:
    return _format(target) == "JPEG"


def _save(picture: Image.Image, target: Path, options: dict[str, Any]) -> None:
    """Saves a picture, whole or not at all, into a folder that is made if need be."""
    with replaced(target) as unfinished:
        if problem := _problem_saving(picture, unfinished, options):
            raise ValueError(
                f"{target}: this format does not hold this {picture.mode} picture as it is "
                f"({problem}); take .png or .tif"
            )


def _problem_saving(picture: Image.Image, path: Path, options: dict[str, Any]) -> str | None:
    """Saves a picture, and says why the file does not hold it if it does not.

    Pillow drops alpha or bits, takes fewer colours, and compresses with loss without a word. So the
    file is read again: of all formats only JPEG may change pixels.
    """
    try:
        picture.save(path, **options)
        if _is_jpeg(path):
            return None
        with Image.open(path) as saved:
            same = np.array_equal(np.asarray(saved.convert(picture.mode)), np.asarray(picture))
        return None if same else "pixels would change"
    except UnidentifiedImageError:
        return "Pillow does not read such files"
    except (KeyError, OverflowError, *MALFORMED_EXIF) as error:
        return str(error)
    except OSError as error:
        if "cannot write mode" in str(error):
            return str(error)
        raise


def _paste(image: Image.Image, filled: RGB, hole: Missing) -> Image.Image:
    transparent = image.has_transparency_data
    match image.mode:
        case "L" | "1" if not transparent:
            image = image.convert("L")
            replacement = np.asarray(Image.fromarray(filled).convert("L"))
        case "L" | "1" | "LA":
            image = image.convert("LA")
            grey = np.asarray(Image.fromarray(filled).convert("L"))
            replacement = np.stack([grey, np.full_like(grey, 255)], axis=-1)
        case mode if mode.startswith("I"):
            # Every grey level of 8 bits is 257 of 16 bits.
            values = np.asarray(image)
            grey = np.asarray(Image.fromarray(filled).convert("L")).astype(values.dtype) * 257
            return Image.fromarray(np.where(hole, grey, values))
        case _ if transparent:
            image = image.convert("RGBA")
            opaque = np.full((*filled.shape[:2], 1), 255, np.uint8)
            replacement = np.concatenate([filled, opaque], axis=-1)
        case _:
            image = image.convert("RGB")
            replacement = filled
    pixels = np.asarray(image)
    return Image.fromarray(
        np.where(hole.reshape(hole.shape + (1,) * (pixels.ndim - 2)), replacement, pixels)
    )


def _options(source: Path, image: Image.Image, mode: str, target: Path) -> dict[str, Any]:
    """What to save a picture of a mode with: the source's metadata, and the format's settings."""
    options = {name: image.info[name] for name in METADATA if name in image.info}
    if options.get("dpi") == (1, 1):
        del options["dpi"]  # what Pillow says of a TIFF that states none
    if image.mode in ("CMYK", "LAB"):
        options.pop("icc_profile", None)  # the pixels are RGB now
    with Image.open(source) as original:
        if "TIFF" in (original.format, _format(target)):
            options.pop("exif", None)
            options |= _descriptive(original.getexif())
        a_jpeg = isinstance(original, JpegImagePlugin.JpegImageFile)
        if a_jpeg and original.mode == mode and _is_jpeg(target):
            sampling = JpegImagePlugin.get_sampling(original)
            return options | {"qtables": original.quantization, "subsampling": sampling}
    return options | _settings(target)


def _settings(target: Path) -> dict[str, Any]:
    """A format's settings: those that keep all pixels as they are, or nearly so in a JPEG."""
    match _format(target):
        case "JPEG":
            return {"quality": 95, "subsampling": 0}
        case "WEBP":
            return {"lossless": True, "exact": True}  # exact: also where alpha is 0
        case _:
            return {}


def _descriptive(tags: Image.Exif) -> dict[str, bytes]:
    """The EXIF that does not say how pixels are stored; empty if there is none or it is damaged."""
    exif = Image.Exif()
    exif.update({tag: tags[tag] for tag in DESCRIPTIVE if tag in tags})
    for part in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        if values := tags.get_ifd(part):
            exif[part] = dict(values)
    try:
        return {"exif": exif.tobytes()} if exif else {}
    except MALFORMED_EXIF:
        return {}
