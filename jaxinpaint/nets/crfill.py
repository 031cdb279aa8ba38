"""The generators of CR-Fill and of its DeepFill variant, and the branch that only training has.

Zeng et al., CR-Fill: Generative Image Inpainting with Auxiliary Contextual Reconstruction, ICCV
2021; Yu et al., Free-Form Image Inpainting with Gated Convolution, ICCV 2019 (DeepFill v2).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxinpaint.array_typing import Hole, Image
from jaxinpaint.nets.layers import check_multiple, pytorch_uniform
from jaxinpaint.nets.network import Network, network
from jaxinpaint.ops.compositing import composite
from jaxinpaint.ops.convolution import conv
from jaxinpaint.ops.patches import Norm, Similarity, reconstruct, similarity
from jaxinpaint.ops.resampling import upsample_conv

Activation = Callable[[Array], Array]
Features = Float[Array, "N h w F"]  # at a quarter of the pictures' size


class Layer(NamedTuple):
    """A gated convolution of a stack.

    Attributes:
        channels: before the gate, in units of the stack's width.
        side: of the kernel.
        stride: 2 halves the resolution.
        dilation: of the kernel.
        up: whether the resolution is doubled first.
    """

    channels: float
    side: int = 3
    stride: int = 1
    dilation: int = 1
    up: bool = False


DILATED = tuple(Layer(4, dilation=d) for d in (2, 4, 8, 16))
# From a quarter of the resolution to all of it.
DECODER = (Layer(4), Layer(4), Layer(2, up=True), Layer(2), Layer(1, up=True), Layer(0.5))
COARSE = (
    *(Layer(1, side=5), Layer(2, stride=2), Layer(2), Layer(4, stride=2), Layer(4), Layer(4)),
    *DILATED,
    *DECODER,
)
HALLUCINATION = (
    *(Layer(1, side=5), Layer(1, stride=2), Layer(2), Layer(2, stride=2), Layer(4), Layer(4)),
    *DILATED,
)
MATCHING = (Layer(1, side=5), Layer(1, stride=2), Layer(2), Layer(4, stride=2), Layer(4))
MATCHED = (Layer(4), Layer(4))


class Painted(NamedTuple):
    """What the generator gives, all in [-1, 1] but the features.

    Attributes:
        coarse: the first network's picture.
        fine: the second's.
        features: by which patches are compared, at a quarter of the size.
    """

    coarse: Image
    fine: Image
    features: Features


class Rebuilt(NamedTuple):
    """What the auxiliary branch gives.

    Attributes:
        image: in [-1, 1].
        similarity: of the generator's patches, by which it was made.
    """

    image: Image
    similarity: Similarity


def crfill_generator(
    *,
    width: int = 48,
    attention: bool = False,
    norm: Norm = "map",
    threshold: float = 0.5,
) -> Network:
    """Two networks, coarse and fine, of gated convolutions.

    The coarse one sees the picture without its hole, a channel of ones and the hole. The fine one
    sees the coarse one's composite in two branches, one of dilated convolutions and one whose
    features are made to be comparable, and goes on from both. Nothing is left in it of the
    attention with which it is trained, unless ``attention`` is asked for.

    Source: Zeng et al., ICCV 2021, and its program; a gated convolution is Yu et al., ICCV 2019,
        eq. 2.

    Args:
        width: c of the paper: channels of the first layer before its gate, a multiple of 4.
        attention: the DeepFill variant: the comparable features are replaced by mixes of similar
            known patches (contextual attention) inside the fine network.
        norm, threshold: of `ops.patches.similarity`, where there is attention.

    Returns:
        a network of ``image [N, H, W, 3], hole [N, H, W, 1] -> Painted``. The image is in [-1, 1],
        with zeros in the hole.

    Raises:
        ValueError: for a width that is no multiple of 4; when called, for sides that are no
            multiples of 4 (with attention, of 8, or less than 16).
    """
    _check_width(width)
    return network(_Generator(width, attention, norm, threshold))


def crfill_auxiliary(
    *,
    width: int = 48,
    norm: Norm = "map",
    threshold: float = 0.5,
) -> Network:
    """The branch that rebuilds a picture from its known patches, as the generator compares them.

    Only training has it: its loss teaches the generator to make patches in the hole that look like
    known ones, with no patch compared or copied when holes are filled.

    Source: Zeng et al., ICCV 2021, section 3.2, and its program.

    Args:
        width: c of the paper, a multiple of 4.
        norm, threshold: of `ops.patches.similarity`.

    Returns:
        a network of ``completed [N, H, W, 3], features [N, H/4, W/4, C], hole [N, H, W, 1] ->
        Rebuilt``: the fine composite, in [-1, 1], and the generator's features. Gradients flow
        through both.

    Raises:
        ValueError: for a width that is no multiple of 4; when called, for sides that are no
            multiples of 8, or less than 16.
    """
    _check_width(width)
    return network(_Auxiliary(width, norm, threshold))


def compare(
    features: Features, hole: Hole, *, norm: Norm = "map", threshold: float = 0.5
) -> Similarity:
    """The similarity of patches, by features at a quarter of the hole's size (`similarity`).

    A feature is missing by as much as the mean of the hole over its 4×4 pixels is.
    """
    return similarity(features, _quarter(hole), norm=norm, threshold=threshold)


class _Generator(nn.Module):
    width: int
    attention: bool
    norm: Norm
    threshold: float

    @nn.compact
    def __call__(self, image: Image, hole: Hole, *, train: bool) -> Painted:
        check_multiple(image, 8 if self.attention else 4)
        missing = hole.astype(image.dtype)  # else it would widen all that follows
        x = jnp.concatenate([image, jnp.ones_like(missing), missing], axis=-1)
        coarse = _Picture(COARSE, self.width, name="coarse")(x)
        x = composite(coarse, image, hole)
        hallucinated = _Stack(HALLUCINATION, self.width, name="hallucination")(x)
        x = _Stack(MATCHING, self.width, name="matching")(x)
        x = features = _GatedConv(4 * self.width, activation=nn.relu, name="features")(x)
        if self.attention:
            found = compare(features, hole, norm=self.norm, threshold=self.threshold)
            x = reconstruct(found, features * (1 - _quarter(missing)))
        matched = _Stack(MATCHED, self.width, name="matched")(x)
        x = jnp.concatenate([hallucinated, matched], axis=-1)
        fine = _Picture(DECODER, self.width, name="fine")(x)
        return Painted(coarse, fine, features)


class _Auxiliary(nn.Module):
    width: int
    norm: Norm
    threshold: float

    @nn.compact
    def __call__(self, completed: Image, features: Features, hole: Hole, *, train: bool) -> Rebuilt:
        check_multiple(completed, 8)
        c = self.width
        found = compare(features, hole, norm=self.norm, threshold=self.threshold)
        full = _GatedConv(c, side=5, name="enc_1")(completed)
        half = _GatedConv(2 * c, stride=2, name="enc_2")(full)
        half = _GatedConv(2 * c, name="enc_3")(half)
        x = _GatedConv(4 * c, stride=2, name="enc_4")(half)
        x = _GatedConv(2 * c, up=True, name="dec_1")(x)
        x = _GatedConv(2 * c, name="dec_2")(jnp.concatenate([x, half], axis=-1))
        x = _GatedConv(c, up=True, name="dec_3")(x)
        x = _GatedConv(c, name="dec_4")(jnp.concatenate([x, full], axis=-1))
        x = reconstruct(found, x)
        x = _GatedConv(c, name="dec_5")(x)
        return Rebuilt(jnp.tanh(_GatedConv(3, activation=None, name="picture")(x)), found)


def _elu(x: Array) -> Array:
    """``x`` where it is positive, else ``exp(x) - 1``.

    By exp, not expm1, which costs a CPU half as much again of the whole gate. What that rounds away
    near zero is less than the last bit of a one.
    """
    return jnp.where(x > 0, x, jnp.exp(jnp.where(x > 0, 0, x)) - 1)


def _gate(activation: Activation, x: Float[Array, "N H W _"]) -> Float[Array, "N H W O"]:
    value, gate = jnp.split(x, 2, axis=-1)
    return activation(value) * nn.sigmoid(gate)


class _GatedConv(nn.Module):
    """A convolution to twice the channels, one half of which opens or closes the other.

    ::

        a, g = split(conv(x));  y = activation(a) · sigmoid(g)

    Source: Yu et al., Free-Form Image Inpainting with Gated Convolution, ICCV 2019, eq. 2.

    Attributes:
        channels: before the gate.
        side, stride, dilation: of the convolution, which is padded to keep the size.
        up: whether the nearest upsampling to twice the size comes first.
        activation: None makes it a plain convolution.
    """

    channels: int
    side: int = 3
    stride: int = 1
    dilation: int = 1
    up: bool = False
    activation: Activation | None = _elu

    @nn.compact
    def __call__(self, x: Float[Array, "N h w C"]) -> Float[Array, "N H W O"]:
        shape = (self.side, self.side, x.shape[-1], self.channels)
        kernel = self.param("kernel", pytorch_uniform(shape), shape)
        bias = self.param("bias", pytorch_uniform(shape), shape[-1:])
        if self.up:
            x = upsample_conv(x, kernel)
        else:
            x = conv(
                x,
                kernel,
                strides=self.stride,
                padding=self.dilation * (self.side // 2),
                dilation=self.dilation,
            )
        x = x + bias.astype(x.dtype)
        if self.activation is None:
            return x
        # Its parts are computed again in the backward pass: keeping them would take longer.
        return jax.checkpoint(partial(_gate, self.activation))(x)


class _Stack(nn.Module):
    """Gated convolutions one after the other: ``conv_1``, ``conv_2`` and so on."""

    layers: Sequence[Layer]
    width: int

    @nn.compact
    def __call__(self, x: Float[Array, "N H W C"]) -> Float[Array, "N h w O"]:
        for i, layer in enumerate(self.layers, start=1):
            channels = round(layer.channels * self.width)
            x = _GatedConv(channels, *layer[1:], name=f"conv_{i}")(x)
        return x


class _Picture(nn.Module):
    """A stack that ends in a picture in [-1, 1]."""

    layers: Sequence[Layer]
    width: int

    @nn.compact
    def __call__(self, x: Float[Array, "N h w C"]) -> Float[Array, "N H W 3"]:
        x = _Stack(self.layers, self.width, name="stack")(x)
        return jnp.tanh(_GatedConv(3, activation=None, name="picture")(x))


def _quarter(hole: Hole) -> Float[Array, "N h w 1"]:
    """The missing share of each 4×4 pixels."""
    n, height, width, _ = hole.shape
    return jnp.mean(hole.reshape(n, height // 4, 4, width // 4, 4, 1), axis=(2, 4))


def _check_width(width: int) -> None:
    if width < 4 or width % 4:
        raise ValueError(f"a width of {width}; gates halve it twice, so it is a multiple of 4")
