"""VGG-16 and VGG-19: the networks that perceptual, style and texture objectives look through.

Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR
2015, configurations D and E. They are looked through, never trained: functions of their variables
and of pictures, without a module.

Variables are ``{"mean", "std", "conv1_1": {"kernel", "bias"}, ...}``: mean and deviation (RGB, of
pictures in [0, 1]) belong to the weights, since they are what these were trained with.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import jax.numpy as jnp
import numpy as np
from jax import nn
from jaxtyping import Array, Float

from jaxinpaint.array_typing import FeatureMap, Image, Taps, Variables
from jaxinpaint.ops.convolution import conv

Depth: TypeAlias = Literal[16, 19]
Pooling: TypeAlias = Literal["max", "average"]

# Convolutions of each block, and channels of each of these.
BLOCKS: Mapping[Depth, tuple[int, ...]] = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
CHANNELS = (64, 128, 256, 512, 512)

# Of ImageNet's pictures, RGB in [0, 1].
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def vgg_taps(
    variables: Variables,
    image: Image,
    *,
    depth: Depth,
    taps: Sequence[str],
    pooling: Pooling = "max",
    normalise: bool = True,
) -> Taps:
    """What VGG-16 or VGG-19 sees in pictures, at the layers asked for.

    3×3 convolutions with ReLU, five blocks of them, each followed by 2×2 pooling. Nothing behind
    the last tap is computed. The borders are filled up with zeros after normalising.

    Args:
        variables: of the network; those of layers behind the last tap are not needed.
        image: RGB in [0, 1], of any size that leaves a pixel at the last tap. Computed in its
            dtype.
        depth: 16 or 19.
        taps: names of layers: ``conv1_1`` (before its ReLU), ``relu1_1`` … ``pool5``.
        pooling: ``average`` is what Gatys et al. (CVPR 2016) found to look better in synthesis.
        normalise: whether to subtract the mean and divide by the deviation; False reproduces
            programs that feed pictures as they are.

    Returns:
        the taps by name, in the order asked for.

    Raises:
        ValueError: for a tap that the network or the variables do not have, another kind of
            pooling, or pictures that are too small or no floats.
    """
    wanted = _layers_until_last(taps, depth)
    image = jnp.asarray(image)
    if not jnp.issubdtype(image.dtype, jnp.floating):
        raise ValueError(f"pictures are floats in [0, 1], not {image.dtype}")
    x = image
    if normalise:
        mean, std = (jnp.asarray(variables[name]) for name in ("mean", "std"))
        x = ((image - mean) / std).astype(image.dtype)
    seen: dict[str, FeatureMap] = {}
    for name in wanted:
        if name.startswith("conv"):
            if name not in variables:
                raise ValueError(f"the variables have no {name}, and {wanted[-1]} needs it")
            kernel, bias = (jnp.asarray(variables[name][part]) for part in ("kernel", "bias"))
            x = conv(x, kernel, padding=1) + bias.astype(x.dtype)
        elif name.startswith("relu"):
            x = nn.relu(x)
        else:
            if min(x.shape[1:3]) < 2:
                raise ValueError(
                    f"a picture of {image.shape[1]}x{image.shape[2]} is too small: nothing of it "
                    f"is left at {name}"
                )
            x = pool(x, pooling)
        seen[name] = x
    return {name: seen[name] for name in taps}


def layer_names(depth: Depth) -> list[str]:
    """Every layer in the order of computing: ``conv1_1``, ``relu1_1``, ``conv1_2`` … ``pool5``."""
    if depth not in BLOCKS:
        raise ValueError(f"a VGG has 16 or 19 layers, not {depth}")
    names = []
    for block, convolutions in enumerate(BLOCKS[depth], start=1):
        for i in range(1, convolutions + 1):
            names += [f"conv{block}_{i}", f"relu{block}_{i}"]
        names.append(f"pool{block}")
    return names


def kernel_shapes(depth: Depth) -> dict[str, tuple[int, int, int, int]]:
    """Shape of every kernel (HWIO), by the name of its convolution, in the order of computing."""
    shapes, inputs = {}, 3
    for name in layer_names(depth):
        if match := re.match(r"conv(\d)", name):
            outputs = CHANNELS[int(match[1]) - 1]
            shapes[name] = (3, 3, inputs, outputs)
            inputs = outputs
    return shapes


def random_variables(depth: Depth, *, until: str = "pool5", seed: int = 0) -> Variables:
    """Random weights, the same in every version and on every machine: He et al.'s, without biases.

    Random features still tell textures apart (Ustyuzhaninov et al., Texture Synthesis Using Shallow
    Convolutional Networks with Random Filters, 2016), but know nothing of things. They are for
    trying things out. They come from NumPy's oldest generator, whose numbers are promised never to
    change; and while a step is traced it draws numbers, where JAX's own would draw a computation.

    Args:
        depth: 16 or 19.
        until: the last tap that will be asked for; the layers behind it are left out.
        seed: of the weights; a layer's are the same whatever comes behind it.
    """
    needed = _layers_until_last([until], depth)
    variables: dict[str, object] = {
        "mean": np.array(MEAN, np.float32),
        "std": np.array(STD, np.float32),
    }
    for i, (name, shape) in enumerate(kernel_shapes(depth).items()):
        if name not in needed:
            break
        deviation = math.sqrt(2 / math.prod(shape[:-1]))
        kernel = np.random.RandomState([seed, i]).normal(0, deviation, shape).astype(np.float32)
        variables[name] = {"kernel": kernel, "bias": np.zeros(shape[-1], np.float32)}
    return variables


def _layers_until_last(taps: Sequence[str], depth: Depth) -> list[str]:
    if isinstance(taps, str):
        raise ValueError(f"taps are a sequence of names: [{taps!r}]")
    names = layer_names(depth)
    unknown = [tap for tap in taps if tap not in names]
    if unknown or not taps:
        raise ValueError(
            f"VGG-{depth} has no layer {', '.join(unknown)!r}; it has {', '.join(names)}"
            if unknown
            else "no taps are asked for"
        )
    return names[: max(map(names.index, taps)) + 1]


def pool(x: FeatureMap, pooling: Pooling) -> Float[Array, "N h//2 w//2 C"]:
    """2×2 pooling of stride 2; an odd last row or column is left out.

    By reshapes: the gradient of a window is slow on a CPU (`benchmarks/README.md`).
    """
    n, h, w, c = x.shape
    match pooling:
        case "max":
            pair = _first_greatest
        case "average":
            pair = _mean
        case _:
            raise ValueError(f"pooling is max or average, not {pooling!r}")
    columns = x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2 * 2, w // 2, 2, c)
    rows = pair(columns[:, :, :, 0], columns[:, :, :, 1]).reshape(n, h // 2, 2, w // 2, c)
    return pair(rows[:, :, 0], rows[:, :, 1])


def _mean(a: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
    return (a + b) / 2


def _first_greatest(a: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
    """The maximum, whose gradient goes to the first of equals, as in PyTorch.

    `jnp.maximum` would halve it: in flat parts of a picture neighbours are often equal.
    """
    return jnp.where((b > a) | jnp.isnan(b), b, a)
