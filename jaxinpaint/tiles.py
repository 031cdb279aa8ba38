"""Pictures filled tile by tile, where they are too large to be filled at once."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float, Int

from jaxinpaint.array_typing import Missing

RAMP = 4  # a side of a tile is this many times as long as a tile takes to come in
SHIFT = 8  # and as the way from a tile to the next one that is thought of

# ``(picture [h, w, 3] in [0, 1], what is unknown in it [h, w]) -> picture [h, w, 3] in [0, 1]``
Paint: TypeAlias = Callable[[np.ndarray, np.ndarray], np.ndarray]
Photo: TypeAlias = Float[np.ndarray, "H W 3"]


class Tile(NamedTuple):
    """A part of a picture."""

    rows: slice
    columns: slice


def fill_by_tiles(photo: Photo, hole: Missing, paint: Paint, *, side: int, of: int = 1) -> Photo:
    """The photo with its hole filled by tiles that overlap, one after the other.

    A tile is a square, or as much of one as the picture has there. The next one always is where
    most is both to be filled and known, so that a hole is filled from its rim inwards, and no tile
    is without a hole. What tiles have filled before is known to those after.

    A tile comes in over a quarter of its side, but for the picture's border. With w its weight
    there, from 0 to 1, and s the sum of those before, a pixel of the hole becomes ::

        (s · earlier + min(w, 1 - s) · painted) / (s + min(w, 1 - s))

    so that nothing jumps at any tile's edge, and what has come in as a whole stays: s is at most 1.
    Pixels with s below a half are unknown to later tiles.

    Args:
        photo: in [0, 1].
        hole: its missing pixels; the photo's values there play no part.
        paint: paints a tile. It is given zeros where the tile is unknown.
        side: of the tiles, a multiple of ``of`` and at least twice that; at least 8.
        of: what a network needs sides to be multiples of. Tiles begin at such multiples, so that
            in a tile it sees the same as in the whole picture, as far as the tile goes.

    Returns:
        a new picture, the same outside the hole.
    """
    filled = photo.astype(np.float32)
    filled[hole] = 0
    total = np.zeros(hole.shape, np.float32)
    unknown = hole.copy()
    while unknown.any():
        tile = next_tile(unknown, side, of)
        missing, before, part = unknown[tile], total[tile], filled[tile]
        painted = paint(np.where(missing[..., None], np.float32(0), part), missing)
        share = np.minimum(weight(tile, hole.shape), 1 - before) * hole[tile]
        ratio = np.divide(share, before + share, out=np.zeros_like(share), where=share > 0)
        part += ratio[..., None] * (painted - part)  # in place: all three are views
        before += share
        missing &= before < 0.5
    return filled


def next_tile(unknown: Missing, side: int, of: int = 1) -> Tile:
    """The tile that a picture is filled with next.

    Args:
        unknown: what is left to fill, somewhere.
        side, of: as `fill_by_tiles`.
    """
    rows, columns = (_places(length, side, of) for length in unknown.shape)
    sums = _Sums(unknown, rows, columns)
    known = np.outer(rows.length, columns.length) - sums.within(rows.whole, columns.whole)
    wanted = sums.within(rows.core, columns.core)
    # Of several the one that has what it fills in its middle.
    middle = sums.within(rows.middle, columns.middle) / (side**2 + 1)
    best = np.argmax(np.where(wanted > 0, np.minimum(wanted, known) + middle, -1))
    row, column = np.unravel_index(best, wanted.shape)
    return Tile(slice(*rows.whole[:, row]), slice(*columns.whole[:, column]))


def weight(tile: Tile, shape: tuple[int, ...]) -> Float[np.ndarray, "h w"]:
    """How much of a tile comes in: 1 in its middle, 0 at edges that are not the picture's."""
    down, across = (_rise(part, length) for part, length in zip(tile, shape, strict=True))
    return np.minimum(down[:, None], across)


def around(hole: Missing, side: int, of: int = 1) -> Tile:
    """The part of a picture that tiles of a hole may reach; ``side`` and ``of`` as of these."""
    parts = []
    for axis, length in enumerate(hole.shape):
        first, last = np.flatnonzero(hole.any(axis=1 - axis))[[0, -1]]
        start, stop = (first - side) // of * of, -(-(last + 1 + side) // of) * of
        parts.append(slice(max(0, start), min(length, stop)))
    return Tile(*parts)


class _Places(NamedTuple):
    """Where tiles may be along an axis, as starts and stops.

    Attributes:
        whole: of the tiles.
        core: of what has at least half of its weight.
        middle: of what is nearer to a tile's middle than to its edges.
    """

    whole: Int[np.ndarray, "2 n"]
    core: Int[np.ndarray, "2 n"]
    middle: Int[np.ndarray, "2 n"]

    @property
    def length(self) -> Int[np.ndarray, " n"]:
        """Of the tiles."""
        return self.whole[1] - self.whole[0]


def _places(length: int, side: int, of: int) -> _Places:
    """Where tiles may be: the last one ends with the picture, and may be shorter for that."""
    last = -(-max(0, length - side) // of) * of
    step = max(of, side // SHIFT // of * of)
    starts = np.unique(np.minimum(np.arange(0, last + step, step), last))
    whole = np.stack([starts, np.minimum(starts + side, length)])
    inwards = np.array([[1], [-1]])
    off_border = np.stack([whole[0] > 0, whole[1] < length])
    core = whole + inwards * off_border * -(-side // (2 * RAMP))
    return _Places(whole, core, whole + inwards * ((whole[1] - whole[0]) // 4))


class _Sums:
    """How many pixels there are in rectangles, counted once between all of their edges."""

    def __init__(self, pixels: Missing, rows: _Places, columns: _Places) -> None:
        self._edges = [
            np.unique([0, length, *np.ravel(places)])
            for places, length in zip((rows, columns), pixels.shape, strict=True)
        ]
        counts = pixels.astype(np.uint8)
        for axis, edges in enumerate(self._edges):
            counts = np.add.reduceat(counts, edges[:-1], axis, np.int32)
        # Above and to the left of each pair of edges.
        self._before = np.pad(counts.cumsum(0).cumsum(1), ((1, 0), (1, 0)))

    def within(
        self, rows: Int[np.ndarray, "2 n"], columns: Int[np.ndarray, "2 m"]
    ) -> Int[np.ndarray, "n m"]:
        """Of all rectangles with these starts and stops."""
        (top, bottom), (left, right) = (
            np.searchsorted(edges, places)
            for edges, places in zip(self._edges, (rows, columns), strict=True)
        )
        of = self._before
        return (of[bottom][:, right] - of[top][:, right]) - (of[bottom][:, left] - of[top][:, left])


def _rise(part: slice, length: int) -> Float[np.ndarray, " n"]:
    """The weight along an axis."""
    pixels = np.arange(part.start, part.stop) + 0.5
    ramp = (part.stop - part.start) / RAMP
    off_start = (pixels - part.start) / ramp if part.start > 0 else np.ones_like(pixels)
    off_stop = (part.stop - pixels) / ramp if part.stop < length else np.ones_like(pixels)
    risen = np.clip(np.minimum(off_start, off_stop), 0, 1)
    return (risen**2 * (3 - 2 * risen)).astype(np.float32)
