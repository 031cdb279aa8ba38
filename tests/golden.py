"""Reference numbers of the original programs, and the weights they were computed with.

`reference/` holds arrays only (NHWC, HWIO). Their networks' weights follow from a rule by name, so
that no weight file is needed.
"""

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxinpaint.interop.published_networks import recognised

FOLDER = Path(__file__).parent / "reference"


def arrays(name: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / f"{name}.npz") as file:
        return dict(file)


def facts(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text())


def relative_error(value: Any, reference: np.ndarray) -> float:
    """Largest absolute difference over the reference's range."""
    value = np.asarray(value, np.float64)
    assert value.shape == reference.shape, f"{value.shape} is not {reference.shape}"
    return float(np.max(np.abs(value - reference)) / np.ptp(reference))


def state_dict(shapes: dict[str, list[int]], seed: int = 0) -> dict[str, np.ndarray]:
    """Weights of a PyTorch program by the rule."""
    return {name: _weight(name, tuple(shape), seed) for name, shape in shapes.items()}


def variables(state_dict: dict[str, np.ndarray]) -> dict[str, Any]:
    """A published network's variables, from its state dict."""
    return dict(recognised(state_dict).variables)


def vgg_variables(
    name: str, layers: Sequence[str], dtype: type = np.float32
) -> dict[str, np.ndarray | dict[str, np.ndarray]]:
    """The first layers of `vgg16` or `vgg19`, under the names that `nets.vgg` has for them."""
    shapes = facts(name)["state_dict"]
    originals = [key.removesuffix(".weight") for key in shapes if key.endswith(".weight")]
    layered: dict[str, np.ndarray | dict[str, np.ndarray]] = {
        "mean": np.array([0.485, 0.456, 0.406], dtype),
        "std": np.array([0.229, 0.224, 0.225], dtype),
    }
    for layer, original in zip(layers, originals, strict=False):
        keys = [f"{original}.weight", f"{original}.bias"]
        weight, bias = state_dict({key: shapes[key] for key in keys}).values()
        kernel = weight.transpose(2, 3, 1, 0)
        layered[layer] = {"kernel": kernel.astype(dtype), "bias": bias.astype(dtype)}
    return layered


def _weight(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    last = name.rpartition(".")[2]
    if last == "num_batches_tracked":
        return np.zeros((), np.int64)
    rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
    n = rng.standard_normal(shape).astype(np.float32)
    if last in ("running_mean", "bias"):
        return np.float32(0.1) * n
    if last == "running_var":
        return np.float32(1) + np.float32(0.1) * np.abs(n)
    if last in ("weight_u", "weight_v"):
        return (n / np.linalg.norm(n.astype(np.float64))).astype(np.float32)
    if len(shape) == 1:
        return np.float32(1) + np.float32(0.1) * n
    return n * np.float32(np.sqrt(2 / np.prod(shape[1:])))
