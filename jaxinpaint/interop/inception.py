"""Published weights of Inception v3, as the variables of `nets.inception`."""

import re
from collections.abc import Mapping

from jaxinpaint.array_typing import Variables
from jaxinpaint.interop.flat_variables import Shapes, as_hwio, unflattened
from jaxinpaint.interop.weight_files import Arrays
from jaxinpaint.nets.inception import Convention, kernel_shapes

# How many classes the classifier tells apart, which alone tells whose weights they are.
CLASSES: Mapping[Convention, int] = {"fid": 1008, "torchvision": 1000}

# Published names within a convolution with its batch normalisation, and this package's.
PARTS = {
    "conv.weight": "kernel",
    "bn.weight": "scale",
    "bn.bias": "bias",
    "bn.running_mean": "mean",
    "bn.running_var": "var",
}

UNUSED = re.compile(r"AuxLogits\..*|fc\.weight|.*\.num_batches_tracked")


def inception_from(arrays: Arrays, convention: Convention) -> Variables:
    """The variables from torchvision's names, which pytorch-fid has too, or flat ones.

    The classifiers and the counts of batches are not used; the last classifier's bias is kept, for
    its length tells the weights of the two conventions apart.

    Args:
        arrays: the file's.
        convention: whose weights they have to be.

    Raises:
        UnreadableWeights: if names are missing or unknown, a shape is not the network's, or they
            are the weights of the other convention.
    """
    names = {"fc.bias": "fc/bias"}
    for layer in kernel_shapes():
        names |= {f"{layer}.{part}": f"{layer}/{here}" for part, here in PARTS.items()}
    flat = {
        names.get(name, name): as_hwio(array) if name in names else array
        for name, array in arrays.items()
        if not UNUSED.fullmatch(name)
    }
    return unflattened(flat, shapes(convention), network=f"Inception ({convention})")


def shapes(convention: Convention) -> Shapes:
    """The shapes of all variables, by their flat names."""
    found: dict[str, tuple[int, ...]] = {"fc/bias": (CLASSES[convention],)}
    for layer, kernel in kernel_shapes().items():
        found[f"{layer}/kernel"] = kernel
        found |= {f"{layer}/{part}": kernel[-1:] for part in ("scale", "bias", "mean", "var")}
    return found
