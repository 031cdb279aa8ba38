import logging
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxinpaint.data import sources
from jaxinpaint.data.pictures import UnreadablePicture, read_rgb
from jaxinpaint.data.sources import (
    DataConfig,
    Pictures,
    held_out_pictures,
    training_pictures,
)


def folder_of(path: Path, contents: Sequence[int | None]) -> list[Path]:
    """One file each: a picture of one grey level, or a broken file for None."""
    path.mkdir(exist_ok=True)
    files = [path / f"{i}.png" for i in range(len(contents))]
    for file, level in zip(files, contents, strict=True):
        if level is None:
            file.write_text("no picture")
        else:
            Image.new("RGB", (5, 4), (level, level, level)).save(file)
    return files


def levels(pictures: Pictures) -> list[int]:
    return [int(pictures[i][0, 0, 0]) for i in range(len(pictures))]


def test_pictures_come_in_the_order_of_their_files(tmp_path: Path) -> None:
    pictures = Pictures(folder_of(tmp_path, [30, 10, 20]))
    assert levels(pictures) == [30, 10, 20]
    assert pictures[0].shape == (4, 5, 3)


def test_an_unreadable_file_is_replaced_by_the_next_readable_one(tmp_path: Path) -> None:
    files = folder_of(tmp_path, [None, 10, None, None])
    assert levels(Pictures(files)) == [10, 10, 10, 10]
    backwards = Pictures(files)
    assert [int(backwards[i][0, 0, 0]) for i in (3, 2, 1, 0)] == [10, 10, 10, 10]


def test_an_unreadable_file_is_named_once_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = folder_of(tmp_path, [None, 10, None])
    pictures = Pictures(files)
    with caplog.at_level(logging.WARNING, sources.__name__):
        for _ in range(3):
            levels(pictures)
    assert len(caplog.messages) == 2
    assert all(caplog.text.count(str(file)) == 1 for file in (files[0], files[2]))
    assert "2 so far" in caplog.messages[1]
    assert set(pictures.unreadable) == {files[0], files[2]}


def test_two_threads_name_an_unreadable_file_once_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = Pictures(folder_of(tmp_path, [None, 10]))
    both = threading.Barrier(2, timeout=10)

    def together(path: Path) -> np.ndarray:
        if path.name == "0.png":
            both.wait()
        return read_rgb(path)

    monkeypatch.setattr(sources, "read_rgb", together)
    threads = [threading.Thread(target=pictures.__getitem__, args=[0]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(caplog.messages) == 1


def test_without_any_readable_file_the_first_problem_is_told(tmp_path: Path) -> None:
    files = folder_of(tmp_path, [None, None])
    with pytest.raises(UnreadablePicture, match=rf"none of the 2 .*{files[0]}: not a picture"):
        Pictures(files)[1]


@pytest.mark.parametrize("room", [0, 100, 2**20])
def test_how_much_is_kept_in_memory_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(sources, "CACHE_BYTES", room)  # of 60 bytes a picture
    pictures = Pictures(folder_of(tmp_path, [1, None, 2, 3]))
    assert [levels(pictures) for _ in range(2)] == [[1, 2, 2, 3]] * 2


def test_what_is_kept_in_memory_is_not_read_again(tmp_path: Path) -> None:
    files = folder_of(tmp_path, [1, 2])
    pictures = Pictures(files)
    before = levels(pictures)
    for file in files:
        file.unlink()
    assert levels(pictures) == before


def test_four_photographs_come_along_for_training_and_two_to_judge() -> None:
    training, held_out = training_pictures(DataConfig()), held_out_pictures(DataConfig())
    assert (len(training), len(held_out)) == (4, 2)
    photographs = [*(training[i] for i in range(4)), *held_out]
    for photo in photographs:
        assert min(photo.shape[:2]) >= 256
        assert photo.std() > 20, "a photograph is not flat"
    assert not training.unreadable
    assert len({photo.tobytes() for photo in photographs}) == 6


def test_own_folders_take_the_place_of_the_photographs(tmp_path: Path) -> None:
    folder_of(tmp_path / "mine", [1, 2, 3])
    folder_of(tmp_path / "judged", [4, 5])
    (tmp_path / "judged" / "broken.png").write_text("no picture")
    config = DataConfig(path=tmp_path / "mine", held_out=tmp_path / "judged")
    assert levels(training_pictures(config)) == [1, 2, 3]
    # One that can't be read is left out, not judged twice in the place of another.
    assert [int(picture[0, 0, 0]) for picture in held_out_pictures(config)] == [4, 5]


def test_own_pictures_are_not_judged_on_the_photographs(tmp_path: Path) -> None:
    assert held_out_pictures(DataConfig(path=tmp_path)) == []


@pytest.mark.parametrize("make", [training_pictures, held_out_pictures])
def test_a_missing_folder_is_an_error(tmp_path: Path, make) -> None:
    gone = tmp_path / "gone"
    with pytest.raises(ValueError, match=f"{gone} is not a folder"):
        make(DataConfig(path=gone, held_out=gone))
