import numpy as np
import pytest

from jaxinpaint.array_typing import Missing
from jaxinpaint.evaluation.mask_statistics import mask_statistics, picture, table


def holes() -> list[Missing]:
    """A corner of two pixels and what meets it at a corner; the middle; nothing."""
    made = np.zeros((3, 4, 5), bool)
    made[0, 0, :2] = made[0, 1, 2] = True
    made[1, 1, 1] = made[1, 2, 3] = True
    return list(made)


def test_numbers_are_those_of_the_holes() -> None:
    found = mask_statistics(holes())
    np.testing.assert_array_equal(found.ratios, [0.15, 0.1, 0])
    assert found.touches.tolist() == [True, False, False]
    assert found.parts.tolist() == [1, 2, 0]
    assert found.mean.shape == (4, 5)
    assert found.mean[0].tolist() == [1 / 3, 1 / 3, 0, 0, 0]


def test_the_table_tells_them() -> None:
    lines = [line.split(maxsplit=0)[0] for line in table(mask_statistics(holes())).splitlines()]
    assert [line[24:] for line in lines] == ["3", "8.3%", "1.0% / 10.0% / 14.5%", "33%", "1.0"]


@pytest.mark.parametrize("shape", [(4, 5), (300, 100), (1, 400)])
def test_the_picture_shows_the_histogram_and_the_mean(shape: tuple[int, int]) -> None:
    hole = np.zeros(shape, bool)
    hole[:, : shape[1] // 2] = True
    drawn = picture(mask_statistics([hole]), "half")
    assert drawn.ndim == 3
    # The one bar, of all holes, is as high as the plot; half of the map is white, half black.
    blue = (drawn == (120, 150, 200)).all(axis=-1)
    assert blue.any(axis=1).sum() == pytest.approx(240, abs=2)
    other = picture(mask_statistics([~hole]), "half")
    assert np.any(drawn != other)


def test_no_holes_and_holes_of_two_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="no holes"):
        mask_statistics([])
    with pytest.raises(ValueError, match="can't be averaged"):
        mask_statistics([np.zeros((2, 2), bool), np.zeros((2, 3), bool)])


def test_a_picture_of_empty_holes_is_drawn() -> None:
    assert picture(mask_statistics([np.zeros((8, 8), bool)]), "nothing").shape[2] == 3
