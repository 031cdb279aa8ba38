"""Sick folders of masks, and what is said of them."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxinpaint.data.sources import open_source
from jaxinpaint.doctor.findings import Finding
from jaxinpaint.doctor.holes import examine_drawn, examine_files
from jaxinpaint.recipes import ContextEncoderConfig, CRFillConfig, PANConfig, PartialConvConfig


def mask(white: float, size: int = 40) -> np.ndarray:
    """A mask whose upper part is white."""
    pixels = np.zeros((size, size), np.uint8)
    pixels[: round(white * size)] = 255
    return pixels


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(4):
        Image.fromarray(mask(0.1 + 0.1 * number)).save(tmp_path / f"{number}.png")
    return tmp_path


def found(folder: Path) -> dict[str, Finding]:
    findings = examine_files(open_source(str(folder)), 100)
    return {finding.subject: finding for finding in findings}


def test_sound_masks_are_well(folder: Path) -> None:
    findings = found(folder)
    assert set(findings) == {"masks", "polarity", "edges", "hole ratio"}
    assert {finding.level for finding in findings.values()} == {"ok"}
    assert "25% in the median one" in findings["hole ratio"].found


def test_masks_that_may_be_swapped_are_told(folder: Path) -> None:
    Image.fromarray(mask(0.8)).save(folder / "swapped.png")
    finding = found(folder)["polarity"]
    assert finding.level == "warn"
    assert "1 of 5" in finding.found
    assert "swapped.png" in finding.found


def test_grey_edges_and_jpegs_are_told(folder: Path) -> None:
    soft = np.linspace(0, 255, 1600).reshape(40, 40).astype(np.uint8)
    Image.fromarray(soft).save(folder / "soft.png")
    Image.fromarray(mask(0.5)).save(folder / "photo.jpg")
    finding = found(folder)["edges"]
    assert finding.level == "warn"
    assert "soft.png" in finding.found
    assert "1 are JPEGs" in finding.found


@pytest.mark.parametrize("white", [0.0, 1.0])
def test_masks_of_nothing_or_all_are_told(folder: Path, white: float) -> None:
    Image.fromarray(mask(white)).save(folder / "flat.png")
    finding = found(folder)["hole ratio"]
    assert finding.level == "warn"
    assert f"{int(white == 0)} of 5 have no hole, {int(white == 1)} nothing else" in finding.found


def test_files_that_are_no_masks_are_a_failure(tmp_path: Path) -> None:
    (tmp_path / "mask.png").write_text("no picture")
    findings = found(tmp_path)
    assert findings["masks"].level == "fail"
    assert "mask.png: not a picture" in findings["masks"].found


def test_the_holes_that_a_recipe_draws_are_told() -> None:
    (finding,) = examine_drawn(PartialConvConfig(hole_ratio=(0.2, 0.3)), (32, 32), seed=0)
    assert finding.level == "ok"
    low, high = (int(share) for share in re.findall(r"(\d+)%", finding.found)[:2])
    assert 20 <= low < high <= 30


@pytest.mark.parametrize("recipe", [ContextEncoderConfig(), PANConfig(), PANConfig(task="pairs")])
def test_of_holes_that_are_not_drawn_nothing_is_told(recipe) -> None:
    assert not list(examine_drawn(recipe, (32, 32), seed=0))


def test_holes_that_should_come_from_files_and_do_not_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"say where, --data\.holes"):
        list(examine_drawn(CRFillConfig(holes="folder"), (32, 32), seed=0))
