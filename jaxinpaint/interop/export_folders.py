"""Folders of exports: what lies in them, held to what their ``export.json`` tells."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxinpaint.interop.programs import OUTPUTS, Inputs
from jaxinpaint.interop.weight_files import UnreadableWeights, blaming, sha256
from jaxinpaint.names import ExportFormat
from jaxinpaint.recipes.base import Multiple, Takes, Window

# What is written into the folder of an export, which may be a folder itself.
FILES: Mapping[ExportFormat, str] = {
    "safetensors": "network.safetensors",
    "torch": "network.pth",
    "stablehlo": "program.stablehlo",
    "onnx": "program.onnx",
    "savedmodel": "program.savedmodel",
}
NETWORKS = ("safetensors", "torch")  # which say themselves what they are
REPORT = "export.json"


class Export(NamedTuple):
    """What the folder of an export holds.

    Attributes:
        kind: its format.
        file: what is in it.
        inputs: names and channels of what is painted from.
        takes: what pictures.
    """

    kind: ExportFormat
    file: Path
    inputs: Inputs
    takes: Takes


def is_program(path: Path) -> bool:
    """Whether something is the folder of an export, or a program in one.

    (Networks in files that say themselves what they are need no such folder.)
    """
    programs = {name for kind, name in FILES.items() if kind not in NETWORKS}
    return path.name in programs or (path / REPORT).exists()


def open_export(path: Path) -> Export:
    """What an export is.

    Args:
        path: its folder, or the file in it.

    Raises:
        UnreadableWeights: if it is damaged, or has no ``export.json``.
    """
    folder = path if (path / REPORT).exists() else path.parent
    report = folder / REPORT
    if not report.exists():
        raise UnreadableWeights(f"a program needs its {REPORT} beside it: {folder} has none")
    text = report.read_bytes()
    with blaming(report):
        told = json.loads(text)
        export, digests = _parsed(told, folder), told["sha256"]
    if path not in (folder, export.file):
        raise UnreadableWeights(f"{path} is not {export.file.name}, of which {report} tells")
    if not export.file.exists():
        raise UnreadableWeights(f"{folder} has no {export.file.name}, of which its {REPORT} tells")
    if digests_of(export.file) != digests:
        raise UnreadableWeights(f"{export.file} is damaged: its SHA-256 is not the one in {REPORT}")
    return export


def network_in(path: Path) -> Path:
    """The file of the network in an export.

    Raises:
        UnreadableWeights: as `open_export`, and for a program.
    """
    kind, file, *_ = open_export(path)
    if kind not in NETWORKS:
        raise UnreadableWeights(
            f"{file} is a program, which has no weights to go on with: take the run that it is "
            "from, or its export as safetensors"
        )
    return file


def digests_of(path: Path) -> dict[str, str]:
    """The SHA-256 of a file, or of all in a folder, by their names from beside it."""
    files = sorted(p for p in ([path] if path.is_file() else path.rglob("*")) if p.is_file())
    return {str(file.relative_to(path.parent)): sha256(file) for file in files}


def _parsed(told: Any, folder: Path) -> Export:
    """The export that a report tells of; where it makes no sense, anything may be raised."""
    ((name, numbers),) = told["takes"].items()
    takes = {"multiple": Multiple, "window": Window}[name](**numbers)
    inputs = tuple((name, channels) for name, channels in told["inputs"])
    side, other = takes
    if not (type(side) is type(other) is int and side > 0 and other >= 0):
        raise UnreadableWeights("it does not tell what the export takes")
    if OUTPUTS[inputs] != tuple(told["outputs"]):
        raise UnreadableWeights("it does not tell what the export makes")
    return Export(told["format"], folder / FILES[told["format"]], inputs, takes)
