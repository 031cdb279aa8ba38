import hashlib
import json
import struct
from pathlib import Path

import h5py
import numpy as np
import pytest
import safetensors.numpy
from interop.torch_saved import torch_saved

from jaxinpaint.interop.weight_files import UnreadableWeights, check_named_hash, read_arrays

ARRAYS = {
    "conv/kernel": np.arange(18, dtype=np.float32).reshape(1, 2, 3, 3),
    "conv/bias": np.arange(300, dtype=np.float32),
}


def safetensors_file(path: Path) -> None:
    safetensors.numpy.save_file(ARRAYS, path)


def hdf5_file(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for name, array in ARRAYS.items():
            file.create_dataset(name, data=array)


def zip_file(path: Path) -> None:
    path.write_bytes(torch_saved(ARRAYS, legacy=False))


def legacy_file(path: Path) -> None:
    path.write_bytes(torch_saved(ARRAYS, legacy=True))


WRITERS = {
    "safetensors": safetensors_file,
    "hdf5": hdf5_file,
    "zip": zip_file,
    "legacy": legacy_file,
}


@pytest.mark.parametrize("suffix", [".pth", ".h5", ".safetensors", ""])
@pytest.mark.parametrize("kind", WRITERS)
def test_the_first_bytes_say_what_a_file_is(tmp_path: Path, kind: str, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    WRITERS[kind](path)
    found = read_arrays(path)
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_the_state_dict_is_taken_from_what_a_trainer_saved(tmp_path: Path, wrapper: str) -> None:
    path = tmp_path / "checkpoint.pth"
    path.write_bytes(torch_saved({"epoch": 3, wrapper: ARRAYS}, legacy=False))
    assert read_arrays(path).keys() == ARRAYS.keys()


@pytest.mark.parametrize("tree", [3, [ARRAYS["conv/bias"]], {"epoch": 3}, {0: np.zeros(2)}])
def test_a_pytorch_file_without_arrays_by_name_is_refused(tmp_path: Path, tree: object) -> None:
    path = tmp_path / "other.pth"
    path.write_bytes(torch_saved(tree, legacy=False))
    with pytest.raises(UnreadableWeights, match=r"other\.pth holds no state dict"):
        read_arrays(path)


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("part", [0.1, 0.6, 0.99])
def test_a_file_cut_short_is_refused_by_name(tmp_path: Path, kind: str, part: float) -> None:
    path = tmp_path / "weights.bin"
    WRITERS[kind](path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(UnreadableWeights, match=r"weights\.bin"):
        read_arrays(path)


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.touch()
    with pytest.raises(UnreadableWeights, match=r"weights\.pth .*it is empty"):
        read_arrays(path)


def test_a_web_page_in_the_place_of_weights_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_text("\n<!DOCTYPE html><title>404</title>")
    with pytest.raises(UnreadableWeights, match=r"weights\.pth .*a web page\?"):
        read_arrays(path)


def test_not_all_that_begins_like_a_tag_is_a_web_page(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"<" + bytes(20))
    with pytest.raises(UnreadableWeights, match=r"weights\.pth is no") as refused:
        read_arrays(path)
    assert "web page" not in str(refused.value)


def test_numbers_that_numpy_does_not_know_are_refused(tmp_path: Path) -> None:
    told = {"a": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}}
    header = json.dumps(told).encode()
    path = tmp_path / "eight.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(UnreadableWeights, match=r"eight\.safetensors holds numbers"):
        read_arrays(path)


def test_a_missing_file_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "gone.pth")


def test_a_file_must_be_what_the_hash_in_its_name_says(tmp_path: Path) -> None:
    digits = hashlib.sha256(b"weights").hexdigest()
    for name in (f"vgg16-{digits[:8]}.pth", f"vgg16-{digits}.pth", "vgg16.pth", "vgg16-final.pth"):
        (tmp_path / name).write_bytes(b"weights")
        check_named_hash(tmp_path / name)
    other = tmp_path / "vgg16-00000000.pth"
    other.write_bytes(b"weights")
    with pytest.raises(UnreadableWeights, match=rf"{other}.* {digits[:8]}, its name says 00000000"):
        check_named_hash(other)
