"""Squares of a picture, for networks that take squares of one size: planned, cut out, resized."""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

from jaxinpaint.array_typing import Missing
from jaxinpaint.recipes.base import Window

# Where regions start and where they stop, each as row and column. A region is a part of the hole
# that hangs together, by corners too.
Box: TypeAlias = Int[np.ndarray, "2 2"]
Boxes: TypeAlias = Int[np.ndarray, "_ 2 2"]

ENLARGED = 4  # times at most, so that a small hole is filled from what is near it
REACH = 2  # pixels of the coarser picture to each side that a bicubic interpolation looks at


class Square(NamedTuple):
    """A square of a picture; a part of it may lie beyond the picture's border."""

    top: int
    left: int
    size: int


class Patch(NamedTuple):
    """A square, and what is filled of the hole in the part of it that is in the picture."""

    square: Square
    filled: Missing


def plan(hole: Missing, window: Window) -> list[Patch]:
    """The squares of a picture that are filled one after another, until nothing is missing.

    No square is larger than the picture's shorter side.

    Without a margin there is a square around each region, twice as long as it and at least as long
    as the window, smaller ones first.
    Regions that lie in it as a whole are filled too. A region that doesn't fit, or leaves less than
    half of the square, is filled part by part, beginning beside what is known.

    With a margin there is the smallest square around each region that has it in the middle, where
    the network paints, down to a quarter of the window; it reaches beyond the border if it must.
    Nothing else may be missing in it: regions that are alone in their squares are filled first, and
    then are known to the others. Where none is alone, each becomes one with those in its square.

    Raises:
        ValueError: with a margin, for a region that touches the border or is too large.
    """
    if not hole.any():
        return []
    return _plan_middles(hole, window) if window.margin else _plan_anywhere(hole, window.side)


def inside(square: Square, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The part of a picture of this shape that a square covers."""
    rows, columns = (
        slice(max(start, 0), min(start + square.size, length))
        for start, length in zip((square.top, square.left), shape, strict=True)
    )
    return rows, columns


def mirrored(
    square: Square, missing: Missing
) -> tuple[Int[np.ndarray, "s 1"], Int[np.ndarray, "1 s"]]:
    """The row and the column of the picture that each pixel of a square shows, as an index.

    Beyond the border it shows what is between the border and the missing pixels, to and fro.
    """
    rows, columns = inside(square, missing.shape)
    of_rows = _mirrored(square.top, square.size, np.any(missing[:, columns], axis=1))
    of_columns = _mirrored(square.left, square.size, np.any(missing[rows], axis=0))
    return of_rows[:, None], of_columns[None]


def resized(picture: Float[np.ndarray, "s s C"], side: int) -> Float[np.ndarray, "_ _ C"]:
    """A square picture in [0, 1] at another size, bicubic and antialiased; at its own, itself."""
    weights = _bicubic(len(picture), side)
    return np.clip(np.einsum("ys,xt,stc->yxc", weights, weights, picture, optimize=True), 0, 1)


def resized_hole(hole: Bool[np.ndarray, "s s"], side: int) -> Missing:
    """The hole of a `resized` picture: each pixel that a missing one has gone into."""
    reached = (_bicubic(len(hole), side) != 0).astype(np.float32)
    return reached @ hole.astype(np.float32) @ reached.T > 0


def _plan_middles(hole: Missing, window: Window) -> list[Patch]:
    boxes, missing, planned = _boxes(_regions(hole)), hole.copy(), []
    while len(boxes):
        squares = [_square_around(box, hole.shape, window) for box in boxes]
        alone = np.array([_in_square(square, boxes).sum() == 1 for square in squares])
        for i in np.flatnonzero(alone):
            part = inside(squares[i], hole.shape)
            planned.append(Patch(squares[i], missing[part].copy()))
            missing[part] = False
        boxes = boxes[~alone] if alone.any() else _joined(boxes, squares)
    return planned


def _square_around(box: Box, shape: tuple[int, ...], window: Window) -> Square:
    """The smallest square with a region in its middle.

    Raises:
        ValueError: if there is none.
    """
    start, stop = box
    height, width = shape
    shorter = min(shape)
    sizes = np.arange(min(window.side // ENLARGED, shorter), shorter + 1)
    margins = _margins(sizes, window)
    room = sizes - 2 * margins
    fits = room >= max(stop - start)
    touches = np.any(start == 0) or np.any(stop == shape)
    if touches or not fits.any():
        rows, columns = stop - start
        raise ValueError(
            f"this network paints the middle of a square: in this {width}x{height} picture it "
            "fills holes that keep off the border and fit, with those beside them, into a square "
            f"of {max(0, room.max())} pixels; one "
            + ("touches the border" if touches else f"spans {columns}x{rows}")
        )
    size, margin = int(sizes[fits][0]), margins[fits][0]
    corner = _centred(start, stop, size, shape)
    top, left = np.clip(corner, stop + margin - size, start - margin)
    return Square(int(top), int(left), size)


def _margins(sizes: Int[np.ndarray, " n"], window: Window) -> Int[np.ndarray, " n"]:
    """How far off the border holes must be in squares that are to be resized to the window.

    So far that no missing pixel goes into one that the network sees.
    """
    scale = sizes / window.side
    slack = np.where(scale == 1, 0, REACH * np.maximum(scale, 1))
    return np.ceil(window.margin * scale + slack).astype(int)


def _joined(boxes: Boxes, squares: Sequence[Square]) -> Boxes:
    """Each region together with those in its square."""
    joined, left = [], np.full(len(boxes), True)
    for i, square in enumerate(squares):
        if left[i]:
            group = left & _in_square(square, boxes)
            joined.append([boxes[group, 0].min(axis=0), boxes[group, 1].max(axis=0)])
            left &= ~group
    return np.array(joined)


def _in_square(square: Square, boxes: Boxes) -> Bool[np.ndarray, " _"]:
    """Which regions lie in a square, at least in part."""
    corner = np.array([square.top, square.left])
    return np.all((boxes[:, 0] < corner + square.size) & (boxes[:, 1] > corner), axis=1)


def _plan_anywhere(hole: Missing, side: int) -> list[Patch]:
    regions = _regions(hole)
    boxes, missing, planned = _boxes(regions), hole.copy(), []
    for i in np.argsort(np.max(boxes[:, 1] - boxes[:, 0], axis=1), kind="stable"):
        (top, left), (bottom, right) = boxes[i]
        points = np.argwhere(regions[top:bottom, left:right] == i + 1) + boxes[i, 0]
        while len(points := points[missing[*points.T]]):
            square = _square_for(points, missing, side)
            part = inside(square, hole.shape)
            corner = np.array([square.top, square.left])
            meant = np.all((boxes[:, 0] >= corner) & (boxes[:, 1] <= corner + square.size), axis=1)
            meant[i] = True
            filled = missing[part] & meant[regions[part] - 1]
            planned.append(Patch(square, filled))
            missing[part] &= ~filled
    return planned


def _square_for(points: Int[np.ndarray, "n 2"], missing: Missing, side: int) -> Square:
    """The square that fills a region, or as much of it as leaves half of the square known.

    Args:
        points: row and column of each pixel of the region.
        missing: these and all others that are missing.
        side: of the network's window.
    """
    start, stop = points.min(axis=0), points.max(axis=0) + 1
    longer, shorter = int(max(stop - start)), min(missing.shape)
    size = min(max(2 * longer, side), shorter)
    if longer <= size and 2 * len(points) <= size**2:
        top, left = _centred(start, stop, size, missing.shape)
        return Square(int(top), int(left), size)
    # Only a square of the picture's shorter side is that small: it moves along the longer one.
    axis = int(np.argmax(missing.shape))
    wanted = np.bincount(points[:, axis], minlength=missing.shape[axis])
    in_square = np.ones(size, int)
    filled = np.convolve(wanted, in_square, "valid")
    known = size**2 - np.convolve(missing.sum(axis=1 - axis), in_square, "valid")
    place = int(np.argmax(np.where(filled > 0, np.minimum(filled, known), -1)))
    return Square(place, 0, size) if axis == 0 else Square(0, place, size)


def _regions(hole: Missing) -> Int[np.ndarray, "H W"]:
    """By pixel the number of its region, from 1 on; 0 is known."""
    regions = np.empty(hole.shape, np.int32)
    ndimage.label(hole, structure=np.ones((3, 3)), output=regions)
    return regions


def _boxes(regions: Int[np.ndarray, "H W"]) -> Boxes:
    boxes = ndimage.find_objects(regions)
    return np.array([[[s.start for s in box], [s.stop for s in box]] for box in boxes])


def _centred(
    start: Int[np.ndarray, "2"], stop: Int[np.ndarray, "2"], size: int, shape: tuple[int, ...]
) -> Int[np.ndarray, "2"]:
    """The corner of the square around something, moved so that it lies in the picture."""
    return np.clip((start + stop - size) // 2, 0, np.subtract(shape, size))


def _mirrored(start: int, size: int, missing: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " s"]:
    """The rows of the picture that a square's rows show, or the columns."""
    before, after = max(0, -start), max(0, start + size - len(missing))
    first, last = np.flatnonzero(missing)[[0, -1]]
    rows = np.arange(len(missing))
    shown = [
        np.pad(rows[:first], (before, 0), "symmetric"),
        rows[first : last + 1],
        np.pad(rows[last + 1 :], (0, after), "symmetric"),
    ]
    return np.concatenate(shown)[start + before :][:size]


def _bicubic(source: int, target: int) -> Float[np.ndarray, "{target} {source}"]:
    """How much each of the target's pixels takes of each of the source's."""
    scale = source / target
    centres = (np.arange(target)[:, None] + 0.5) * scale - 0.5
    x = np.abs(np.arange(source) - centres) / max(scale, 1)
    near, far = ((1.5 * x - 2.5) * x) * x + 1, ((2.5 - 0.5 * x) * x - 4) * x + 2
    weights = np.where(x < 1, near, np.where(x < REACH, far, 0))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
