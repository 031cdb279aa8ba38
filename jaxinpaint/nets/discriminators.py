"""Discriminators: pictures to logits."""

import flax.linen as nn
from jaxtyping import Array, Float

from jaxinpaint.array_typing import Image
from jaxinpaint.nets.layers import (
    BatchNorm,
    check_power_of_two,
    check_square,
    dcgan_normal,
    dcgan_scale,
    halving_channels,
    leaky_relu,
)
from jaxinpaint.nets.network import Network, network
from jaxinpaint.ops.partial_conv import conv


def dcgan_discriminator(
    *, size: int = 64, width: int = 64, axis_name: str | None = None
) -> Network:
    """DCGAN's discriminator, as Context Encoders have it.

    4×4 convolutions of stride 2 down to 4×4 (at 64² 64 128 256 512 channels; leaky ReLU 0.2, batch
    norm from the second), then one of 4×4 to a logit. No biases.

    Source: Radford et al., DCGAN, ICLR 2016; Pathak et al., CVPR 2016.

    Args:
        size: side of the pictures, a power of two from 32 on.
        width: channels of the first layer.
        axis_name: the mapped axis over which batch statistics are averaged, under `pmap`.

    Returns:
        a network of ``image [N, size, size, 3] -> logits [N]``.

    Raises:
        ValueError: for a size that is no power of two from 32 on; when called, for pictures of
            another size.
    """
    check_power_of_two(size=size)
    return network(_DCGANDiscriminator(size, width, axis_name))


class _DCGANDiscriminator(nn.Module):
    size: int
    width: int
    axis_name: str | None

    @nn.compact
    def __call__(self, image: Image, *, train: bool) -> Float[Array, " N"]:
        check_square(image, self.size)
        x = image
        for i, channels in enumerate(halving_channels(self.size, self.width), start=1):
            x = conv(x, self._kernel(f"conv_{i}", x, channels), strides=2, padding=1)
            if i > 1:
                x = BatchNorm(self.axis_name, dcgan_scale, name=f"norm_{i}")(x, train=train)
            x = leaky_relu(x)
        return conv(x, self._kernel("logit", x, 1))[:, 0, 0, 0]

    def _kernel(self, name: str, x: Array, outputs: int) -> Array:
        return self.param(name, dcgan_normal, (4, 4, x.shape[-1], outputs))
