"""What holes are like: how much they take, where, and in how many parts."""

from collections.abc import Iterable
from typing import NamedTuple, cast

import numpy as np
from jaxtyping import Bool, Float, Int
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from jaxinpaint.array_typing import RGB, Missing

BINS = 20  # of the histogram, from nothing to all of the picture
PLOT = 240  # pixels that the histogram is high, and the mean map's longer side long
GAP = 48  # around plots, for what is written there
BAR = 12  # width of the scale beside the mean map
INK, PALE = (40, 40, 40), (120, 150, 200)


class MaskStatistics(NamedTuple):
    """What holes are like.

    Attributes:
        ratios: the share of the picture that each hole takes.
        touches: whether it has a pixel at the picture's border.
        parts: the number of its connected parts; pixels that meet at a corner are connected.
        mean: how often each pixel is missing, as a share.
    """

    ratios: Float[np.ndarray, " n"]
    touches: Bool[np.ndarray, " n"]
    parts: Int[np.ndarray, " n"]
    mean: Float[np.ndarray, "H W"]


def mask_statistics(holes: Iterable[Missing]) -> MaskStatistics:
    """The statistics of holes of one size, which are looked at one after the other.

    Raises:
        ValueError: if there is no hole, or they are not of one size.
    """
    ratios, touches, parts = [], [], []
    total: np.ndarray | None = None
    for hole in holes:
        if total is None:
            total = np.zeros(hole.shape)
        if hole.shape != total.shape:
            raise ValueError(f"holes of {total.shape} and of {hole.shape} can't be averaged")
        total += hole
        ratios.append(hole.mean())
        touches.append(hole[[0, -1]].any() or hole[:, [0, -1]].any())
        parts.append(_parts(hole))
    if total is None:
        raise ValueError("there are no holes to look at")
    return MaskStatistics(np.array(ratios), np.array(touches), np.array(parts), total / len(ratios))


def _parts(hole: Missing) -> int:
    # Its type allows for an argument that makes it give the number alone.
    _, number = cast(tuple[np.ndarray, int], ndimage.label(hole, np.ones((3, 3))))
    return number


def table(statistics: MaskStatistics) -> str:
    """The statistics in a few lines."""
    low, middle, high = np.percentile(statistics.ratios, (5, 50, 95))
    rows = {
        "holes": f"{len(statistics.ratios)}",
        "missing, mean": f"{statistics.ratios.mean():.1%}",
        "missing, 5 / 50 / 95 %": f"{low:.1%} / {middle:.1%} / {high:.1%}",
        "touch the border": f"{statistics.touches.mean():.0%}",
        "connected parts, mean": f"{statistics.parts.mean():.1f}",
    }
    return "\n".join(f"{name:24s}{value}" for name, value in rows.items())


def picture(statistics: MaskStatistics, title: str) -> RGB:
    """The histogram of the ratios, and beside it how often each pixel is missing."""
    height, width = statistics.mean.shape
    scale = PLOT / max(height, width)
    shown = max(1, round(height * scale)), max(1, round(width * scale))
    right = GAP + PLOT + 2 * GAP
    sheet = Image.new("RGB", (right + shown[1] + BAR + 2 * GAP, PLOT + 2 * GAP), "white")
    pen = ImageDraw.Draw(sheet)
    pen.fontmode = "L"
    pen.font = ImageFont.load_default(size=12)
    pen.text((GAP, 6), title, fill=INK)
    _histogram(pen, statistics.ratios)
    _mean_map(sheet, pen, statistics.mean, shown, right)
    return np.asarray(sheet)


def _histogram(pen: ImageDraw.ImageDraw, ratios: Float[np.ndarray, " n"]) -> None:
    counts, _ = np.histogram(ratios, BINS, (0, 1))
    bottom, step = GAP + PLOT, PLOT / BINS
    for i, count in enumerate(counts):
        top = bottom - PLOT * count / counts.max()
        if count:
            pen.rectangle((GAP + i * step, top, GAP + (i + 1) * step - 2, bottom), fill=PALE)
    pen.line((GAP, GAP, GAP, bottom, GAP + PLOT, bottom), fill=INK)
    for percent in range(0, 101, 20):
        x = GAP + PLOT * percent / 100
        pen.line((x, bottom, x, bottom + 4), fill=INK)
        pen.text((x, bottom + 6), f"{percent}", fill=INK, anchor="ma")
    for share, y in ((counts.max() / counts.sum(), GAP), (0, bottom)):
        pen.text((GAP - 4, y), f"{share:.0%}", fill=INK, anchor="rm")
    pen.text((GAP + PLOT / 2, bottom + 24), "missing, % of the picture", fill=INK, anchor="ma")
    pen.text((GAP, GAP - 8), "share of the holes", fill=INK, anchor="lb")


def _mean_map(
    sheet: Image.Image,
    pen: ImageDraw.ImageDraw,
    mean: Float[np.ndarray, "H W"],
    shown: tuple[int, int],
    left: int,
) -> None:
    greatest = mean.max() or 1
    levels = np.round(255 * mean / greatest).astype(np.uint8)
    height, width = shown
    sheet.paste(Image.fromarray(levels).resize((width, height)), (left, GAP))
    scale = np.linspace(255, 0, height).round().astype(np.uint8)
    bar = left + width + BAR
    sheet.paste(Image.fromarray(np.repeat(scale[:, None], BAR, axis=1)), (bar, GAP))
    pen.rectangle((bar, GAP, bar + BAR - 1, GAP + height - 1), outline=INK)
    for share, y in ((greatest, GAP), (0, GAP + height - 1)):
        pen.text((bar + BAR + 4, y), f"{share:.0%}", fill=INK, anchor="lm")
    pen.text((left, GAP - 8), "how often each pixel is missing", fill=INK, anchor="lb")
