import numpy as np
import pytest
from scipy import ndimage

from jaxinpaint.tiles import around, fill_by_tiles, next_tile, weight


def hole_of(height: int, width: int, *boxes: tuple[int, int, int, int]) -> np.ndarray:
    """A hole of boxes, each given by its top, left, height and width."""
    hole = np.zeros((height, width), bool)
    for top, left, rows, columns in boxes:
        hole[top : top + rows, left : left + columns] = True
    return hole


HOLES = {
    "small": hole_of(200, 300, (90, 120, 9, 20)),
    "larger than tiles": hole_of(200, 300, (30, 20, 150, 250)),
    "at the border": hole_of(200, 300, (0, 0, 120, 150), (190, 290, 10, 10)),
    "across": hole_of(200, 300, (80, 0, 20, 300)),
    "scattered": np.random.default_rng(0).random((200, 300)) < 0.01,
    "nearly all": ~hole_of(200, 300, (0, 0, 5, 5)),
    "a narrow picture": hole_of(20, 300, (0, 100, 20, 150)),
    "a picture smaller than a tile": hole_of(20, 30, (5, 5, 10, 10)),
}
SIDE = 64


class Painter:
    """Paints grey what it doesn't know, and keeps what it was shown."""

    def __init__(self, picture: np.ndarray) -> None:
        self.picture = picture
        self.shown: list[tuple[np.ndarray, np.ndarray]] = []

    def __call__(self, picture: np.ndarray, unknown: np.ndarray) -> np.ndarray:
        self.shown.append((picture.copy(), unknown.copy()))
        return picture + unknown[..., None] * np.float32(0.25)


def photo_of(hole: np.ndarray) -> np.ndarray:
    return np.random.default_rng(1).random((*hole.shape, 3)).astype(np.float32)


@pytest.mark.parametrize("name", HOLES)
def test_every_tile_has_something_to_fill_and_what_is_known_stays(name: str) -> None:
    hole = HOLES[name]
    photo = photo_of(hole)
    before = photo.copy()
    painter = Painter(photo)
    filled = fill_by_tiles(photo, hole, painter, side=SIDE)
    np.testing.assert_array_equal(photo, before)
    np.testing.assert_array_equal(filled[~hole], photo[~hole])
    assert np.all(filled[hole] > 0)
    for shown, unknown in painter.shown:
        assert shown.shape == (min(SIDE, hole.shape[0]), min(SIDE, hole.shape[1]), 3)
        assert unknown.any()
        assert not unknown.all()
        np.testing.assert_array_equal(shown[unknown], 0)


@pytest.mark.parametrize("name", HOLES)
def test_what_stands_in_the_hole_plays_no_part(name: str) -> None:
    hole = HOLES[name]
    photo = photo_of(hole)
    dirty = np.where(hole[..., None], np.float32(np.nan), photo)
    one, other = (fill_by_tiles(p, hole, Painter(p), side=SIDE) for p in (photo, dirty))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", HOLES)
def test_where_tiles_agree_nothing_is_to_be_seen_of_them(name: str) -> None:
    hole = HOLES[name]
    even = np.full((*hole.shape, 3), 0.3, np.float32)
    filled = fill_by_tiles(
        even, hole, lambda picture, unknown: np.full_like(picture, 0.3), side=SIDE
    )
    np.testing.assert_allclose(filled, even, atol=1e-6)  # the order of float32 sums


@pytest.mark.parametrize("name", ["larger than tiles", "at the border", "across"])
def test_where_tiles_differ_most_nothing_jumps_at_their_edges(name: str) -> None:
    hole, number = HOLES[name], iter(range(1000))

    def paint(picture: np.ndarray, unknown: np.ndarray) -> np.ndarray:
        return np.full_like(picture, next(number) % 2)

    filled = fill_by_tiles(photo_of(hole), hole, paint, side=SIDE)[..., 0]
    for axis in (0, 1):
        jumps = np.abs(np.diff(filled, axis=axis))
        both = hole.take(range(1, hole.shape[axis]), axis) & hole.take(
            range(hole.shape[axis] - 1), axis
        )
        # A tile comes in over 16 pixels, at most 1.5 / 16 from one to the next; what is left of the
        # earlier one may make it half as long.
        assert jumps[both].max() < 2 * 1.5 / 16 + 0.02
    assert 0.1 < filled[hole].mean() < 0.9


def test_a_hole_is_filled_from_its_rim_inwards() -> None:
    hole = hole_of(300, 300, (50, 50, 200, 200))
    depth = np.asarray(ndimage.distance_transform_edt(hole))
    deepest, unknown = [], hole.copy()
    while unknown.any():
        tile = next_tile(unknown, SIDE)
        assert np.mean(unknown[tile]) < 0.75
        core = unknown[tile] & (weight(tile, hole.shape) >= 0.5)
        deepest.append(depth[tile][core].max())
        unknown[tile] &= ~core
    # The first ones reach in from the rim by less than a tile.
    assert max(deepest[:8]) < SIDE
    assert max(deepest) == depth.max()


def test_a_hole_that_fits_takes_one_tile_around_it() -> None:
    hole = hole_of(400, 400, (200, 150, 30, 20))
    painter = Painter(photo_of(hole))
    fill_by_tiles(painter.picture, hole, painter, side=SIDE)
    ((_, unknown),) = painter.shown
    rows, columns = np.nonzero(unknown)
    assert min(rows.min(), columns.min()) >= SIDE // 8
    assert max(rows.max(), columns.max()) < SIDE - SIDE // 8


def test_what_was_filled_is_known_to_later_tiles() -> None:
    hole = HOLES["across"]
    painter = Painter(photo_of(hole))
    filled = fill_by_tiles(painter.picture, hole, painter, side=SIDE)
    assert len(painter.shown) < 10
    # The hole goes through from left to right.
    assert any(not unknown.any(axis=0).all() for _, unknown in painter.shown[1:])
    assert filled[hole].min() == 0.25


def test_a_tiles_weight_falls_to_nothing_but_at_the_pictures_border() -> None:
    hole = hole_of(100, 100, (0, 0, 30, 30))
    tile = next_tile(hole, SIDE)
    assert tile == (slice(0, 64), slice(0, 64))
    found = weight(tile, hole.shape)
    np.testing.assert_array_equal(found[:48, :48], 1)
    assert found[-1].max() < 0.01
    assert np.all(np.diff(found[20, 47:]) < 0)
    np.testing.assert_array_equal(weight(tile, (64, 64)), 1)


@pytest.mark.parametrize("name", HOLES)
def test_tiles_begin_where_a_network_begins_to_count(name: str) -> None:
    hole = HOLES[name][:197, :299]
    rows, columns = np.indices(hole.shape) % 32
    places = np.stack([rows, columns, rows], axis=-1) / np.float32(64)
    photo = np.where(hole[..., None], 0, places)

    def paint(picture: np.ndarray, unknown: np.ndarray) -> np.ndarray:
        np.testing.assert_allclose(picture[~unknown], cut(picture, places)[~unknown], atol=1e-6)
        return cut(picture, places)

    def cut(picture: np.ndarray, places: np.ndarray) -> np.ndarray:
        return places[: len(picture), : picture.shape[1]]

    np.testing.assert_allclose(fill_by_tiles(photo, hole, paint, side=64, of=32), places, atol=1e-6)


def test_a_tile_of_a_holes_surroundings_is_a_tile_of_the_picture() -> None:
    hole = hole_of(400, 500, (150, 220, 30, 20), (180, 300, 9, 9))
    part = around(hole, SIDE)
    assert part == (slice(86, 253), slice(156, 373))
    assert around(hole, SIDE, 8) == (slice(80, 256), slice(152, 376))
    assert around(HOLES["at the border"], SIDE) == (slice(0, 200), slice(0, 300))
