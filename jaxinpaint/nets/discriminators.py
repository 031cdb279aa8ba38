"""Discriminators: pictures to logits."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxinpaint.array_typing import Image, Scalar, Taps
from jaxinpaint.nets.layers import (
    DCGAN_DEVIATION,
    BatchNorm,
    check_power_of_two,
    check_square,
    halving_channels,
    leaky_relu,
    normal_around_one,
    pytorch_uniform,
)
from jaxinpaint.nets.network import Network, network
from jaxinpaint.ops.convolution import conv


def dcgan_discriminator(
    *,
    size: int = 64,
    width: int = 64,
    deviation: float = DCGAN_DEVIATION,
    axis_name: str | None = None,
) -> Network:
    """DCGAN's discriminator, as Context Encoders have it.

    4×4 convolutions of stride 2 down to 4×4 (at 64² 64 128 256 512 channels; leaky ReLU 0.2, batch
    norm from the second), then one of 4×4 to a logit. No biases.

    Source: Radford et al., DCGAN, ICLR 2016; Pathak et al., CVPR 2016.

    Args:
        size: side of the pictures, a power of two from 32 on.
        width: channels of the first layer.
        deviation: of the normal distribution that weights start from.
        axis_name: the mapped axis over which batch statistics are averaged over devices.

    Returns:
        a network of ``image [N, size, size, 3] -> logits [N]``.

    Raises:
        ValueError: for a size that is no power of two from 32 on; when called, for pictures of
            another size.
    """
    check_power_of_two(size=size)
    return network(_DCGANDiscriminator(size, width, deviation, axis_name))


class _DCGANDiscriminator(nn.Module):
    size: int
    width: int
    deviation: float
    axis_name: str | None

    @nn.compact
    def __call__(self, image: Image, *, train: bool) -> Float[Array, " N"]:
        check_square(image, self.size)
        x = image
        for i, channels in enumerate(halving_channels(self.size, self.width), start=1):
            x = conv(x, self._kernel(f"conv_{i}", x, channels), strides=2, padding=1)
            if i > 1:
                norm = BatchNorm(
                    self.axis_name, normal_around_one(self.deviation), name=f"norm_{i}"
                )
                x = norm(x, train=train)
            x = leaky_relu(x)
        return conv(x, self._kernel("logit", x, 1))[:, 0, 0, 0]

    def _kernel(self, name: str, x: Array, outputs: int) -> Array:
        init = nn.initializers.normal(self.deviation)
        return self.param(name, init, (4, 4, x.shape[-1], outputs))


# The hidden layers of PAN's discriminator that its perceptual loss compares.
PAN_TAPS: tuple[str, ...] = ("conv_1", "conv_4", "conv_6", "conv_8")


def pan_discriminator(
    *,
    width: int = 64,
    center: bool = False,
    deviation: float = DCGAN_DEVIATION,
    first_deviation: float = 0.5,
    axis_name: str | None = None,
) -> Network:
    """PAN's discriminator, which shows four of its hidden layers.

    Nine 3×3 convolutions: 64 channels (tanh, no norm; tap), 128 at half the resolution, 128, 256 at
    half of that (tap), 256, 512 at half (tap), 512, 512 at half (tap), and 8; from the second on
    batch norm and leaky ReLU 0.2. Then one logit of all that is left. Taps are taken after the
    activation. The first kernel starts from larger numbers than all others.

    Source: Wang et al., Perceptual Adversarial Networks for Image-to-Image Transformation, TIP
        2018.

    Args:
        width: channels of the first layer.
        center: the variant for the 64² centres of pictures: the first convolution has no padding,
            and the last keeps the resolution. The one for 256² halves it.
        deviation: of the normal distribution that weights start from.
        first_deviation: the same of the first kernel.
        axis_name: the mapped axis over which batch statistics are averaged over devices.

    Returns:
        a network of ``image [N, H, W, 3] -> (logits [N], taps)``, taps by the names `PAN_TAPS`, for
        pictures of the size that it was initialised with.
    """
    return network(_PANDiscriminator(width, center, deviation, first_deviation, axis_name))


class _PANDiscriminator(nn.Module):
    width: int
    center: bool
    deviation: float
    first_deviation: float
    axis_name: str | None

    @nn.compact
    def __call__(self, image: Image, *, train: bool) -> tuple[Float[Array, " N"], Taps]:
        multiples = (1, 2, 2, 4, 4, 8, 8, 8)
        channels = [*(self.width * multiple for multiple in multiples), 8]
        x, layers = image, {}
        for i, outputs in enumerate(channels, start=1):
            halves = i % 2 == 0 or (i == 9 and not self.center)
            unpadded = i == 1 and self.center
            kernel = self._kernel(f"conv_{i}", x, outputs)
            x = conv(x, kernel, strides=2 if halves else 1, padding=0 if unpadded else 1)
            if i == 1:
                bias = self.param("conv_1_bias", nn.initializers.zeros, (outputs,))
                x = jnp.tanh(x + bias.astype(x.dtype))
            else:
                norm = BatchNorm(
                    self.axis_name, normal_around_one(self.deviation), name=f"norm_{i}"
                )
                x = leaky_relu(norm(x, train=train))
            layers[f"conv_{i}"] = x
        flat = x.reshape(x.shape[0], -1)
        init = nn.initializers.normal(self.deviation)
        logits = flat @ self.param("logit_kernel", init, (flat.shape[1], 1)).astype(x.dtype)
        logits += self.param("logit_bias", nn.initializers.zeros, (1,)).astype(x.dtype)
        return logits[:, 0], {name: layers[name] for name in PAN_TAPS}

    def _kernel(self, name: str, x: Array, outputs: int) -> Array:
        deviation = self.first_deviation if name == "conv_1" else self.deviation
        init = nn.initializers.normal(deviation)
        return self.param(f"{name}_kernel", init, (3, 3, x.shape[-1], outputs))


def deepfill_discriminator(*, width: int = 64) -> Network:
    """DeepFill's discriminator of patches, spectrally normalised, as CR-Fill has it.

    Six 5×5 convolutions of stride 2 (64 128 256 256 256 256 channels), leaky ReLU 0.01 after each,
    the last too: all that is left are logits, each of a large patch of the picture. Kernels are
    divided by their largest singular value.

    Source: Yu et al., Free-Form Image Inpainting with Gated Convolution, ICCV 2019, section 3.3;
        CR-Fill's program.

    Args:
        width: channels of the first layer.

    Returns:
        a network of ``image [N, H, W, 3], extra [N, H, W, 1] -> logits [N, h, w, L]``: a channel of
        ones as published, or the hole. Each pass in training makes one step of power iteration.
    """
    return network(_DeepFillDiscriminator(width))


class _DeepFillDiscriminator(nn.Module):
    width: int

    @nn.compact
    def __call__(
        self, image: Image, extra: Float[Array, "N H W 1"], *, train: bool
    ) -> Float[Array, "N h w L"]:
        x = jnp.concatenate([image, extra.astype(image.dtype)], axis=-1)
        for i, multiple in enumerate((1, 2, 4, 4, 4, 4), start=1):
            x = _SpectralConv(multiple * self.width, name=f"conv_{i}")(x, train=train)
            x = nn.leaky_relu(x, 0.01)
        return x


class _SpectralConv(nn.Module):
    """A 5×5 convolution of stride 2 whose kernel is divided by its largest singular value.

    With W the kernel as a matrix, from inputs and taps to outputs, in training first one step of
    power iteration, without gradient::

        v ← n(Wᵀu),  u ← n(Wv),  n(x) = x / ‖x‖

    and then ``W / σ``, ``σ = uᵀWv``, whose gradient is that of both. In evaluation u and v stay.

    Source: Miyato et al., Spectral Normalization for Generative Adversarial Networks, ICLR 2018,
        algorithm 1.

    Attributes:
        channels: outputs.
    """

    channels: int

    @nn.compact
    def __call__(self, x: Float[Array, "N H W C"], *, train: bool) -> Float[Array, "N h w O"]:
        shape = (5, 5, x.shape[-1], self.channels)
        kernel = self.param("kernel", pytorch_uniform(shape), shape)
        bias = self.param("bias", pytorch_uniform(shape), shape[-1:])
        sigma = self._largest_singular_value(kernel.reshape(-1, self.channels), train)
        # Deep layers have kernels that are larger than what they make, which is divided instead.
        deep = kernel.size > x.size
        y = conv(x, kernel if deep else kernel / sigma, strides=2, padding=2)
        return ((y / sigma if deep else y) + bias).astype(x.dtype)

    def _largest_singular_value(self, matrix: Float[Array, "I O"], train: bool) -> Scalar:
        inputs, outputs = matrix.shape
        u = self.variable("spectral_norm", "u", self._direction, outputs)
        v = self.variable("spectral_norm", "v", self._direction, inputs)
        # In full precision: on accelerators a product's is less unless one asks for it.
        product = partial(jnp.matmul, precision=lax.Precision.HIGHEST)
        if train and not self.is_initializing():
            fixed = lax.stop_gradient(matrix)
            v.value = _normalised(product(fixed, u.value))
            u.value = _normalised(product(v.value, fixed))
        return product(product(v.value, matrix), u.value)

    def _direction(self, length: int) -> Float[Array, " L"]:
        return _normalised(jax.random.normal(self.make_rng("params"), (length,)))


def _normalised(x: Float[Array, " L"]) -> Float[Array, " L"]:
    return x / jnp.maximum(jnp.linalg.norm(x), 1e-12)
