"""Outlines of objects, from a folder of binary pictures."""

from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from jaxinpaint.array_typing import Missing
from jaxinpaint.data.pictures import UnreadablePicture, list_pictures, read_hole

MOST = 10_000  # 2 KB each
SIDE = 128  # pixels that the longer side of an outline has here


def read_shapes(folder: Path) -> UInt8[np.ndarray, "K S B"]:
    """The outlines in a folder, as `masks.object_shape` takes them.

    A picture's outline is all that is white in it, cut to its bounding box and scaled until its
    longer side has 128 pixels.

    Raises:
        ValueError: if there is no such folder, no picture in it, or more than 10 000.
        UnreadablePicture: for a file that can't be read, or is all black.
    """
    paths = list_pictures(folder)
    if len(paths) > MOST:
        raise ValueError(
            f"{folder} holds {len(paths)} outlines; {MOST} are the most, for each compiled step "
            "carries them all: put a choice of them into a folder"
        )
    outlines = [_outline(read_hole(path), path) for path in paths]
    return np.packbits(np.stack(outlines), axis=-1)


def _outline(white: Missing, path: Path) -> Bool[np.ndarray, "S S"]:
    if not white.any():
        raise UnreadablePicture(f"{path} shows no object: nothing in it is white")
    rows, columns = (np.flatnonzero(white.any(axis)) for axis in (1, 0))
    box = Image.fromarray(white[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    scale = SIDE / max(box.size)
    width, height = (max(1, round(scale * side)) for side in box.size)
    # All that is touched: else what is thin would vanish.
    resized = np.asarray(box.convert("L").resize((width, height), Image.Resampling.BOX)) > 0
    outline = np.zeros((SIDE, SIDE), bool)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    outline[top : top + height, left : left + width] = resized
    return outline
