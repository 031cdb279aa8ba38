"""Weights of the networks that evaluation looks through: AlexNet, LPIPS and Inception."""

from collections.abc import Callable

import golden
import numpy as np
import pytest

from jaxinpaint.array_typing import Variables
from jaxinpaint.interop import lpips, published_weights
from jaxinpaint.interop.published_weights import PUBLICATIONS
from jaxinpaint.interop.weight_files import UnreadableWeights, digest_of
from jaxinpaint.names import WeightsName

Arrays = dict[str, np.ndarray]

INCEPTION, OTHERS = golden.facts("inception"), golden.facts("lpips")
SHAPES: dict[WeightsName, dict[str, list[int]]] = {
    "alexnet": OTHERS["alexnet"] | {"classifier.6.bias": [1000]},
    "lpips-alex": OTHERS["lpips-alex"],
    "lpips-vgg": OTHERS["lpips-vgg"],
    "inception-fid": INCEPTION["state_dict"] | INCEPTION["fid"],
    "inception-torchvision": INCEPTION["state_dict"] | INCEPTION["torchvision"],
}
# A layer of each, and what its name is here.
SOME: dict[WeightsName, tuple[str, str, str]] = {
    "alexnet": ("features.8.weight", "conv4", "kernel"),
    "lpips-alex": ("lin2.model.1.weight", "relu3", ""),
    "lpips-vgg": ("lin2.model.1.weight", "relu3_3", ""),
    "inception-fid": ("Mixed_6b.branch7x7_2.conv.weight", "Mixed_6b.branch7x7_2", "kernel"),
    "inception-torchvision": ("Mixed_7c.branch_pool.bn.running_var", "Mixed_7c.branch_pool", "var"),
}


def zeros(name: WeightsName) -> Arrays:
    """The published arrays without their numbers, which take no memory."""
    return {k: np.broadcast_to(np.float32(0), shape) for k, shape in SHAPES[name].items()}


def without(key: str) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {name: array for name, array in arrays.items() if name != key}


def read(name: WeightsName, arrays: Arrays) -> Variables:
    return PUBLICATIONS[name].read(arrays)


@pytest.mark.parametrize("name", SOME)
def test_every_array_of_a_published_file_is_read_or_known_not_to_be(name: WeightsName) -> None:
    key, layer, part = SOME[name]
    rng = np.random.default_rng(0)
    array = rng.random(SHAPES[name][key], np.float32)
    variables = read(name, zeros(name) | {key: array})
    found = variables[layer][part] if part else variables[layer]
    expected = {"kernel": array.transpose(2, 3, 1, 0) if part == "kernel" else array}
    np.testing.assert_array_equal(found, expected.get(part, array.ravel()))
    assert found.dtype == np.float32
    assert np.count_nonzero(found) == array.size


def test_alexnet_has_the_normalisation_of_imagenet() -> None:
    variables = read("alexnet", zeros("alexnet"))
    np.testing.assert_allclose(variables["mean"], [0.485, 0.456, 0.406], rtol=1e-6)
    np.testing.assert_allclose(variables["std"], [0.229, 0.224, 0.225], rtol=1e-6)


def test_what_lpips_takes_from_pictures_is_the_same_normalisation() -> None:
    # The published program's, of pictures in [-1, 1].
    shift, scale = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])
    np.testing.assert_allclose((1 + shift) / 2, [0.485, 0.456, 0.406])
    np.testing.assert_allclose(scale / 2, [0.229, 0.224, 0.225])


@pytest.mark.parametrize("name", SOME)
def test_a_missing_an_unknown_and_a_wrong_array_are_named(name: WeightsName) -> None:
    key, layer, part = SOME[name]
    here = f"{layer}/{part}".rstrip("/")
    with pytest.raises(UnreadableWeights, match=f"the file has no {here};"):
        read(name, without(key)(zeros(name)))
    with pytest.raises(UnreadableWeights, match=r"also has features\.1\.running_mean$"):
        read(name, zeros(name) | {"features.1.running_mean": np.zeros(3, np.float32)})
    wrong = np.zeros((*SHAPES[name][key][:-1], 2), np.float32)
    with pytest.raises(UnreadableWeights, match=rf"has \(.*\) as the shape of {here}, not"):
        read(name, zeros(name) | {key: wrong})
    gone = np.full(SHAPES[name][key], np.nan, np.float32)
    with pytest.raises(UnreadableWeights, match=f"{here} has values that are not finite"):
        read(name, zeros(name) | {key: gone})


def test_the_weights_of_the_other_inception_are_refused() -> None:
    with pytest.raises(UnreadableWeights, match=r"\(fid\).*has \(1000,\) as the shape of fc/bias"):
        read("inception-fid", zeros("inception-torchvision"))
    with pytest.raises(UnreadableWeights, match=r"\(torchvision\).*\(1008,\) as the shape of fc/b"):
        read("inception-torchvision", zeros("inception-fid"))
    with pytest.raises(UnreadableWeights, match="has no fc/bias"):
        read("inception-fid", without("fc.bias")(zeros("inception-fid")))


def test_the_weights_of_the_other_lpips_are_refused() -> None:
    with pytest.raises(UnreadableWeights, match=r"LPIPS-alex.*\(128,\) as the shape of relu2"):
        read("lpips-alex", zeros("lpips-vgg"))


def test_lpips_has_no_negative_weights() -> None:
    negative = np.full((1, 192, 1, 1), -1, np.float32)
    with pytest.raises(UnreadableWeights, match="relu2 has a negative weight"):
        read("lpips-alex", zeros("lpips-alex") | {"lin1.model.1.weight": negative})


def test_the_first_version_of_lpips_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    first = zeros("lpips-vgg")
    monkeypatch.setattr(lpips, "VERSION_0_0", {"vgg": digest_of(first)[:12]})
    with pytest.raises(UnreadableWeights, match=r"is of version 0\.0, not 0\.1"):
        read("lpips-vgg", first)


def test_hashes_are_those_in_the_files_names() -> None:
    for name, publication in PUBLICATIONS.items():
        if not name.startswith("lpips"):
            assert publication.file.endswith(f"-{publication.sha256}.pth")
    assert published_weights.PUBLICATIONS.keys() == SHAPES.keys() | {"vgg16", "vgg19"}
