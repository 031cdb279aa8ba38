import functools
from pathlib import Path

import numpy as np
import pytest
from cli.commands import Command, contents, only_line, saved
from PIL import Image

from jaxinpaint.data.pictures import read_hole


@pytest.fixture
def run(call: Command, tmp_path: Path) -> Command:
    """Runs ``jaxinpaint masks`` for small boxes, and gives its exit code."""
    return functools.partial(call, "masks", "--output", tmp_path / "drawn", "--size", "24x32")


def test_masks_and_their_statistics_are_written(
    run: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--sampler", "box", "--n", "18") == 0
    out, err = capsys.readouterr()
    assert err == ""
    for told in ("holes", "18", "missing, mean", "touch the border", "parts, mean   1.0"):
        assert told in out
    folder = tmp_path / "drawn"
    assert out.splitlines()[-1] == str(tmp_path / "drawn.statistics.png")
    assert (tmp_path / "drawn.statistics.png").exists()
    names = [f"{number:06d}.png" for number in range(18)]
    assert sorted(path.name for path in folder.iterdir()) == names
    with Image.open(folder / names[0]) as mask:
        assert mask.mode == "L"
        assert mask.getextrema() == (0, 255)
    holes = np.stack([read_hole(folder / name) for name in names])
    assert holes.shape == (18, 24, 32)
    # 96 to 128 of 256, of 24.
    assert set(holes.any(axis=2).sum(axis=1)) <= {9, 10, 11, 12}


def test_a_mask_depends_on_its_number_and_the_seed_alone(run: Command, tmp_path: Path) -> None:
    def drawn(*words: str) -> dict[str, bytes]:
        assert run("--sampler", "box", *words, "-o", tmp_path / "_".join(words)) == 0
        found = contents(tmp_path / "_".join(words))
        return {Path(path).name: content for path, content in found.items()}

    few, more, others = drawn("--n", "3"), drawn("--n", "17"), drawn("--n", "3", "--seed", "1")
    assert (len(few), len(more)) == (3, 17)
    assert all(few[name] == more[name] for name in few)
    assert any(few[name] != others[name] for name in few)


def test_ratio_border_and_shapes_are_read(run: Command, tmp_path: Path) -> None:
    words = ("--sampler", "irregular", "--n", "8", "--ratio", "0.2", "0.3", "--no-border")
    assert run(*words) == 0
    holes = [read_hole(path) for path in sorted((tmp_path / "drawn").glob("0*.png"))]
    assert all(0.2 < hole.mean() <= 0.3 for hole in holes)
    assert not any(hole[0].any() or hole[-1].any() for hole in holes)
    saved(tmp_path / "outlines" / "disk.png", np.full((9, 9), 255, np.uint8))
    crfill = ("--sampler", "crfill", "--n", "1")
    assert run(*crfill, "--shapes", tmp_path / "outlines", "-o", tmp_path / "objects") == 0


def test_an_empty_folder_is_taken_and_a_filled_one_stays(
    run: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "drawn").mkdir()
    assert run("--sampler", "center", "--n", "2") == 0
    before = contents(tmp_path)
    capsys.readouterr()
    assert run("--sampler", "center", "--n", "1") == 2
    assert "drawn is taken; masks need a new or an empty folder" in only_line(capsys)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--sampler box --n 0", "--n is 0"),
        ("--sampler box --size 0", "--size 0 is none"),
        ("--sampler box --size 8x8x8", "--size 8x8x8 is none"),
        ("--sampler box --size big", "--size big is none"),
        ("--sampler box --seed -1", "--seed is -1"),
        ("--sampler box --ratio 0.1 0.2", "--ratio says nothing where there is --sampler box"),
        ("--sampler mat --no-border", "--no-border says nothing where there is --sampler mat"),
        ("--sampler box --shapes gone", "--shapes says nothing where there is --sampler box"),
        ("--sampler crfill --shapes gone", "gone is not a folder"),
        ("--sampler mat --ratio 0.3 0.2", "ratio in (0.3, 0.2)"),
        ("--sampler irregular --ratio 0.1 0.9 --no-border", "without touching the border"),
    ],
)
def test_what_can_not_be_drawn_is_told_in_one_line_and_leaves_no_folder(
    run: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, told: str
) -> None:
    assert run(*words.split()) == 2
    assert told in only_line(capsys)
    assert not (tmp_path / "drawn").exists()


def test_an_output_that_is_a_file_stays(
    run: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "drawn").write_text("mine")
    assert run("--sampler", "box") == 2
    assert "drawn is taken" in only_line(capsys)
    assert (tmp_path / "drawn").read_text() == "mine"


def test_a_sampler_that_is_not_known_is_an_error(
    run: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--sampler", "lama") == 2
    assert "lama-thick" in capsys.readouterr().err
    assert not (tmp_path / "drawn").exists()
