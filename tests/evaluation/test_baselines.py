import sys

import numpy as np
import pytest

from jaxinpaint.evaluation.baselines import BASELINES, LIBRARIES, mean_colour, telea, with_version

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (24, 20, 3), dtype=np.uint8)
HOLE = np.zeros((24, 20), bool)
HOLE[6:12, 5:13] = True


def test_the_mean_colour_is_of_the_known_pixels() -> None:
    photo = np.zeros((2, 2, 3), np.uint8)
    photo[0], photo[1, 0] = [[10, 20, 30], [13, 20, 31]], [10, 21, 200]
    hole = np.array([[False, False], [False, True]])
    # The means are 11, 20 1/3 and 87.
    assert mean_colour(photo, hole)[1, 1].tolist() == [11, 20, 87]


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_keep_known_pixels_and_do_not_look_into_the_hole(name) -> None:
    if name in LIBRARIES:
        pytest.importorskip(LIBRARIES[name][0])
    fill = BASELINES[name]
    before, other = PHOTO.copy(), PHOTO.copy()
    other[HOLE] = 255
    filled = fill(PHOTO, HOLE)
    np.testing.assert_array_equal(filled[~HOLE], PHOTO[~HOLE])
    np.testing.assert_array_equal(filled, fill(other, HOLE))
    np.testing.assert_array_equal(PHOTO, before)


@pytest.mark.parametrize("name", LIBRARIES)
def test_classical_methods_continue_a_gradient_better_than_the_mean_colour(name: str) -> None:
    pytest.importorskip(LIBRARIES[name][0])
    ramp = np.repeat(np.linspace(0, 250, 20).astype(np.uint8)[None, :, None], 24, axis=0)
    photo = ramp.repeat(3, axis=2)

    def error(filled: np.ndarray) -> float:
        return float(np.abs(filled[HOLE].astype(int) - photo[HOLE]).mean())

    assert error(BASELINES[name](photo, HOLE)) < error(mean_colour(photo, HOLE)) / 2


def test_baselines_tell_the_version_of_what_computes_them() -> None:
    assert with_version("mean-colour") == "mean-colour"
    cv2, skimage = map(pytest.importorskip, ("cv2", "skimage"))
    assert {with_version(name) for name in BASELINES} == {
        "mean-colour",
        f"telea, OpenCV {cv2.__version__}",
        f"navier-stokes, OpenCV {cv2.__version__}",
        f"biharmonic, scikit-image {skimage.__version__}",
    }


def test_a_baseline_without_its_library_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    for ask in (lambda: telea(PHOTO, HOLE), lambda: with_version("telea")):
        with pytest.raises(ModuleNotFoundError, match=r"needs OpenCV: pip .*\[baselines\]"):
            ask()
