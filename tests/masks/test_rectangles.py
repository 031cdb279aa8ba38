import jax
import jax.numpy as jnp
import numpy as np
import pytest
from masks.drawing_many import SIZE, drawn, parts

from jaxinpaint import masks


def test_the_centre_hole_is_the_middle_of_each_side() -> None:
    hole = np.asarray(masks.center(jax.random.key(0), (8, 12)))[..., 0]
    assert hole.sum() == 4 * 6
    assert np.all(hole[2:6, 3:9] == 1)


@pytest.mark.parametrize("fraction", [0.0, 1.5])
def test_a_centre_hole_of_no_or_more_than_all_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match="fraction"):
        masks.center(jax.random.key(0), (8, 8), fraction=fraction)


def test_squares_are_squares_of_every_side_and_within_the_picture() -> None:
    draw_all = jax.jit(lambda p: masks.holes(masks.square, jax.random.key(0), p, SIZE))
    holes = np.asarray(draw_all(jnp.arange(300)))[..., 0]
    sides = [(int(hole.any(1).sum()), int(hole.any(0).sum())) for hole in holes]
    assert all(
        height == width == hole.sum() ** 0.5
        for (height, width), hole in zip(sides, holes, strict=True)
    )
    assert {height for height, _ in sides} == set(range(12, 25))


def test_impossible_squares_are_refused() -> None:
    with pytest.raises(ValueError, match="sides of"):
        masks.square(jax.random.key(0), SIZE, side=(0.5, 0.25))


def sides_of(hole: np.ndarray) -> tuple[int, int]:
    """Height and width of what bounds a hole."""
    return int(hole.any(1).sum()), int(hole.any(0).sum())


def test_a_box_is_a_rectangle_of_every_height_and_width() -> None:
    holes = drawn(masks.box, 300)
    sides = [sides_of(hole) for hole in holes]
    assert [height * width for height, width in sides] == holes.sum(axis=(1, 2)).tolist()
    heights, widths = zip(*sides, strict=True)
    assert set(heights) == set(widths) == set(range(18, 25))  # 96 and 128 of 256, of 48
    # Drawn apart: of 300 pairs the correlation deviates by 0.06; five of these are 0.3.
    assert abs(np.corrcoef(heights, widths)[0, 1]) < 0.3
    # Sides of 21 on average: the area's deviation of 60 / sqrt(300), five of these are 17.
    assert abs(holes.sum(axis=(1, 2)).mean() - 21**2) < 17


def test_boxes_lie_anywhere_inside() -> None:
    holes = drawn(masks.box, 300)
    tops = {int(hole.any(1).argmax()) for hole in holes}
    lefts = {int(hole.any(0).argmax()) for hole in holes}
    assert min(tops) == min(lefts) == 0
    # A box of 18 has 31 tops and 47 lefts; one of 24 has 25 and 41.
    assert {*range(20)} <= tops <= {*range(31)}
    assert {*range(35)} <= lefts <= {*range(47)}


def test_boxes_are_one_to_four_and_overlap_now_and_then() -> None:
    holes = drawn(masks.boxes, 300)
    assert set(parts(holes)) == {1, 2, 3, 4}
    # Two and a half boxes of 12² on average if none overlapped, one if all did.
    mean = holes.mean()
    assert 144 / (48 * 64) < mean < 2.5 * 144 / (48 * 64)


def test_boxes_keep_off_the_border() -> None:
    def inside(key: jax.Array, size: tuple[int, int]) -> jax.Array:
        return masks.boxes(key, size, count=(4, 4), margin=1 / 8)

    often = drawn(inside, 300).mean(axis=0)
    assert not np.any(np.delete(often, np.s_[6:-6], axis=0))
    assert not np.any(np.delete(often, np.s_[6:-6], axis=1))
    # Of 1200 boxes some touch every row and column of the margin.
    assert np.all(often[[6, -7], 6:-6].any(axis=1))
    assert np.all(often[6:-6, [6, -7]].any(axis=0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": (0, 2)}, "boxes; the least"),
        ({"count": (3, 2)}, "boxes; the least"),
        ({"side": (0.0, 0.5)}, "sides of"),
        ({"side": (0.5, 0.6), "margin": 0.25}, "do not fit"),
        ({"margin": -0.1}, "do not fit"),
    ],
)
def test_impossible_boxes_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        masks.boxes(jax.random.key(0), SIZE, **options)
