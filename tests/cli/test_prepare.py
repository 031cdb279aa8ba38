from pathlib import Path

import pytest
from cli.commands import Command, only_line, typed
from data.picture_files import NOT_TEXT, damaged_folder, folder_of, levels

from jaxinpaint.cli.prepare import prepare
from jaxinpaint.data.config import DataConfig
from jaxinpaint.data.examples import training_pictures


def test_a_folder_is_put_into_a_dataset_that_can_be_trained_on(tmp_path: Path) -> None:
    folder_of(tmp_path / "photos", [1, None, 3])
    done = typed("prepare", "photos", "-o", "sets", "--name", "mine", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = Path("sets") / "mine" / "1.0.0"
    assert done.stdout.splitlines() == [
        f"2 pictures (0 of them earlier) in {folder}",
        f"1 skipped ({folder / 'train.skipped.jsonl'}):",
        "    photos/1.png: not a picture that Pillow can read",
        f"train on them: --data.source tfds:{folder}@train",
    ]
    assert "Traceback" not in done.stderr
    pictures = training_pictures(DataConfig(source=f"tfds:{tmp_path / folder}@train"))
    assert levels(pictures) == [1, 3]


def test_names_that_are_no_text_are_printed_all_the_same(tmp_path: Path) -> None:
    bad = damaged_folder(tmp_path / "mixed")
    done = typed("prepare", "mixed", "-o", "sets", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"4 pictures (0 of them earlier) in sets/photos/1.0.0\n{len(bad)} skipped" in done.stdout
    for name in bad.keys() - {NOT_TEXT}:
        assert f"    mixed/{name}: " in done.stdout
    assert "    mixed/caf\\xe9.png: not a picture" in done.stdout


def test_a_second_call_has_nothing_to_do_and_another_split_may_follow(
    call: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder_of(tmp_path / "photos", [1, 2, 3])
    words = ("prepare", tmp_path / "photos", "-o", tmp_path / "sets", "--version", "1.2.3")
    assert call(*words) == 0
    assert "3 pictures (0 of them earlier)" in capsys.readouterr().out
    assert call(*words) == 0
    assert "3 pictures (3 of them earlier)" in capsys.readouterr().out
    assert call(*words, "--split", "validation", "--short-side", "2") == 0
    folder = tmp_path / "sets" / "photos" / "1.2.3"
    assert f"train on them: --data.source tfds:{folder}@validation" in capsys.readouterr().out
    pictures = training_pictures(DataConfig(source=f"tfds:{folder}@validation"))
    assert pictures[0].example.image.size == (2, 2)
    assert call(*words, "--short-side", "2") == 2
    assert "other pictures or settings: choose another --version or --split" in only_line(capsys)


def test_partners_are_put_beside_their_pictures(
    call: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part, contents in (("photos", [1, 2]), ("labels", [3, 4]), ("masks", [0, 255])):
        folder_of(tmp_path / part, contents)
    words = ("prepare", tmp_path / "photos", "-o", tmp_path)
    partners = ("--pairs", tmp_path / "labels", "--holes", tmp_path / "masks")
    assert call(*words, *partners, "--name", "three") == 0
    folder = tmp_path / "three" / "1.0.0"
    for feature, contents in (("image", [1, 2]), ("input", [3, 4]), ("hole", [0, 255])):
        assert levels(training_pictures(DataConfig(source=f"tfds:{folder}#{feature}"))) == contents
    capsys.readouterr()
    (tmp_path / "masks" / "1.png").unlink()
    assert call(*words, *partners, "--name", "other") == 2
    assert "masks has no mask for 1 pictures: 1.png" in only_line(capsys)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ([], "say where datasets lie: -o DIR"),
        (["-o", "DIR", "--name", "My Photos"], "--name is 'My Photos'; it must be small letters"),
        (["-o", "DIR", "--name", "a/b"], "--name is 'a/b'; it must be small letters"),
        (["-o", "DIR", "--version", "1.0"], "--version is '1.0'; it must be three numbers"),
        (["-o", "DIR", "--split", "all"], "--split is 'all'; it must be small letters"),
        (["-o", "DIR", "--split", "train[:9]"], "--split is 'train[:9]'; it must be small"),
        (["-o", "DIR", "--short-side", "0"], "--short-side is 0; it must be at least 1"),
        (["-o", "DIR", "--pairs", "gone"], "gone is not a folder of pictures"),
    ],
    ids=str,
)
def test_what_can_be_mended_is_told_before_anything_is_written(
    call: Command,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    problem: str,
) -> None:
    folder_of(tmp_path / "photos", [1])
    monkeypatch.chdir(tmp_path)
    assert call("prepare", "photos", *words) == 2
    assert problem in only_line(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("gone", "gone is not a folder of pictures"),
        ("tfds:no_such_dataset", "tensorflow-datasets knows no 'no_such_dataset'"),
    ],
)
def test_a_source_that_is_not_there_is_told(
    call: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, problem: str
) -> None:
    assert call("prepare", source, "-o", tmp_path) == 2
    assert problem in only_line(capsys)


def test_a_known_dataset_takes_no_options_that_would_not_be_read() -> None:
    with pytest.raises(ValueError, match="prepared as it is"):
        prepare("tfds:mnist", short_side=10)
