"""Trained networks in formats that others run, each held against the network it was made from."""

import importlib.metadata
import json
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import jax
import numpy as np

import jaxinpaint
from jaxinpaint import recipes
from jaxinpaint.array_typing import RGB
from jaxinpaint.compiling import fast_jit
from jaxinpaint.interop import network_files, onnx_program, savedmodel, stablehlo, torch_network
from jaxinpaint.interop.export_folders import FILES, REPORT, digests_of, open_export
from jaxinpaint.interop.network_files import NetworkFile
from jaxinpaint.interop.programs import OUTPUTS, Painting, Program, program_of
from jaxinpaint.interop.published_networks import read_painting
from jaxinpaint.names import ExportFormat
from jaxinpaint.photos import to_unit
from jaxinpaint.recipes.base import Multiple, Takes, Window

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
    network: NetworkFile,
    folder: Path,
    *,
    kind: ExportFormat,
    pictures: Sequence[RGB],
    tolerance: float = TOLERANCE,
) -> list[Trial]:
    """Writes a network in a format, runs both on the same pictures, and reports how they compare.

    The folder then holds the file of the format and ``export.json``. It is put in place when all
    is well, and only then.

    Args:
        network: one that paints. Of its players the generator is exported, without what filling
            holes does without.
        folder: must not be there yet.
        kind: which format.
        pictures: to be tried on, beside random ones.
        tolerance: the largest difference of what is painted, in [0, 1].

    Raises:
        Differs: if the difference is larger.
        ValueError: if the folder is there, or the network has no such format.
        ModuleNotFoundError: without what the format takes.
    """
    with _put_in_place(folder) as made:
        network = _painting_alone(network)
        program = program_of(recipes.make(network.config), network.players["generator"])
        path = made / FILES[kind]
        _write(kind, network, program, path)
        report = _described(kind, network, program, path)
        (made / REPORT).write_text(json.dumps(report, indent=1) + "\n")
        trials = list(_tried(program, read_program(path).call, pictures))
        report |= _judged(kind, trials, tolerance)
        (made / REPORT).write_text(json.dumps(report, indent=1) + "\n")
    return trials


def read_program(path: Path) -> Program:
    """What an export computes.

    Args:
        path: the folder of an export, or the file in it.

    Raises:
        UnreadableWeights: if it is damaged, or a program without its ``export.json``.
        ModuleNotFoundError: without what the format takes.
    """
    kind, file, inputs, takes = open_export(path)
    match kind:
        case "safetensors" | "torch":
            network = read_painting(file)
            program = program_of(recipes.make(network.config), network.players["generator"])
            return program._replace(call=fast_jit(program.call))
        case "stablehlo":
            return Program(stablehlo.read(file), inputs, takes)
        case "onnx":
            return Program(onnx_program.read(file), inputs, takes)
        case "savedmodel":
            return Program(savedmodel.read(file, OUTPUTS[inputs]), inputs, takes)


@contextmanager
def _put_in_place(folder: Path) -> Iterator[Path]:
    """A folder to write into, which becomes the one that is named when all is well.

    Otherwise nothing is left, nor are folders around it made.

    Raises:
        ValueError: if it is there already.
    """
    if folder.exists():
        raise ValueError(f"{folder} is there already; choose another output, or remove it")
    around = next(parent for parent in folder.absolute().parents if parent.exists())
    with TemporaryDirectory(dir=around, prefix=f".{folder.name}.") as temporary:
        made = Path(temporary) / "export"
        made.mkdir()
        yield made
        folder.parent.mkdir(parents=True, exist_ok=True)
        made.rename(folder)


def _write(kind: ExportFormat, network: NetworkFile, program: Program, path: Path) -> None:
    match kind:
        case "safetensors":
            network_files.write(network, path)
        case "torch":
            torch_network.write(network, path)
        case "stablehlo":
            stablehlo.write(program, path)
        case "onnx":
            onnx_program.write(program, path)
        case "savedmodel":
            savedmodel.write(program, path)


def _described(
    kind: ExportFormat, network: NetworkFile, program: Program, path: Path
) -> dict[str, Any]:
    """What there is to tell of an export before it was tried."""
    return {
        "format": kind,
        "source": network.source,
        "recipe": type(network.config).__name__,
        "network": recipes.network_options(network.config),
        "inputs": program.inputs,
        "outputs": program.outputs,
        "takes": {type(program.takes).__name__.lower(): program.takes._asdict()},
        "sha256": digests_of(path),
        "versions": {"jaxinpaint": jaxinpaint.__version__} | _versions(),
        "device": jax.devices()[0].device_kind,
    }


def _judged(kind: ExportFormat, trials: Sequence[Trial], tolerance: float) -> dict[str, Any]:
    """What there is to tell of an export's trials.

    Raises:
        Differs: if one of them differs by more than the tolerance.
    """
    worst = float(np.max([trial.error for trial in trials]))  # no number is larger than any
    if not worst <= tolerance:
        raise Differs(
            f"what the {kind} export paints differs from the network's by {worst:.1e} (at most "
            f"{tolerance:g} is allowed, --tolerance); nothing was written"
        )
    return {
        "maximum_error": worst,
        "tolerance": tolerance,
        "trials": [trial._asdict() for trial in trials],
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in STACK:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _tried(program: Program, exported: Painting, pictures: Sequence[RGB]) -> Sequence[Trial]:
    network = fast_jit(program.call)
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
            error = _difference(made, expected)
            trials.append(Trial((n, height, width), kind, error, seconds, network_seconds))
    return trials


def _difference(made: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    """The largest of any value: infinite for other shapes, no number if any value is none."""
    if [array.shape for array in made] != [array.shape for array in expected]:
        return math.inf
    differences = [np.max(np.abs(one - other)) for one, other in zip(made, expected, strict=True)]
    return float(np.max(differences))  # Python's own max may pass over what is no number


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


def _painting_alone(network: NetworkFile) -> NetworkFile:
    """The generator's network, without what filling holes does without.

    What its state dict had that is not used goes with what is left out, if anything is.
    """
    dispensable = recipes.make(network.config).dispensable
    parts = {part for player, part in dispensable if player == "generator"}
    generator = network.players["generator"]
    whole = not any(parts & tree.keys() for tree in generator.values())
    alone = {
        kept: {name: part for name, part in tree.items() if name not in parts}
        for kept, tree in generator.items()
    }
    return network._replace(players={"generator": alone}, unused=network.unused if whole else {})
