"""Trained networks in formats that others run, each held against the network it was made from."""

import importlib.metadata
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple, get_args

import jax
import numpy as np

import jaxinpaint
from jaxinpaint import recipes
from jaxinpaint.array_typing import RGB, Variables
from jaxinpaint.interop import network_files, onnx_program, savedmodel, stablehlo, torch_network
from jaxinpaint.interop.network_files import NetworkFile
from jaxinpaint.interop.programs import Painting, Program, program_of
from jaxinpaint.interop.published_networks import read_network
from jaxinpaint.interop.weight_files import UnreadableWeights, sha256
from jaxinpaint.photos import to_unit
from jaxinpaint.recipes import RecipeConfig
from jaxinpaint.recipes.base import Multiple, Takes, Window

Format = Literal["safetensors", "torch", "stablehlo", "onnx", "savedmodel"]
# What is written into the folder of an export, which may be a folder itself.
FILES: Mapping[Format, str] = {
    "safetensors": "network.safetensors",
    "torch": "network.pth",
    "stablehlo": "program.stablehlo",
    "onnx": "program.onnx",
    "savedmodel": "program.savedmodel",
}
REPORT = "export.json"
TOLERANCE = 1e-4  # of what is painted, in [0, 1]
REPETITIONS = 5  # of what is timed
STACK = ("jax", "jaxlib", "flax", "numpy", "onnx", "onnxruntime", "jax2onnx", "torch", "tensorflow")


class Differs(ValueError):
    """An export that does not paint what its network paints."""


class Trial(NamedTuple):
    """How an export compares with its network on one batch.

    Attributes:
        shape: batch, height and width.
        pictures: what they were: ``random`` or ``real``.
        error: the largest absolute difference of anything painted, in [0, 1].
        seconds: the export took, the median of a few runs.
        network_seconds: the same of the network, compiled by JAX.
    """

    shape: tuple[int, int, int]
    pictures: str
    error: float
    seconds: float
    network_seconds: float


def export(
    config: RecipeConfig,
    variables: Variables,
    folder: Path,
    *,
    kind: Format,
    source: str,
    pictures: Sequence[RGB],
    tolerance: float = TOLERANCE,
) -> list[Trial]:
    """Writes a network in a format, runs both on the same pictures, and reports how they compare.

    The folder then holds the file of the format and ``export.json``. It is put in place when all
    is well, and only then.

    Args:
        config: of the recipe.
        variables: of its generator.
        folder: must not be there yet.
        kind: which format.
        source: what the network is from, for people.
        pictures: to be tried on, beside random ones.
        tolerance: the largest difference of what is painted, in [0, 1].

    Raises:
        Differs: if the difference is larger.
        ValueError: if the folder is there, or the network has no such format.
        ModuleNotFoundError: without what the format takes.
    """
    if folder.exists():
        raise ValueError(f"{folder} is there already; choose another output, or remove it")
    recipe = recipes.make(config)
    variables = _without(variables, recipe.dispensable)
    program = program_of(recipe, variables)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        made = Path(temporary) / "export"
        made.mkdir(mode=0o755)
        path = made / FILES[kind]
        _write(kind, config, variables, program, path, source)
        report = _described(kind, config, program, path, source)
        (made / REPORT).write_text(json.dumps(report, indent=1) + "\n")
        trials = list(_tried(program, read_program(path).call, pictures))
        worst = max(trial.error for trial in trials)
        report |= {
            "maximum_error": worst,
            "tolerance": tolerance,
            "trials": [trial._asdict() for trial in trials],
        }
        # Not >: no number is not within a tolerance either.
        if not worst <= tolerance:
            raise Differs(
                f"what the {kind} export paints differs from the network's by {worst:.1e} (at most "
                f"{tolerance:g} is allowed, --tolerance); nothing was written"
            )
        (made / REPORT).write_text(json.dumps(report, indent=1) + "\n")
        made.rename(folder)
    return trials


def is_program(path: Path) -> bool:
    """Whether something is the folder of an export, or a program in one.

    (Networks in files that say themselves what they are need no such folder.)
    """
    programs = {FILES[kind] for kind in ("stablehlo", "onnx", "savedmodel")}
    return path.name in programs or (path / REPORT).exists()


def read_program(path: Path) -> Program:
    """What an export computes.

    Args:
        path: the folder of an export, or the file in it.

    Raises:
        UnreadableWeights: if it is damaged, or a program without its ``export.json``.
        ModuleNotFoundError: without what the format takes.
    """
    folder = path if (path / REPORT).exists() else path.parent
    report = _report(folder)
    kind: Format = report["format"]
    file = folder / FILES[kind]
    if not file.exists():
        raise UnreadableWeights(f"{folder} has no {file.name}, of which its {REPORT} tells")
    inputs = tuple((name, channels) for name, channels in report["inputs"])
    outputs = tuple(report["outputs"])
    return Program(_painting(kind, file, outputs), inputs, outputs, _takes(report["takes"]))


def _report(folder: Path) -> dict[str, Any]:
    path = folder / REPORT
    try:
        report = json.loads(path.read_text())
        wanted = {"format", "inputs", "outputs", "takes"}
        if not (wanted <= report.keys() and report["format"] in get_args(Format)):
            raise ValueError("it does not tell what the export is")
    except FileNotFoundError as error:
        raise UnreadableWeights(f"a program needs its {REPORT} beside it: {folder} has none") from (
            error
        )
    except (ValueError, AttributeError) as error:
        raise UnreadableWeights(f"{path} is damaged: {error}") from error
    return report


def _write(
    kind: Format,
    config: RecipeConfig,
    variables: Variables,
    program: Program,
    path: Path,
    source: str,
) -> None:
    match kind:
        case "safetensors":
            network_files.write(NetworkFile(config, {"generator": variables}, source), path)
        case "torch":
            torch_network.write(config, variables, path)
        case "stablehlo":
            stablehlo.write(program, path)
        case "onnx":
            onnx_program.write(program, path)
        case "savedmodel":
            savedmodel.write(program, path)


def _painting(kind: Format, file: Path, outputs: tuple[str, ...]) -> Painting:
    match kind:
        case "safetensors" | "torch":
            network = read_network(file)
            recipe = recipes.make(network.config)
            return jax.jit(program_of(recipe, network.players["generator"]).call)
        case "stablehlo":
            return stablehlo.read(file)
        case "onnx":
            return onnx_program.read(file)
        case "savedmodel":
            return savedmodel.read(file, outputs)


def _described(
    kind: Format, config: RecipeConfig, program: Program, path: Path, source: str
) -> dict[str, Any]:
    """What there is to tell of an export before it was tried."""
    files = sorted(p for p in ([path] if path.is_file() else path.rglob("*")) if p.is_file())
    return {
        "format": kind,
        "source": source,
        "recipe": type(config).__name__,
        "network": recipes.network_options(config),
        "inputs": program.inputs,
        "outputs": program.outputs,
        "takes": {type(program.takes).__name__.lower(): program.takes._asdict()},
        "sha256": {str(file.relative_to(path.parent)): sha256(file) for file in files},
        "versions": {"jaxinpaint": jaxinpaint.__version__} | _versions(),
        "device": jax.devices()[0].device_kind,
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in STACK:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _takes(told: Mapping[str, Any]) -> Takes:
    ((name, numbers),) = told.items()
    return Multiple(**numbers) if name == "multiple" else Window(**numbers)


def _tried(program: Program, exported: Painting, pictures: Sequence[RGB]) -> Sequence[Trial]:
    network = jax.jit(program.call)
    rng = np.random.default_rng(0)
    trials = []
    for kind in ("random", "real") if pictures else ("random",):
        for n, height, width in _shapes(program.takes):
            image = rng.random((n, height, width, 3), np.float32)
            if kind == "real":
                shown = [_cut(pictures[i % len(pictures)], height, width) for i in range(n)]
                image = to_unit(np.stack(shown))
            hole = _holes(program.takes, (n, height, width), rng)
            arrays = (image, hole)[: len(program.inputs)]
            expected, network_seconds = _timed(network, arrays)
            made, seconds = _timed(exported, arrays)
            error = max(
                float(np.max(np.abs(one - other)))
                for one, other in zip(made, expected, strict=True)
            )
            trials.append(Trial((n, height, width), kind, error, seconds, network_seconds))
    return trials


def _shapes(takes: Takes) -> list[tuple[int, int, int]]:
    """Three sizes of batches and, where the network takes such, of pictures."""
    match takes:
        case Window(side=side):
            return [(n, side, side) for n in (1, 2, 3)]
        case Multiple(of=of, least=least):
            fewest = -(-max(least, of) // of)
            more = max(fewest + 1, 64 // of)
            return [
                (1, of * fewest, of * fewest),
                (2, of * fewest, of * more),
                (3, of * more, of * (more + 1)),
            ]


def _holes(takes: Takes, shape: tuple[int, int, int], rng: Any) -> np.ndarray:
    """Squares that a network can fill, with a random place in each picture."""
    n, height, width = shape
    margin = takes.margin if isinstance(takes, Window) else 0
    hole = np.zeros((n, height, width, 1), np.float32)
    for one in hole:
        rows, columns = (
            sorted(rng.integers(margin, side - margin + 1, 2)) for side in (height, width)
        )
        one[rows[0] : rows[1] + 1, columns[0] : columns[1] + 1] = 1
        if margin:
            one[height - margin :] = 0
            one[:, width - margin :] = 0
    return hole


def _cut(picture: RGB, height: int, width: int) -> RGB:
    """A picture's upper left part, mirrored on and on where it is smaller."""
    pads = [(0, max(0, side - n)) for side, n in zip((height, width), picture.shape, strict=False)]
    return np.pad(picture, [*pads, (0, 0)], "symmetric")[:height, :width]


def _timed(painting: Painting, arrays: Sequence[np.ndarray]) -> tuple[list[np.ndarray], float]:
    """What is painted, and the median of the seconds that it takes."""
    made, times = _painted(painting, arrays), []  # the first time it may compile
    for _ in range(REPETITIONS):
        started = time.perf_counter()
        _painted(painting, arrays)
        times.append(time.perf_counter() - started)
    return made, statistics.median(times)


def _painted(painting: Painting, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [np.asarray(made) for made in painting(*arrays)]


def _without(variables: Variables, dispensable: frozenset[tuple[str, str]]) -> Variables:
    """The generator's variables without what filling holes does without."""
    parts = {part for player, part in dispensable if player == "generator"}
    return {
        kept: {name: part for name, part in tree.items() if name not in parts}
        for kept, tree in variables.items()
    }
