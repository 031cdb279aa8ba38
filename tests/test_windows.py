import numpy as np
import pytest
from PIL import Image

from jaxinpaint.recipes.base import Window
from jaxinpaint.windows import Patch, Square, inside, mirrored, plan, resized, resized_hole

MIDDLE = Window(128, margin=36)  # paints 56x56
ANYWHERE = Window(128)
SMALL = Window(16, margin=4)  # for many cases at little cost


def hole_of(height: int, width: int, *boxes: tuple[int, int, int, int]) -> np.ndarray:
    """A hole of boxes, each given by its top, left, height and width."""
    hole = np.zeros((height, width), bool)
    for top, left, rows, columns in boxes:
        hole[top : top + rows, left : left + columns] = True
    return hole


def random_hole(rng: np.random.Generator) -> np.ndarray:
    """A few boxes, or noise, in a picture of any size."""
    height, width = rng.integers(1, 70, 2)
    if rng.random() < 0.2:
        return rng.random((height, width)) < rng.random() ** 4
    boxes = [
        (*rng.integers(0, (height, width)), *rng.integers(1, 2 + rng.integers(60), 2))
        for _ in range(rng.integers(5))
    ]
    return hole_of(height, width, *boxes)


def replayed(hole: np.ndarray, patches: list[Patch]) -> list[np.ndarray]:
    """What is still missing before each patch, after checking that the patches fill the hole."""
    missing, before = hole.copy(), []
    for square, filled in patches:
        before.append(missing.copy())
        part = inside(square, hole.shape)
        assert filled.any()
        assert not np.any(filled & ~missing[part])
        missing[part] &= ~filled
    assert not missing.any()
    return before


def squares(hole: np.ndarray, window: Window) -> list[Square]:
    return [patch.square for patch in plan(hole, window)]


def test_nothing_is_planned_without_a_hole() -> None:
    assert plan(hole_of(200, 200), MIDDLE) == plan(hole_of(200, 200), ANYWHERE) == []


@pytest.mark.parametrize("window", [Window(16), Window(16, margin=1), SMALL, Window(20, margin=7)])
def test_squares_keep_to_the_rules_and_fill_every_hole(window: Window) -> None:
    rng, planned, refused = np.random.default_rng(0), 0, 0
    for _ in range(400):
        hole = random_hole(rng)
        try:
            patches = plan(hole, window)
        except ValueError:
            refused += 1
            continue
        planned += 1
        for patch, missing in zip(patches, replayed(hole, patches), strict=True):
            shorter = min(hole.shape)
            least = window.side // 4 if window.margin else window.side
            assert min(least, shorter) <= patch.square.size <= shorter
            shown = missing[mirrored(patch.square, missing)]
            assert shown.shape == (patch.square.size, patch.square.size)
            seen = resized_hole(shown, window.side)
            assert seen.any()
            middle = slice(window.margin, window.side - window.margin)
            seen[middle, middle] = False
            assert not (window.margin and seen.any())
            if not window.margin:
                assert missing[inside(patch.square, hole.shape)].shape == shown.shape
                assert hole.all() or shorter == 1 or not shown.all()
    assert planned > 50
    assert (refused > 50) if window.margin else (refused == 0)


@pytest.mark.parametrize("top", [1, 17, 36, 100, 199])
@pytest.mark.parametrize("left", [1, 35, 150, 243])
def test_a_hole_as_large_as_the_middle_may_be_anywhere_off_the_border(top: int, left: int) -> None:
    hole = hole_of(256, 300, (top, left, 56, 56))
    assert squares(hole, MIDDLE) == [(top - 36, left - 36, 128)]


def test_a_square_lies_in_the_picture_where_its_hole_may_be_off_its_middle() -> None:
    assert squares(hole_of(256, 300, (100, 100, 2, 2)), MIDDLE) == [(85, 85, 32)]
    assert squares(hole_of(256, 300, (12, 100, 2, 2)), MIDDLE) == [(0, 85, 32)]
    assert squares(hole_of(256, 300, (242, 100, 2, 2)), MIDDLE) == [(224, 85, 32)]
    # Here the hole is at the middle's edge, and the square beyond the picture's.
    assert squares(hole_of(256, 300, (1, 100, 2, 2)), MIDDLE) == [(-10, 85, 32)]
    assert squares(hole_of(256, 300, (253, 100, 2, 2)), MIDDLE) == [(234, 85, 32)]


def test_beyond_the_border_what_is_known_goes_to_and_fro() -> None:
    hole = hole_of(20, 20, (1, 7, 8, 8))
    (patch,) = plan(hole, SMALL)
    assert patch.square == (-3, 3, 16)
    rows, columns = mirrored(patch.square, hole)
    np.testing.assert_array_equal(rows[:, 0], [0, 0, 0, *range(13)])
    np.testing.assert_array_equal(columns[0], range(3, 19))

    hole = hole_of(20, 20, (7, 10, 8, 8))
    (patch,) = plan(hole, SMALL)
    assert patch.square == (3, 6, 16)
    rows, columns = mirrored(patch.square, hole)
    np.testing.assert_array_equal(rows[:, 0], range(3, 19))
    np.testing.assert_array_equal(columns[0], [*range(6, 20), 19, 18])


def test_a_larger_hole_gets_the_smallest_square_that_is_large_enough() -> None:
    # 158 / 128 · (36 + 2 to resample) = 46.9: 47 pixels to each side leave 64.
    assert squares(hole_of(300, 300, (100, 100, 64, 20)), MIDDLE) == [(53, 31, 158)]
    assert squares(hole_of(300, 300, (100, 100, 65, 20)), MIDDLE)[0].size > 158


def test_holes_far_apart_have_squares_of_their_own() -> None:
    hole = hole_of(300, 300, (50, 50, 20, 20), (200, 210, 56, 9))
    assert len(plan(hole, MIDDLE)) == 2


def test_holes_in_each_others_way_become_one() -> None:
    hole = hole_of(300, 300, (100, 100, 10, 10), (104, 114, 10, 10))
    ((top, left, size),) = squares(hole, MIDDLE)
    assert (top + size // 2, left + size // 2) == (107, 112)
    assert np.count_nonzero(plan(hole, MIDDLE)[0].filled) == 200


def test_a_hole_in_anothers_square_is_filled_first_if_it_can_be() -> None:
    large, small = (150, 150, 100, 100), (80, 80, 3, 3)
    hole = hole_of(400, 400, large, small)
    first, second = plan(hole, MIDDLE)
    assert np.count_nonzero(first.filled) == 9
    assert hole_of(400, 400, small)[inside(second.square, hole.shape)].any()
    assert np.count_nonzero(second.filled) == 100 * 100


@pytest.mark.parametrize("box", [(0, 90, 5, 5), (90, 0, 5, 5), (315, 90, 5, 5), (90, 475, 5, 5)])
def test_the_middle_cannot_reach_the_border(box: tuple[int, int, int, int]) -> None:
    message = r"480x320 picture .* keep off the border .* of 130 pixels; one touches the border"
    with pytest.raises(ValueError, match=message):
        plan(hole_of(320, 480, (100, 100, 9, 9), box), MIDDLE)


def test_a_hole_must_fit_into_the_middle() -> None:
    plan(hole_of(320, 480, (100, 100, 130, 130)), MIDDLE)
    with pytest.raises(ValueError, match="a square of 130 pixels; one spans 300x40"):
        plan(hole_of(320, 480, (100, 100, 40, 300)), MIDDLE)
    with pytest.raises(ValueError, match=r"with those beside them.*; one spans 140x40"):
        plan(hole_of(320, 480, (100, 100, 40, 60), (100, 190, 40, 50)), MIDDLE)


def test_small_pictures_have_small_squares() -> None:
    assert squares(hole_of(100, 80, (40, 30, 20, 20)), MIDDLE) == [(22, 12, 56)]
    assert squares(hole_of(100, 80, (0, 0, 20, 20)), ANYWHERE) == [(0, 0, 80)]
    with pytest.raises(ValueError, match=r"8x10 picture .* of 0 pixels"):
        plan(hole_of(10, 8, (4, 4, 1, 1)), MIDDLE)


@pytest.mark.parametrize(
    "hole", [hole_of(200, 200, (1, 1, 19, 19)), ~hole_of(90, 90, (4, 4, 9, 9))]
)
def test_one_square_is_enough_where_it_can_be(hole: np.ndarray) -> None:
    assert len(plan(hole, ANYWHERE)) == 1


def test_a_square_is_twice_as_large_as_its_hole_and_around_it() -> None:
    assert squares(hole_of(400, 600, (150, 200, 50, 90)), ANYWHERE) == [(85, 155, 180)]
    assert squares(hole_of(400, 600, (0, 0, 100, 90)), ANYWHERE) == [(0, 0, 200)]
    assert squares(hole_of(400, 600, (150, 200, 5, 9)), ANYWHERE) == [(88, 140, 128)]


def test_holes_that_touch_by_a_corner_are_one() -> None:
    hole = hole_of(400, 600, (150, 200, 50, 50), (200, 250, 50, 50))
    assert squares(hole, ANYWHERE) == [(100, 150, 200)]


def test_smaller_holes_come_first_and_leave_others_whole() -> None:
    hole = hole_of(400, 600, (100, 200, 100, 100), (150, 190, 4, 4), (140, 180, 4, 4))
    first, second = plan(hole, ANYWHERE)
    assert np.count_nonzero(first.filled) == 2 * 16
    assert np.count_nonzero(second.filled) == 100 * 100


@pytest.mark.parametrize("sides", [(100, 1000), (1000, 100)])
def test_a_long_hole_is_filled_from_what_is_known_on(sides: tuple[int, int]) -> None:
    hole = np.ones(sides, bool)
    hole[sides[0] * 7 // 10 :, sides[1] * 7 // 10 :] = False
    for patch, missing in zip(
        patches := plan(hole, Window(64)), replayed(hole, patches), strict=True
    ):
        part = missing[inside(patch.square, hole.shape)]
        assert 0.2 < part.mean() < 0.8


@pytest.mark.parametrize("size", [1, 7, 80, 129, 320])
def test_resizing_is_bicubic_and_antialiased(size: int) -> None:
    picture = np.random.default_rng(0).random((size, size, 3)).astype(np.float32)
    reference = np.stack(
        [
            np.asarray(Image.fromarray(channel).resize((128, 128), Image.Resampling.BICUBIC))
            for channel in np.moveaxis(picture, -1, 0)
        ],
        axis=-1,
    )
    # The order of float32 sums.
    np.testing.assert_allclose(resized(picture, 128), np.clip(reference, 0, 1), atol=2e-6)


def test_a_picture_of_the_right_size_is_not_resized() -> None:
    picture = np.random.default_rng(0).random((128, 128, 3)).astype(np.float32)
    hole = picture[..., 0] < 0.5
    np.testing.assert_array_equal(resized(picture, 128), picture)
    np.testing.assert_array_equal(resized_hole(hole, 128), hole)


@pytest.mark.parametrize("size", [1, 7, 80, 128, 129, 320])
def test_what_counts_as_known_has_nothing_missing_in_it(size: int) -> None:
    rng = np.random.default_rng(size)
    hole = rng.random((size, size)) < 0.01
    hole[rng.integers(size), rng.integers(size)] = True
    black = rng.random((size, size, 3)).astype(np.float32)
    black[hole] = 0
    white = np.where(hole[..., None], np.float32(1), black)
    unknown = resized_hole(hole, 128)
    assert unknown.any()
    np.testing.assert_array_equal(resized(black, 128)[~unknown], resized(white, 128)[~unknown])
