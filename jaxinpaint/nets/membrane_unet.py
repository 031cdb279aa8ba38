"""A small U-Net that corrects smooth fills, of pictures of any size."""

import flax.linen as nn
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxinpaint.array_typing import Hole, Image
from jaxinpaint.nets.layers import check_multiple, he_normal, leaky_relu
from jaxinpaint.nets.network import Network, network
from jaxinpaint.ops.convolution import conv
from jaxinpaint.ops.resampling import upsample_conv

# Channels at each halving, in units of the width; the deepest levels share the last.
WIDENING = (1, 2, 4, 5)
DILATIONS = (1, 2, 4, 8)  # one after the other, at the coarsest resolution
EPSILON = 1e-6  # in the mean square of features


def membrane_unet(*, levels: int = 4, width: int = 24) -> Network:
    """What to add to smoothly filled pictures, from these, their holes and how deep they are.

    ::

        painted = filled + U-Net(2 filled - 1, hole, depth)

    Blocks of 2×2 pixels go in as channels, and come out so (Shi et al., Real-Time Single Image and
    Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural Network, CVPR 2016).
    At each of the resolutions 1/2, 1/4, … there is a residual block of two 3×3 convolutions (He et
    al., Deep Residual Learning, CVPR 2016) on the way down and a merge with that on the way up;
    strided convolutions and nearest upsampling lie between. At the coarsest are dilated residual
    convolutions (Yu and Koltun, Multi-Scale Context Aggregation by Dilated Convolutions, ICLR
    2016), and the mean of all features is told everywhere. Where a residual branch, a merge
    or the last layer begins, a pixel's features are divided by their root mean square (Karras et
    al., Progressive Growing of GANs, ICLR 2018), without which training broke down at a rate of
    1e-3; what is made of a picture depends on no other. Residual branches and the last layer begin
    at zero (Zhang et al., Fixup Initialization, ICLR 2019), so that training begins at the smooth
    fills.

    With four levels and a width of 24 it has 1.3 million parameters.

    Args:
        levels: how often the picture is halved.
        width: channels at the first; five times as many are the most.

    Returns:
        a network of ``filled [N, H, W, 3] in [0, 1], hole [N, H, W, 1], depth [N, H, W, 1] in
        [0, 1] -> [N, H, W, 3]``, what is to be added. Sides are multiples of ``2 ** levels``.

    Raises:
        ValueError: for a number of levels or channels below 1; when called, for other sides.
    """
    for name, value in {"levels": levels, "width": width}.items():
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1")
    return network(_UNet(levels, width))


class _UNet(nn.Module):
    levels: int
    width: int

    @nn.compact
    def __call__(
        self, filled: Image, hole: Hole, depth: Float[Array, "N H W 1"], *, train: bool
    ) -> Float[Array, "N H W 3"]:
        check_multiple(filled, 2**self.levels)
        widest = len(WIDENING) - 1
        channels = [self.width * WIDENING[min(i, widest)] for i in range(self.levels)]
        seen = _folded(jnp.concatenate([2 * filled - 1, hole, depth], axis=-1))
        x = leaky_relu(_Conv(channels[0], name="first")(seen))
        skips = []
        for i, outputs in enumerate(channels):
            if i:
                skips.append(x)
                x = leaky_relu(_Conv(outputs, strides=2, name=f"down_{i}")(x))
            if i < self.levels - 1:
                x = _Residual(name=f"enc_{i}")(x)
        for dilation in DILATIONS:
            x = _Residual(dilation, name=f"dilated_{dilation}")(x)
        x = x + self._context(x)
        for i in range(self.levels - 2, -1, -1):
            x = _Merge(channels[i], name=f"dec_{i}")(x, skips[i])
        last = self.param("last_kernel", nn.initializers.zeros, (3, 3, x.shape[-1], 12))
        bias = self.param("last_bias", nn.initializers.zeros, (12,))
        return _unfolded(conv(_levelled(x), last, padding=1) + bias.astype(x.dtype))

    def _context(self, x: Array) -> Float[Array, "N 1 1 C"]:
        """What the whole picture's mean features say to each position."""
        kernel = self.param("context_kernel", nn.initializers.zeros, (x.shape[-1],) * 2)
        return jnp.mean(_levelled(x), axis=(1, 2), keepdims=True) @ kernel.astype(x.dtype)


class _Conv(nn.Module):
    features: int
    strides: int = 1
    dilation: int = 1
    begun: nn.initializers.Initializer = he_normal

    @nn.compact
    def __call__(self, x: Float[Array, "N H W C"]) -> Float[Array, "N h w O"]:
        kernel = self.param("kernel", self.begun, (3, 3, x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        y = conv(x, kernel, strides=self.strides, padding=self.dilation, dilation=self.dilation)
        return y + bias.astype(x.dtype)


class _Residual(nn.Module):
    """``x + conv(lrelu(conv(levelled x)))``; with a dilation the second convolution is 1×1."""

    dilation: int | None = None

    @nn.compact
    def __call__(self, x: Float[Array, "N H W C"]) -> Float[Array, "N H W C"]:
        channels = x.shape[-1]
        inner = leaky_relu(_Conv(channels, dilation=self.dilation or 1, name="first")(_levelled(x)))
        if self.dilation is None:
            second = _Conv(channels, begun=nn.initializers.zeros, name="second")
            return x + second(inner)
        kernel = self.param("kernel", nn.initializers.zeros, (1, 1, channels, channels))
        return x + conv(inner, kernel)


class _Merge(nn.Module):
    """Twice the resolution, together with what was there on the way down."""

    features: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "N h w C"], skip: Float[Array, "N H W S"]
    ) -> Float[Array, "N H W O"]:
        shape = (3, 3, x.shape[-1] + skip.shape[-1], self.features)
        kernel = self.param("kernel", he_normal, shape)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        y = upsample_conv(_levelled(x), kernel, _levelled(skip)) + bias.astype(x.dtype)
        y = leaky_relu(y)
        return y + leaky_relu(_Conv(self.features, begun=nn.initializers.zeros, name="second")(y))


def _levelled(x: Float[Array, "N H W C"]) -> Float[Array, "N H W C"]:
    """Each pixel's features over their root mean square, so that sums of many do not grow."""
    square = jnp.mean(jnp.square(x.astype(jnp.float32)), axis=-1, keepdims=True)
    return x * lax.rsqrt(square + EPSILON).astype(x.dtype)


def _folded(x: Float[Array, "N H W C"]) -> Float[Array, "N h w D"]:
    """Blocks of 2×2 pixels as channels."""
    n, height, width, channels = x.shape
    blocks = x.reshape(n, height // 2, 2, width // 2, 2, channels)
    return blocks.transpose(0, 1, 3, 2, 4, 5).reshape(n, height // 2, width // 2, 4 * channels)


def _unfolded(x: Float[Array, "N h w D"]) -> Float[Array, "N H W C"]:
    """The inverse."""
    n, height, width, channels = x.shape
    blocks = x.reshape(n, height, width, 2, 2, channels // 4).transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(n, 2 * height, 2 * width, channels // 4)
