"""Plots as inline SVG: scores against the share that is missing.

Colours are the page's: an element of the class ``series-3`` has the fourth method's as its
``color``. Coordinates are pixels of the view box, from its upper left corner.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from jaxinpaint.evaluation.bootstrap import Mean
from jaxinpaint.evaluation.report import markup

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 62.0, 10.0, 12.0, 48.0  # margins, which hold the axes' texts
COLOURS = 7
APART = 7  # pixels between the interval bars of two methods
# A method is told by its shape as well as by its colour.
MARKERS = (
    "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",  # a disk
    "M-4 -4h8v8h-8z",  # a square
    "M0 -5.2L5.2 3.9H-5.2z",  # a triangle that stands
    "M0 -5.8L5.8 0L0 5.8L-5.8 0z",  # a diamond
    "M0 5.2L5.2 -3.9H-5.2z",  # a triangle on its head
    "M-1.8 -5.2h3.6v3.4h3.4v3.6h-3.4v3.4h-3.6v-3.4h-3.4v-3.6h3.4z",  # a cross
)


class Bucket(NamedTuple):
    """The mean of the cases of a bucket.

    Attributes:
        share: how much is missing in these cases, in the mean, in %.
        mean: of their scores; ends of the interval that are NaN are not drawn.
        told: what a pointer over it is told.
    """

    share: float
    mean: Mean
    told: str


class Series(NamedTuple):
    """What is plotted of a method.

    Attributes:
        name: of the method.
        points: share in % and score of each case.
        buckets: from the least share on.
    """

    name: str
    points: Sequence[tuple[float, float]]
    buckets: Sequence[Bucket]


class Axis(NamedTuple):
    """Where numbers are.

    Attributes:
        ticks: numbers that are written at the axis; the first and the last are its ends.
        start, end: their pixels.
    """

    ticks: Sequence[float]
    start: float
    end: float

    def place(self, value: float) -> float:
        """The pixel of a number."""
        low, high = self.ticks[0], self.ticks[-1]
        return self.start + (value - low) / (high - low) * (self.end - self.start)


def against_missing(series: Sequence[Series], label: str) -> str:
    """The plot of scores against the missing share, as an SVG element.

    Args:
        series: a method each; they have the points ``(share in %, score)``, all finite.
        label: what the scores are, with their unit.

    Raises:
        ValueError: if there are no points.
    """
    points = [point for one in series for point in one.points]
    if not points:
        raise ValueError("there are no points to plot")
    shares, scores = zip(*points, strict=True)
    across = Axis(ticks(0.0, max(shares)), LEFT, WIDTH - RIGHT)
    up = Axis(ticks(min(scores), max(scores)), HEIGHT - BOTTOM, TOP)
    drawn = [_cases(one, i, across, up) for i, one in enumerate(series)]
    drawn += [_means(one, i, len(series), across, up) for i, one in enumerate(series)]
    told = markup.text(f"{label} against the missing share in %, by method")
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{told}">'
        f"{_frame(across, up, label)}{''.join(drawn)}</svg>"
    )


def swatch(number: int) -> str:
    """The marker of a method, for legends."""
    return (
        f'<svg class="swatch {_colour(number)}" viewBox="-7 -7 14 14" aria-hidden="true">'
        f'<path fill="currentColor" d="{_marker(number)}"/></svg>'
    )


def ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Round numbers, evenly apart, of which the first and the last enclose all that is between.

    Args:
        low, high: what is to be enclosed; a little around it, if they are the same.
        most: about how many there are at most.
    """
    if low == high:
        pad = abs(low) / 10 or 1.0
        low, high = low - pad, high + pad
    rough = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, max(last, first + 1) + 1)]


def _frame(across: Axis, up: Axis, label: str) -> str:
    """Grid, numbers and labels."""
    left, right, floor, ceiling = across.start, across.end, up.start, up.end
    middle = (floor + ceiling) / 2
    parts = []
    for tick, text in zip(up.ticks, _tick_texts(up.ticks), strict=True):
        y = up.place(tick)
        parts.append(f'<path class="grid" d="M{left} {y:.1f}H{right}"/>')
        parts.append(_label(text, left - 8, y, "end"))
    for tick, text in zip(across.ticks, _tick_texts(across.ticks), strict=True):
        x = across.place(tick)
        parts.append(f'<path class="axis" d="M{x:.1f} {floor}v5"/>')
        parts.append(_label(text, x, floor + 16, "middle"))
    parts.append(f'<path class="axis" d="M{left} {floor}H{right}"/>')
    parts.append(_label("missing, %", (left + right) / 2, HEIGHT - 9.0, "middle"))
    turn = f' transform="rotate(-90 14 {middle:.1f})"'
    parts.append(_label(label, 14.0, middle, "middle", turn))
    return "".join(parts)


def _cases(series: Series, number: int, across: Axis, up: Axis) -> str:
    """All cases as one path of dots; those on the same pixel are one."""
    places = [(round(across.place(x)), round(up.place(y))) for x, y in series.points]
    dots = "".join(f"M{x} {y}h0" for x, y in dict.fromkeys(places))
    return f'<path class="cases {_colour(number)}" stroke="currentColor" d="{dots}"/>'


def _means(series: Series, number: int, methods: int, across: Axis, up: Axis) -> str:
    """Means of buckets: a line, intervals, markers. Methods stand a little beside each other."""
    aside = (number - (methods - 1) / 2) * APART
    at = [(across.place(b.share) + aside, b) for b in series.buckets]
    line = "L".join(f"{x:.1f} {up.place(b.mean.mean):.1f}" for x, b in at)
    bars = "".join(_bar(x, up.place(b.mean.low), up.place(b.mean.high)) for x, b in at)
    marks = "".join(_mark(x, up.place(b.mean.mean), number, b.told) for x, b in at)
    paths = f'<path class="line" d="M{line}"/><path class="bars" d="{bars}"/>' if at else ""
    return f'<g class="{_colour(number)}" fill="none" stroke="currentColor">{paths}{marks}</g>'


def _bar(x: float, low: float, high: float) -> str:
    if math.isnan(low) or math.isnan(high):
        return ""
    return f"M{x:.1f} {low:.1f}V{high:.1f}M{x - 3:.1f} {low:.1f}h6M{x - 3:.1f} {high:.1f}h6"


def _mark(x: float, y: float, number: int, told: str) -> str:
    return (
        f'<path class="mark" fill="currentColor" transform="translate({x:.1f} {y:.1f})"'
        f' d="{_marker(number)}"><title>{markup.text(told)}</title></path>'
    )


def _label(text: str, x: float, y: float, anchor: str, more: str = "") -> str:
    # Shifted by hand: not everything that draws SVG knows of dominant-baseline.
    place = f'x="{x:.1f}" y="{y:.1f}" dy=".35em" text-anchor="{anchor}"'
    return f"<text {place}{more}>{markup.text(text)}</text>"


def _tick_texts(values: Iterable[float]) -> list[str]:
    first, second, *_ = values = list(values)
    digits = max(0, -math.floor(math.log10(second - first) + 1e-9))
    return [markup.number(value, digits) for value in values]


def _colour(number: int) -> str:
    return f"series-{number % COLOURS}"


def _marker(number: int) -> str:
    return MARKERS[number % len(MARKERS)]
