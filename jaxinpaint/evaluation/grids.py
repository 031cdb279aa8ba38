"""Pictures side by side, under headings."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jaxinpaint.array_typing import RGB, Missing

GAP = 4
HEADING = 18


def grid(rows: Sequence[Sequence[RGB]], headings: Sequence[str], *, width: int = 240) -> RGB:
    """A table of pictures on white: each is scaled to a width, each row is as high as its pictures.

    Args:
        rows: pictures, as many a row as there are headings, those of a row of one size.
        headings: one a column.
        width: of a column in pixels.

    Raises:
        ValueError: if a row has not one picture a heading.
    """
    scaled = [[_scaled(picture, width) for picture in row] for row in rows]
    if any(len(row) != len(headings) for row in scaled):
        raise ValueError(f"every row needs {len(headings)} pictures, as many as headings")
    height = HEADING + sum(row[0].height + GAP for row in scaled)
    sheet = Image.new("RGB", (len(headings) * (width + GAP) - GAP, height), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=12)
    for column, heading in enumerate(headings):
        draw.text((column * (width + GAP) + 2, 2), heading, fill="black", font=font)
    top = HEADING
    for row in scaled:
        for column, picture in enumerate(row):
            sheet.paste(picture, (column * (width + GAP), top))
        top += row[0].height + GAP
    return np.asarray(sheet)


def holed(photo: RGB, hole: Missing) -> RGB:
    """The photo with its missing pixels in grey."""
    return np.where(hole[..., None], np.uint8(128), photo)


def _scaled(picture: RGB, width: int) -> Image.Image:
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    return Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)
