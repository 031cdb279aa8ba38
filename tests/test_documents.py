"""Pages and examples are what the code says and does."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import get_args

import make_objectives
import make_performance
import pytest
from PIL import Image

from jaxinpaint.cli import choosing
from jaxinpaint.cli.train import parse
from jaxinpaint.evaluation.protocols import PROTOCOLS
from jaxinpaint.masks import SamplerName
from jaxinpaint.names import ProtocolName
from jaxinpaint.training import processes

ROOT = Path(__file__).parent.parent


def test_the_table_of_objectives_is_up_to_date() -> None:
    assert make_objectives.page() == make_objectives.PAGE.read_text(encoding="utf-8")


def test_what_was_measured_is_in_the_page() -> None:
    page = make_performance.PAGE.read_text(encoding="utf-8")
    measured = json.loads(make_performance.MEASURED.read_text())
    assert make_performance.page(page, measured) == page
    assert set(measured["recipes"]) == set(measured["sweeps"])


def test_an_objective_without_its_equation_or_source_is_refused() -> None:
    with pytest.raises(ValueError, match=r"pixel\.l1 lacks"):
        make_objectives.row(
            "pixel", "l1", "Mean.\n\n::\n\n    |x|\n\nRange: [0, 1].\nReduction: mean."
        )


def test_every_family_of_objectives_is_in_the_table() -> None:
    helpers = {"__init__", "reduction", "taps"}
    families = {path.stem for path in (ROOT / "jaxinpaint" / "objectives").glob("*.py")}
    assert set(make_objectives.FAMILIES) == families - helpers


def test_every_sampler_is_on_the_page_of_masks() -> None:
    page = (ROOT / "docs" / "masks.md").read_text(encoding="utf-8")
    assert [name for name in get_args(SamplerName) if f"| `{name}` |" not in page] == []


def test_every_protocol_is_on_the_page_of_judging_and_in_the_help() -> None:
    page = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    assert [name for name in PROTOCOLS if f"| `{name}` |" not in page] == []
    assert get_args(ProtocolName) == tuple(PROTOCOLS)


def trainings(page: Path) -> list[list[str]]:
    """The arguments of every new run that a page tells how to start."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    commands = re.findall(r"^\s*(?:\w+=\S+ )?python train\.py(.*)$", text, re.MULTILINE)
    arguments = [shlex.split(command, comments=True) for command in commands]
    return [given for given in arguments if not {"--resume", "--help", "$what"} & {*given}]


@pytest.mark.parametrize(
    "page", ["README.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))]
)
def test_the_trainer_takes_what_a_page_says_it_does(page: str, tmp_path, monkeypatch) -> None:
    commands = trainings(ROOT / page)
    monkeypatch.chdir(tmp_path)
    # Neither processes nor runs to start from are there.
    monkeypatch.setattr(processes, "join", lambda *where, **numbers: None)
    monkeypatch.setattr(choosing, "_start_from", lambda options: None)
    for arguments in commands:
        assert not parse(arguments).resumes


def test_pages_that_tell_how_to_train_are_found_to() -> None:
    assert len(trainings(ROOT / "README.md")) > 5
    assert trainings(ROOT / "docs" / "scaling.md")[2][-6:-4] == ["--coordinator", "10.0.0.1:1234"]


@pytest.mark.slow
def test_the_example_of_losses_draws_its_picture(tmp_path: Path) -> None:
    picture = tmp_path / "losses.png"
    subprocess.run([sys.executable, ROOT / "examples" / "losses.py", "-o", picture], check=True)
    with Image.open(picture) as drawn:
        assert min(drawn.size) > 400
