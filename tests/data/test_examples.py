import dataclasses
import errno
import itertools
import pickle
import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from data.picture_files import damaged_folder, folder_of, level, levels, noise, pictures_of
from PIL import Image

from jaxinpaint.array_typing import RGB
from jaxinpaint.data import examples
from jaxinpaint.data.config import DataConfig
from jaxinpaint.data.examples import (
    Example,
    Pair,
    Pictures,
    held_out_pairs,
    held_out_pictures,
    hole_pictures,
    training_pictures,
)
from jaxinpaint.data.pictures import UnreadablePicture, open_upright


def nothing_to_tell(problem: str) -> None:
    raise AssertionError(problem)


def skipped(pictures: Pictures) -> list[tuple[str, ...]]:
    return [pictures[number].skipped for number in range(len(pictures))]


def test_pictures_come_in_the_order_of_their_files(tmp_path: Path) -> None:
    pictures = pictures_of(folder_of(tmp_path, [30, 10, 20]))
    assert len(pictures) == 3
    assert levels(pictures) == [30, 10, 20]
    assert pictures[0].example.image.size == (5, 4)
    assert skipped(pictures) == [()] * 3


def test_an_unreadable_file_is_replaced_by_the_next_readable_one(tmp_path: Path) -> None:
    files = folder_of(tmp_path, [None, 10, None, None])
    assert levels(pictures_of(files)) == [10, 10, 10, 10]
    backwards = pictures_of(files)
    assert [level(backwards[i].example.image) for i in (3, 2, 1, 0)] == [10, 10, 10, 10]


def test_what_was_skipped_is_told_every_time_but_read_once(tmp_path: Path) -> None:
    files = folder_of(tmp_path, [None, 10, None])
    read = []

    def decode(number: int) -> Example:
        read.append(number)
        return Example(open_upright(files[number]))

    pictures = Pictures(len(files), decode)
    for _ in range(3):
        told = skipped(pictures)
        assert [len(problems) for problems in told] == [1, 0, 2]
        assert told[0][0].startswith(f"{files[0]}: not a picture")
        assert told[2] == (f"{files[2]}: not a picture that Pillow can read", *told[0])
    assert sorted(read) == [0, 1, 2]


def test_two_threads_that_meet_an_unreadable_file_get_the_same(tmp_path: Path) -> None:
    files = folder_of(tmp_path, [None, 10])
    both = threading.Barrier(2, timeout=10)

    def together(number: int) -> Example:
        if number == 0:
            both.wait()
        return Example(open_upright(files[number]))

    pictures, found = Pictures(2, together), []
    threads = [threading.Thread(target=lambda: found.append(pictures[0])) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [level(one.example.image) for one in found] == [10, 10]
    assert found[0].skipped == found[1].skipped
    assert len(found[0].skipped) == 1


def test_without_any_readable_file_the_first_problem_is_told(tmp_path: Path) -> None:
    files = folder_of(tmp_path, [None, None])
    with pytest.raises(UnreadablePicture, match=rf"none of the 2 .*{files[0]}: not a picture"):
        pictures_of(files)[1]


@pytest.mark.parametrize("room", [0, 130, 2**20])
def test_how_much_is_kept_in_memory_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(examples, "CACHE_BYTES", room)  # of 80 bytes a picture
    pictures = pictures_of(folder_of(tmp_path, [1, None, 2, 3]))
    assert [levels(pictures) for _ in range(2)] == [[1, 2, 2, 3]] * 2


@pytest.mark.parametrize(("room", "kept"), [(0, 0), (79, 0), (80, 1), (159, 1), (160, 2)])
def test_what_is_kept_in_memory_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, kept: int
) -> None:
    monkeypatch.setattr(examples, "CACHE_BYTES", room)
    files = folder_of(tmp_path, [1, 2])
    read = []

    def decode(number: int) -> Example:
        read.append(number)
        return Example(open_upright(files[number]))

    pictures = Pictures(2, decode)
    assert levels(pictures) == levels(pictures) == [1, 2]
    assert len(read) == 4 - kept


class Decoded:
    """A decoder that can be sent to another process."""

    def __init__(self, files: list[Path]) -> None:
        self.files = files

    def __call__(self, number: int) -> Example:
        return Example(open_upright(self.files[number]))


def test_another_process_gets_the_files_and_not_what_is_kept(tmp_path: Path) -> None:
    files = folder_of(tmp_path, [1, None, 3])
    pictures = Pictures(3, Decoded(files))
    before = len(pickle.dumps(pictures))
    assert levels(pictures) == [1, 3, 3]
    assert len(pickle.dumps(pictures)) == before
    sent = pickle.loads(pickle.dumps(pictures))
    assert (levels(sent), skipped(sent)) == ([1, 3, 3], skipped(pictures))


def test_a_damaged_folder_gives_what_can_be_read_and_the_reasons(tmp_path: Path) -> None:
    bad = damaged_folder(tmp_path / "mixed")
    pictures = training_pictures(DataConfig(source=str(tmp_path / "mixed")))
    assert len(pictures) == 4 + len(bad)
    told = {problem for problems in skipped(pictures) for problem in problems}
    assert len(told) == len(bad)
    for name, reason in bad.items():
        (of_it,) = [p for p in told if p.startswith(f"{tmp_path / 'mixed' / name}: ")]
        assert reason in of_it
    shown = {pictures[i].example.image.tobytes() for i in range(len(pictures))}
    assert len(shown) == 4


def test_a_file_without_permission_is_skipped_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Simulated: who may do everything, as in many containers, may read any file.
    files = folder_of(tmp_path, [1, 2, 3])
    really_open = Image.open

    def open_others(path: Path, *args, **kwargs) -> Image.Image:
        if path == files[1]:
            raise PermissionError(13, "Permission denied", str(path))
        return really_open(path, *args, **kwargs)

    monkeypatch.setattr(Image, "open", open_others)
    pictures = training_pictures(DataConfig(source=str(tmp_path)))
    assert levels(pictures) == [1, 3, 3]
    assert pictures[1].skipped == (f"{files[1]}: Permission denied",)


def test_a_list_may_name_what_is_no_picture(tmp_path: Path) -> None:
    files = folder_of(tmp_path, [1, 2])
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "list.txt").write_text("0.png\nfolder.png\ngone.png\n1.png\n")
    pictures = training_pictures(DataConfig(source=str(tmp_path / "list.txt")))
    assert levels(pictures) == [1, 2, 2, 2]
    assert pictures[1].skipped == (
        f"{tmp_path / 'folder.png'}: Is a directory",
        f"{tmp_path / 'gone.png'}: no such file",
    )
    assert pictures[3].skipped == ()
    assert files[1].exists()


def test_four_photographs_come_along_for_training_and_two_to_judge() -> None:
    training = training_pictures(DataConfig())
    held_out = list(held_out_pictures(DataConfig(), nothing_to_tell))
    assert (len(training), len(held_out)) == (4, 2)
    assert skipped(training) == [()] * 4
    shown = (np.asarray(training[i].example.image) for i in range(4))
    photographs = [*shown, *held_out]
    for photo in photographs:
        assert min(photo.shape[:2]) >= 256
        assert photo.std() > 20, "a photograph is not flat"
    assert len({photo.tobytes() for photo in photographs}) == 6


def test_own_folders_take_the_place_of_the_photographs(tmp_path: Path) -> None:
    folder_of(tmp_path / "mine", [1, 2, 3])
    folder_of(tmp_path / "judged", [4, 5])
    (tmp_path / "judged" / "broken.png").write_text("no picture")
    config = DataConfig(source=str(tmp_path / "mine"), held_out=str(tmp_path / "judged"))
    assert levels(training_pictures(config)) == [1, 2, 3]
    # One that can't be read is left out, not judged twice in the place of another.
    told = []
    assert both_levels([picture] for picture in held_out_pictures(config, told.append)) == [
        (4,),
        (5,),
    ]
    assert told == [f"{tmp_path / 'judged' / 'broken.png'}: not a picture that Pillow can read"]


def test_own_pictures_are_not_judged_on_the_photographs(tmp_path: Path) -> None:
    assert not list(held_out_pictures(DataConfig(source=str(tmp_path)), nothing_to_tell))


def test_of_many_held_out_pictures_some_from_everywhere_are_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = folder_of(tmp_path, [10, 11, 12, 13, 14, 15, 16, 17, 18])
    monkeypatch.setattr(examples, "MOST_HELD_OUT", 3)
    config = DataConfig(source=str(tmp_path), held_out=str(tmp_path))
    judged = held_out_pictures(config, nothing_to_tell)
    assert both_levels([picture] for picture in judged) == [(10,), (13,), (16,)]
    assert len(files) == 9


def drawn(pictures: Callable[..., Iterable[object]]) -> Callable[[DataConfig], object]:
    return lambda config: list(pictures(config, nothing_to_tell))


@pytest.mark.parametrize("make", [training_pictures, drawn(held_out_pictures)])
def test_a_missing_folder_is_an_error(tmp_path: Path, make) -> None:
    gone = str(tmp_path / "gone")
    with pytest.raises(ValueError, match=f"{gone} is not a folder"):
        make(DataConfig(source=gone, held_out=gone))


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
        source=str(tmp_path / "images"),
        pairs=str(tmp_path / "inputs"),
        held_out=str(tmp_path / "judged"),
        held_out_pairs=str(tmp_path / "judged_inputs"),
        size=4,
    )


def both_levels(pairs: Iterable[Iterable[RGB]]) -> list[tuple[int, ...]]:
    return [tuple(int(picture[0, 0, 0]) for picture in pair) for pair in pairs]


def example_levels(pictures: Pictures) -> list[tuple[int | None, ...]]:
    return [
        tuple(part and level(part) for part in pictures[number].example)
        for number in range(len(pictures))
    ]


def judged(config: DataConfig, tell: Callable[[str], None] = nothing_to_tell) -> list[Pair]:
    return list(held_out_pairs(config, tell))


def test_pictures_come_with_their_inputs(tmp_path: Path, folders: DataConfig) -> None:
    (tmp_path / "inputs" / "1.png").rename(tmp_path / "inputs" / "1.bmp")
    (tmp_path / "inputs" / "of no picture.png").touch()
    pairs = training_pictures(folders)
    assert example_levels(pairs) == [(11, 10, None), (21, 20, None), (31, 30, None)]
    assert both_levels(judged(folders)) == [(41, 40), (51, 50)]
    assert skipped(pairs) == [()] * 3


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
def test_a_pair_that_can_not_be_used_is_told_and_replaced_by_the_next(
    tmp_path: Path,
    folders: DataConfig,
    place: str,
    damage: Callable[[Path], None],
    problem: str,
) -> None:
    damage(tmp_path / place / "1.png")
    pairs = training_pictures(folders)
    for _ in range(2):
        assert [level[:2] for level in example_levels(pairs)] == [(11, 10), (31, 30), (31, 30)]
    assert [len(problems) for problems in skipped(pairs)] == [0, 1, 0]
    assert re.search(problem, pairs[1].skipped[0])


def test_a_held_out_pair_that_can_not_be_used_is_left_out_and_told(
    tmp_path: Path, folders: DataConfig
) -> None:
    larger(tmp_path / "judged_inputs" / "0.png")
    told = []
    assert both_levels(judged(folders, told.append)) == [(51, 50)]
    assert len(told) == 1
    assert "judged_inputs/0.png is 5x5, but " in told[0]


@pytest.mark.parametrize(
    ("make", "place"), [(training_pictures, "inputs"), (judged, "judged_inputs")]
)
def test_a_picture_without_input_is_an_error(
    tmp_path: Path, folders: DataConfig, make: Callable[[DataConfig], object], place: str
) -> None:
    (tmp_path / place / "1.png").unlink()
    with pytest.raises(ValueError, match=f"{place} has no input for 1 pictures: 1.png"):
        make(folders)


def test_without_held_out_pictures_no_pairs_are_held_out(folders: DataConfig) -> None:
    config = dataclasses.replace(folders, held_out=None, held_out_pairs=None)
    assert judged(config) == []
    assert not list(held_out_pictures(config, nothing_to_tell))
    assert judged(DataConfig()) == []


def test_all_pictures_keep_their_size_until_they_are_cut(folders: DataConfig) -> None:
    for short_side in (4, 8):
        config = dataclasses.replace(folders, short_side=short_side)
        example = training_pictures(config)[0].example
        assert example.source is not None
        assert example.image.size == example.source.size == (5, 4)
        assert judged(config)[0].image.shape == (4, 5, 3)
        assert next(iter(held_out_pictures(config, nothing_to_tell))).shape == (4, 5, 3)


def test_grey_pictures_stay_grey_until_they_are_cut(tmp_path: Path) -> None:
    Image.new("L", (5, 4), 9).save(tmp_path / "grey.png")
    Image.new("LA", (5, 4), (0, 128)).save(tmp_path / "transparent.png")
    Image.new("I;16", (5, 4), 257).save(tmp_path / "two bytes.png")
    pictures = training_pictures(DataConfig(source=str(tmp_path)))
    assert [pictures[i].example.image.mode for i in range(3)] == ["L", "RGB", "RGB"]
    # Half of black over white: 255 - 128; and 257 of 65535 is 1 of 255.
    assert levels(pictures) == [9, 127, 1]


# As large as a small photograph, so that JPEGs can be decoded at less.
LARGE = 256


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """JPEGs of pictures, of inputs and of masks."""
    folder = tmp_path_factory.mktemp("large")
    for seed, part in enumerate(("images", "inputs", "masks")):
        (folder / part).mkdir()
        noise(LARGE, seed).save(folder / part / "0.jpg")
    return folder


@pytest.mark.parametrize(
    ("short_side", "side"), [(None, 256), (128, 256), (65, 256), (64, 128), (32, 64), (16, 32)]
)
def test_jpegs_are_decoded_at_less_but_never_at_less_than_twice_the_short_side(
    large: Path, short_side: int | None, side: int
) -> None:
    config = DataConfig(source=str(large / "images"), size=16, short_side=short_side)
    assert training_pictures(config)[0].example.image.size == (side, side)


@pytest.mark.parametrize(
    ("options", "paired_holes"),
    [({"random_scale": True}, False), ({"pairs": "inputs"}, False), ({"holes": "masks"}, True)],
    ids=str,
)
def test_jpegs_are_decoded_whole_where_all_of_them_is_needed(
    large: Path, options: dict, paired_holes: bool
) -> None:
    placed = {name: str(large / v) if isinstance(v, str) else v for name, v in options.items()}
    config = DataConfig(source=str(large / "images"), size=16, short_side=16)
    config = dataclasses.replace(config, **placed)
    example = training_pictures(config, paired_holes=paired_holes)[0].example
    assert {part.size for part in example if part is not None} == {(LARGE, LARGE)}


def mask(path: Path, *rows: str) -> None:
    pixels = [[255 * (pixel == "#") for pixel in row] for row in rows]
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.array(pixels, np.uint8)).save(path)


def test_pictures_come_with_their_own_holes(tmp_path: Path) -> None:
    folder_of(tmp_path / "images", [1, 2, 3])
    mask(tmp_path / "masks" / "0.png", "#....", ".....", ".....", ".....")
    mask(tmp_path / "masks" / "1.bmp", ".....", ".....", "....#", ".....")
    mask(tmp_path / "masks" / "2.png", "#....", ".....", ".....")
    config = DataConfig(source=str(tmp_path / "images"), holes=str(tmp_path / "masks"), size=4)
    pictures = training_pictures(config, paired_holes=True)
    holes = [pictures[i].example.hole for i in range(2)]
    missing = [np.argwhere(np.asarray(hole)).tolist() for hole in holes]
    assert missing == [[[0, 0]], [[2, 4]]]
    assert "masks/2.png is 5x3, but " in pictures[2].skipped[0]
    assert level(pictures[2].example.image) == 1
    assert training_pictures(config)[0].example.hole is None


def test_masks_for_any_picture_show_holes_and_something_else(tmp_path: Path) -> None:
    mask(tmp_path / "0.png", "#..", "...")
    mask(tmp_path / "1.png", "...", "...")
    mask(tmp_path / "2.png", "###", "###")
    mask(tmp_path / "3.png", ".#.", "...")
    (tmp_path / "4.png").write_text("no picture")
    holes = hole_pictures(str(tmp_path))
    found = [np.argwhere(np.asarray(holes[i].example.image)).tolist() for i in range(5)]
    assert found == [[[0, 0]], [[0, 1]], [[0, 1]], [[0, 1]], [[0, 0]]]
    told = list(itertools.chain(*skipped(holes)))
    assert f"{tmp_path / '1.png'} is a mask of one colour: white is missing" in told
    assert f"{tmp_path / '2.png'} is a mask of one colour: white is missing" in told
    with pytest.raises(ValueError, match="is not a folder"):
        hole_pictures(str(tmp_path / "gone"))


def test_a_shortage_of_the_system_is_not_a_bad_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of(tmp_path / "photos", [1, 2])
    pictures = training_pictures(DataConfig(source=str(tmp_path / "photos")))
    really_open = Image.open

    def short_of_files(*_: object, **__: object) -> Image.Image:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(Image, "open", short_of_files)
    with pytest.raises(OSError, match="Too many open files"):
        pictures[0]
    monkeypatch.setattr(Image, "open", really_open)
    assert pictures[0].skipped == ()
