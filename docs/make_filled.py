"""Draws a hole, and filled.png: a photograph that comes along with it, and filled by the network.

python docs/make_filled.py
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import jaxinpaint
from jaxinpaint.array_typing import RGB, Missing
from jaxinpaint.data.pictures import read_rgb
from jaxinpaint.inpainter import Inpainter

HERE = Path(__file__).parent
PHOTO = Path(jaxinpaint.__file__).parent / "data" / "photographs" / "held_out" / "chelsea.png"
PICTURE = HERE / "pictures" / "filled.png"
HOLE = HERE.parent / "examples" / "hole.png"
GAP = 6
WHITE = 255


def scratched(height: int, width: int) -> Missing:
    """Strokes and a blot, at places that are shares of the sides."""
    hole = Image.new("1", (width, height))
    draw = ImageDraw.Draw(hole)
    stroke = height // 22
    for line in ([(0.05, 0.1), (0.45, 0.5), (0.75, 0.2)], [(0.6, 0.95), (0.95, 0.55)]):
        draw.line([(x * width, y * height) for x, y in line], fill=1, width=stroke)
    center, radius = (0.28 * width, 0.75 * height), 2 * stroke
    draw.ellipse([c + side * radius for side in (-1, 1) for c in center], fill=1)
    return np.array(hole)


def drawn(inpainter: Inpainter, photo: RGB) -> RGB:
    """The photograph with a hole, filled, and as it was."""
    hole = scratched(*photo.shape[:2])
    holed = np.where(hole[..., None], np.uint8(WHITE), photo)
    gap = np.full((photo.shape[0], GAP, 3), WHITE, np.uint8)
    return np.concatenate([holed, gap, inpainter(photo, hole), gap, photo], axis=1)


if __name__ == "__main__":
    photo = read_rgb(PHOTO)
    Image.fromarray(scratched(*photo.shape[:2])).save(HOLE, optimize=True)
    Image.fromarray(drawn(jaxinpaint.load(), photo)).save(PICTURE, optimize=True)
