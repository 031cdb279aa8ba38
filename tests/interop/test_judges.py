import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from as_installed import as_installed
from interop.torch_saved import pickled
from safetensors.numpy import save_file

from jaxinpaint.interop import published_weights
from jaxinpaint.interop.flat_variables import flattened
from jaxinpaint.interop.judges import inception_features, perceptual_distance
from jaxinpaint.interop.published_weights import NoWeights
from jaxinpaint.interop.weight_files import UnreadableWeights
from jaxinpaint.names import WeightsName
from jaxinpaint.nets.vgg import random_variables

# Up to fifty layers in a row, of float32.
AGREES = 1e-5


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of all weights but torchvision's Inception."""
    folder = tmp_path_factory.mktemp("judges")
    lpips, inception = golden.facts("lpips"), golden.facts("inception")
    shapes: dict[WeightsName, dict[str, list[int]]] = {
        "alexnet": lpips["alexnet"],
        "vgg16": lpips["vgg16"],
        "lpips-alex": lpips["lpips-alex"],
        "lpips-vgg": lpips["lpips-vgg"],
        "inception-fid": inception["state_dict"] | inception["fid"],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAXINPAINT_CACHE", str(folder))
        for name, of_name in shapes.items():
            arrays = golden.state_dict(of_name)
            if name.startswith("lpips"):
                arrays = {key: np.abs(array) for key, array in arrays.items()}
            save_file(arrays, folder / "published")
            published_weights.take_from(folder / "published", name)
    yield folder
    shutil.rmtree(folder)  # it is large


@pytest.fixture(autouse=True)
def _in_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAXINPAINT_CACHE", str(cache))


@pytest.fixture
def pictures() -> jax.Array:
    return jnp.asarray(golden.arrays("vgg16")["image_u8"], jnp.float32) / 255


@pytest.mark.parametrize("name", ["alex", "vgg"])
def test_distances_are_those_of_the_published_program(
    name: Literal["alex", "vgg"], pictures: jax.Array
) -> None:
    distance, _ = perceptual_distance(name)
    # Two other pictures: those of the batch in the other order, turned.
    others = jnp.roll(pictures[:, :, ::-1], 1, axis=0)
    expected = golden.arrays("lpips")[f"lpips_{name}"]
    np.testing.assert_allclose(distance(pictures, others), expected, rtol=AGREES)
    within = jax.jit(lambda x, y: 2 * distance(x, y))
    np.testing.assert_allclose(within(pictures, others), 2 * expected, rtol=AGREES)
    np.testing.assert_array_equal(distance(pictures, pictures), np.zeros(2))


def test_features_are_those_of_pytorch_fid(pictures: jax.Array) -> None:
    look, digest = inception_features("fid")
    assert digest == published_weights.load("inception-fid").digest
    features = look(pictures)
    assert golden.relative_error(features, golden.arrays("inception")["fid"]) < AGREES


def test_weights_that_are_not_there_are_named_with_both_ways_to_them(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NoWeights, match=r"weights inception-torchvision --download.* --from FILE"):
        inception_features("torchvision")
    monkeypatch.setenv("JAXINPAINT_CACHE", str(tmp_path))
    with pytest.raises(NoWeights, match=r"weights vgg16 --download.* --from FILE"):
        perceptual_distance("vgg")
    shutil.copy(cache / "alexnet.safetensors", tmp_path)
    with pytest.raises(NoWeights, match=r"weights lpips-alex --download.* --from FILE"):
        perceptual_distance("alex")


def test_the_vgg_of_another_program_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAXINPAINT_CACHE", str(tmp_path))
    other = flattened(random_variables(16)) | {"std": np.full(3, 1 / 255, np.float32)}
    save_file(other, tmp_path / "keras.safetensors")
    published_weights.take_from(tmp_path / "keras.safetensors", "vgg16")
    with pytest.raises(NoWeights, match=r"torchvision's VGG-16, .* from keras\.safetensors"):
        perceptual_distance("vgg")


def test_nvidias_program_is_refused_with_the_file_to_take(tmp_path: Path) -> None:
    path = tmp_path / "inception-2015-12-05.pt"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("data.pkl", "constants.pkl"):
            archive.writestr(f"program/{name}", pickled({}))
    take = r"take pytorch-fid's pt_inception-2015-12-05-6726825d\.pth$"
    with pytest.raises(UnreadableWeights, match=f"TorchScript program.*{take}"):
        published_weights.take_from(path, "inception-fid")


def test_a_judge_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="vgg or alex, not 'squeeze'"):
        as_installed(perceptual_distance)("squeeze")
    with pytest.raises(ValueError, match="fid or torchvision, not 'tf'"):
        as_installed(inception_features)("tf")
