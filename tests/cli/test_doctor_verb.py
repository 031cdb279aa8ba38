"""``jaxinpaint doctor`` on sound and sick folders."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import only_line, typed
from PIL import Image

from jaxinpaint import cli
from jaxinpaint.cli.doctor import doctor
from jaxinpaint.doctor import trial

TINY = ["--data.size", "16", "--data.batch-size", "8", "--recipe.layer-size", "2"]
TINY += ["--recipe.width", "0.06", "--seconds", "0"]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four sound pictures; and reading is timed for a moment."""
    monkeypatch.setattr(sys.modules[doctor.__module__], "READING_SECONDS", 0.01)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(4):
        coarse = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), np.uint8)
        scene = Image.fromarray(coarse).resize((40, 30), Image.Resampling.BICUBIC)
        scene.save(folder / f"{seed}.png")
    return folder


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, str]]:
    """The exit code, and each subject's level."""
    with pytest.raises(SystemExit) as ended:
        doctor([*words, "--json"])
    answer = json.loads(capsys.readouterr().out)
    levels = {finding["subject"]: finding["level"] for finding in answer["findings"]}
    code = ended.value.code
    assert isinstance(code, int)
    assert answer["worst"] == ("ok", "warn", "fail")[code]
    assert all(bool(f["remedy"]) == (f["level"] != "ok") for f in answer["findings"])
    return code, levels


def test_a_sound_run_has_nothing_but_too_few_steps(photos: Path, capsys) -> None:
    code, levels = told(capsys, "--data.source", str(photos), *TINY)
    # Two steps say nothing, and so little is trained that reading may be slower.
    unsure = {"one batch": "warn", "reading": levels["reading"]}
    assert levels == dict.fromkeys(levels, "ok") | unsure
    assert code >= 1
    assert levels.keys() >= {"pictures", "sizes", "hole ratio", "devices", "disk", "memory"}
    assert list(photos.parent.iterdir()) == [photos], "nothing is written"


def test_held_out_pictures_that_are_trained_on_are_a_failure(photos: Path, capsys) -> None:
    where = ["--data.source", str(photos), "--data.held-out", str(photos)]
    code, levels = told(capsys, *where, *TINY)
    assert levels["leak"] == "fail"
    assert code == 2


def test_masks_from_files_are_looked_at(photos: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "masks").mkdir()
    swapped = np.full((30, 40), 255, np.uint8)
    swapped[10:15] = 0
    Image.fromarray(swapped).save(tmp_path / "masks" / "a.png")
    where = ["--data.source", str(photos), "--data.holes", str(tmp_path / "masks")]
    _, levels = told(capsys, *where, "--recipe.holes", "folder", *TINY)
    assert levels["polarity"] == "warn"
    assert "one batch" in levels


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        (["--data.source", "nowhere"], "pictures"),
        (["--data.source", "{}", "--data.size", "17"], "config"),
        (["--data.source", "{}", "--data.held-out", "nowhere"], "held out"),
        (["--data.source", "{}", "--recipe.holes", "paired"], "holes"),
    ],
    ids=str,
)
def test_a_run_that_can_not_start_is_a_failure(
    photos: Path, capsys, options: list[str], subject: str
) -> None:
    words = [option.format(photos) for option in options]
    code, levels = told(capsys, *TINY, *words)
    assert code == 2
    assert levels[subject] == "fail"


def test_unreadable_pictures_are_a_failure_that_is_told(photos: Path, capsys) -> None:
    for path in photos.iterdir():
        path.write_text("no picture")
    code, levels = told(capsys, "--data.source", str(photos), *TINY)
    assert code == 2
    assert levels["pictures"] == levels["trial"] == "fail"


def test_bad_options_are_one_line(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.argv", ["jaxinpaint", "doctor", "--pictures", "0"])
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    assert "--pictures at least 1" in only_line(capsys)


def test_as_typed_it_draws_a_table_and_its_help_names_its_options(photos: Path) -> None:
    helped = typed("doctor", "--help", cwd=photos.parent)
    assert helped.returncode == 0
    assert all(word in helped.stdout for word in ("--seconds", "--json", "--data.source"))
    unknown = typed("doctor", "no-such-preset", cwd=photos.parent)
    assert unknown.returncode == 2
    assert "there is no preset" in unknown.stderr


def test_what_a_device_raises_is_a_finding_after_all_others(
    photos: Path, monkeypatch, capsys
) -> None:
    def full(*args: object, **options: object) -> None:
        raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")

    monkeypatch.setattr(trial, "try_out", full)
    code, levels = told(capsys, "--data.source", str(photos), *TINY)
    assert code == 2
    assert levels["trial"] == "fail"
    assert levels["memory"] == "ok"
