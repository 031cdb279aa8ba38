"""Prepared datasets, written and read back, without TensorFlow."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from data.picture_files import NOT_TEXT, damaged_folder, folder_of, levels, noise
from PIL import Image

import jaxinpaint
from jaxinpaint.data import tfds_writing
from jaxinpaint.data.batches import crops
from jaxinpaint.data.config import DataConfig
from jaxinpaint.data.examples import training_pictures
from jaxinpaint.data.pictures import Encoded, read_rgb, scaled, to_rgb
from jaxinpaint.data.sources import open_source, partner_files
from jaxinpaint.data.tfds_writing import Parts, Prepared, prepare

ROOT = Path(jaxinpaint.__file__).parents[1]


def parts_of(folder: Path, *, inputs: Path | None = None, holes: Path | None = None) -> Parts:
    images = open_source(str(folder))
    return Parts(
        images,
        inputs and partner_files(images, open_source(str(inputs)), noun="input"),
        holes and partner_files(images, open_source(str(holes)), noun="mask"),
    )


def written(parts: Parts, folder: Path, **options) -> Prepared:
    return prepare(parts, folder / "sets" / "1.0.0", name="sets", **options)


def stored(folder: Path, rest: str = "") -> list[Encoded]:
    files = open_source(f"tfds:{folder / 'sets' / '1.0.0'}{rest}").files
    found = [files[i] for i in range(len(files))]
    assert all(isinstance(file, Encoded) for file in found)
    return [file for file in found if isinstance(file, Encoded)]


def contents(folder: Path, rest: str = "") -> list[bytes]:
    return [file.content for file in stored(folder, rest)]


def records(folder: Path, split: str = "train") -> list[dict]:
    """All that stands in a split, pictures decoded."""
    builder: Any = tfds.builder_from_directory(folder / "sets" / "1.0.0")
    source = builder.as_data_source(split)
    return [dict(source[i]) for i in range(len(source))]


def test_what_is_written_is_read_back_in_order(tmp_path: Path) -> None:
    files = folder_of(tmp_path / "photos", [30, 10, 20])
    told: list[int] = []
    assert written(parts_of(tmp_path / "photos"), tmp_path, advance=told.append) == (3, 0, [])
    assert sum(told) == 3
    # Byte for byte: they are plain PNG files.
    assert contents(tmp_path) == [file.read_bytes() for file in files]
    folder = tmp_path / "sets" / "1.0.0"
    assert [str(file) for file in stored(tmp_path)][1] == f"tfds:{folder}@train[1]"
    assert [record["name"] for record in records(tmp_path)] == [b"0.png", b"1.png", b"2.png"]
    config = DataConfig(source=f"tfds:{folder}@train[1:]")
    assert levels(training_pictures(config)) == [10, 20]


def test_parts_of_a_split_may_be_asked_for(tmp_path: Path) -> None:
    files = folder_of(tmp_path / "photos", [1, 2, 3, 4])
    written(parts_of(tmp_path / "photos"), tmp_path)
    whole = [file.read_bytes() for file in files]
    for rest, part in (
        ("", whole),
        ("#image", whole),
        ("@train[:50%]", whole[:2]),
        ("@train[3:]#image", whole[3:]),
    ):
        assert contents(tmp_path, rest) == part


def test_two_splits_stand_side_by_side(tmp_path: Path) -> None:
    first, second = folder_of(tmp_path / "a", [1, 2]), folder_of(tmp_path / "b", [3])
    written(parts_of(tmp_path / "a"), tmp_path)
    written(parts_of(tmp_path / "b"), tmp_path, split="validation")
    assert contents(tmp_path) == [file.read_bytes() for file in first]
    assert contents(tmp_path, "@validation") == [second[0].read_bytes()]
    assert len(contents(tmp_path, "@train+validation")) == 3


@pytest.fixture
def with_parts(tmp_path: Path) -> Path:
    """Pictures 11, 21, 31, what they are made from, 10, 20, 30, and their holes, in a dataset."""
    folder_of(tmp_path / "images", [11, 21, 31])
    folder_of(tmp_path / "inputs", [10, 20, 30])
    (tmp_path / "masks").mkdir()
    for number in range(3):
        mask = np.zeros((4, 5), np.uint8)
        mask[number, number] = 200
        Image.fromarray(mask).save(tmp_path / "masks" / f"{number}.png")
    parts = parts_of(tmp_path / "images", inputs=tmp_path / "inputs", holes=tmp_path / "masks")
    written(parts, tmp_path)
    return tmp_path / "sets" / "1.0.0"


def test_inputs_and_holes_are_features_that_are_asked_for(with_parts: Path) -> None:
    config = DataConfig(
        source=f"tfds:{with_parts}#image",
        pairs=f"tfds:{with_parts}@train#input",
        holes=f"tfds:{with_parts}#hole",
        size=4,
        batch_size=3,
    )
    pictures = training_pictures(config, paired_holes=True)
    assert levels(pictures) == [11, 21, 31]
    for number in range(3):
        example = pictures[number].example
        assert example.source is not None
        assert np.all(np.asarray(example.source) == 10 * (number + 1))
        assert np.argwhere(np.asarray(example.hole)).tolist() == [[number, number]]
    batch = next(crops(pictures, config, seed=0))
    assert batch.source is not None
    np.testing.assert_array_equal(batch.source.astype(int) + 1, batch.image)


def test_which_feature_is_meant_must_be_clear(with_parts: Path) -> None:
    with pytest.raises(ValueError, match=r"say .* #FIELD; there is hole, image, input$"):
        open_source(f"tfds:{with_parts}")
    with pytest.raises(ValueError, match=r"say .* #FIELD"):
        open_source(f"tfds:{with_parts}#name")


def test_partners_go_by_number_so_there_must_be_as_many(tmp_path: Path) -> None:
    folder_of(tmp_path / "photos", [1, 2, 3])
    written(parts_of(tmp_path / "photos"), tmp_path)
    name = f"tfds:{tmp_path / 'sets' / '1.0.0'}"
    config = DataConfig(source=f"{name}@train[1:]", pairs=name)
    with pytest.raises(ValueError, match=r"has 3 inputs, but tfds:.* has 2 pictures"):
        training_pictures(config)


COLOURS = np.random.default_rng(0).integers(0, 256, (6, 4, 3), dtype=np.uint8)


def saved(picture: Image.Image, path: Path, **options) -> Path:
    picture.save(path, **options)
    return path


def turning() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


@pytest.mark.parametrize(
    ("picture", "name", "options", "kept"),
    [
        (Image.fromarray(COLOURS), "plain.png", {}, True),
        (Image.fromarray(COLOURS), "plain.jpg", {}, True),
        (Image.fromarray(COLOURS), "turned.jpg", {"exif": turning()}, False),
        (Image.fromarray(COLOURS), "turned.png", {"exif": turning()}, False),
        (Image.fromarray(COLOURS[..., 0]), "grey.png", {}, False),
        (Image.fromarray(COLOURS[..., 0]), "grey.jpg", {}, False),
        (Image.fromarray(np.dstack([COLOURS, COLOURS[..., :1]])), "alpha.png", {}, False),
        (Image.fromarray(COLOURS), "transparent.png", {"transparency": (9, 9, 9)}, False),
        (Image.fromarray(COLOURS[..., 0].astype(np.uint16) * 257), "16 bits.png", {}, False),
        (Image.fromarray(COLOURS), "other.bmp", {}, False),
        (Image.fromarray(COLOURS).convert("CMYK"), "ink.jpg", {}, False),
        (Image.fromarray(COLOURS).quantize(16), "palette.png", {}, False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_plain_files_are_taken_over_and_all_others_converted(
    tmp_path: Path, picture: Image.Image, name: str, options: dict, kept: bool
) -> None:
    (tmp_path / "photos").mkdir()
    path = saved(picture, tmp_path / "photos" / name, **options)
    written(parts_of(tmp_path / "photos"), tmp_path)
    (content,) = contents(tmp_path)
    assert (content == path.read_bytes()) == kept
    with Image.open(BytesIO(content)) as image:
        assert image.mode == "RGB"
        assert image.getexif().get(0x0112, 1) == 1
        # What the file shows, exactly: what is converted is stored without loss.
        np.testing.assert_array_equal(to_rgb(image), read_rgb(path))
    # tensorflow-datasets' own decoder sees no other picture.
    np.testing.assert_array_equal(records(tmp_path)[0]["image"], read_rgb(path))


@pytest.mark.parametrize(("name", "kind"), [("a.png", "PNG"), ("a.jpg", "JPEG"), ("a.bmp", "PNG")])
def test_larger_pictures_are_scaled_to_a_short_side(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / "photos").mkdir()
    smooth = Image.linear_gradient("L").convert("RGB").resize((64, 48))
    path = saved(smooth, tmp_path / "photos" / name)
    small = saved(noise(20, 1), tmp_path / "photos" / f"small{path.suffix}")
    written(parts_of(tmp_path / "photos"), tmp_path, short_side=24)
    large, other = contents(tmp_path)
    with Image.open(BytesIO(large)) as image:
        assert (image.format, image.size) == (kind, (32, 24))
        # JPEG of quality 95: 1 level in the mean; PNG: nothing.
        expected = scaled(read_rgb(path), 24).astype(int)
        assert np.abs(np.asarray(image) - expected).mean() <= (kind == "JPEG")
    np.testing.assert_array_equal(read_rgb(Encoded("small", other)), read_rgb(small))


def test_holes_are_stored_as_black_and_white_and_scaled_with_their_pictures(
    tmp_path: Path,
) -> None:
    for part in ("photos", "masks"):
        (tmp_path / part).mkdir()
    noise(40, 0).save(tmp_path / "photos" / "0.jpg")
    levels = np.full((40, 40), 127, np.uint8)
    levels[:20] = 128
    Image.fromarray(levels).save(tmp_path / "masks" / "0.png")
    parts = parts_of(tmp_path / "photos", holes=tmp_path / "masks")
    written(parts, tmp_path, short_side=20)
    hole = read_rgb(stored(tmp_path, "#hole")[0])
    assert hole.shape == (20, 20, 3)
    assert np.all(hole[:10] == 255)
    assert np.all(hole[10:] == 0)


def test_what_can_not_be_read_is_left_out_counted_and_told(tmp_path: Path) -> None:
    bad = damaged_folder(tmp_path / "mixed")
    advanced: list[int] = []
    prepared = written(parts_of(tmp_path / "mixed"), tmp_path, advance=advanced.append)
    assert (prepared.written, prepared.earlier, len(prepared.skipped)) == (4, 0, len(bad))
    assert sum(advanced) == 4 + len(bad)
    readable = {
        os.fsencode(name).decode(errors="backslashreplace"): reason for name, reason in bad.items()
    }
    assert {skip.name for skip in prepared.skipped} == readable.keys()
    for skip in prepared.skipped:
        assert readable[skip.name] in skip.problem
    path = tmp_path / "sets" / "1.0.0" / "train.skipped.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [skip._asdict() for skip in prepared.skipped]
    escaped = os.fsencode(NOT_TEXT).decode(errors="backslashreplace")
    assert f"readable {escaped}" in {record["name"].decode() for record in records(tmp_path)}


def test_where_nothing_can_be_read_the_first_reason_is_told(tmp_path: Path) -> None:
    folder_of(tmp_path / "photos", [None, None])
    with pytest.raises(
        ValueError, match=r"none of the 2 pictures .*; the first: .*0.png: not a pict"
    ):
        written(parts_of(tmp_path / "photos"), tmp_path)


def larger(path: Path) -> None:
    Image.new("RGB", (9, 9)).save(path)


def test_partners_of_another_size_are_left_out(tmp_path: Path) -> None:
    folder_of(tmp_path / "images", [1, 2])
    larger(folder_of(tmp_path / "inputs", [3, 4])[0])
    prepared = written(parts_of(tmp_path / "images", inputs=tmp_path / "inputs"), tmp_path)
    assert prepared.written == 1
    assert "inputs/0.png is 9x9, but " in prepared.skipped[0].problem


class Killed(Exception):
    pass


def killed_after(pictures: int) -> Callable[[int], None]:
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        if done > pictures:
            raise Killed

    return advance


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tfds_writing, "PICTURES_A_SHARD", 3)
    monkeypatch.setattr(tfds_writing, "AT_A_TIME", 2)


def data_files(folder: Path) -> dict[str, bytes]:
    """The shards of a dataset, and what was left out."""
    files = (folder / "sets" / "1.0.0").iterdir()
    return {f.name: f.read_bytes() for f in files if "array_record" in f.name or "skip" in f.name}


CONTENTS = [1, 2, None, 4, None, 6, 7, 8, 9, None, 11, None]  # 8 can be read


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("stops", [[1], [4], [5], [9], [9, 9], [4, 9, 11]], ids=str)
def test_what_was_killed_goes_on_and_ends_with_what_an_undisturbed_call_writes(
    tmp_path: Path, stops: list[int]
) -> None:
    folder_of(tmp_path / "photos", CONTENTS)
    parts = parts_of(tmp_path / "photos")
    whole = written(parts, tmp_path / "whole")
    for stop in stops:
        with pytest.raises(Killed):
            written(parts, tmp_path / "parts", advance=killed_after(stop))
        with pytest.raises(ValueError, match=r"train in .* is unfinished: go on with the same"):
            open_source(f"tfds:{tmp_path / 'parts' / 'sets' / '1.0.0'}")
    told: list[int] = []
    prepared = written(parts, tmp_path / "parts", advance=told.append)
    # Of the first 4 files 3 can be read, of the first 8 6: whole shards.
    earlier = 3 * sum(stops[-1] >= file for file in (4, 8))
    assert prepared == Prepared(whole.written, earlier, whole.skipped)
    assert sum(told) == len(CONTENTS)
    for one, other in zip(records(tmp_path / "parts"), records(tmp_path / "whole"), strict=True):
        assert one["name"] == other["name"]
        np.testing.assert_array_equal(one["image"], other["image"])
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    assert data_files(tmp_path / "parts").keys() == data_files(tmp_path / "whole").keys()
    assert written(parts, tmp_path / "parts").earlier == whole.written


@pytest.mark.usefixtures("small_shards")
def test_a_kill_while_a_shard_is_written_leaves_no_half_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of(tmp_path / "photos", CONTENTS)
    parts, shards = parts_of(tmp_path / "photos"), []
    really_add: Callable[..., None] = tfds.core.SequentialWriter.add_examples

    def add(self, examples) -> None:
        if len(shards) == 1:

            def some() -> Iterator[dict]:
                yield from islice(examples["train"], 1)
                raise Killed

            really_add(self, {"train": some()})
        really_add(self, examples)
        shards.append(examples)

    with monkeypatch.context() as patched:
        patched.setattr(tfds.core.SequentialWriter, "add_examples", add)
        with pytest.raises(Killed):
            written(parts, tmp_path)
    assert len(shards) == 1
    prepared, whole = written(parts, tmp_path), written(parts, tmp_path / "whole")
    assert prepared == whole._replace(earlier=3)  # what was skipped is not told twice
    assert contents(tmp_path) == contents(tmp_path / "whole")


@pytest.mark.usefixtures("small_shards")
def test_other_splits_can_be_read_while_one_is_unfinished(tmp_path: Path) -> None:
    folder_of(tmp_path / "photos", [1, 2, 3, 4, 5])
    parts = parts_of(tmp_path / "photos")
    written(parts, tmp_path)
    with pytest.raises(Killed):
        written(parts, tmp_path, split="train2", advance=killed_after(4))
    assert len(contents(tmp_path)) == 5
    with pytest.raises(ValueError, match=r"train2 in .* is unfinished"):
        contents(tmp_path, "@train+train2")
    with pytest.raises(ValueError, match=r"train2 in .* is unfinished"):
        contents(tmp_path, "@train2[:2]")


def test_a_split_is_not_made_of_other_pictures_or_with_other_settings(tmp_path: Path) -> None:
    for part in ("photos", "inputs"):
        folder_of(tmp_path / part, [1, 2])
    parts = parts_of(tmp_path / "photos")
    written(parts, tmp_path)
    before = contents(tmp_path)
    more = parts_of(tmp_path / "photos", inputs=tmp_path / "inputs")
    for changed, options in ((parts, {"short_side": 3}), (more, {})):
        with pytest.raises(ValueError, match="holds a split train of other pictures or settings"):
            written(changed, tmp_path, **options)
    with pytest.raises(
        ValueError, match="has records of image, name, not of image, input, name: choose another"
    ):
        written(more, tmp_path, split="validation")
    Image.new("RGB", (5, 4)).save(tmp_path / "photos" / "2.png")
    with pytest.raises(ValueError, match="holds a split train of other pictures or settings"):
        written(parts_of(tmp_path / "photos"), tmp_path)
    assert contents(tmp_path) == before


def test_a_dataset_is_not_made_of_a_dataset(tmp_path: Path) -> None:
    folder_of(tmp_path / "photos", [1])
    written(parts_of(tmp_path / "photos"), tmp_path)
    again = Parts(open_source(f"tfds:{tmp_path / 'sets' / '1.0.0'}"))
    with pytest.raises(ValueError, match="is a dataset already; prepare a folder"):
        written(again, tmp_path / "again")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("no_such_dataset", "tensorflow-datasets knows no 'no_such_dataset', and there is no such"),
        ("mnist", "tfds:mnist is not prepared in .*: jaxinpaint prepare tfds:mnist"),
        (".", "holds no prepared dataset .*; its last folder is a version"),
    ],
)
def test_a_dataset_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=problem):
        open_source(f"tfds:{name}")


def test_a_split_that_is_not_there_is_refused(tmp_path: Path) -> None:
    folder_of(tmp_path / "photos", [1])
    written(parts_of(tmp_path / "photos"), tmp_path)
    with pytest.raises(ValueError, match="test"):
        stored(tmp_path, "@test")


WITHOUT_TENSORFLOW = """
import sys
from jaxinpaint.data.sources import absolute, open_source
assert absolute("tfds:sets:1.0.0@train") == "tfds:sets:1.0.0@train"
files = open_source("tfds:sets@train[1:]").files
print(len(files), files[0].content.hex())
assert "tensorflow" not in sys.modules
"""


@pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is not None,
    reason="asks what is so without TensorFlow, which is installed here",
)
def test_a_dataset_is_found_by_its_name_and_read_without_tensorflow(tmp_path: Path) -> None:
    files = folder_of(tmp_path / "photos", [1, 2])
    written(parts_of(tmp_path / "photos"), tmp_path / "datasets")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW],
        # The folder is read from the environment when the library is imported.
        env=os.environ | {"PYTHONPATH": str(ROOT), "TFDS_DATA_DIR": str(tmp_path / "datasets")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["1", files[1].read_bytes().hex()]
    assert "tensorflow" not in sys.modules


@pytest.mark.usefixtures("small_shards")
def test_what_was_begun_of_one_folder_does_not_go_on_with_another(tmp_path: Path) -> None:
    folder_of(tmp_path / "photos", CONTENTS)
    (tmp_path / "others").mkdir()
    for file in sorted((tmp_path / "photos").iterdir()):
        noise(6, 0).save(tmp_path / "others" / file.name)
    with pytest.raises(Killed):
        written(parts_of(tmp_path / "photos"), tmp_path, advance=killed_after(5))
    with pytest.raises(ValueError, match="of other pictures or settings"):
        written(parts_of(tmp_path / "others"), tmp_path)
    (tmp_path / "photos").rename(tmp_path / "moved")
    assert written(parts_of(tmp_path / "moved"), tmp_path).earlier > 0


@pytest.mark.usefixtures("small_shards")
def test_no_name_of_an_unfinished_split_opens_it(tmp_path: Path) -> None:
    folder_of(tmp_path / "photos", CONTENTS)
    with pytest.raises(Killed):
        written(parts_of(tmp_path / "photos"), tmp_path, advance=killed_after(5))
    for split in ("", "@train", "@train[:50%]", "@all", "@all[:1]"):
        with pytest.raises(ValueError, match="is unfinished"):
            open_source(f"tfds:{tmp_path / 'sets' / '1.0.0'}{split}")


def test_a_list_that_names_a_picture_twice_is_refused(tmp_path: Path) -> None:
    folder_of(tmp_path / "photos", [1, 2])
    (tmp_path / "list.txt").write_text("photos/0.png\nphotos/1.png\nphotos/0.png\n")
    with pytest.raises(ValueError, match=r"names pictures twice: photos/0\.png"):
        written(Parts(open_source(str(tmp_path / "list.txt"))), tmp_path)


def test_shards_are_closed_by_their_bytes_too(tmp_path: Path, monkeypatch) -> None:
    files = folder_of(tmp_path / "photos", [1, 2, 3])
    monkeypatch.setattr(tfds_writing, "BYTES_A_SHARD", 10)
    written(parts_of(tmp_path / "photos"), tmp_path)
    assert len(list((tmp_path / "sets" / "1.0.0").glob("*array_record*"))) == 3
    assert contents(tmp_path) == [file.read_bytes() for file in files]


def test_a_damaged_dataset_is_told(tmp_path: Path) -> None:
    folder_of(tmp_path / "photos", [1, 2])
    written(parts_of(tmp_path / "photos"), tmp_path)
    info = tmp_path / "sets" / "1.0.0" / "dataset_info.json"
    info.write_text(info.read_text()[:40])
    with pytest.raises(ValueError, match=r"is damaged .* start anew"):
        written(parts_of(tmp_path / "photos"), tmp_path, split="validation")
