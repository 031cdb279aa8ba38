import json
import logging
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from jaxinpaint import masks
from jaxinpaint.array_typing import RGB
from jaxinpaint.data.pictures import Encoded, read_rgb
from jaxinpaint.evaluation import manifests
from jaxinpaint.evaluation.manifests import Changed, Drawn, HolesOf, Stored

RNG = np.random.default_rng(0)
BUCKETS = ((0.1, 0.2), (0.3, 0.4))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name, shape in {"a": (40, 64), "deeper/b": (70, 50)}.items():
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RNG.integers(0, 256, (*shape, 3), np.uint8)).save(path)
    return folder


def written(photos: Path, path: Path, holes: HolesOf, size: int = 32) -> manifests.Manifest:
    manifests.write(manifests.drawn_rows(photos, size=size, holes=holes, seed=3), path)
    return manifests.read(path)


def test_each_picture_has_a_hole_of_each_kind_in_its_middle_square(photos, tmp_path) -> None:
    holes = HolesOf(("irregular", "center"), BUCKETS, (True, False))
    manifest = written(photos, tmp_path / "m.jsonl", holes)
    assert len(manifest.rows) == 2 * 5
    assert [row.name for row in manifest.rows[4:6]] == ["000000-4", "000001-0"]
    assert {row.picture for row in manifest.rows} == {"a.png", "deeper/b.png"}
    for row in manifest.rows:
        _, truth, hole = manifests.case(row, photos)
        assert truth.shape == (32, 32, 3)
        assert hole.mean() == pytest.approx(row.missing, abs=1e-6)
        assert row.touches_border == (hole[[0, -1]].any() or hole[:, [0, -1]].any())
        assert isinstance(row.hole, Drawn)
        if row.hole.sampler == "irregular":
            assert row.hole.ratio is not None
            assert row.hole.ratio[0] < row.missing <= row.hole.ratio[1]
            assert row.hole.border or not row.touches_border
    # The hole of a number is the sampler's own.
    rule = manifest.rows[6].hole
    assert isinstance(rule, Drawn)
    key = jax.random.fold_in(jax.random.key(3), 6)
    drawn = masks.irregular(key, (32, 32), ratio=BUCKETS[1])
    np.testing.assert_array_equal(
        np.asarray(drawn)[..., 0] > 0, manifests.case(manifest.rows[6], photos).hole
    )


def test_squares_are_the_middle_of_the_scaled_picture(photos, tmp_path) -> None:
    row = written(photos, tmp_path / "m.jsonl", HolesOf(("center",))).rows[0]
    whole = Image.open(photos / "a.png").resize((51, 32), Image.Resampling.BICUBIC)
    assert row.crop == (0, 9, 32, 32)
    np.testing.assert_array_equal(
        manifests.case(row, photos).truth, np.asarray(whole)[:, 9 : 9 + 32]
    )


def test_the_same_call_makes_the_same_file_and_another_seed_another(photos, tmp_path) -> None:
    first = written(photos, tmp_path / "1", HolesOf(buckets=BUCKETS))
    assert written(photos, tmp_path / "2", HolesOf(buckets=BUCKETS)).sha256 == first.sha256
    rows = manifests.drawn_rows(photos, size=32, holes=HolesOf(buckets=BUCKETS), seed=4)
    manifests.write(rows, tmp_path / "3")
    assert manifests.read(tmp_path / "3").sha256 != first.sha256


def test_what_has_changed_is_refused(photos, tmp_path) -> None:
    row = written(photos, tmp_path / "m.jsonl", HolesOf(buckets=BUCKETS)).rows[0]
    assert isinstance(row.hole, Drawn)
    with pytest.raises(Changed, match="the irregular hole 1 is drawn otherwise"):
        manifests.case(replace(row, hole=replace(row.hole, number=1)), photos)
    pixels = np.asarray(Image.open(photos / "a.png")).copy()
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels).save(photos / "a.png")
    with pytest.raises(Changed, match=r"a\.png is not the file that the manifest tells of"):
        manifests.case(row, photos)


def test_pictures_are_read_once_and_not_scaled_to_tell_their_rows(
    photos, tmp_path, monkeypatch
) -> None:
    read = []

    def reading(file: Encoded) -> RGB:
        read.append(file.name)
        return read_rgb(file)

    monkeypatch.setattr(manifests, "read_rgb", reading)
    monkeypatch.setattr(manifests, "scaled", None)
    rows = list(manifests.drawn_rows(photos, size=32, holes=HolesOf(buckets=BUCKETS), seed=3))
    assert len(rows) == 4
    assert len(read) == 2


HOLE = np.zeros((40, 64), bool)
HOLE[10:20, 30:40] = True


@pytest.fixture
def mask_files(tmp_path: Path) -> Path:
    """A mask that is of no picture."""
    (tmp_path / "masks" / "deeper").mkdir(parents=True)
    Image.fromarray(HOLE).save(tmp_path / "masks" / "one.png")
    return tmp_path / "masks"


def stored(photos: Path, folder: Path) -> tuple[list[manifests.Row], str]:
    """Rows with holes from files, and what was told of them."""
    told: list[str] = []
    rows = list(manifests.stored_rows(photos, folder, size=40, tell=told.append))
    (line,) = told
    return rows, line


def test_masks_that_are_of_no_picture_go_round(photos, mask_files) -> None:
    rows, told = stored(photos, mask_files)
    assert told == "no picture has a mask of its own name: masks go round (1)"
    assert [row.hole.file for row in rows if isinstance(row.hole, Stored)] == ["one.png"] * 2
    np.testing.assert_array_equal(manifests.case(rows[0], photos, mask_files).hole, HOLE[:, 12:52])
    # To XLA no other bytes are true and false.
    assert set(manifests.case(rows[0], photos, mask_files).hole.view(np.uint8).flat) == {0, 1}
    with pytest.raises(ValueError, match="--masks"):
        manifests.case(rows[0], photos)


def test_pictures_have_the_masks_of_their_names_or_all_is_refused(
    photos, mask_files, caplog
) -> None:
    Image.fromarray(HOLE).save(mask_files / "a.png")
    with pytest.raises(ValueError, match=r"masks has no mask for 1 pictures: deeper/b\.png"):
        stored(photos, mask_files)

    Image.fromarray(~HOLE).save(mask_files / "deeper" / "b.png")
    with caplog.at_level(logging.WARNING, manifests.__name__):
        rows, told = stored(photos, mask_files)
    assert told == "each picture has the mask of its own name"
    assert caplog.messages == [
        "1 of 2 holes miss more than 70 % of their square: is white what is missing?"
    ]
    assert [row.hole.file for row in rows if isinstance(row.hole, Stored)] == [
        "a.png",
        "deeper/b.png",
    ]
    Image.fromarray(~HOLE).save(mask_files / "a.png")
    with pytest.raises(Changed, match=r"a\.png is not the file"):
        manifests.case(rows[0], photos, mask_files)

    Image.fromarray(HOLE).save(mask_files / "a.bmp")
    with pytest.raises(ValueError, match=r"two masks of one name .*a\.bmp and a\.png"):
        stored(photos, mask_files)


@pytest.mark.parametrize(("white", "misses"), [(True, "all"), (False, "nothing")])
def test_holes_that_miss_nothing_or_all_are_refused(white, misses, photos, mask_files) -> None:
    Image.fromarray(np.full((40, 64), white)).save(mask_files / "one.png")
    with pytest.raises(ValueError, match=rf"one\.png misses {misses} of the square of .*a\.png"):
        stored(photos, mask_files)


def test_small_squares_and_folders_without_pictures_are_refused_at_once(photos, mask_files) -> None:
    for folder, size, message in (
        (photos, 15, "at least 16"),
        (Path("nowhere"), 16, "not a folder"),
    ):
        with pytest.raises(ValueError, match=message):
            manifests.drawn_rows(folder, size=size, holes=HolesOf(), seed=0)
        with pytest.raises(ValueError, match=message):
            manifests.stored_rows(folder, mask_files, size=size, tell=print)


def test_files_that_are_no_manifests_are_refused(photos, tmp_path) -> None:
    path = tmp_path / "m.jsonl"
    written(photos, path, HolesOf(("center",)))
    line, *_ = path.read_text().splitlines()
    for text in (
        "",
        "{",
        "[]",
        line[:-9],
        line.replace('"size"', '"side"'),
        line.replace('"center"', '"centre"'),
        json.dumps(json.loads(line) | {"hole": {}}),
        f"{line}\n{line}",
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"is no manifest|no cases, or two of one name"):
            manifests.read(path)
    with pytest.raises(ValueError, match="No such file"):
        manifests.read(tmp_path / "nowhere")


def test_a_manifest_appears_as_a_whole_or_not_at_all(photos, tmp_path) -> None:
    (photos / "z.png").write_text("no picture")
    with pytest.raises(ValueError, match="not a picture"):
        written(photos, tmp_path / "new" / "m.jsonl", HolesOf(("center",)))
    assert not list((tmp_path / "new").iterdir())


def test_a_copy_of_a_manifest_is_the_same_and_is_kept(photos, tmp_path) -> None:
    found = written(photos, tmp_path / "m.jsonl", HolesOf(("center",)))
    copy = tmp_path / "kept" / "m.jsonl"
    manifests.keep(tmp_path / "m.jsonl", copy)
    assert manifests.read(copy).sha256 == found.sha256
    (tmp_path / "m.jsonl").write_text("another")
    manifests.keep(tmp_path / "m.jsonl", copy)
    assert manifests.read(copy).sha256 == found.sha256
    assert list(copy.parent.iterdir()) == [copy]
