"""Files as ``torch.save`` writes them, made without PyTorch: honest ones and hostile ones."""

import io
import pickle
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

STORAGES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}


@dataclass(frozen=True)
class Global:
    """A name that the reader is told to import."""

    module: str
    name: str


@dataclass(frozen=True)
class Call:
    """A call the reader is told to make."""

    function: Any
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class New:
    """An object of a class, made by its ``__new__``."""

    kind: Any
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Built:
    """An object whose state is set after it is made."""

    thing: Any
    state: Any


@dataclass(frozen=True)
class Tensor:
    """A tensor by its storage: strides and offset count values."""

    values: np.ndarray
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0


def torch_saved(tree: Any, *, legacy: bool) -> bytes:
    """A file of dictionaries, lists, numbers, strings and arrays, in one of the two formats."""
    return _legacy(tree) if legacy else _zip(tree)


def pickled(tree: Any, store: Callable[[np.ndarray], tuple[Any, ...]] | None = None) -> bytes:
    """A pickle of protocol 2, which is PyTorch's.

    Args:
        tree: what it is to hold.
        store: keeps the values of a tensor, and gives the id that stands for them.
    """
    return b"\x80\x02" + _opcodes(tree, store) + b"."


def _zip(tree: Any) -> bytes:
    kept: list[np.ndarray] = []

    def store(values: np.ndarray) -> tuple[Any, ...]:
        key = _index(kept, values)
        return ("storage", _storage_type(values), str(key), "cpu", values.size)

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickled(tree, store))
        archive.writestr("archive/byteorder", "little")
        for key, values in enumerate(kept):
            archive.writestr(f"archive/data/{key}", values.tobytes())
        archive.writestr("archive/version", "3\n")
    return file.getvalue()


def _legacy(tree: Any) -> bytes:
    kept: list[np.ndarray] = []

    def store(values: np.ndarray) -> tuple[Any, ...]:
        key = _index(kept, values)
        return ("storage", _storage_type(values), f"9477{key}", "cpu", values.size, None)

    system = {
        "protocol_version": 1001,
        "little_endian": True,
        "type_sizes": {"short": 2, "int": 4, "long": 4},
    }
    parts = [pickled(0x1950A86A20F9469CFC6C), pickled(1001), pickled(system), pickled(tree, store)]
    parts.append(pickled([f"9477{key}" for key in range(len(kept))]))
    for values in kept:
        parts += [struct.pack("<q", values.size), values.tobytes()]
    return b"".join(parts)


def _index(kept: list[np.ndarray], values: np.ndarray) -> int:
    """The place of a storage, which several tensors may share."""
    for i, other in enumerate(kept):
        if other is values:
            return i
    kept.append(values)
    return len(kept) - 1


def _storage_type(values: np.ndarray) -> Global:
    return Global("torch", STORAGES[values.dtype.name])


def _opcodes(value: Any, store: Callable[[np.ndarray], tuple[Any, ...]] | None) -> bytes:
    def code(part: Any) -> bytes:
        return _opcodes(part, store)

    match value:
        case None:
            return b"N"
        case bool():
            return b"\x88" if value else b"\x89"
        case int():
            digits = pickle.encode_long(value)
            return b"\x8a" + bytes([len(digits)]) + digits
        case float():
            return b"G" + struct.pack(">d", value)
        case str():
            letters = value.encode()
            return b"X" + struct.pack("<I", len(letters)) + letters
        case tuple():
            return b"(" + b"".join(map(code, value)) + b"t"
        case list():
            return b"](" + b"".join(map(code, value)) + b"e"
        case dict():
            return b"}(" + b"".join(code(k) + code(v) for k, v in value.items()) + b"u"
        case Global():
            return f"c{value.module}\n{value.name}\n".encode()
        case Call():
            return code(value.function) + code(value.arguments) + b"R"
        case New():
            return code(value.kind) + code(value.arguments) + b"\x81"
        case Built():
            return code(value.thing) + code(value.state) + b"b"
        case Tensor() if store is not None:
            hooks = Call(Global("collections", "OrderedDict"), ())
            rest = (value.offset, value.shape, value.strides, False, hooks)
            rebuild = code(Global("torch._utils", "_rebuild_tensor_v2"))
            pid = code(store(value.values)) + b"Q"
            return rebuild + b"(" + pid + b"".join(map(code, rest)) + b"tR"
        case np.ndarray():
            values = np.array(value, order="C")
            strides = tuple(step // value.itemsize for step in values.strides)
            return code(Tensor(values.ravel(), value.shape, strides))
    raise TypeError(f"no opcode is known for {type(value)}")
