"""PyTorch's weight files, read without PyTorch and without running what is in them.

A ``.pth`` file is a pickle, and a pickle can name any function of any module and have it called. So
the few names that arrays need are known here, and stand for descriptions of arrays; every other
name is refused. Both formats are read: the zip archive, and the older sequence of pickles, which
torchvision's VGG files are.
"""

import io
import math
import pickle
import pickletools
import struct
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

PROTOCOL = 2  # of its pickles
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C

STORAGES: Mapping[str, np.dtype] = {
    "DoubleStorage": np.dtype(np.float64),
    "FloatStorage": np.dtype(np.float32),
    "HalfStorage": np.dtype(np.float16),
    "BFloat16Storage": np.dtype(jnp.bfloat16),
    "LongStorage": np.dtype(np.int64),
    "IntStorage": np.dtype(np.int32),
    "ShortStorage": np.dtype(np.int16),
    "CharStorage": np.dtype(np.int8),
    "ByteStorage": np.dtype(np.uint8),
    "BoolStorage": np.dtype(np.bool_),
}


class NotTorch(ValueError):
    """A file that is no PyTorch file, is damaged, or names what no weight file needs."""


def read_torch(path: Path) -> Any:
    """What ``torch.save`` wrote: dictionaries, lists, numbers and strings, tensors as arrays.

    Arrays of the older format are views of the file, read when they are used.

    Raises:
        NotTorch: if it is no such file, is cut short, or holds other objects than arrays.
        OSError: if the file can't be opened.
    """
    with path.open("rb") as file:
        try:
            zipped = file.read(4) == b"PK\x03\x04"
            file.seek(0)
            tree, load = _read_zip(file) if zipped else _read_legacy(file, path)
            return _with_arrays(tree, load, {})
        except NotTorch as error:
            raise NotTorch(f"{path}: {error}") from error
        # Damaged bytes can make pickle, zipfile and its decompressors raise anything.
        except Exception as error:
            raise NotTorch(
                f"{path} is damaged, cut short or no PyTorch file ({type(error).__name__}: {error})"
            ) from error


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype
    size: int


class _Tensor:
    """What a pickle says of a tensor. Whatever state it sets on it is left out."""

    __slots__ = ("offset", "shape", "storage", "strides")

    def __init__(
        self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
    ) -> None:
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def __setstate__(self, state: object) -> None:
        pass


class _Unpickler(pickle.Unpickler):
    """Knows the names that tensors need, and no others."""

    def __init__(self, file: Any) -> None:
        super().__init__(file, encoding="utf-8")
        self.storages: dict[str, _Storage] = {}

        # Made anew for every file, or unchangeable: a pickle can set attributes of what it finds,
        # and even turn NumPy's own bfloat16 into another type.
        class Parameter:
            def __new__(cls, data: _Tensor, *_: object) -> Any:
                return data

        def rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
            return _Tensor(storage, offset, tuple(shape), tuple(strides))

        def rebuild_parameter(data: _Tensor, *_: object) -> _Tensor:
            return data

        self._known: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor"): rebuild_tensor,
            ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
            ("torch._utils", "_rebuild_parameter"): rebuild_parameter,
            ("torch.nn.parameter", "Parameter"): Parameter,
            ("torch", "Size"): tuple,
            **{("torch", name): name for name in STORAGES},
        }

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """What a name stands for, if it is known.

        Raises:
            NotTorch: for any other name.
        """
        try:
            return self._known[module_name, global_name]
        except KeyError:
            raise NotTorch(
                f"it names {module_name}.{global_name}, which no weights need and which is not run;"
                " save the state dict alone, as safetensors if you can"
            ) from None

    def persistent_load(self, pid: Any, /) -> _Storage:
        """The description of a storage."""
        kind, name, key, _, size, *view = pid
        if kind != "storage" or name not in STORAGES or any(view):
            raise NotTorch(f"it holds a storage of an unknown kind: {pid!r}")
        return self.storages.setdefault(str(key), _Storage(str(key), STORAGES[name], int(size)))


def _unpickled(file: Any) -> tuple[Any, dict[str, _Storage]]:
    """The next pickle of a file, and the storages that it names.

    Its opcodes are looked through first: pickle would give a damaged one all the memory it asks
    for, for bytes that do not follow or for a note of too great a number.
    """
    start = file.tell()
    for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        note = opcode.name in ("PUT", "BINPUT", "LONG_BINPUT")
        if opcode.proto > PROTOCOL or (note and (argument or 0) > count):
            raise NotTorch(f"its pickle has a {opcode.name} that PyTorch does not write")
    file.seek(start)
    unpickler = _Unpickler(file)
    return unpickler.load(), unpickler.storages


# The values of a storage.
_Load = Callable[[_Storage], np.ndarray]


def _read_zip(file: Any) -> tuple[Any, _Load]:
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        if any(name.endswith("/constants.pkl") for name in names):
            raise NotTorch("it is a TorchScript program, which is not run, and no state dict")
        pickles = [name for name in names if name.endswith("/data.pkl")]
        # torch.save never compresses: a small file can't ask for much memory.
        if len(pickles) != 1 or any(part.compress_type for part in archive.infolist()):
            raise NotTorch("it is a zip archive, but torch.save did not make it")
        root = pickles[0].removesuffix("data.pkl")
        _require_little_endian(
            f"{root}byteorder" not in names or archive.read(f"{root}byteorder") == b"little"
        )
        tree, storages = _unpickled(io.BytesIO(archive.read(pickles[0])))
        stored = {key: archive.read(f"{root}data/{key}") for key in storages}

    def load(storage: _Storage) -> np.ndarray:
        return np.frombuffer(stored[storage.key], storage.dtype, storage.size)

    return tree, load


def _read_legacy(file: Any, path: Path) -> tuple[Any, _Load]:
    if _unpickled(file)[0] != LEGACY_MAGIC:
        raise NotTorch("it is a pickle, but torch.save did not make it")
    _unpickled(file)  # the version of the format
    _require_little_endian(_unpickled(file)[0]["little_endian"])
    tree, storages = _unpickled(file)
    places: dict[str, int] = {}
    for key in _unpickled(file)[0]:
        (size,) = struct.unpack("<q", file.read(8))
        if key not in storages:
            raise NotTorch(f"it holds a storage {key} that no tensor uses")
        if size != storages[key].size:
            raise NotTorch(f"storage {key} has {size} values, {storages[key].size} were promised")
        places[key] = file.tell()
        file.seek(size * storages[key].dtype.itemsize, io.SEEK_CUR)
    if file.tell() > path.stat().st_size:
        raise NotTorch("it is cut short")

    def load(storage: _Storage) -> np.ndarray:
        return np.memmap(path, storage.dtype, "r", places[storage.key], (storage.size,))

    return tree, load


def _require_little_endian(little: bool) -> None:
    if not little or sys.byteorder != "little":
        raise NotTorch("its byte order is not this machine's")


def _with_arrays(tree: Any, load: _Load, made: dict[int, Any]) -> Any:
    """The tree with arrays for tensors; what stands in it twice is made once."""
    if id(tree) in made:
        return made[id(tree)]
    result = tree
    if isinstance(tree, _Tensor):
        result = _array(tree, load(tree.storage))
    elif isinstance(tree, dict):
        result = {key: _with_arrays(value, load, made) for key, value in tree.items()}
    elif isinstance(tree, list | tuple):
        result = [_with_arrays(part, load, made) for part in tree]
    made[id(tree)] = result
    return result


def _array(tensor: _Tensor, values: np.ndarray) -> np.ndarray:
    """The tensor as a view of its storage's values.

    Raises:
        NotTorch: if it would reach beyond them.
    """
    shape, strides, offset = tensor.shape, tensor.strides, tensor.offset
    size = math.prod(shape)
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if min((offset, *shape, *strides)) < 0 or (size and last >= values.size) or size > values.size:
        raise NotTorch(f"a tensor of shape {shape} reaches beyond its {values.size} values")
    bytes_a_step = [step * values.itemsize for step in strides]
    view = np.lib.stride_tricks.as_strided(values[offset:], shape, bytes_a_step, writeable=False)
    return view if size else np.zeros(shape, values.dtype)
