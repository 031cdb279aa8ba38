from functools import partial

import jax
import numpy as np
import pytest
from masks.drawing_many import drawn

from jaxinpaint import masks
from jaxinpaint.masks.lama import FAMILIES, Thickness, strokes_of

SIZE = (512, 640)  # where lengths are the published ones
N = 200
SAMPLERS = {thickness: partial(masks.lama, thickness=thickness) for thickness in FAMILIES}
NUMBERS = {"thin": ((4, 70), 24, 109), "medium": ((4, 10), 104, 209), "thick": ((1, 5), 254, 459)}


@pytest.mark.parametrize("thickness", NUMBERS)
def test_strokes_have_the_published_numbers(thickness: Thickness) -> None:
    (least, most), width, length = NUMBERS[thickness]
    make = jax.vmap(lambda key: strokes_of(key, SIZE, FAMILIES[thickness]))
    lines = jax.tree.map(np.asarray, make(jax.random.split(jax.random.key(0), 300)))
    counts = lines.there.any(axis=-1).sum(axis=-1)
    # 300 of at most 67 numbers: each bound is missed once in 85 times, and here is not.
    assert (counts.min(), counts.max()) == (least, most)
    assert set(lines.there.sum(axis=-1)[lines.there.any(axis=-1)]) == {1, 2, 3, 4, 5}
    widths = 2 * lines.radii
    assert np.all(widths == np.round(widths))
    assert (widths.min(), widths.max()) == (5, width)
    ways = lines.ends - lines.starts
    stopped = ((lines.ends == 0) | (lines.ends == np.array(SIZE))).any(axis=-1)
    lengths = np.linalg.norm(ways, axis=-1)[~stopped]
    # Lengths are whole; they are found from places of up to 640, which are rounded by 6e-5 each.
    np.testing.assert_allclose(lengths, np.round(lengths), atol=1e-3)
    assert (round(lengths.min()), round(lengths.max())) == (10, length)
    # The angle is taken from the vertical; every other stroke, the first too, is turned about.
    angles = np.arctan2(ways[..., 1], ways[..., 0])
    for parity, sign in ((0, -1), (1, 1)):
        of_these = angles[:, parity::2][~stopped[:, parity::2]]
        # Ten pixels long at least, so 1e-4 off at most.
        np.testing.assert_allclose(
            np.unique(np.round(sign * of_these, 3)), [0.01, 1.01, 2.01, 3.01], atol=2e-3
        )
    np.testing.assert_array_equal(lines.starts[..., 1:, :], lines.ends[..., :-1, :])


@pytest.mark.parametrize("thickness", ["medium", "thick"])
def test_three_in_thirteen_holes_are_boxes(thickness: Thickness) -> None:
    holes = drawn(SAMPLERS[thickness], N, (96, 96))
    # Up to five boxes have at most eleven kinds of rows; round strokes of any size have more.
    boxes = np.array([len(np.unique(hole, axis=0)) <= 11 for hole in holes])
    # 200 draws deviate by 0.03; four of these are 0.12. Thick strokes that just come in from the
    # border, or one that is thin, look like a box now and then.
    assert abs(boxes.mean() - 3 / 13) < 0.12
    if thickness == "thick":
        some = holes[boxes]
        off_border = ~(some[:, [0, -1]].any(axis=(1, 2)) | some[:, :, [0, -1]].any(axis=(1, 2)))
        assert off_border.mean() > 0.8  # all but such strokes


def test_thin_holes_are_many_thin_parts_and_thick_ones_are_few() -> None:
    openings = {}
    for thickness in NUMBERS:
        holes = drawn(SAMPLERS[thickness], N, (96, 96))
        eroded = holes[:, 5:-5, 5:-5].copy()
        for down in (-5, 5):
            for right in (-5, 5):
                eroded *= np.roll(holes, (down, right), (1, 2))[:, 5:-5, 5:-5]
        openings[thickness] = eroded.mean() / holes.mean()
    # The share of a hole that is as wide as eleven pixels: a line of the thin kind is 4.5 at most.
    assert openings["thin"] < openings["medium"] < openings["thick"]
    assert openings["thin"] < 0.15
