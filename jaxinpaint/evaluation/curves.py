"""Curves of scores against steps, as a picture."""

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jaxinpaint.array_typing import RGB
from jaxinpaint.evaluation.charts import ticks

WIDTH, HEIGHT = 320, 160  # of a plot
LEFT, TOP, GAP = 64, 28, 28  # for what is written around it
INK, GREY, LINE = (40, 40, 40), (225, 225, 225), (0, 114, 178)

Curve = Sequence[tuple[int, float]]  # steps and scores


def curves(of: Mapping[str, Curve]) -> RGB:
    """A plot of each curve, one below the other; what is not finite is left out.

    Args:
        of: steps and scores, by the name of the score.
    """
    size = (LEFT + WIDTH + GAP, len(of) * (TOP + HEIGHT + GAP))
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    pen.font = ImageFont.load_default(size=11)  # type: ignore[assignment]
    for i, (name, curve) in enumerate(of.items()):
        _plot(
            pen,
            name,
            [(step, y) for step, y in curve if np.isfinite(y)],
            top=i * (TOP + HEIGHT + GAP),
        )
    return np.asarray(sheet)


def _plot(pen: ImageDraw.ImageDraw, name: str, curve: Curve, top: int) -> None:
    pen.text((LEFT, top + 8), name, fill=INK)
    if not curve:
        return
    steps, scores = zip(*curve, strict=True)
    horizontal, vertical = ticks(0.0, float(max(*steps, 1))), ticks(min(scores), max(scores), 5)
    low, high = min(*vertical, *scores), max(*vertical, *scores)

    def place(step: float, score: float) -> tuple[float, float]:
        share = (score - low) / ((high - low) or 1)
        return LEFT + WIDTH * step / max(horizontal[-1], *steps, 1), top + TOP + HEIGHT * (
            1 - share
        )

    for score in vertical:
        (x, y), (end, _) = place(0.0, score), place(horizontal[-1], score)
        pen.line((x, y, end, y), fill=GREY)
        pen.text((x - 6, y), f"{score:g}", fill=INK, anchor="rm")
    for step in horizontal:
        x, y = place(step, low)
        pen.line((x, y, x, y + 4), fill=INK)
        pen.text((x, y + 6), f"{step:g}", fill=INK, anchor="ma")
    points = [place(float(step), score) for step, score in curve]
    pen.line(points, fill=LINE, width=2)
    for x, y in points:
        pen.ellipse((x - 2, y - 2, x + 2, y + 2), fill=LINE)
