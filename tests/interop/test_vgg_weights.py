from collections.abc import Callable, Mapping

import h5py
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax, nn

from jaxinpaint.array_typing import Variables
from jaxinpaint.interop.flat_variables import flattened
from jaxinpaint.interop.vgg import from_keras, from_torchvision, vgg_from
from jaxinpaint.interop.weight_files import UnreadableWeights, read_arrays
from jaxinpaint.nets.vgg import Depth, random_variables, vgg_taps

Arrays = dict[str, np.ndarray]

# Where torchvision's lists of layers have their convolutions, and how many channels these give.
WIDTHS: Mapping[Depth, Mapping[int, int]] = {
    16: {0: 64, 2: 64, 5: 128, 7: 128, 10: 256, 12: 256, 14: 256}
    | {17: 512, 19: 512, 21: 512, 24: 512, 26: 512, 28: 512},
    19: {0: 64, 2: 64, 5: 128, 7: 128, 10: 256, 12: 256, 14: 256, 16: 256}
    | {19: 512, 21: 512, 23: 512, 25: 512, 28: 512, 30: 512, 32: 512, 34: 512},
}
TORCHVISION_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
TORCHVISION_STD = np.array([0.229, 0.224, 0.225], np.float32)
KERAS_MEAN_BGR = np.array([103.939, 116.779, 123.68], np.float32)

# Keras's names of VGG-16, in the order of computing.
BLOCKS = [f"block{b}_conv{i}" for b, n in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, n + 1)]

TAPS = ("relu1_2", "pool2")
PICTURE = np.random.default_rng(1).random((1, 24, 28, 3), np.float32)


def torchvision_arrays(depth: Depth) -> Arrays:
    rng, inputs = np.random.default_rng(depth), 3
    arrays: Arrays = {}
    for index, outputs in WIDTHS[depth].items():
        size = np.float32(np.sqrt(2 / (9 * inputs)))
        weight = size * rng.standard_normal((outputs, inputs, 3, 3), np.float32)
        arrays[f"features.{index}.weight"] = weight
        arrays[f"features.{index}.bias"] = np.float32(0.1) * rng.standard_normal(
            outputs, np.float32
        )
        inputs = outputs
    # Much smaller than the real ones, which nobody reads.
    classifier = {
        f"classifier.{i}.{part}": np.ones(shape, np.float32)
        for i in (0, 3, 6)
        for part, shape in {"weight": (4, 4), "bias": (4,)}.items()
    }
    return arrays | classifier


@pytest.fixture(scope="module")
def torchvision() -> Arrays:
    return torchvision_arrays(16)


@pytest.fixture(scope="module")
def keras(torchvision: Arrays) -> Arrays:
    """Kernels and biases by Keras's names: torchvision's function, of pictures as Keras has them.

    Where no zeros are added, W((x - mean) / std) + b = V(255 x - m) + c for V = W / (255 std) and
    c = b + sum(V m) - sum(W mean / std).
    """
    arrays: Arrays = {}
    for name, index in zip(BLOCKS, WIDTHS[16], strict=True):
        kernel = torchvision[f"features.{index}.weight"].transpose(2, 3, 1, 0)
        bias = torchvision[f"features.{index}.bias"]
        if index == 0:
            per_std = kernel / TORCHVISION_STD[:, None]
            mean = TORCHVISION_MEAN - KERAS_MEAN_BGR[::-1] / 255
            bias = bias - np.einsum("hwio,i->o", per_std, mean)
            kernel = (per_std / 255)[:, :, ::-1]
        arrays |= {f"{name}/kernel": kernel, f"{name}/bias": bias}
    return arrays


def of_2016(name: str, part: str) -> str:
    """Keras's first published files."""
    return f"{name}/{name}_{'W' if part == 'kernel' else 'b'}_1:0"


def of_keras_2(name: str, part: str) -> str:
    return f"{name}/{name}/{part}:0"


@pytest.fixture(scope="module", params=[of_2016, of_keras_2])
def keras_file(
    request: pytest.FixtureRequest, keras: Arrays, tmp_path_factory: pytest.TempPathFactory
) -> Arrays:
    """What is read from a file as Keras wrote it."""
    naming: Callable[[str, str], str] = request.param
    path = tmp_path_factory.mktemp("keras") / "vgg16_weights_tf_dim_ordering_tf_kernels.h5"
    with h5py.File(path, "w") as file:
        for name, array in keras.items():
            file.create_dataset(naming(*name.split("/")), data=array)
        for name in ("fc1", "fc2", "predictions"):
            for part, shape in {"kernel": (4, 4), "bias": (4,)}.items():
                file.create_dataset(naming(name, part), data=np.ones(shape, np.float32))
        file.create_group("block1_pool")
    arrays = dict(read_arrays(path))
    path.unlink()  # it is large
    return arrays


def two_blocks(x: np.ndarray, kernels: list[np.ndarray], biases: list[np.ndarray]) -> Arrays:
    """The first blocks of VGG by JAX's own convolutions, of a prepared picture; HWIO kernels."""
    y, taps = jnp.asarray(x), {}
    for i in range(4):
        kernel, layout = jnp.asarray(kernels[i]), ("NHWC", "HWIO", "NHWC")
        y = lax.conv_general_dilated(y, kernel, (1, 1), "SAME", dimension_numbers=layout)
        y = nn.relu(y + biases[i])
        if i == 1:
            taps["relu1_2"] = np.asarray(y)
        if i % 2:
            y = lax.reduce_window(y, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return taps | {"pool2": np.asarray(y)}


def features(variables: Variables) -> Arrays:
    taps = vgg_taps(variables, jnp.asarray(PICTURE), depth=16, taps=TAPS)
    return {name: np.asarray(tap) for name, tap in taps.items()}


def assert_close(found: Arrays, expected: Arrays) -> None:
    for name, tap in expected.items():
        assert found[name].shape == tap.shape
        # Four sums of up to 1152 products in another order, of float32.
        np.testing.assert_allclose(found[name], tap, rtol=0, atol=5e-6 * tap.max())


def test_torchvisions_weights_see_what_torchvision_feeds_them(torchvision: Arrays) -> None:
    layers = list(WIDTHS[16])[:4]
    expected = two_blocks(
        (PICTURE - TORCHVISION_MEAN) / TORCHVISION_STD,
        [torchvision[f"features.{i}.weight"].transpose(2, 3, 1, 0) for i in layers],
        [torchvision[f"features.{i}.bias"] for i in layers],
    )
    assert_close(features(from_torchvision(torchvision, 16)), expected)


def test_kerass_weights_see_what_keras_feeds_them_along_the_border_too(
    keras: Arrays, keras_file: Arrays
) -> None:
    prepared = (PICTURE * 255)[..., ::-1] - KERAS_MEAN_BGR
    expected = two_blocks(
        prepared,
        [keras[f"{name}/kernel"] for name in BLOCKS[:4]],
        [keras[f"{name}/bias"] for name in BLOCKS[:4]],
    )
    assert_close(features(from_keras(keras_file, 16)), expected)


def test_one_function_in_both_layouts_agrees_away_from_the_border(
    torchvision: Arrays, keras_file: Arrays
) -> None:
    one = features(vgg_from(torchvision, 16))
    other = features(vgg_from(keras_file, 16))
    # On the border the zeros around the picture stand for the mean, and the means are not equal.
    borders = {"relu1_2": 2, "pool2": 2}  # as far as the zeros reach
    inner = {name: np.s_[:, b:-b, b:-b] for name, b in borders.items()}
    assert_close(
        {name: other[name][inner[name]] for name in TAPS},
        {name: one[name][inner[name]] for name in TAPS},
    )
    assert np.abs(other["relu1_2"] - one["relu1_2"]).max() > 1e-3


@pytest.mark.parametrize("depth", [16, 19])
def test_every_layer_is_found(depth: Depth) -> None:
    arrays = empty(depth)
    for number, index in enumerate(WIDTHS[depth]):
        arrays[f"features.{index}.bias"] = np.full(WIDTHS[depth][index], number)
    variables = from_torchvision(arrays, depth)
    convolutions = [name for name in variables if name.startswith("conv")]
    biases = [variables[name]["bias"] for name in sorted(convolutions)]
    assert [bias[0] for bias in biases] == list(range(depth - 3))


def empty(depth: Depth) -> Arrays:
    """Weights of torchvision's names and shapes that take no memory."""
    arrays, inputs = {}, 3
    for index, outputs in WIDTHS[depth].items():
        shapes = {"weight": (outputs, inputs, 3, 3), "bias": (outputs,)}
        for part, shape in shapes.items():
            arrays[f"features.{index}.{part}"] = np.broadcast_to(np.float32(0), shape)
        inputs = outputs
    return arrays


def without(*names: str) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {name: array for name, array in arrays.items() if name not in names}


def with_nan(arrays: Arrays) -> Arrays:
    bias = np.zeros(128)
    bias[7] = np.nan
    return arrays | {"features.5.bias": bias}


REFUSED = {
    "missing": (without("features.5.weight"), "VGG-16's weights: .* has no conv2_1/kernel;"),
    "unknown": (
        lambda arrays: arrays | {"features.1.running_mean": np.zeros(64)},
        r"VGG-16's weights: .* also has features\.1\.running_mean$",
    ),
    "other channels": (
        lambda arrays: arrays | {"features.0.weight": np.zeros((64, 1, 3, 3))},
        r"VGG-16's weights: .* \(3, 3, 1, 64\) as the shape of conv1_1/kernel, not \(3, 3, 3, 64\)",
    ),
    "other rank": (
        lambda arrays: arrays | {"features.5.bias": np.zeros((128, 1))},
        r"\(128, 1\) as the shape of conv2_1/bias, not \(128,\)",
    ),
    "not finite": (with_nan, "conv2_1/bias has values that are not finite"),
    "of VGG-19": (
        lambda _: empty(19),
        "VGG-16's weights: .* has no conv4_1/kernel, .* and 2 more;",
    ),
    # The layers of VGG-16 with batch normalisation are at other numbers.
    "normalised": (
        lambda arrays: {
            name: array
            for i, old in enumerate(WIDTHS[16])
            for name, array in {
                f"features.{old + i}.weight": arrays[f"features.{old}.weight"],
                f"features.{old + i}.bias": arrays[f"features.{old}.bias"],
                f"features.{old + i + 1}.running_mean": np.zeros(WIDTHS[16][old]),
            }.items()
        },
        "VGG-16's weights: .* has no conv1_2/kernel",
    ),
    "nothing": (lambda _: {}, "VGG-16's weights: .* has no mean, std, "),
}


@pytest.mark.parametrize("problem", REFUSED)
def test_other_weights_are_refused_by_name(problem: str) -> None:
    change, told = REFUSED[problem]
    with pytest.raises(UnreadableWeights, match=told):
        vgg_from(change(empty(16)), 16)


def test_weights_of_the_shallower_network_are_refused() -> None:
    with pytest.raises(UnreadableWeights, match=r"VGG-19's weights: .* has no conv3_4/kernel"):
        vgg_from(empty(16), 19)


KERAS_REFUSED = {
    "missing": (without("block3_conv2/bias"), "has no conv3_2/bias;"),
    "twice": (
        lambda arrays: arrays | {"copy/block1_conv2/kernel": arrays["block1_conv2/kernel"]},
        "has conv1_2/kernel twice",
    ),
    "unknown": (lambda arrays: arrays | {"dense/kernel": np.zeros(3)}, "also has dense/kernel$"),
    "of VGG-19": (
        lambda arrays: arrays | {"block3_conv4/bias": np.zeros(256)},
        "also has conv3_4/bias$",
    ),
}


@pytest.mark.parametrize("problem", KERAS_REFUSED)
def test_other_weights_of_keras_are_refused_by_name(keras: Arrays, problem: str) -> None:
    change, told = KERAS_REFUSED[problem]
    with pytest.raises(UnreadableWeights, match=f"VGG-16's weights: .*{told}"):
        vgg_from(change(keras), 16)


def test_variables_survive_being_taken_apart() -> None:
    variables = random_variables(16)
    flat = flattened(variables)
    assert flat["conv1_1/kernel"].shape == (3, 3, 3, 64)
    again = vgg_from(flat, 16)
    assert again.keys() == variables.keys()
    for name, array in flattened(again).items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, flat[name])


def test_a_classifier_without_numbers_tells_weights_that_want_bytes_less_a_mean(
    torchvision: Arrays,
) -> None:
    # As torchvision publishes the weights that were made for their features alone.
    empty = {
        name: np.full_like(array, np.nan)
        for name, array in torchvision.items()
        if name.startswith("classifier.")
    }
    variables = from_torchvision(torchvision | empty, 16)
    # Its documentation gives these with five digits.
    np.testing.assert_allclose(variables["mean"], [0.48235, 0.45882, 0.40784], atol=1e-5)
    np.testing.assert_allclose(variables["std"], 1 / 255, rtol=1e-6)
