"""Published weights of VGG-16 and VGG-19, as the variables of `nets.vgg`."""

import re

import numpy as np

from jaxinpaint.array_typing import Variables
from jaxinpaint.interop.flat_variables import Shapes, as_hwio, not_weights_of, unflattened
from jaxinpaint.interop.weight_files import Arrays, UnreadableWeights
from jaxinpaint.nets.vgg import BLOCKS, MEAN, STD, Depth, kernel_shapes

# What is taken from pictures in [0, 255], RGB: by Caffe's VGGs, and so Keras's; and by the VGG-16
# that torchvision publishes for its features alone.
CAFFE_MEAN = (123.68, 116.779, 103.939)
FEATURES_MEAN = (123.0, 117.0, 104.0)


def vgg_from(arrays: Arrays, depth: Depth) -> Variables:
    """The variables from torchvision's names, Keras's, or those that `flattened` gives.

    Raises:
        UnreadableWeights: if names are missing or unknown, or a shape is not the network's.
    """
    if any(name.startswith("features.") for name in arrays):
        return from_torchvision(arrays, depth)
    if any(re.search(r"block\d_conv\d", name) for name in arrays):
        return from_keras(arrays, depth)
    return _unflattened(arrays, depth)


def from_torchvision(state_dict: Arrays, depth: Depth) -> Variables:
    """The variables from torchvision's state dict, or one of its names.

    ``features.N.weight`` counts ReLUs and poolings too. The classifier is not used, but tells how
    pictures have to be normalised, which the file does not say: torchvision's weights that were
    made for their features alone have one without numbers, and want pictures in [0, 255] less a
    mean; all others are taken to want ImageNet's.

    Raises:
        UnreadableWeights: if names are missing or unknown, or a shape is not the network's.
    """
    names = {}
    for layer, index in zip(kernel_shapes(depth), _torchvision_indices(depth), strict=True):
        names[f"features.{index}.weight"] = f"{layer}/kernel"
        names[f"features.{index}.bias"] = f"{layer}/bias"
    of_features_alone = any(
        re.fullmatch(r"classifier\.\d\.bias", name) and array.size and np.isnan(array).all()
        for name, array in state_dict.items()
    )
    if of_features_alone:
        flat = _bytes_less(FEATURES_MEAN)
    else:
        flat = {"mean": np.array(MEAN), "std": np.array(STD)}
    for name, array in state_dict.items():
        if not name.startswith("classifier."):
            flat[names.get(name, name)] = as_hwio(array)
    return _unflattened(flat, depth)


def from_keras(arrays: Arrays, depth: Depth) -> Variables:
    """The variables from Keras's file, with or without the classifier, which is not used.

    Keras feeds BGR pictures in [0, 255] less a mean. So the first kernel's input channels are
    turned round, and mean and deviation (1/255) go with the variables. They are not folded into
    kernel and bias: the network adds zeros around a picture after its mean is taken away, so that
    a folded bias would be wrong along the border.

    Raises:
        UnreadableWeights: if names are missing, unknown or twice there, or a shape is not the
            network's.
    """
    flat = _bytes_less(CAFFE_MEAN)
    for name, array in arrays.items():
        if re.search(r"(^|/)(fc\d|predictions)(/|_)", name):
            continue
        if match := re.search(r"block(\d)_conv(\d)", name):
            layer = f"conv{match[1]}_{match[2]}"
            name = f"{layer}/kernel" if array.ndim == 4 else f"{layer}/bias"
            if name in flat:
                raise UnreadableWeights(not_weights_of(f"VGG-{depth}", f"has {name} twice"))
            turned = name == "conv1_1/kernel"
            array = array[:, :, ::-1] if turned else array
        flat[name] = array
    return _unflattened(flat, depth)


def shapes(depth: Depth) -> Shapes:
    """The shapes of all variables, by their flat names."""
    found: dict[str, tuple[int, ...]] = {"mean": (3,), "std": (3,)}
    for layer, kernel in kernel_shapes(depth).items():
        found |= {f"{layer}/kernel": kernel, f"{layer}/bias": kernel[-1:]}
    return found


def _bytes_less(mean: tuple[float, ...]) -> dict[str, np.ndarray]:
    """The normalisation of pictures in [0, 1] that makes them bytes less a mean."""
    return {"mean": np.array(mean) / 255, "std": np.full(3, 1 / 255)}


def _torchvision_indices(depth: Depth) -> list[int]:
    """The numbers of the convolutions among convolutions, ReLUs and poolings."""
    indices, index = [], 0
    for convolutions in BLOCKS[depth]:
        indices += range(index, index + 2 * convolutions, 2)
        index += 2 * convolutions + 1
    return indices


def _unflattened(arrays: Arrays, depth: Depth) -> Variables:
    return unflattened(arrays, shapes(depth), network=f"VGG-{depth}")
