"""What can be judged, by what it is called, and by what it is known again."""

import dataclasses
import logging
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image
from tiny_run import CONFIG, tiny_run

from jaxinpaint.cli import methods
from jaxinpaint.cli.methods import method
from jaxinpaint.evaluation import manifests
from jaxinpaint.evaluation.evaluating import Method
from jaxinpaint.evaluation.manifests import Drawn, Manifest, Row

SIZE = 16
NAMES = ("000000", "000001", "v1.2")


def row(name: str) -> Row:
    rule = Drawn("center", seed=0, number=0)
    return Row(name, "a.png", "", SIZE, (0, 0, SIZE, SIZE), rule, "", 0.25, False)


MANIFEST = Manifest(tuple(map(row, NAMES)), "sha256")


def told(path: Path | str) -> Method:
    return method(str(path), 4, MANIFEST)


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """Predictions, one a case."""
    (tmp_path / "theirs").mkdir()
    for i, name in enumerate(NAMES):
        grey(tmp_path / "theirs" / f"{name}.png", 100 + i)
    return tmp_path / "theirs"


def grey(path: Path, level: int = 0, mode: str = "RGB") -> None:
    colour = (level, level, level, 255)[: len(mode)]
    Image.new(mode, (SIZE, SIZE), colour).save(path)


def test_predictions_are_painted_by_the_names_of_cases(theirs: Path) -> None:
    blank = np.zeros((SIZE, SIZE, 3), np.uint8)
    cases = [manifests.Case(row(name), blank, blank[..., 0] > 0) for name in NAMES[::-1]]
    painted = told(theirs).paint(cases)
    np.testing.assert_allclose(painted[:, 0, 0, 0] * 255, [102, 101, 100], rtol=1e-6)  # float32


def test_predictions_that_are_not_of_the_cases_are_refused_at_once(theirs: Path) -> None:
    (theirs / "000001.png").unlink()
    (theirs / "000000.png").unlink()
    with pytest.raises(
        ValueError, match=r"theirs has no picture 000000, which .* asks for \(2 are missing\)"
    ):
        told(theirs)
    grey(theirs / "000000.png")
    with pytest.raises(ValueError, match=r"has no picture 000001, which the manifest asks for$"):
        told(theirs)
    Image.new("RGB", (16, 17)).save(theirs / "000001.png")
    with pytest.raises(
        ValueError, match=r"000001\.png is 16x17, but the manifest's square is 16x16"
    ):
        told(theirs)
    (theirs / "000001.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"000001\.png: not a picture"):
        told(theirs)
    grey(theirs / "000001.png")
    grey(theirs / "000001.bmp")
    with pytest.raises(
        ValueError, match=r"two pictures of one name in .*000001\.bmp and 000001\.png"
    ):
        told(theirs)


def test_transparent_predictions_are_refused_and_opaque_ones_are_not(theirs: Path) -> None:
    grey(theirs / "000000.png", mode="RGBA")
    told(theirs)
    clear = Image.new("RGBA", (SIZE, SIZE), (0, 0, 0, 255))
    clear.putpixel((3, 3), (0, 0, 0, 254))
    clear.save(theirs / "000000.png")
    with pytest.raises(ValueError, match=r"000000\.png is transparent somewhere"):
        told(theirs)


def test_jpegs_are_warned_of_once(theirs: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, methods.__name__):
        told(theirs)
        assert not caplog.messages
        for name in NAMES:
            (theirs / f"{name}.png").unlink()
            grey(theirs / f"{name}.jpg")
        told(theirs)
    (message,) = caplog.messages
    assert "JPEGs, which change known pixels" in message


def test_predictions_are_known_by_their_names_and_bytes_and_by_nothing_else(
    theirs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = told(theirs).fingerprint
    assert capsys.readouterr().out == ""
    grey(theirs / "another.png")
    assert told(theirs).fingerprint == first
    assert "1 pictures in" in capsys.readouterr().out
    (theirs / "000000.png").rename(theirs / "swap")
    (theirs / "000001.png").rename(theirs / "000000.png")
    (theirs / "swap").rename(theirs / "000001.png")
    assert told(theirs).fingerprint != first


def test_baselines_tell_who_computes_them_and_are_there_or_refused(monkeypatch) -> None:
    cv2 = pytest.importorskip("cv2")
    telea = told("telea")
    assert telea.fingerprint == f"baseline telea, OpenCV {cv2.__version__}"
    assert telea.details == {"baseline": f"telea, OpenCV {cv2.__version__}"}
    monkeypatch.setattr(cv2, "__version__", "0.1")
    assert told("telea").fingerprint == "baseline telea, OpenCV 0.1"


def test_a_bare_name_is_the_baseline_and_a_path_the_folder(
    theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(theirs.parent)
    theirs.rename("mean-colour")
    assert told("mean-colour").fingerprint == "baseline mean-colour"
    assert told("a=mean-colour").fingerprint == "baseline mean-colour"
    of_folder = told("./mean-colour")
    assert of_folder.fingerprint.startswith("predictions ")
    assert of_folder.name == "mean-colour"


@pytest.mark.parametrize("name", ["exp0.1", "exp0.2"])
def test_folders_keep_all_of_their_names(name: str, theirs: Path) -> None:
    theirs.rename(theirs.parent / name)
    assert told(theirs.parent / name).name == name


def test_networks_are_known_by_what_they_compute_and_their_numbers(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run")
    first = told(run)
    assert first.name == "run"
    assert told(tiny_run(tmp_path / "again")).fingerprint == first.fingerprint
    step = dataclasses.replace(CONFIG.step, precision="bf16")
    other = tiny_run(tmp_path / "other", dataclasses.replace(CONFIG, step=step))
    assert told(other).fingerprint != first.fingerprint


def test_a_fingerprint_is_of_options_places_shapes_and_types(tmp_path, monkeypatch) -> None:
    def fingerprint(variables: dict, function: str = "a network") -> str:
        monkeypatch.setattr(methods, "_function", lambda path: function)
        return methods._fingerprint(tmp_path, variables)

    zeros = np.zeros(4, np.float32)
    same_bytes = (
        {"a": zeros},
        {"b": zeros},
        {"a": zeros.reshape(2, 2)},
        {"a": zeros.view(np.int32)},
        {"a": zeros[:2], "b": zeros[2:]},
    )
    found = [*map(fingerprint, same_bytes), fingerprint({"a": zeros}, "another")]
    assert len(set(found)) == len(found)
    assert fingerprint({"a": jax.numpy.zeros(4)}) == found[0]
