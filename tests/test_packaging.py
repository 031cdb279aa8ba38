"""What a wheel holds and says of itself, and what its command does before anything is trained."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml

import jaxinpaint
from jaxinpaint.cli import main, version
from jaxinpaint.cli.completion import script
from jaxinpaint.cli.presets import PRESETS
from jaxinpaint.cli.train import parse

ROOT = Path(__file__).parent.parent
DATA = [
    "py.typed",
    "data/photographs/README.md",
    "data/photographs/train/astronaut.png",
    "data/photographs/held_out/chelsea.png",
    "evaluation/report/page.html",
    "ready/MODEL_CARD.md",
    "ready/membrane.safetensors",
]


@pytest.mark.slow
def test_wheel_and_sdist_hold_what_they_should(tmp_path: Path) -> None:
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    words = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower()
    (wheel,), (sdist,) = tmp_path.glob("*.whl"), tmp_path.glob("*.tar.gz")

    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (told,) = [archive.read(name).decode() for name in names if name.endswith("METADATA")]
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "jaxinpaint").rglob("*.py")}
    assert modules | {f"jaxinpaint/{name}" for name in DATA} <= set(names)
    info = f"jaxinpaint-{jaxinpaint.__version__}.dist-info"
    assert {name.partition("/")[0] for name in names} == {"jaxinpaint", info}
    assert f"{info}/licenses/LICENSE" in names
    assert not [name for name in names if "__pycache__" in name]
    assert "License-Expression: Apache-2.0" in told
    assert "Requires-Python: >=3.11" in told
    assert "Classifier: Typing :: Typed" in told

    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    there = {"README.md", "LICENSE", "SECURITY.md", "CITATION.cff", "train.py", "pyproject.toml"}
    pages = {"docs/data.md", "tests/conftest.py", "tests/reference", "examples/README.md"}
    assert there | modules <= inside
    for wanted in pages:
        assert any(name.startswith(wanted) for name in inside), wanted
    assert not [name for name in inside if name.startswith((".venv", "runs", ".ci", ".github"))]


def test_versions_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    program = (
        "import sys; sys.argv = ['jaxinpaint', '--version']\n"
        "from jaxinpaint.cli import main; main()\n"
        "assert not {'jax', 'flax', 'numpy', 'orbax'} & set(sys.modules)\n"
    )
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"jaxinpaint {jaxinpaint.__version__}"
    assert lines[1].startswith("Python 3.")
    for name in version.STACK:
        assert f"{name} {metadata.version(name)}" in lines
    assert lines[-1].startswith("JAX is installed for: CPU")

    monkeypatch.setattr(version, "PLUGINS", {"CUDA": ("jax",), "TPU": ("no-such-thing",)})
    assert version.versions().endswith("JAX is installed for: CPU, CUDA")
    monkeypatch.setattr(version, "STACK", ("no-such-thing",))
    assert "no-such-thing is missing" in version.versions()


def test_the_trainer_is_a_verb(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, code in ((["no-such-preset"], 2), (["--help"], 0)):
        monkeypatch.setattr(sys, "argv", ["jaxinpaint", "train", *words])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == code
    out, err = capsys.readouterr()
    assert out.startswith("usage: jaxinpaint train [PRESET]")
    assert err.startswith("error: there is no preset 'no-such-preset'")


def test_help_calls_the_trainer_as_it_was_called(capsys: pytest.CaptureFixture[str]) -> None:
    for given, told in (({}, "train.py"), ({"prog": "jaxinpaint train"}, "jaxinpaint train")):
        with pytest.raises(SystemExit):
            parse(["--help"], **given)
        assert capsys.readouterr().out.startswith(f"usage: {told} [PRESET]")


@pytest.fixture(scope="module")
def bash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "jaxinpaint"
    path.write_text(script("bash"))
    return path


@pytest.mark.parametrize(
    ("line", "offered", "not_offered"),
    [
        (["inp"], {"inpaint"}, {"train"}),
        ([""], {"train", "doctor", "evaluate", "completion"}, {"pan"}),
        (["completion", "--h"], {"--help"}, set()),
        (["train", ""], {*PRESETS, "--resume"}, {"inpaint"}),
        (["train", "crfill", "--recipe.st"], {"--recipe.stages"}, {"--recipe.layer-size"}),
        (["train", "crfill", "--p"], {"--precision", "--parallel"}, {"takes", "--pictures"}),
        (["train", "pan", "--precision", "b"], {"bf16"}, {"float32"}),
        (["doctor", "pan", "--data.so"], {"--data.source"}, set()),
        (["export", "run", "--format", "s"], {"stablehlo", "safetensors", "savedmodel"}, {"onnx"}),
    ],
)
def test_bash_completes(
    bash: Path, line: list[str], offered: set[str], not_offered: set[str]
) -> None:
    program = (
        'source "$1"; shift\n'
        "complete=$(complete -p jaxinpaint)\n"
        '[[ $complete == *"-o default"* ]] || exit 3\n'
        "complete=${complete##*-F }\n"
        'COMP_WORDS=(jaxinpaint "$@"); COMP_CWORD=$#\n'
        '${complete%% *}; printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    words = ["bash", "-c", program, "bash", str(bash), *line]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    words = set(done.stdout.splitlines())
    assert offered <= words
    assert not not_offered & words
    assert not [word for word in words if " " in word]


def test_zsh_is_given_a_script_of_its_own() -> None:
    assert script("zsh").startswith("#compdef jaxinpaint")


def test_only_what_is_typed_is_completed() -> None:
    written = script("bash")
    assert "--start-from" in written
    assert "--published-weights" not in written


def test_the_project_says_what_it_is() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert all((ROOT / path).exists() for path in project["license-files"])
    assert "Typing :: Typed" in project["classifiers"]
    assert (ROOT / "jaxinpaint" / "py.typed").exists()

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    # The weights' own terms have no name that such files know.
    assert project["license"].startswith(f"{citation['license']} AND ")
    assert {"message", "title", "authors"} <= citation.keys()
    assert citation["authors"] == project["authors"]


@pytest.mark.parametrize("name", ["bug", "feature"])
@pytest.mark.skipif(not (ROOT / ".github").exists(), reason="an sdist has none")
def test_forms_for_issues_ask_for_versions(name: str) -> None:
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml").read_text())
    assert {"name", "description", "body"} <= form.keys()
    (versions,) = [part for part in form["body"] if part["id"] == "versions"]
    assert "`jaxinpaint --version`" in versions["attributes"]["description"]
    assert versions["validations"]["required"]


def test_what_is_said_of_files_names_where_it_is_done() -> None:
    page = (ROOT / "SECURITY.md").read_text()
    named = re.findall(r"`(jaxinpaint/\S+\.py)`", page)
    assert named
    assert all((ROOT / path).exists() for path in named)
