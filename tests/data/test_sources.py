import dataclasses
import logging
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxinpaint.array_typing import RGB
from jaxinpaint.data import sources
from jaxinpaint.data.pictures import UnreadablePicture, read_rgb
from jaxinpaint.data.sources import (
    DataConfig,
    Pair,
    Pictures,
    held_out_pairs,
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


def level(picture: RGB | Pair) -> int:
    return int((picture.image if isinstance(picture, Pair) else picture)[0, 0, 0])


def levels(pictures: Pictures[RGB | Pair]) -> list[int]:
    return [level(pictures[i]) for i in range(len(pictures))]


def test_pictures_come_in_the_order_of_their_files(tmp_path: Path) -> None:
    pictures = Pictures(folder_of(tmp_path, [30, 10, 20]), read_rgb)
    assert levels(pictures) == [30, 10, 20]
    assert pictures[0].shape == (4, 5, 3)


def test_an_unreadable_file_is_replaced_by_the_next_readable_one(tmp_path: Path) -> None:
    files = folder_of(tmp_path, [None, 10, None, None])
    assert levels(Pictures(files, read_rgb)) == [10, 10, 10, 10]
    backwards = Pictures(files, read_rgb)
    assert [int(backwards[i][0, 0, 0]) for i in (3, 2, 1, 0)] == [10, 10, 10, 10]


def test_an_unreadable_file_is_named_once_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = folder_of(tmp_path, [None, 10, None])
    pictures = Pictures(files, read_rgb)
    with caplog.at_level(logging.WARNING, sources.__name__):
        for _ in range(3):
            levels(pictures)
    assert len(caplog.messages) == 2
    assert all(caplog.text.count(str(file)) == 1 for file in (files[0], files[2]))
    assert "2 so far" in caplog.messages[1]
    assert set(pictures.unreadable) == {files[0], files[2]}


def test_two_threads_name_an_unreadable_file_once_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    both = threading.Barrier(2, timeout=10)

    def together(path: Path) -> np.ndarray:
        if path.name == "0.png":
            both.wait()
        return read_rgb(path)

    pictures = Pictures(folder_of(tmp_path, [None, 10]), together)
    threads = [threading.Thread(target=pictures.__getitem__, args=[0]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(caplog.messages) == 1


def test_without_any_readable_file_the_first_problem_is_told(tmp_path: Path) -> None:
    files = folder_of(tmp_path, [None, None])
    with pytest.raises(UnreadablePicture, match=rf"none of the 2 .*{files[0]}: not a picture"):
        Pictures(files, read_rgb)[1]


@pytest.mark.parametrize("room", [0, 100, 2**20])
def test_how_much_is_kept_in_memory_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(sources, "CACHE_BYTES", room)  # of 60 bytes a picture
    pictures = Pictures(folder_of(tmp_path, [1, None, 2, 3]), read_rgb)
    assert [levels(pictures) for _ in range(2)] == [[1, 2, 2, 3]] * 2


def test_what_is_kept_in_memory_is_not_read_again(tmp_path: Path) -> None:
    files = folder_of(tmp_path, [1, 2])
    pictures = Pictures(files, read_rgb)
    before = levels(pictures)
    for file in files:
        file.unlink()
    assert levels(pictures) == before


def test_four_photographs_come_along_for_training_and_two_to_judge() -> None:
    training, held_out = training_pictures(DataConfig()), held_out_pictures(DataConfig())
    assert (len(training), len(held_out)) == (4, 2)
    photographs = [np.asarray(photo) for photo in [*(training[i] for i in range(4)), *held_out]]
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


@pytest.fixture
def folders(tmp_path: Path) -> DataConfig:
    """Of pairs: three to train on, two held out; an input is darker than its picture by one."""
    for name, contents in {
        "images": [11, 21, 31],
        "inputs": [10, 20, 30],
        "judged": [41, 51],
        "judged_inputs": [40, 50],
    }.items():
        folder_of(tmp_path / name, contents)
    return DataConfig(
        path=tmp_path / "images",
        pairs=tmp_path / "inputs",
        held_out=tmp_path / "judged",
        held_out_pairs=tmp_path / "judged_inputs",
        size=4,
    )


def both_levels(pairs: Iterable[RGB | Pair]) -> list[tuple[int, ...]]:
    return [tuple(int(picture[0, 0, 0]) for picture in pair) for pair in pairs]


def test_pictures_come_with_their_inputs(folders: DataConfig) -> None:
    assert folders.pairs is not None
    (folders.pairs / "1.png").rename(folders.pairs / "1.bmp")
    (folders.pairs / "of no picture.png").touch()
    pairs = training_pictures(folders)
    assert both_levels(pairs[i] for i in range(3)) == [(11, 10), (21, 20), (31, 30)]
    assert both_levels(held_out_pairs(folders)) == [(41, 40), (51, 50)]
    assert not pairs.unreadable


def broken(path: Path) -> None:
    path.write_text("no picture")


def larger(path: Path) -> None:
    Image.new("RGB", (5, 5)).save(path)


def turned(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (5, 4)).save(path, exif=exif)


@pytest.mark.parametrize(
    ("place", "damage", "problem"),
    [
        ("images", broken, "images/1.png: not a picture"),
        ("inputs", broken, "inputs/1.png: not a picture"),
        ("inputs", larger, "inputs/1.png is 5x5, but .*images/1.png is 5x4"),
        ("inputs", turned, "inputs/1.png is 4x5, but .*images/1.png is 5x4"),
    ],
)
def test_a_pair_that_can_not_be_used_is_told_once_and_replaced_by_the_next(
    tmp_path: Path,
    folders: DataConfig,
    caplog: pytest.LogCaptureFixture,
    place: str,
    damage: Callable[[Path], None],
    problem: str,
) -> None:
    damage(tmp_path / place / "1.png")
    pairs = training_pictures(folders)
    for _ in range(2):
        assert both_levels(pairs[i] for i in range(3)) == [(11, 10), (31, 30), (31, 30)]
    assert len(caplog.messages) == 1
    assert len(pairs.unreadable) == 1
    assert re.search(problem, caplog.text)


def test_a_held_out_pair_that_can_not_be_used_is_left_out(
    tmp_path: Path, folders: DataConfig
) -> None:
    larger(tmp_path / "judged_inputs" / "0.png")
    assert both_levels(held_out_pairs(folders)) == [(51, 50)]


@pytest.mark.parametrize(
    ("make", "place"), [(training_pictures, "inputs"), (held_out_pairs, "judged_inputs")]
)
def test_a_picture_without_input_is_an_error(
    tmp_path: Path, folders: DataConfig, make: Callable[[DataConfig], object], place: str
) -> None:
    (tmp_path / place / "1.png").unlink()
    with pytest.raises(ValueError, match=f"{place} has no input for 1 pictures: .*/1.png"):
        make(folders)


def test_without_held_out_pictures_no_pairs_are_held_out(folders: DataConfig) -> None:
    config = dataclasses.replace(folders, held_out=None, held_out_pairs=None)
    assert held_out_pairs(config) == []
    assert held_out_pictures(config) == []
    assert held_out_pairs(DataConfig()) == []


HERE = Path("here")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"size": 0}, "size is 0"),
        ({"batch_size": 0}, "batch-size is 0"),
        ({"short_side": 255, "size": 256}, "short-side is 255; crops of --data.size 256"),
        ({"pairs": HERE}, "data.path: give both"),
        ({"held_out_pairs": HERE}, "data.held-out: give both"),
        ({"path": HERE, "pairs": HERE, "held_out_pairs": HERE}, "data.held-out: give both"),
        ({"path": HERE, "pairs": HERE, "held_out": HERE}, "go together"),
        ({"path": HERE, "held_out": HERE, "held_out_pairs": HERE}, "go together"),
        ({"path": HERE, "pairs": HERE, "random_colours": True}, "random-colours does not go"),
    ],
    ids=str,
)
def test_options_that_do_not_go_together_are_refused(options, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        DataConfig(**options)


@pytest.mark.parametrize("short_side", [4, 8])
def test_training_pictures_are_scaled_to_their_short_side_and_held_out_ones_are_not(
    folders: DataConfig, short_side: int
) -> None:
    config = dataclasses.replace(folders, short_side=short_side)
    scaled = [(short_side, short_side // 4 * 5, 3)] * 2
    assert [picture.shape for picture in training_pictures(config)[0]] == scaled
    alone = dataclasses.replace(config, pairs=None, held_out=None, held_out_pairs=None)
    assert np.shape(training_pictures(alone)[0]) == scaled[0]
    assert held_out_pairs(config)[0].image.shape == (4, 5, 3)
    assert held_out_pictures(config)[0].shape == (4, 5, 3)


def test_pictures_are_kept_in_memory_as_they_are_scaled(
    folders: DataConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "CACHE_BYTES", 3 * 2 * 12)  # bytes of three pairs of 2x2
    config = dataclasses.replace(folders, size=2, short_side=2)
    pairs = training_pictures(config)
    before = both_levels(pairs[i] for i in range(3))
    for path in pairs.paths:
        path.unlink()
    assert both_levels(pairs[i] for i in range(3)) == before
