import os
from pathlib import Path

import pytest
from data.picture_files import NOT_TEXT, folder_of, level

from jaxinpaint.data.pictures import Encoded, open_upright
from jaxinpaint.data.sources import (
    BUILT_IN,
    Source,
    absolute,
    built_in,
    dataset_parts,
    open_source,
    partner_files,
    picture_field,
)


def levels_of(source: Source) -> list[int]:
    return [level(open_upright(source.files[i])) for i in range(len(source.files))]


def test_photographs_come_along() -> None:
    source = open_source(BUILT_IN)
    assert source.name == BUILT_IN
    names = {"astronaut.png", "grace_hopper.jpg", "raccoon.jpg", "rocket.jpg"}
    assert source.places is not None
    assert {str(place) for place in source.places} == names
    assert {path.name for path in built_in("held_out").glob("*.*")} == {"chelsea.png", "coffee.png"}


def test_a_folder_is_taken_with_the_folders_in_it(tmp_path: Path) -> None:
    folder_of(tmp_path, [1, 2])
    folder_of(tmp_path / "within", [3])
    source = open_source(str(tmp_path))
    assert source.places is not None
    assert source.places == [Path("0.png"), Path("1.png"), Path("within/0.png")]
    assert source.files == [tmp_path / place for place in source.places]
    assert levels_of(source) == [1, 2, 3]


def test_a_list_names_files_from_its_own_folder_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of(tmp_path / "pictures", [1, 2, 3])
    elsewhere = folder_of(tmp_path / "elsewhere", [9])[0]
    listed = tmp_path / "lists" / "two.txt"
    listed.parent.mkdir()
    listed.write_text(f"../pictures/2.png\n\n   \n  ../pictures/0.png \r\n{elsewhere}\n")
    monkeypatch.chdir(tmp_path / "pictures")
    source = open_source("../lists/two.txt")
    # In the order of the list, which is not that of the folder.
    assert levels_of(source) == [3, 1, 9]
    assert source.places == [Path("../pictures/2.png"), Path("../pictures/0.png"), elsewhere]


def test_what_a_list_names_need_not_be_there(tmp_path: Path) -> None:
    # Which of them can be read comes to light when they are: see test_batches.
    (tmp_path / "list.txt").write_text("gone.png\n")
    assert open_source(str(tmp_path / "list.txt")).files == [tmp_path / "gone.png"]


def test_names_need_not_be_text(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"\xff\xfe")
    folder_of(folder, [7])
    (folder / "0.png").rename(folder / NOT_TEXT)
    (tmp_path / "list").write_bytes(os.fsencode(folder / NOT_TEXT) + b"\n")
    for name in (folder, tmp_path / "list"):
        source = open_source(str(name))
        assert levels_of(source) == [7]
        assert source.files[0] == folder / NOT_TEXT


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("gone", None, "gone is not a folder of pictures"),
        ("gone.txt", None, "gone.txt is not a folder of pictures"),
        ("empty.txt", b"", "empty.txt names no pictures: it should have one a line"),
        ("blank.txt", b"\n  \n\t\n", "blank.txt names no pictures"),
        ("picture.PNG", b"", "picture.PNG is one picture; a source is a folder of them"),
        ("other:dataset", None, "other:dataset is not a folder of pictures"),
    ],
)
def test_what_is_no_source_is_refused(
    tmp_path: Path, name: str, content: bytes | None, problem: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=problem):
        open_source(str(tmp_path / name))


def test_a_list_that_can_not_be_opened_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "list").write_text("0.png")

    def refuse(*args: object, **kwargs: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(ValueError, match=r"list: Permission denied$"):
        open_source(str(tmp_path / "list"))


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ValueError, match=f"no pictures in {tmp_path}"):
        open_source(str(tmp_path))


def test_names_are_made_to_hold_in_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sets" / "1.0.0").mkdir(parents=True)
    whole = str(tmp_path)
    for name, absolute_name in {
        BUILT_IN: BUILT_IN,
        "photos": f"{whole}/photos",
        "a/list.txt": f"{whole}/a/list.txt",
        "/elsewhere": "/elsewhere",
        "tfds": f"{whole}/tfds",  # a folder of this name
        "c:photos": f"{whole}/c:photos",
        "tfds:mnist@test": "tfds:mnist@test",
        "hf:user/name#picture": "hf:user/name#picture",
        "tfds:sets/1.0.0": f"tfds:{whole}/sets/1.0.0",
        "tfds:sets/1.0.0@train[:9]#input": f"tfds:{whole}/sets/1.0.0@train[:9]#input",
        "hf:sets@test": f"hf:{whole}/sets@test",
    }.items():
        assert absolute(name) == absolute_name
        assert absolute(absolute_name) == absolute_name


@pytest.mark.parametrize(
    ("rest", "parts"),
    [
        ("mnist", ("mnist", None, None)),
        ("a/b:1.0.0@test#image", ("a/b:1.0.0", "test", "image")),
        ("a@train[:50%]", ("a", "train[:50%]", None)),
        ("a#left", ("a", None, "left")),
        ("a@#", ("a", None, None)),
    ],
)
def test_the_name_of_a_dataset_has_three_parts(rest: str, parts: tuple) -> None:
    assert dataset_parts(rest) == parts


def test_the_only_field_of_pictures_need_not_be_named() -> None:
    assert picture_field("tfds:a", None, ["image"]) == "image"
    assert picture_field("tfds:a", "mask", ["image", "mask"]) == "mask"


@pytest.mark.parametrize(
    ("named", "fields", "there"),
    [
        (None, ["image", "mask"], "image, mask"),
        (None, [], "none"),
        ("label", ["image"], "image"),
    ],
)
def test_a_field_that_is_not_clear_is_asked_for(
    named: str | None, fields: list[str], there: str
) -> None:
    with pytest.raises(ValueError, match=rf"^tfds:a: say .* #FIELD; there is {there}$"):
        picture_field("tfds:a", named, fields)


def test_partners_of_files_have_their_place(tmp_path: Path) -> None:
    for part, contents in (("images", [1, 2]), ("inputs", [11, 12, 13])):
        folder_of(tmp_path / part, contents)
        folder_of(tmp_path / part / "within", [contents[0] + 5])
    (tmp_path / "images" / "0.png").rename(tmp_path / "images" / "0.bmp")
    images, inputs = (open_source(str(tmp_path / part)) for part in ("images", "inputs"))
    partners = partner_files(images, inputs, noun="input")
    assert [level(open_upright(file)) for file in partners] == [11, 12, 16]
    with pytest.raises(ValueError, match=r"inputs has no image for 1 pictures: 2\.png$"):
        partner_files(inputs, Source(str(tmp_path / "inputs"), *images[1:]), noun="image")


def test_a_list_and_a_folder_are_partners_by_place_too(tmp_path: Path) -> None:
    folder_of(tmp_path / "images", [1, 2, 3])
    folder_of(tmp_path / "masks", [11, 12, 13])
    (tmp_path / "images" / "some.txt").write_text("2.png\n0.png\n")
    images = open_source(str(tmp_path / "images" / "some.txt"))
    partners = partner_files(images, open_source(str(tmp_path / "masks")), noun="mask")
    assert [level(open_upright(file)) for file in partners] == [13, 11]


def dataset_of(name: str, count: int) -> Source:
    return Source(name, [Encoded(f"{name}[{i}]", b"") for i in range(count)], None)


def test_partners_in_datasets_have_the_same_number(tmp_path: Path) -> None:
    folder_of(tmp_path, [1, 2])
    images, inputs = open_source(str(tmp_path)), dataset_of("tfds:inputs", 2)
    for one, other in ((images, inputs), (inputs, images), (inputs, dataset_of("hf:x", 2))):
        assert partner_files(one, other, noun="input") == other.files
    with pytest.raises(ValueError, match=r"hf:x has 3 inputs, but tfds:inputs has 2 pictures: .*"):
        partner_files(inputs, dataset_of("hf:x", 3), noun="input")


def test_a_source_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="has no name"):
        open_source("")


def test_the_mark_before_a_text_is_no_part_of_a_name(tmp_path: Path) -> None:
    folder_of(tmp_path, [1])
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbf0.png\r\n")
    assert open_source(str(tmp_path / "list.txt")).files[0] == tmp_path / "0.png"
