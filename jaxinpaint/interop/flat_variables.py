"""Variables of networks that are looked through, as flat arrays by name, held to their shapes."""

from collections.abc import Mapping

import numpy as np

from jaxinpaint.array_typing import Variables
from jaxinpaint.interop.state_dicts import listed
from jaxinpaint.interop.weight_files import Arrays, UnreadableWeights

# Of every array, by its flat name.
Shapes = Mapping[str, tuple[int, ...]]


def flattened(variables: Variables) -> dict[str, np.ndarray]:
    """The variables as arrays by name: ``mean``, ``conv1_1/kernel`` and so on."""
    flat = {}
    for name, value in variables.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}/{part}": np.ascontiguousarray(a) for part, a in value.items()}
        else:
            flat[name] = np.ascontiguousarray(value)
    return flat


def unflattened(arrays: Arrays, shapes: Shapes, *, network: str) -> Variables:
    """The variables that `flattened` took apart, in float32.

    Args:
        arrays: by their flat names.
        shapes: that they have to have.
        network: whose they are, for messages.

    Raises:
        UnreadableWeights: if they are not those of the network to the last name and shape, or are
            not finite.
    """
    if missing := [name for name in shapes if name not in arrays]:
        problem = f"has no {listed(missing)}; it has {listed(sorted(arrays)) or 'no arrays'}"
        raise UnreadableWeights(not_weights_of(network, problem))
    if unknown := [name for name in arrays if name not in shapes]:
        raise UnreadableWeights(not_weights_of(network, f"also has {listed(unknown)}"))
    variables: dict = {}
    for name, shape in shapes.items():
        array = np.array(arrays[name], np.float32)  # a copy: the file may go
        if array.shape != shape:
            problem = f"has {array.shape} as the shape of {name}, not {shape}"
            raise UnreadableWeights(not_weights_of(network, problem))
        if not np.isfinite(array).all():
            raise UnreadableWeights(f"{name} has values that are not finite")
        layer, _, part = name.partition("/")
        if part:
            variables.setdefault(layer, {})[part] = array
        else:
            variables[layer] = array
    return variables


def as_hwio(array: np.ndarray) -> np.ndarray:
    """A kernel of PyTorch's as it is here; any other array as it is."""
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array


def not_weights_of(network: str, what: str) -> str:
    """What is said of a file that holds something else."""
    return f"these are not {network}'s weights: the file {what}"
