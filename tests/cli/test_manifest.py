"""Manifests from the command line."""

from pathlib import Path

import numpy as np
import pytest
from cli.commands import saved
from PIL import Image

from jaxinpaint.cli.manifest import manifest
from jaxinpaint.data.pictures import UnreadablePicture
from jaxinpaint.evaluation import manifests

RNG = np.random.default_rng(0)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in "ab":
        saved(tmp_path / "photos" / f"{name}.png", RNG.integers(0, 256, (20, 24, 3), np.uint8))
    return tmp_path / "photos"


def test_it_is_told_which_masks_go_with_which_pictures(photos, tmp_path, capsys) -> None:
    hole = np.zeros((20, 24), np.uint8)
    hole[8:12, 8:12] = 255
    for names, told in (
        (("1",), "no picture has a mask of its own name: masks go round (1)"),
        (("a", "b"), "each picture has the mask of its own name"),
    ):
        for name in names:
            saved(tmp_path / told[:2] / f"{name}.png", hole)
        manifest(
            data=photos, output=tmp_path / f"{told[:2]}.jsonl", size=16, masks=tmp_path / told[:2]
        )
        assert capsys.readouterr().out.splitlines()[0] == told


def test_squares_and_holes_are_cut_for_other_programs(photos, tmp_path) -> None:
    cut = tmp_path / "deeper" / "cut"
    manifest(data=photos, output=tmp_path / "m.jsonl", size=16, sampler="center", cut=cut)
    for row in manifests.read(tmp_path / "m.jsonl").rows:
        _, truth, hole = manifests.case(row, photos)
        np.testing.assert_array_equal(Image.open(cut / "truth" / f"{row.name}.png"), truth)
        np.testing.assert_array_equal(
            Image.open(cut / "holes" / f"{row.name}.png"), np.where(hole, 255, 0)
        )
    assert [path.name for path in cut.parent.iterdir()] == ["cut"]


def test_what_is_cut_appears_as_a_whole_or_not_at_all(photos, tmp_path, monkeypatch) -> None:
    case = manifests.case

    def failing(row: manifests.Row, *where: Path | None) -> manifests.Case:
        if row.picture == "b.png":
            raise UnreadablePicture("b.png: gone")
        return case(row, *where)  # type: ignore[arg-type]

    monkeypatch.setattr(manifests, "case", failing)
    cut = tmp_path / "deeper" / "cut"
    with pytest.raises(UnreadablePicture):
        manifest(data=photos, output=tmp_path / "m.jsonl", size=16, sampler="center", cut=cut)
    assert not list(cut.parent.iterdir())


def test_a_size_of_nothing_is_not_the_protocols(photos, tmp_path) -> None:
    with pytest.raises(ValueError, match="--size is 0; squares have sides of at least 16"):
        manifest(data=photos, output=tmp_path / "m.jsonl", size=0)
    assert not (tmp_path / "m.jsonl").exists()
