import numpy as np
import pytest

from jaxinpaint.evaluation import held_out
from jaxinpaint.evaluation.baselines import Fill
from jaxinpaint.evaluation.held_out import BUCKETS, Case

SIZE = (20, 16)


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    rng = np.random.default_rng(0)
    return held_out.cases([rng.integers(1, 256, (*SIZE, 3), dtype=np.uint8) for _ in range(2)])


def test_every_picture_has_a_hole_of_every_bucket(cases: list[Case]) -> None:
    assert len(cases) == 2 * len(BUCKETS)
    for case, (low, high) in zip(cases, [*BUCKETS, *BUCKETS], strict=True):
        assert low < case.hole.mean() <= high
        assert case.hole.shape == SIZE
        assert case.hole.dtype == bool
    assert np.array_equal(cases[0].truth, cases[3].truth)
    assert not np.array_equal(cases[0].truth, cases[4].truth)


def test_no_two_holes_are_alike_and_all_are_the_same_in_every_run(cases: list[Case]) -> None:
    again = held_out.cases([cases[0].truth])
    for case, other in zip(cases[: len(BUCKETS)], again, strict=True):
        np.testing.assert_array_equal(case.hole, other.hole)
    assert len({case.hole.tobytes() for case in cases}) == len(cases)


def test_holes_in_the_middle_keep_their_margin() -> None:
    picture = np.arange(6 * 6 * 3, dtype=np.uint8).reshape(6, 6, 3)
    (case,) = held_out.center_cases([picture], margin=2)
    assert case.hole.shape == (6, 6)
    assert case.hole.sum() == 4
    assert case.hole[2:4, 2:4].all()
    np.testing.assert_array_equal(case.truth, picture)


def test_methods_never_see_the_truth_under_the_hole(cases: list[Case]) -> None:
    seen = []

    def look(photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
        seen.append((photo, hole))
        return photo

    held_out.psnr_in_holes({"look": look}, cases)
    assert len(seen) == len(cases)
    for (photo, hole), case in zip(seen, cases, strict=True):
        np.testing.assert_array_equal(hole, case.hole)
        assert not photo[hole].any()
        np.testing.assert_array_equal(photo[~hole], case.truth[~hole])


def test_scores_are_means_over_pictures_of_the_psnr_in_the_hole() -> None:
    truth = np.full((8, 8, 3), 100, np.uint8)
    small, large = np.zeros((8, 8), bool), np.zeros((8, 8), bool)
    small[0, 0], large[:4] = True, True

    def off_by(levels: dict[int, int]) -> Fill:
        def fill(photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
            wrong = np.uint8(100 + levels[int(hole.sum())])
            # What is known counts for nothing, even where a method spoils it.
            return np.where(hole[..., None], wrong, np.uint8(255)).repeat(3, axis=-1)

        return fill

    fills = {"good": off_by({1: 51, 32: 5}), "perfect": off_by({1: 0, 32: 0})}
    scores = held_out.psnr_in_holes(fills, [Case(truth, small), Case(truth, large)])
    # 20 log10(255 / 51) = 13.979 and 20 log10(255 / 5) = 34.151. 1e-3 dB: float32.
    assert scores == {"good": pytest.approx((13.979 + 34.151) / 2, abs=1e-3), "perfect": 60}
