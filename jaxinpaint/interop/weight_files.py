"""Weight files of any of three formats, as arrays by name."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from jaxinpaint.interop.torch_files import NotTorch, read_torch
from jaxinpaint.whole_files import replaced

Arrays = Mapping[str, np.ndarray]

ZIP = b"PK\x03\x04"
NOTE = "jaxinpaint"  # beside a state dict: the config of the recipe that it is part of


class UnreadableWeights(ValueError):
    """A weight file that can't be read, or does not hold what it should."""


@contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Makes UnreadableWeights, which name the file, of whatever is raised about what it says.

    What a damaged or hostile file says may be anything, and so may what is raised about it.
    """
    try:
        yield
    except UnreadableWeights as error:
        raise UnreadableWeights(f"{path}: {error}") from error
    except Exception as error:
        raise UnreadableWeights(
            f"{path} is damaged, or not what it says it is ({type(error).__name__}: {error})"
        ) from error


def read_arrays(path: Path) -> Arrays:
    """The arrays of a safetensors, HDF5 (Keras) or PyTorch file, by their names in it.

    What the file is, its first bytes say, not its suffix. Of a PyTorch file that holds more than a
    state dict, the entry ``state_dict`` or ``model`` is taken.

    Raises:
        UnreadableWeights: if it is of another format, damaged, or holds no arrays.
        ModuleNotFoundError: for an HDF5 file without h5py.
        OSError: if the file can't be opened.
    """
    with path.open("rb") as file:
        first = file.read(16)
    if first.startswith(b"\x89HDF\r\n\x1a\n"):
        return _read_hdf5(path)
    if first.startswith((ZIP, b"\x80\x02")):
        return _state_dict(_read_torch(path), path)
    if first[8:9] == b"{":
        return read_safetensors(path)[0]
    raise UnreadableWeights(
        f"{path} is no PyTorch, HDF5 or safetensors file; it begins with {first!r}"
        + ("" if first else ": it is empty")
        + (": a web page?" if first.lstrip().lower().startswith((b"<!", b"<h")) else "")
    )


def read_safetensors(path: Path) -> tuple[dict[str, np.ndarray], Mapping[str, str]]:
    """The arrays of a safetensors file, by name, and what is noted beside them.

    Raises:
        UnreadableWeights: if it is damaged, or its numbers are of a type that NumPy has not.
        OSError: if the file can't be opened.
    """
    try:
        with safe_open(path, framework="np") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return arrays, file.metadata() or {}
    except SafetensorError as error:
        raise UnreadableWeights(f"{path} is damaged or cut short: {error}") from error
    except AttributeError as error:
        raise UnreadableWeights(f"{path} holds numbers that NumPy has no type for") from error


def write_safetensors(arrays: Arrays, path: Path, told: Mapping[str, str]) -> None:
    """Writes arrays, and what is told of them; a file that is there is replaced by a whole one.

    Raises:
        OSError: if it can't be written.
    """
    try:
        with replaced(path) as unfinished:
            # Not safetensors' save_file: nobody but the user may read what that makes.
            unfinished.write_bytes(save(dict(arrays), dict(told)))
    except OSError as error:  # such as a full disk
        raise OSError(f"{path} can't be written: {error}") from error


def check_named_hash(path: Path) -> None:
    """Holds a file to the hash in its name, such as that of ``vgg19-dcbb9e9d.pth``.

    PyTorch names published files with the first digits of their SHA-256.

    Raises:
        UnreadableWeights: if the name has such digits and they are not the file's.
    """
    named = re.search(r"-([0-9a-f]{8,64})\.", path.name)
    if named and not (found := sha256(path)).startswith(named[1]):
        raise UnreadableWeights(
            f"{path} is not what it was published as: its SHA-256 begins with "
            f"{found[: len(named[1])]}, its name says {named[1]} (rename it if that is no hash)"
        )


def sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(arrays: Arrays) -> str:
    """SHA-256 of all arrays and their names: the same whatever file they are in."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def read_noted(path: Path) -> tuple[Arrays, str | None]:
    """The arrays of a file, and what this package noted beside them in a PyTorch file of its own.

    Raises:
        as `read_arrays`.
    """
    with path.open("rb") as file:
        if not file.read(4).startswith(ZIP):
            return read_arrays(path), None
    tree = _read_torch(path)
    note = tree.get(NOTE) if isinstance(tree, dict) else None
    return _state_dict(tree, path), note if isinstance(note, str) else None


def _read_torch(path: Path) -> Any:
    try:
        return read_torch(path)
    except NotTorch as error:
        raise UnreadableWeights(str(error)) from error


def _state_dict(tree: Any, path: Path) -> Arrays:
    for name in ("state_dict", "model"):
        if isinstance(tree, dict) and isinstance(tree.get(name), dict):
            tree = tree[name]
    if not isinstance(tree, dict) or not all(
        isinstance(name, str) and isinstance(array, np.ndarray) for name, array in tree.items()
    ):
        raise UnreadableWeights(f"{path} holds no state dict: no arrays by name")
    return tree


def _read_hdf5(path: Path) -> Arrays:
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path} is an HDF5 file; reading it needs h5py: pip install 'jaxinpaint[keras]'"
        ) from error
    arrays: dict[str, np.ndarray] = {}

    def collect(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiu":
            arrays[name] = np.asarray(item)

    try:
        with h5py.File(path, "r") as file:
            file.visititems(collect)
    # h5py raises these for files that are cut short, or claim what they do not hold.
    except (OSError, RuntimeError, KeyError, ValueError, MemoryError) as error:
        raise UnreadableWeights(f"{path} is damaged or cut short: {error}") from error
    return arrays
