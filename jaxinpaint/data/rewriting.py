"""Picture files with some of their pixels replaced, and all else as it was."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image, JpegImagePlugin

from jaxinpaint.data.pictures import open_upright

# What Pillow hands on from one file to the next, in the formats that can hold it.
METADATA = ("exif", "icc_profile", "dpi", "xmp", "comment")


def write_filled(
    source: Path,
    filled: UInt8[np.ndarray, "H W 3"],
    hole: Bool[np.ndarray, "H W"],
    target: Path,
) -> None:
    """Writes the source's picture with the pixels of the hole taken from ``filled``.

    Mode (grey, alpha, 16 bits), EXIF, colour profile and resolution are the source's, upright; the
    format is that of the target's suffix. In lossless formats every known pixel keeps its value;
    JPEG compresses all of them again, with the source's own tables if it is a JPEG too. Palette
    pictures become RGB, since a filled colour may not be in the palette.

    The file appears whole or not at all.

    Raises:
        UnreadablePicture: if the source can't be read.
        ValueError: if the target's suffix is no picture format that Pillow writes.
    """
    image = open_upright(source)
    pasted = _paste(image, filled, hole)
    target.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last: Pillow takes the format from it.
    partial = target.with_name(f".{target.stem}.partial{target.suffix}")
    try:
        pasted.save(partial, **_options(source, image, target))
        partial.replace(target)
    except (KeyError, OSError) as error:
        if isinstance(error, OSError) and "cannot write mode" not in str(error):
            raise
        raise ValueError(f"{target}: this format does not hold {pasted.mode} pictures") from error
    finally:
        partial.unlink(missing_ok=True)


def check_writable(target: Path) -> None:
    """Raises ValueError if Pillow writes no format of that suffix."""
    Image.init()
    if Image.EXTENSION.get(target.suffix.lower()) not in Image.SAVE:
        raise ValueError(f"{target}: {target.suffix or 'no suffix'} is no format to write pictures")


def _paste(
    image: Image.Image, filled: UInt8[np.ndarray, "H W 3"], hole: Bool[np.ndarray, "H W"]
) -> Image.Image:
    match image.mode:
        case "L" | "1":
            image = image.convert("L")
            replacement = np.asarray(Image.fromarray(filled).convert("L"))
        case "LA":
            grey = np.asarray(Image.fromarray(filled).convert("L"))
            replacement = np.stack([grey, np.full_like(grey, 255)], axis=-1)
        case mode if mode.startswith("I"):
            # Every grey level of 8 bits is 257 of 16 bits.
            values = np.asarray(image)
            grey = np.asarray(Image.fromarray(filled).convert("L")).astype(values.dtype) * 257
            return Image.fromarray(np.where(hole, grey, values))
        case _ if image.has_transparency_data:
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


def _options(source: Path, image: Image.Image, target: Path) -> dict[str, Any]:
    options = {name: image.info[name] for name in METADATA if name in image.info}
    if target.suffix.lower() in {".jpg", ".jpeg"}:
        with Image.open(source) as original:
            if isinstance(original, JpegImagePlugin.JpegImageFile):
                tables = original.quantization
                options |= {
                    "qtables": tables,
                    "subsampling": JpegImagePlugin.get_sampling(original),
                }
            else:
                options |= {"quality": 95, "subsampling": 0}
    elif target.suffix.lower() == ".webp":
        options |= {"lossless": True}
    return options
