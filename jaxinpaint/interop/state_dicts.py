"""State dicts of published PyTorch programs, array by array, and the variables that they are here.

Only places and the order of axes differ, so that what comes in goes out again bit for bit.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from jaxinpaint.array_typing import Variables
from jaxinpaint.interop.weight_files import Arrays, UnreadableWeights
from jaxinpaint.recipes import RecipeConfig

# How an array's axes lie in PyTorch: kernels outputs first, transposed ones inputs first; vectors
# over inputs and taps with the inputs first.
Layout = Literal["same", "OIHW", "IOHW", "I-taps"]
Player = Literal["generator", "discriminator"]


class Entry(NamedTuple):
    """Where an array of a state dict is here.

    Attributes:
        place: in nested variables.
        layout: of the array in the state dict; here kernels are HWIO.
    """

    place: tuple[str, ...]
    layout: Layout = "same"


Entries = Mapping[str, Entry]


class PublishedProgram(NamedTuple):
    """A published program's network.

    Attributes:
        name: of the program, as its home has it.
        player: which of a recipe's players the network is.
        mark: a key by which its state dicts are told from others.
        config: of the recipe with this network, from its state dict.
        entries: where the arrays of a state dict are here, from such a config.
        unused: keys of arrays that no network reads.
        constants: arrays that a state dict also has, from the others; they never change, and may
            be missing.
    """

    name: str
    player: Player
    mark: re.Pattern[str]
    config: Callable[[Arrays], Any]
    entries: Callable[[Any], Entries]
    unused: re.Pattern[str] = re.compile(r".*\.num_batches_tracked")
    constants: Callable[[Arrays], Arrays] = lambda arrays: {}


def to_variables(program: PublishedProgram, config: RecipeConfig, arrays: Arrays) -> Variables:
    """The variables that a state dict holds.

    Args:
        program: whose keys it has.
        config: of the recipe with its network.
        arrays: the state dict.

    Raises:
        UnreadableWeights: if a key is missing or unknown, an array has other axes than expected, a
            value is not finite, or what never changes has.
    """
    entries, constants = program.entries(config), program.constants(arrays)
    known = entries.keys() | constants.keys()
    if missing := [key for key in entries if key not in arrays]:
        raise UnreadableWeights(f"a network of {program.name} has also {listed(missing)}")
    if unknown := [k for k in arrays if k not in known and not program.unused.fullmatch(k)]:
        raise UnreadableWeights(f"a network of {program.name} has no {listed(unknown)}")
    for key, constant in constants.items():
        if key in arrays and not np.array_equal(arrays[key], constant):
            raise UnreadableWeights(
                f"{key} is not {constant.flat[0]:g} everywhere, as it has to be"
            )
    return nested(
        {
            place: _as_here(key, np.asarray(arrays[key]), layout)
            for key, (place, layout) in entries.items()
        }
    )


def nested(arrays: Mapping[tuple[str, ...], np.ndarray]) -> dict[str, Any]:
    """Variables from arrays by their places in them."""
    variables: dict[str, Any] = {}
    for place, array in arrays.items():
        node = variables
        for part in place[:-1]:
            node = node.setdefault(part, {})
        node[place[-1]] = array
    return variables


def to_state_dict(
    program: PublishedProgram, config: RecipeConfig, variables: Variables
) -> dict[str, np.ndarray]:
    """The inverse of `to_variables`, with all constants."""
    state_dict = {}
    for key, (place, layout) in program.entries(config).items():
        node: Any = variables
        for part in place:
            node = node[part]
        state_dict[key] = _as_there(np.asarray(node), layout)
    return state_dict | dict(program.constants(state_dict))


def unused_arrays(program: PublishedProgram, arrays: Arrays) -> dict[str, np.ndarray]:
    """What a state dict holds that no network reads."""
    return {key: array for key, array in arrays.items() if program.unused.fullmatch(key)}


def listed(names: Iterable[str]) -> str:
    """A few of many names."""
    names = list(names)
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _as_here(key: str, array: np.ndarray, layout: Layout) -> np.ndarray:
    kernel = layout in ("OIHW", "IOHW")
    if array.ndim != (4 if kernel else 1):
        what = f"a kernel has four axes ({layout})" if kernel else "it should have one axis"
        raise UnreadableWeights(f"{key} has the shape {array.shape}; {what}")
    if array.dtype != np.float32:
        raise UnreadableWeights(f"{key} is {array.dtype}; weights are float32")
    if not np.isfinite(array).all():
        raise UnreadableWeights(f"{key} has values that are not finite")
    match layout:
        case "OIHW":
            return array.transpose(2, 3, 1, 0)
        case "IOHW":
            return array.transpose(2, 3, 0, 1)
        case "I-taps":
            return array.reshape(-1, TAPS).T.ravel()
        case "same":
            return array


def _as_there(array: np.ndarray, layout: Layout) -> np.ndarray:
    match layout:
        case "OIHW":
            array = array.transpose(3, 2, 0, 1)
        case "IOHW":
            array = array.transpose(2, 3, 0, 1)
        case "I-taps":
            array = array.reshape(TAPS, -1).T.ravel()
    return np.asarray(array, order="C")


# Of the only kernels whose singular vectors are kept, 5×5.
TAPS = 25
