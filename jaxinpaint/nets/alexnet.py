"""AlexNet's features: the network that LPIPS looks through by default.

Krizhevsky, One weird trick for parallelizing convolutional neural networks, 2014, as torchvision
has it. It is looked through, never trained: a function of its variables and of pictures.

Variables are ``{"mean", "std", "conv1": {"kernel", "bias"}, ...}``: mean and deviation (RGB, of
pictures in [0, 1]) belong to the weights, since they are what these were trained with.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from jaxinpaint.array_typing import FeatureMap, Image, Taps, Variables
from jaxinpaint.ops.convolution import conv


class Convolution(NamedTuple):
    """A convolution, behind which there is a ReLU.

    Attributes:
        channels: that it gives.
        size: of its square kernel.
        stride: of the kernel.
        padding: zeros around what it is given.
        pooled: whether that is first pooled, by the maxima of 3×3 pixels with stride 2.
    """

    channels: int
    size: int
    stride: int
    padding: int
    pooled: bool


CONVOLUTIONS: Mapping[str, Convolution] = {
    "conv1": Convolution(64, 11, 4, 2, pooled=False),
    "conv2": Convolution(192, 5, 1, 2, pooled=True),
    "conv3": Convolution(384, 3, 1, 1, pooled=True),
    "conv4": Convolution(256, 3, 1, 1, pooled=False),
    "conv5": Convolution(256, 3, 1, 1, pooled=False),
}


def alexnet_taps(variables: Variables, image: Image, *, taps: Sequence[str]) -> Taps:
    """What AlexNet sees in pictures, at the layers asked for.

    Nothing behind the last tap is computed. The borders are filled up with zeros after normalising.

    Args:
        variables: of the network; those of layers behind the last tap are not needed.
        image: RGB in [0, 1], of any size that leaves a pixel at the last tap: 31 for all of them.
            Computed in its dtype.
        taps: names of layers: ``relu1`` … ``relu5``.

    Returns:
        the taps by name, in the order asked for.

    Raises:
        ValueError: for a tap that the network or the variables do not have, or pictures that are
            too small or no floats.
    """
    wanted = _convolutions_until_last(taps)
    image = jnp.asarray(image)
    if not jnp.issubdtype(image.dtype, jnp.floating):
        raise ValueError(f"pictures are floats in [0, 1], not {image.dtype}")
    mean, std = (jnp.asarray(variables[name]) for name in ("mean", "std"))
    x = ((image - mean) / std).astype(image.dtype)
    seen: dict[str, FeatureMap] = {}
    for name in wanted:
        if name not in variables:
            raise ValueError(f"the variables have no {name}, and {wanted[-1]} needs it")
        x = nn.relu(_convolved(x, variables[name], CONVOLUTIONS[name]))
        if not x.size:
            raise ValueError(
                f"a picture of {image.shape[1]}x{image.shape[2]} is too small: nothing of it is "
                f"left at {name}"
            )
        seen[_tap(name)] = x
    return {name: seen[name] for name in taps}


def kernel_shapes() -> dict[str, tuple[int, int, int, int]]:
    """Shape of every kernel (HWIO), by the name of its convolution, in the order of computing."""
    shapes, inputs = {}, 3
    for name, convolution in CONVOLUTIONS.items():
        shapes[name] = (convolution.size, convolution.size, inputs, convolution.channels)
        inputs = convolution.channels
    return shapes


def _convolved(
    x: Float[Array, "N H W I"], layer: Variables, how: Convolution
) -> Float[Array, "N h w O"]:
    kernel, bias = (jnp.asarray(layer[part]) for part in ("kernel", "bias"))
    if how.pooled:
        x = nn.max_pool(x, (3, 3), (2, 2))
    return conv(x, kernel, strides=how.stride, padding=how.padding) + bias.astype(x.dtype)


def _convolutions_until_last(taps: Sequence[str]) -> list[str]:
    if isinstance(taps, str):
        raise ValueError(f"taps are a sequence of names: [{taps!r}]")
    names = list(map(_tap, CONVOLUTIONS))
    unknown = [tap for tap in taps if tap not in names]
    if unknown or not taps:
        raise ValueError(
            f"AlexNet has no layer {', '.join(unknown)!r}; it has {', '.join(names)}"
            if unknown
            else "no taps are asked for"
        )
    return list(CONVOLUTIONS)[: max(map(names.index, taps)) + 1]


def _tap(convolution: str) -> str:
    return convolution.replace("conv", "relu")
