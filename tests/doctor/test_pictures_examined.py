"""Sick folders of pictures, and what is said of them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxinpaint.data.config import DataConfig
from jaxinpaint.data.examples import training_pictures
from jaxinpaint.data.sources import built_in, open_source
from jaxinpaint.doctor.findings import Finding
from jaxinpaint.doctor.pictures import copies, examine, examine_examples, examine_held_out, look

DATA = DataConfig(size=32)


def scene(seed: int, size: int = 64) -> Image.Image:
    """A picture with large shapes in colours, unlike those of other seeds."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five sound pictures."""
    (tmp_path / "train").mkdir()
    for seed in range(5):
        scene(seed).save(tmp_path / "train" / f"{seed}.png")
    return tmp_path / "train"


def found(folder: Path, data: DataConfig = DATA, most: int = 100) -> dict[str, Finding]:
    return by_subject(examine(look(open_source(str(folder)), most), data))


def by_subject(findings: Iterable[Finding]) -> dict[str, Finding]:
    return {finding.subject: finding for finding in findings}


def test_sound_pictures_are_well(folder: Path) -> None:
    findings = found(folder)
    assert set(findings) == {"pictures", "sizes", "grey", "duplicates"}
    assert {finding.level for finding in findings.values()} == {"ok"}
    assert "5 files, 0 can't be read" in findings["pictures"].found


def test_bad_files_are_named(folder: Path) -> None:
    (folder / "0.png").write_text("no picture")
    (folder / "1.png").write_bytes(b"")
    finding = found(folder)["pictures"]
    assert finding.level == "warn"
    assert "2 can't be read" in finding.found
    assert "0.png: not a picture" in finding.found


def test_more_bad_files_than_good_ones_are_a_failure(folder: Path) -> None:
    for number in range(3):
        (folder / f"{number}.png").write_text("no picture")
    assert found(folder)["pictures"].level == "fail"


@pytest.mark.parametrize(
    ("data", "level"),
    [
        (DataConfig(size=64), "ok"),
        (DataConfig(size=65), "warn"),
        (DataConfig(size=32, short_side=65), "warn"),
    ],
)
def test_pictures_that_are_enlarged_are_told(folder: Path, data: DataConfig, level: str) -> None:
    finding = found(folder, data)["sizes"]
    assert finding.level == level
    assert ("5 are smaller than 65" in finding.found) == (level == "warn")


def test_grey_pictures_are_counted_whatever_their_mode(folder: Path) -> None:
    scene(0).convert("L").save(folder / "0.png")
    scene(1).convert("L").convert("RGB").save(folder / "1.png")
    finding = found(folder)["grey"]
    assert finding.level == "warn"
    assert finding.found.startswith("2 of 5 have no colours")


def test_copies_are_found_byte_for_byte_and_by_their_looks(folder: Path) -> None:
    (folder / "copy.png").write_bytes((folder / "0.png").read_bytes())
    scene(1).resize((40, 40)).save(folder / "smaller.jpg", quality=60)
    finding = found(folder)["duplicates"]
    assert finding.level == "warn"
    assert "among 7 pictures 1 copies byte for byte" in finding.found
    assert "1 pairs that look alike" in finding.found


def test_flat_pictures_look_like_nothing(folder: Path) -> None:
    for number, level in enumerate((0, 100)):
        Image.new("RGB", (64, 64), (level, level, 10)).save(folder / f"flat{number}.png")
    assert found(folder)["duplicates"].level == "ok"


def test_photographs_do_not_look_alike() -> None:
    assert found(built_in("train"))["duplicates"].level == "ok"


@pytest.mark.parametrize(("copy", "level"), [("bytes", "fail"), ("looks", "warn"), (None, "ok")])
def test_held_out_pictures_that_are_trained_on_are_found(
    folder: Path, copy: str | None, level: str
) -> None:
    judged_on = folder.parent / "judged"
    judged_on.mkdir()
    scene(10).save(judged_on / "own.png")
    if copy == "bytes":
        (judged_on / "other_name.png").write_bytes((folder / "3.png").read_bytes())
    elif copy == "looks":
        scene(3).resize((50, 50)).save(judged_on / "other_name.jpg", quality=70)
    sources = [open_source(str(part)) for part in (folder, judged_on)]
    training, held_out = (look(source, 100) for source in sources)
    for found in (copies(*sources), None):
        finding = by_subject(examine_held_out(training, held_out, found))["leak"]
        assert finding.level == level
        assert ("other_name" in finding.found) == (copy is not None)


def test_copies_are_found_among_all_files_not_only_those_looked_at(folder: Path) -> None:
    judged_on = folder.parent / "judged"
    judged_on.mkdir()
    (judged_on / "copy.png").write_bytes((folder / "4.png").read_bytes())
    sources = [open_source(str(part)) for part in (folder, judged_on)]
    training, held_out = (look(source, 1) for source in sources)
    finding = by_subject(examine_held_out(training, held_out, copies(*sources)))["leak"]
    assert finding.level == "fail"
    assert "1 held-out and 1 training pictures" in finding.found, "what was compared is told"


def test_pictures_whose_masks_do_not_fit_are_told(folder: Path) -> None:
    masks = folder.parent / "masks"
    masks.mkdir()
    for number in range(5):
        Image.new("L", (64, 64 - number // 4)).save(masks / f"{number}.png")
    data = DataConfig(source=str(folder), holes=str(masks))
    (finding,) = examine_examples(training_pictures(data, paired_holes=True), 100)
    assert finding.level == "warn"
    assert "1 of 5 pictures" in finding.found
    assert "4.png is 64x63" in finding.found


def test_of_many_some_from_all_over_are_looked_at(folder: Path) -> None:
    looked = look(open_source(str(folder)), 2)
    assert [Path(seen.name).stem for seen in looked.seen] == ["0", "2"]
    assert "5 files, 2 of them looked at" in found(folder, most=2)["pictures"].found
