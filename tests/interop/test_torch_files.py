import contextlib
import math
import pickle
import shlex
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from interop.torch_saved import Built, Call, Global, New, Tensor, pickled, torch_saved

from jaxinpaint.interop.torch_files import NotTorch, read_torch

REFERENCE = Path(__file__).parent.parent / "reference"
FORMATS = {"zip": False, "legacy": True}

BASE = np.arange(10, dtype=np.float32)
NO_HOOKS = Call(Global("collections", "OrderedDict"), ())

# What torch_zip.pth and torch_legacy.pth were made from, by torch.save of PyTorch 2.13.
EXPECTED = {
    "plain": np.arange(6, dtype=np.float32).reshape(2, 3),
    "transposed": np.arange(6, dtype=np.float32).reshape(2, 3).T,
    "first": BASE[2:5],
    "second": BASE[4:10].reshape(2, 3),  # shares its storage with the one before
    "half": (np.arange(4) / 4).astype(np.float16),
    "bfloat16": (np.arange(4) / 2).astype(jnp.bfloat16),
    "count": np.array(7),
    "flags": np.array([True, False]),
    "empty": np.zeros((0, 3), np.float32),
    "parameter": np.arange(3, dtype=np.float32),
}


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def assert_same_arrays(found: Any, expected: dict[str, np.ndarray]) -> None:
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype, name
        assert found[name].shape == array.shape, name
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("name", FORMATS)
def test_what_pytorch_saved_is_read(name: str) -> None:
    found = read_torch(REFERENCE / f"torch_{name}.pth")
    assert_same_arrays(found.pop("state_dict"), EXPECTED)
    assert found == {"epoch": 3, "note": "by torch", "history": [1, 2.5, None]}


@pytest.mark.parametrize("legacy", FORMATS.values(), ids=FORMATS)
def test_files_made_without_pytorch_are_read_too(tmp_path: Path, legacy: bool) -> None:
    views = {
        "transposed": Tensor(np.arange(6, dtype=np.float32), (3, 2), (1, 3)),
        "first": Tensor(BASE, (3,), (1,), 2),
        "second": Tensor(BASE, (2, 3), (3, 1), 4),
    }
    tree = {"state_dict": EXPECTED | views, "epoch": 3}
    found = read_torch(written(tmp_path / "made.pth", torch_saved(tree, legacy=legacy)))
    assert_same_arrays(found["state_dict"], EXPECTED)
    assert found["epoch"] == 3


@pytest.mark.parametrize("legacy", FORMATS.values(), ids=FORMATS)
def test_pytorch_itself_reads_the_same(tmp_path: Path, legacy: bool) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is only here to compare with")
    path = tmp_path / "saved.pth"
    layers = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    torch.save(layers.state_dict(), path, _use_new_zipfile_serialization=not legacy)
    theirs = {name: tensor.numpy() for name, tensor in torch.load(path, weights_only=True).items()}
    assert_same_arrays(read_torch(path), theirs)


def test_a_torchscript_program_is_called_one(tmp_path: Path) -> None:
    path = tmp_path / "inception-2015-12-05.pt"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("data.pkl", "constants.pkl", "code/__torch__.py"):
            compression = zipfile.ZIP_DEFLATED if name.startswith("code") else zipfile.ZIP_STORED
            archive.writestr(f"program/{name}", pickled({}), compression)
    with pytest.raises(NotTorch, match=r"05\.pt: it is a TorchScript program, which is not run"):
        read_torch(path)


@pytest.mark.parametrize("how", [New, Call])
@pytest.mark.parametrize("legacy", FORMATS.values(), ids=FORMATS)
def test_a_parameter_of_pytorchs_first_versions_is_read(
    tmp_path: Path, legacy: bool, how: type[New | Call]
) -> None:
    # They made the object first and set its state (requires_grad, volatile, hooks) afterwards.
    made = how(Global("torch.nn.parameter", "Parameter"), (BASE,))
    tree = {"weight": Built(made, (True, False, NO_HOOKS))}
    found = read_torch(written(tmp_path / "old.pth", torch_saved(tree, legacy=legacy)))
    assert_same_arrays(found, {"weight": BASE})


def hostile(kind: str, trace: Path) -> tuple[str, Any]:
    """The name that must be refused, and a tree whose reading would leave a trace."""
    touch = f"touch {shlex.quote(str(trace))}"
    imported = Call(Global("builtins", "__import__"), ("os",))
    return {
        "os.system": ("os.system", Call(Global("os", "system"), (touch,))),
        "eval": (
            "builtins.eval",
            Call(Global("builtins", "eval"), (f"open({str(trace)!r}, 'w').close()",)),
        ),
        "getattr": (
            "builtins.getattr",
            Call(Call(Global("builtins", "getattr"), (imported, "system")), (touch,)),
        ),
    }[kind]


@pytest.mark.parametrize("place", ["zip", "legacy", "before the legacy format's mark"])
@pytest.mark.parametrize("kind", ["os.system", "eval", "getattr"])
def test_a_hostile_pickle_is_refused_by_name_and_not_run(
    tmp_path: Path, kind: str, place: str
) -> None:
    trace = tmp_path / "trace"
    name, tree = hostile(kind, trace)
    pickle.loads(pickled(tree))
    assert trace.exists(), "it would run"
    trace.unlink()
    content = (
        torch_saved({"weight": BASE, "more": [tree]}, legacy=place == "legacy")
        if place in FORMATS
        else pickled(tree)
    )
    with pytest.raises(NotTorch, match=rf"names {name}, which no weights need"):
        read_torch(written(tmp_path / "hostile.pth", content))
    assert not trace.exists()


def test_a_path_through_a_known_name_is_refused(tmp_path: Path) -> None:
    tree = Global("torch._utils", "_rebuild_tensor.__globals__")
    with pytest.raises(NotTorch, match=r"_rebuild_tensor\.__globals__"):
        read_torch(written(tmp_path / "path.pth", torch_saved(tree, legacy=False)))


def test_a_pickle_cannot_change_what_is_known(tmp_path: Path) -> None:
    # The state of a NumPy type of the other byte order: set on bfloat16, it once stuck.
    states = {
        Global("torch", "BFloat16Storage"): (3, ">", None, None, None, -1, -1, 0),
        Global("torch.nn.parameter", "Parameter"): (None, {"__new__": NO_HOOKS}),
        Global("collections", "OrderedDict"): (None, {"items": NO_HOOKS}),
    }
    for i, (known, state) in enumerate(states.items()):
        path = tmp_path / f"{i}.pth"
        path.write_bytes(torch_saved(Built(known, state), legacy=False))
        with contextlib.suppress(NotTorch):
            read_torch(path)
    assert np.dtype(jnp.bfloat16).byteorder == "="
    assert_same_arrays(read_torch(REFERENCE / "torch_zip.pth")["state_dict"], EXPECTED)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path, name: str) -> None:
    whole = (REFERENCE / f"torch_{name}.pth").read_bytes()
    path = tmp_path / "cut.pth"
    for size in range(len(whole) - 1, -1, -16):
        path.write_bytes(whole[:size])
        with pytest.raises(NotTorch, match=r"cut\.pth"):
            read_torch(path)


BEYOND = {
    "too long": Tensor(BASE, (11,), (1,)),
    "too far on": Tensor(BASE, (3,), (1,), 8),
    "strides too long": Tensor(BASE, (2, 3), (8, 1)),
    "strides back": Tensor(BASE, (3,), (-1,), 5),
    "starts before": Tensor(BASE, (3,), (1,), -1),
    "shape below zero": Tensor(BASE, (-3,), (1,)),
    "a stride too few": Tensor(BASE, (2, 3), (1,)),
    "huge": Tensor(BASE, (2**62, 4), (1, 2**62)),
    "strides of nothing": Tensor(BASE, (2**40,), (0,)),
    "no number": Tensor(BASE, (3,), (1,), math.nan),  # pyright: ignore[reportArgumentType]
    "no whole number": Tensor(BASE, (2.5,), (1,)),  # pyright: ignore[reportArgumentType]
}


@pytest.mark.parametrize("legacy", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("tensor", BEYOND.values(), ids=BEYOND)
def test_a_tensor_beyond_its_storage_is_refused(
    tmp_path: Path, tensor: Tensor, legacy: bool
) -> None:
    with pytest.raises(NotTorch):
        read_torch(written(tmp_path / "beyond.pth", torch_saved([tensor], legacy=legacy)))


def changed(whole: bytes, variants: int) -> Iterator[bytes]:
    """The file with one to four bytes that are others."""
    for seed in range(variants):
        rng = np.random.default_rng(seed)
        content = np.frombuffer(whole, np.uint8).copy()
        places = rng.integers(len(content), size=rng.integers(1, 5))
        content[places] = rng.integers(256, size=places.size)
        yield content.tobytes()


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_bytes_are_refused_or_read_and_never_more(tmp_path: Path, name: str) -> None:
    path = tmp_path / "damaged.pth"
    refused = 0
    for content in changed((REFERENCE / f"torch_{name}.pth").read_bytes(), variants=200):
        path.write_bytes(content)
        try:
            touched(read_torch(path))
        except NotTorch:
            refused += 1
    assert 0 < refused < 200


def touched(tree: Any) -> None:
    """Reads every value of every array: one beyond its memory would end the program."""
    if isinstance(tree, np.ndarray):
        tree.tobytes()
    elif isinstance(tree, dict | list):
        for part in tree.values() if isinstance(tree, dict) else tree:
            touched(part)


def test_an_opcode_that_asks_for_memory_without_end_is_refused(tmp_path: Path) -> None:
    # A million million bytes that do not follow; a note of such a number (the reader counts up).
    for opcode in (b"\x96" + struct.pack("<q", 10**12), b"Nr" + struct.pack("<I", 2**32 - 1)):
        with pytest.raises(NotTorch):
            read_torch(written(tmp_path / "asks.pth", b"\x80\x02" + opcode + b"."))


def test_what_stands_in_a_file_many_times_is_made_once(tmp_path: Path) -> None:
    # Forty levels, each twice in the next: a million million paths to one list.
    tree: list = [1]
    for _ in range(40):
        tree = [tree, tree]
    with zipfile.ZipFile(tmp_path / "twice.pth", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(tree, 2))
    found = read_torch(tmp_path / "twice.pth")
    while isinstance(found, list):
        found = found[-1]
    assert found == 1


def test_a_compressed_archive_with_damaged_bytes_is_refused(tmp_path: Path) -> None:
    # zipfile then raises errors of the decompressor's own.
    whole = (REFERENCE / "torch_zip.pth").read_bytes()
    method = whole.index(b"PK\x01\x02") + 10
    for number in (8, 12, 14, 99):  # deflate, bzip2, LZMA, none that is known
        content = bytearray(whole)
        content[method] = content[8] = number
        with pytest.raises(NotTorch):
            read_torch(written(tmp_path / f"{number}.pth", bytes(content)))


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_plain_pickle_is_refused(tmp_path: Path, protocol: int) -> None:
    path = written(tmp_path / "plain.pkl", pickle.dumps({"weight": [1, 2, 3]}, protocol))
    with pytest.raises(
        NotTorch, match=r"torch\.save did not make it|a FRAME that PyTorch does not"
    ):
        read_torch(path)


def test_a_zip_archive_of_others_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "arrays.npz", a=BASE)
    with pytest.raises(NotTorch, match=r"torch\.save did not make it"):
        read_torch(tmp_path / "arrays.npz")


def test_a_file_that_is_not_there_is_no_damaged_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_torch(tmp_path / "gone.pth")
