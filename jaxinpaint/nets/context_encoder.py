"""The generator of Context Encoders, which PAN has too.

Pathak et al., Context Encoders: Feature Learning by Inpainting, CVPR 2016; Wang et al.,
Perceptual Adversarial Networks for Image-to-Image Transformation, TIP 2018.
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxinpaint.array_typing import Image
from jaxinpaint.nets.layers import (
    DCGAN_DEVIATION,
    BatchNorm,
    check_power_of_two,
    check_square,
    halving_channels,
    leaky_relu,
    normal_around_one,
)
from jaxinpaint.nets.network import Network, network
from jaxinpaint.ops.convolution import conv
from jaxinpaint.ops.resampling import transposed_conv


def context_encoder(
    *,
    size: int = 128,
    output_size: int = 64,
    width: int = 64,
    bottleneck: int = 4000,
    encoder_kernel: int = 4,
    deviation: float = DCGAN_DEVIATION,
    axis_name: str | None = None,
) -> Network:
    """An encoder to a single position of many channels, and a decoder to the picture or its centre.

    Encoder: convolutions of stride 2 down to 4×4 (at 128² 64 64 128 256 512 channels; leaky
    ReLU 0.2, batch norm from the second), then one of 4×4 to ``bottleneck`` channels. Decoder: 4×4
    to 512 channels, then transposed convolutions of 4×4 and stride 2 (256 128 64 …, 3), batch norm
    and ReLU, tanh last. No biases.

    Args:
        size: side of the picture, a power of two from 32 on.
        output_size: side of what is painted: ``size`` for the whole picture, half of it for its
            centre.
        width: channels of the first layer.
        bottleneck: channels of the narrowest.
        encoder_kernel: side of the kernels that halve the picture: 4 in Context Encoders, 3 in PAN.
        deviation: of the normal distribution that weights start from.
        axis_name: the mapped axis over which batch statistics are averaged over devices.

    Returns:
        a network of ``image [N, size, size, 3] -> [N, output_size, output_size, 3]``, both in
        [-1, 1].

    Raises:
        ValueError: for sizes that are no powers of two from 32 on; when called, for pictures of
            another size.
    """
    check_power_of_two(size=size, output_size=output_size)
    return network(
        _ContextEncoder(size, output_size, width, bottleneck, encoder_kernel, deviation, axis_name)
    )


class _ContextEncoder(nn.Module):
    size: int
    output_size: int
    width: int
    bottleneck: int
    encoder_kernel: int
    deviation: float
    axis_name: str | None

    @nn.compact
    def __call__(self, image: Image, *, train: bool) -> Float[Array, "N h w 3"]:
        check_square(image, self.size)
        x = image
        for i, channels in enumerate(halving_channels(self.size, self.width), start=1):
            kernel = self._kernel(f"enc_{i}", x, channels, self.encoder_kernel)
            x = conv(x, kernel, strides=2, padding=1)
            x = leaky_relu(x if i == 1 else self._normed(f"enc_{i}", x, train))
        x = conv(x, self._kernel("bottleneck", x, self.bottleneck))
        x = leaky_relu(self._normed("bottleneck", x, train))

        *channels, last = reversed([3, *halving_channels(self.output_size, self.width)])
        kernel = self._kernel("dec_1", x, channels[0])
        # From one position to 4×4: each tap of the kernel makes a pixel of its own, in a product of
        # its own. For a single one of all, XLA would turn the kernel around first, in two copies.
        x = jnp.squeeze(x, (1, 2))
        x = jnp.broadcast_to(x, (*kernel.shape[:2], *x.shape)) @ kernel.astype(x.dtype)
        x = jnp.moveaxis(x, 2, 0)
        x = nn.relu(self._normed("dec_1", x, train))
        for i, outputs in enumerate(channels[1:], start=2):
            x = transposed_conv(x, self._kernel(f"dec_{i}", x, outputs))
            x = nn.relu(self._normed(f"dec_{i}", x, train))
        return jnp.tanh(transposed_conv(x, self._kernel(f"dec_{len(channels) + 1}", x, last)))

    def _kernel(self, name: str, x: Array, outputs: int, side: int = 4) -> Array:
        init = nn.initializers.normal(self.deviation)
        return self.param(f"{name}_kernel", init, (side, side, x.shape[-1], outputs))

    def _normed(self, name: str, x: Array, train: bool) -> Array:
        scale_init = normal_around_one(self.deviation)
        return BatchNorm(self.axis_name, scale_init, name=f"{name}_norm")(x, train=train)
