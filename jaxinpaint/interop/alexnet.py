"""Published weights of AlexNet's features, as the variables of `nets.alexnet`."""

import numpy as np

from jaxinpaint.array_typing import Variables
from jaxinpaint.interop.flat_variables import Shapes, as_hwio, unflattened
from jaxinpaint.interop.weight_files import Arrays
from jaxinpaint.nets.alexnet import kernel_shapes
from jaxinpaint.nets.vgg import MEAN, STD

# The numbers of torchvision's convolutions among convolutions, ReLUs and poolings.
INDICES = (0, 3, 6, 8, 10)


def alexnet_from(arrays: Arrays) -> Variables:
    """The variables from torchvision's names, or those that `flattened` gives.

    The classifier is not used. Of torchvision's, mean and deviation are ImageNet's.

    Raises:
        UnreadableWeights: if names are missing or unknown, or a shape is not the network's.
    """
    names = {}
    for layer, index in zip(kernel_shapes(), INDICES, strict=True):
        names[f"features.{index}.weight"] = f"{layer}/kernel"
        names[f"features.{index}.bias"] = f"{layer}/bias"
    flat: dict[str, np.ndarray] = {}
    if any(name in arrays for name in names):
        flat = {"mean": np.array(MEAN), "std": np.array(STD)}
    for name, array in arrays.items():
        if not name.startswith("classifier."):
            flat[names.get(name, name)] = as_hwio(array) if name in names else array
    return unflattened(flat, shapes(), network="AlexNet")


def shapes() -> Shapes:
    """The shapes of all variables, by their flat names."""
    found: dict[str, tuple[int, ...]] = {"mean": (3,), "std": (3,)}
    for layer, kernel in kernel_shapes().items():
        found |= {f"{layer}/kernel": kernel, f"{layer}/bias": kernel[-1:]}
    return found
