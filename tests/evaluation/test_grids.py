import numpy as np
import pytest

from jaxinpaint.evaluation.grids import GAP, HEADING, grid, holed


def flat(level: int, height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def test_rows_and_columns_are_where_they_should_be() -> None:
    rows = [[flat(0, 6, 12), flat(50, 6, 12)], [flat(100, 9, 6), flat(150, 9, 6)]]
    sheet = grid(rows, ["left", "right"], width=24)
    assert sheet.shape == (HEADING + 12 + GAP + 36 + GAP, 24 + GAP + 24, 3)
    body = sheet[HEADING:]
    assert np.all(body[:12, :24] == 0)
    assert np.all(body[:12, 24 + GAP :] == 50)
    assert np.all(body[12 + GAP : 12 + GAP + 36, :24] == 100)
    assert np.all(body[12 + GAP : 12 + GAP + 36, 24 + GAP :] == 150)
    assert np.all(body[:, 24 : 24 + GAP] == 255)
    assert np.all(body[12 : 12 + GAP] == 255)


def test_every_column_has_its_heading() -> None:
    row = [flat(200, 8, 8), flat(200, 8, 8)]
    both = grid([row], ["input", "truth"], width=60)[:HEADING]
    left = grid([row], ["input", ""], width=60)[:HEADING]
    assert (both[:, :60] < 128).any()
    assert (both[:, 60:] < 128).any()
    assert not (left[:, 60:] < 128).any()
    np.testing.assert_array_equal(both[:, :60], left[:, :60])


@pytest.mark.parametrize("row", [[flat(0, 8, 8)], [flat(0, 8, 8)] * 3, []])
def test_a_row_of_another_length_is_an_error(row: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match="every row needs 2 pictures"):
        grid([[flat(0, 8, 8)] * 2, row], ["input", "truth"])


def test_missing_pixels_are_shown_grey_and_the_photo_is_not_changed() -> None:
    photo, hole = flat(7, 2, 2), np.array([[True, False], [False, False]])
    shown = holed(photo, hole)
    assert shown[..., 0].tolist() == [[128, 7], [7, 7]]
    assert np.all(photo == 7)
