"""Inception v3 down to its pooled features, which Fréchet inception distances are taken between.

Szegedy et al., Rethinking the Inception Architecture for Computer Vision, CVPR 2016. It is looked
through, never trained: a function of its variables and of pictures.

Two networks are called by this name, and their distances can't be compared:

- ``fid``: TensorFlow's graph of 2015-12-05, which Heusel et al. (Two Time-Scale Update Rule,
  NeurIPS 2017) took, as pytorch-fid carries it over. Average pools divide by the pixels that they
  see, and the last block has a pool of maxima.
- ``torchvision``: with weights that were trained later. Average pools count the zeros around a
  picture as pixels.

Variables are ``{"Conv2d_1a_3x3": {"kernel", "scale", "bias", "mean", "var"}, ...}`` by the
published names of the convolutions, each with its batch normalisation; kernels are HWIO.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float

from jaxinpaint.array_typing import Image, Variables
from jaxinpaint.ops.convolution import conv

Convention: TypeAlias = Literal["fid", "torchvision"]

SIDE = 299  # of the pictures that it was trained with
SMALLEST = 75  # side that leaves a pixel at the end
EPSILON = 1e-3  # of batch normalisation


class Convolution(NamedTuple):
    """A convolution without a bias, batch normalisation and a ReLU.

    Attributes:
        name: in its block.
        channels: that it gives.
        size: height and width of its kernel.
        stride: of the kernel.
        padded: whether there are zeros around, so that with stride 1 the size stays.
    """

    name: str
    channels: int
    size: tuple[int, int]
    stride: int = 1
    padded: bool = True


class Pooling(NamedTuple):
    """A pooling of 3×3 pixels; with stride 1 the size stays.

    Attributes:
        kind: maxima or means.
        stride: of the window.
    """

    kind: Literal["max", "average"]
    stride: int = 1


class Fork(NamedTuple):
    """Convolutions of one input, whose outputs are put side by side."""

    convolutions: tuple[Convolution, ...]


Branch: TypeAlias = tuple[Convolution | Pooling | Fork, ...]
# Branches see the same input, and their outputs are put side by side.
Block: TypeAlias = tuple[Branch, ...]


def pool3_features(
    variables: Variables, image: Image, *, convention: Convention
) -> Float[Array, "N 2048"]:
    """The features in front of the classifier, of pictures of any size.

    They are resized to 299×299 bilinearly with half-pixel centres and without antialiasing, and
    brought to [-1, 1], as pytorch-fid does with either network. (torchvision feeds pictures less
    ImageNet's mean over its deviation, and its ``transform_input`` makes the same [-1, 1] of them.
    NVIDIA's port of the ``fid`` graph, which MAT takes, resizes without half-pixel centres, as
    TensorFlow 1 did, and takes ``byte / 128 - 1``.)

    Args:
        variables: of the network of this convention.
        image: RGB in [0, 1].
        convention: whose pooling.

    Raises:
        ValueError: if pictures are no floats.
    """
    if not jnp.issubdtype(image.dtype, jnp.floating):
        raise ValueError(f"pictures are floats in [0, 1], not {image.dtype}")
    shape = (image.shape[0], SIDE, SIDE, image.shape[3])
    resized = jax.image.resize(image, shape, "linear", antialias=False)
    return features_as_fed(variables, 2 * resized - 1, convention=convention)


def features_as_fed(
    variables: Variables, x: Image, *, convention: Convention
) -> Float[Array, "N 2048"]:
    """The features of what the network is fed, in [-1, 1] and as large as it is.

    Raises:
        ValueError: if it is smaller than 75×75.
    """
    if min(x.shape[1:3]) < SMALLEST:
        raise ValueError(
            f"a picture of {x.shape[1]}x{x.shape[2]} is too small: Inception needs "
            f"{SMALLEST}x{SMALLEST}"
        )
    for prefix, block in blocks(convention).items():
        seen = [_through(branch, x, variables, prefix, convention) for branch in block]
        x = jnp.concatenate(seen, axis=-1)
    return jnp.mean(x, axis=(1, 2))


def kernel_shapes() -> dict[str, tuple[int, int, int, int]]:
    """Shape of every kernel (HWIO), by the published name of its convolution."""
    shapes, inputs = {}, 3
    for prefix, block in blocks("fid").items():
        outputs = 0
        for branch in block:
            channels = inputs
            for step in branch:
                side_by_side = _side_by_side(step)
                for convolution in side_by_side:
                    shape = (*convolution.size, channels, convolution.channels)
                    shapes[prefix + convolution.name] = shape
                if side_by_side:
                    channels = sum(convolution.channels for convolution in side_by_side)
            outputs += channels
        inputs = outputs
    return shapes


def blocks(convention: Convention) -> Mapping[str, Block]:
    """The blocks in the order of computing, by what the names of their convolutions begin with.

    Raises:
        ValueError: for another convention.
    """
    if convention not in ("fid", "torchvision"):
        raise ValueError(f"Inception's convention is fid or torchvision, not {convention!r}")
    return {
        "": STEM,
        "Mixed_5b.": _at_35(32),
        "Mixed_5c.": _at_35(64),
        "Mixed_5d.": _at_35(64),
        "Mixed_6a.": FROM_35_TO_17,
        "Mixed_6b.": _at_17(128),
        "Mixed_6c.": _at_17(160),
        "Mixed_6d.": _at_17(160),
        "Mixed_6e.": _at_17(192),
        "Mixed_7a.": FROM_17_TO_8,
        "Mixed_7b.": _at_8("average"),
        # A slip, it seems, of the graph of 2015, with which its weights were trained.
        "Mixed_7c.": _at_8("max" if convention == "fid" else "average"),
    }


STEM: Block = (
    (
        Convolution("Conv2d_1a_3x3", 32, (3, 3), stride=2, padded=False),
        Convolution("Conv2d_2a_3x3", 32, (3, 3), padded=False),
        Convolution("Conv2d_2b_3x3", 64, (3, 3)),
        Pooling("max", stride=2),
        Convolution("Conv2d_3b_1x1", 80, (1, 1)),
        Convolution("Conv2d_4a_3x3", 192, (3, 3), padded=False),
        Pooling("max", stride=2),
    ),
)

FROM_35_TO_17: Block = (
    (Convolution("branch3x3", 384, (3, 3), stride=2, padded=False),),
    (
        Convolution("branch3x3dbl_1", 64, (1, 1)),
        Convolution("branch3x3dbl_2", 96, (3, 3)),
        Convolution("branch3x3dbl_3", 96, (3, 3), stride=2, padded=False),
    ),
    (Pooling("max", stride=2),),
)

FROM_17_TO_8: Block = (
    (
        Convolution("branch3x3_1", 192, (1, 1)),
        Convolution("branch3x3_2", 320, (3, 3), stride=2, padded=False),
    ),
    (
        Convolution("branch7x7x3_1", 192, (1, 1)),
        Convolution("branch7x7x3_2", 192, (1, 7)),
        Convolution("branch7x7x3_3", 192, (7, 1)),
        Convolution("branch7x7x3_4", 192, (3, 3), stride=2, padded=False),
    ),
    (Pooling("max", stride=2),),
)


def _at_35(pooled: int) -> Block:
    """A block at 35×35 pixels, with this many channels behind its pooling."""
    return (
        (Convolution("branch1x1", 64, (1, 1)),),
        (Convolution("branch5x5_1", 48, (1, 1)), Convolution("branch5x5_2", 64, (5, 5))),
        (
            Convolution("branch3x3dbl_1", 64, (1, 1)),
            Convolution("branch3x3dbl_2", 96, (3, 3)),
            Convolution("branch3x3dbl_3", 96, (3, 3)),
        ),
        (Pooling("average"), Convolution("branch_pool", pooled, (1, 1))),
    )


def _at_17(inner: int) -> Block:
    """A block at 17×17 pixels, with this many channels between its long kernels."""
    return (
        (Convolution("branch1x1", 192, (1, 1)),),
        (
            Convolution("branch7x7_1", inner, (1, 1)),
            Convolution("branch7x7_2", inner, (1, 7)),
            Convolution("branch7x7_3", 192, (7, 1)),
        ),
        (
            Convolution("branch7x7dbl_1", inner, (1, 1)),
            Convolution("branch7x7dbl_2", inner, (7, 1)),
            Convolution("branch7x7dbl_3", inner, (1, 7)),
            Convolution("branch7x7dbl_4", inner, (7, 1)),
            Convolution("branch7x7dbl_5", 192, (1, 7)),
        ),
        (Pooling("average"), Convolution("branch_pool", 192, (1, 1))),
    )


def _at_8(pooling: Literal["max", "average"]) -> Block:
    """A block at 8×8 pixels."""
    return (
        (Convolution("branch1x1", 320, (1, 1)),),
        (Convolution("branch3x3_1", 384, (1, 1)), _fork("branch3x3_2")),
        (
            Convolution("branch3x3dbl_1", 448, (1, 1)),
            Convolution("branch3x3dbl_2", 384, (3, 3)),
            _fork("branch3x3dbl_3"),
        ),
        (Pooling(pooling), Convolution("branch_pool", 192, (1, 1))),
    )


def _fork(name: str) -> Fork:
    return Fork(
        (Convolution(f"{name}a", 384, (1, 3)), Convolution(f"{name}b", 384, (3, 1))),
    )


def _through(
    branch: Branch,
    x: Float[Array, "N H W I"],
    variables: Variables,
    prefix: str,
    convention: Convention,
) -> Float[Array, "N h w O"]:
    for step in branch:
        if isinstance(step, Pooling):
            x = _pooled(x, step, count_zeros=convention == "torchvision")
        else:
            seen = [_convolved(x, variables[prefix + c.name], c) for c in _side_by_side(step)]
            x = jnp.concatenate(seen, axis=-1)
    return x


def _side_by_side(step: Convolution | Pooling | Fork) -> tuple[Convolution, ...]:
    match step:
        case Convolution():
            return (step,)
        case Fork():
            return step.convolutions
        case Pooling():
            return ()


def _convolved(
    x: Float[Array, "N H W I"], layer: Variables, how: Convolution
) -> Float[Array, "N h w O"]:
    padding = [n // 2 if how.padded else 0 for n in how.size]
    x = conv(x, jnp.asarray(layer["kernel"]), strides=how.stride, padding=padding)
    gain = layer["scale"] * lax.rsqrt(jnp.asarray(layer["var"]) + EPSILON)
    return nn.relu((x - layer["mean"]) * gain + layer["bias"])


def _pooled(
    x: Float[Array, "N H W C"], how: Pooling, *, count_zeros: bool
) -> Float[Array, "N h w C"]:
    window, strides = (3, 3), (how.stride, how.stride)
    padding = "SAME" if how.stride == 1 else "VALID"
    if how.kind == "max":
        return nn.max_pool(x, window, strides, padding)
    return nn.avg_pool(x, window, strides, padding, count_include_pad=count_zeros)
