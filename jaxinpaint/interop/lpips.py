"""Published weights of LPIPS's channels, as `evaluation.lpips` takes them."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from jaxinpaint.array_typing import Variables
from jaxinpaint.evaluation.lpips import TAPS
from jaxinpaint.interop.flat_variables import not_weights_of, unflattened
from jaxinpaint.interop.weight_files import Arrays, UnreadableWeights, digest_of
from jaxinpaint.nets import alexnet, vgg

Network: TypeAlias = Literal["alex", "vgg"]

# Of the arrays of version 0.0, which have the same names and shapes and lie beside version 0.1's.
VERSION_0_0: Mapping[Network, str] = {
    "alex": "bbe2775ce3b8",
    "vgg": "6a1556cb1682",
}


def lpips_from(arrays: Arrays, network: Network) -> Variables:
    """The weights by tap, from the published names ``lin0.model.1.weight`` … or by tap already.

    Args:
        arrays: the file's; a published weight is the kernel of a 1×1 convolution to one channel.
        network: whose channels are weighed.

    Raises:
        UnreadableWeights: if names are missing or unknown, a shape is not the network's, a weight
            is negative, or they are those of version 0.0.
    """
    whose = f"LPIPS-{network}"
    if digest_of(arrays).startswith(VERSION_0_0[network]):
        raise UnreadableWeights(not_weights_of(whose, "is of version 0.0, not 0.1"))
    names = {f"lin{i}.model.1.weight": tap for i, tap in enumerate(TAPS[network])}
    flat = {}
    for name, array in arrays.items():
        published = name in names and array.ndim == 4 and array.size == array.shape[1]
        flat[names.get(name, name)] = array.ravel() if published else array
    weights = unflattened(flat, _shapes(network), network=whose)
    if negative := [tap for tap, weight in weights.items() if weight.min() < 0]:
        raise UnreadableWeights(f"{negative[0]} has a negative weight; LPIPS has none")
    return weights


def _shapes(network: Network) -> dict[str, tuple[int, ...]]:
    kernels = alexnet.kernel_shapes() if network == "alex" else vgg.kernel_shapes(16)
    return {tap: kernels[tap.replace("relu", "conv")][-1:] for tap in TAPS[network]}
