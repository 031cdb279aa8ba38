"""Pages and examples are what the code says and does."""

import functools
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import jax
import jax.numpy as jnp
import make_filled
import make_objectives
import make_performance
import numpy as np
import pytest
import tyro
from documented import PAGES, ROOT, blocks, commands, programs, typed_in
from PIL import Image
from tiny_run import tiny_run

import jaxinpaint
from jaxinpaint import cli, recipes
from jaxinpaint.cli import choosing, train
from jaxinpaint.cli.presets import PRESETS
from jaxinpaint.data.pictures import read_rgb
from jaxinpaint.evaluation.protocols import PROTOCOLS
from jaxinpaint.interop import stablehlo
from jaxinpaint.interop.programs import program_of
from jaxinpaint.masks import SamplerName
from jaxinpaint.names import ProtocolName
from jaxinpaint.trained import read_generator
from jaxinpaint.training import processes


def test_the_table_of_objectives_is_up_to_date() -> None:
    assert make_objectives.page() == make_objectives.PAGE.read_text(encoding="utf-8")


def test_what_was_measured_is_in_the_page() -> None:
    page = make_performance.PAGE.read_text(encoding="utf-8")
    measured = json.loads(make_performance.MEASURED.read_text())
    assert make_performance.page(page, measured) == page


def test_the_picture_of_a_filled_photograph_is_what_the_network_makes() -> None:
    photo = read_rgb(make_filled.PHOTO)
    drawn, shown = make_filled.drawn(jaxinpaint.load(), photo), read_rgb(make_filled.PICTURE)
    # Other machines sum in another order, which may round a value to the next byte.
    assert np.abs(drawn.astype(int) - shown).max() <= 2
    with Image.open(make_filled.HOLE) as hole:
        np.testing.assert_array_equal(np.array(hole), make_filled.scratched(*photo.shape[:2]))


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


# Programs that pages speak of and that are not here: other people's, and machines' own.
NOT_OURS = (
    ("python", "their_program.py"),
    (".", ".venv/bin/activate"),
    (".venv/bin/pre-commit", "install"),
    ("cd", "jaxinpaint"),
    ("git", "clone"),
    ("ssh", "-L"),
    ("gcloud", "compute"),
)


@pytest.fixture
def parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[str]], None]:
    """Parses a command by what would parse it if it was typed, and does nothing else."""
    monkeypatch.chdir(tmp_path)
    # Neither processes nor runs to start from or to go on with are there.
    monkeypatch.setattr(processes, "join", lambda *where, **numbers: None)
    monkeypatch.setattr(choosing, "_start_from", lambda options: None)
    monkeypatch.setattr(train, "load_config", lambda folder: PRESETS[preset_of(folder)][1])
    monkeypatch.setattr(import_module("jaxinpaint.cli.doctor"), "examine", lambda *which, **how: [])
    dispatched = tyro.extras.subcommand_cli_from_dict
    monkeypatch.setattr(
        tyro.extras,
        "subcommand_cli_from_dict",
        lambda verbs, **words: dispatched({n: idle(v) for n, v in verbs.items()}, **words),
    )

    def parse(words: Sequence[str]) -> None:
        match words:
            case ["python", "train.py", "--help"]:
                pass
            case ["python", "train.py", *arguments]:
                assert train.parse(arguments).resumes == ("--resume" in arguments)
            case ["srun", *rest] if "$what" not in rest:
                parse(rest)
            case ["jaxinpaint", *arguments]:
                monkeypatch.setattr(sys, "argv", ["jaxinpaint", *arguments])
                assert exit_code_of(cli.main) == 0, words
            case ["python", program, *arguments] if (ROOT / program).exists():
                text = (ROOT / program).read_text(encoding="utf-8")
                options = [word for word in arguments if word.startswith("-")]
                assert [option for option in options if f'"{option}"' not in text] == []
            case ["make", target]:
                assert f"\n{target}: " in (ROOT / "Makefile").read_text(encoding="utf-8")
            case ["pip", "install", *what]:
                assert installable(what[-1])
            case _:
                assert tuple(words[:2]) in NOT_OURS, words

    return parse


def exit_code_of(program: Callable[[], None]) -> int | str | None:
    """How a program ends."""
    try:
        program()
    except SystemExit as end:
        return end.code or 0
    return 0


def idle(verb: Callable[..., Any]) -> Callable[..., None]:
    """What takes the same arguments and does nothing."""
    if isinstance(verb, functools.partial):
        return verb  # the doctor, which is given its arguments otherwise
    return functools.wraps(verb)(lambda *arguments, **options: None)


def preset_of(folder: Path) -> str:
    """The preset of a run, by its folder as pages call it."""
    return folder.name.rpartition("-")[0] if "-" in folder.name else "crfill"


def installable(what: str) -> bool:
    """Whether pip is told of extras that are there, or of another package."""
    extras = re.fullmatch(r"(?:\.|jaxinpaint)\[(.*)\]", what)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return extras is None or {*extras[1].split(",")} <= project["optional-dependencies"].keys()


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)])
def test_the_commands_of_a_page_are_taken(page: str, parsed: Callable[..., None]) -> None:
    for words in commands(page):
        if "$what" not in words:  # a job's script, which sets it
            parsed(words)


def test_the_commands_of_pages_are_found() -> None:
    assert len(commands("README.md")) > 20
    scaling = commands("docs/scaling.md")
    assert scaling[2][-6:-4] == ["--coordinator", "10.0.0.1:1234"]
    assert [words[2:4] for words in scaling[3:5]] == [
        ["--resume", "$run"],
        ["crfill", "--data.source"],
    ]
    assert ["python", "train.py", "crfill", "--precision", "bf16"] in [c[:5] for c in scaling[5:]]


@pytest.mark.parametrize(
    "typed",
    [
        "python train.py no-such-preset",
        "python train.py crfill --recipe.no-such-option 1",
        "jaxinpaint inpaint RUN photo.jpg --mask hole.png -o filled.png",
        "jaxinpaint no-such-verb",
        "jaxinpaint doctor --data.no-such-option 1",
        "python benchmarks/crfill.py --no-such-option",
        'pip install -e ".[no-such-extra]"',
        "make no-such-target",
        "no-such-program",
    ],
)
def test_a_command_that_would_not_be_taken_is_found(
    typed: str, parsed: Callable[..., None]
) -> None:
    (words,) = typed_in(typed)
    with pytest.raises((AssertionError, SystemExit, ValueError)):
        parsed(words)


def given_to(page: str, folder: Path) -> dict[str, Any]:
    """What the programs of a page take as there: files in the folder, and values by name."""
    tiny_run(folder / "runs" / "first-run-1")
    match page:
        case "README.md":
            rng = np.random.default_rng(0)
            images = jnp.asarray(rng.random((1, 256, 256, 3)), jnp.float32)
            return {
                "photo": rng.integers(256, size=(20, 24, 3), dtype=np.uint8),
                "hole": np.arange(20 * 24).reshape(20, 24) % 7 == 0,
                "x": images,
                "valid": jnp.ones((1, 256, 256, 1)),
                "kernel": jnp.ones((3, 3, 3, 4)),
                "bias": jnp.zeros(4),
                "key": jax.random.key(0),
                "output": images / 2,
                "truth": images,
            }
        case "docs/checkpoints.md":
            network = read_generator(folder / "runs" / "first-run-1", average=True)
            program = program_of(recipes.make(network.config), network.players["generator"])
            stablehlo.write(program, folder / "program.stablehlo")
            return {"image": jnp.zeros((1, 8, 8, 3)), "hole": jnp.zeros((1, 8, 8, 1))}
        case _:
            return {}


@pytest.mark.parametrize("page", [page for page in PAGES if programs(page)])
def test_the_programs_of_a_page_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = given_to(page, tmp_path)
    for number, program in enumerate(programs(page), 1):
        exec(compile(program, f"{page}, program {number}", "exec"), names)


def test_blocks_are_programs_commands_or_what_was_printed() -> None:
    languages = {(page, block.language) for page in PAGES for block in blocks(page)}
    assert [found for found in languages if found[1] not in ("", "python", "text")] == []


@pytest.mark.slow
def test_the_example_of_losses_draws_its_picture(tmp_path: Path) -> None:
    picture = tmp_path / "losses.png"
    subprocess.run([sys.executable, ROOT / "examples" / "losses.py", "-o", picture], check=True)
    with Image.open(picture) as drawn:
        assert min(drawn.size) > 400
