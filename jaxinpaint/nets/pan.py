"""The image-to-image generator of PAN.

Wang et al., Perceptual Adversarial Networks for Image-to-Image Transformation, TIP 2018.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from jaxinpaint.array_typing import Image
from jaxinpaint.nets.layers import (
    DCGAN_DEVIATION,
    BatchNorm,
    check_multiple,
    leaky_relu,
    normal_around_one,
)
from jaxinpaint.nets.network import Network, network
from jaxinpaint.ops.convolution import conv
from jaxinpaint.ops.resampling import transposed_conv

# How many of the decoder's layers drop, from the deepest on.
DROPPING = 3


def pan_unet(
    *,
    levels: int = 8,
    width: int = 64,
    dropout: float = 0.0,
    deviation: float = DCGAN_DEVIATION,
    axis_name: str | None = None,
) -> Network:
    """A U-Net from picture to picture.

    Encoder: 3×3 convolutions of stride 2 (64 128 256 512 512 … channels; batch norm from the
    second, leaky ReLU 0.2). Decoder: transposed convolutions of 4×4 and stride 2, batch norm, then
    concatenated with what the encoder's convolution of that resolution gave, before its norm, then
    ReLU; the last makes the picture, tanh. Only layers without a norm have biases.

    Args:
        levels: how often the picture is halved; 8 in the paper, which makes 256² a single pixel.
        width: channels of the first layer; 8 times as many are the most.
        dropout: the share of features that the three deepest layers of the decoder drop in
            training: 0.5 in one of the published variants, 0 in the other.
        deviation: of the normal distribution that weights start from.
        axis_name: the mapped axis over which batch statistics are averaged over devices.

    Returns:
        a network of ``image [N, H, W, 3] -> [N, H, W, 3]``, both in [-1, 1]. In training with
        dropout it takes ``keys [N]``, a random key a picture.

    Raises:
        ValueError: for fewer than two levels, or a dropout outside [0, 1); when called, for sides
            that are no multiples of ``2**levels``, or without the keys that dropout needs.
    """
    if levels < 2:
        raise ValueError(f"a U-Net of {levels} levels; it needs 2 or more")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout is {dropout}; it must be in [0, 1)")
    return network(_UNet(levels, width, dropout, deviation, axis_name))


class _UNet(nn.Module):
    levels: int
    width: int
    dropout: float
    deviation: float
    axis_name: str | None

    @nn.compact
    def __call__(
        self, image: Image, *, train: bool, keys: Key[Array, " N"] | None = None
    ) -> Float[Array, "N H W 3"]:
        check_multiple(image, 2**self.levels)
        channels = [self.width * min(2**i, 8) for i in range(self.levels)]
        x, raw = image, []
        for i, outputs in enumerate(channels, start=1):
            x = conv(x, self._kernel(f"enc_{i}", x, outputs, 3), strides=2, padding=1)
            x = x + self._bias(f"enc_{i}", outputs).astype(x.dtype) if i == 1 else x
            raw.append(x)
            x = leaky_relu(x if i == 1 else self._normed(f"enc_{i}", x, train))
        for i in range(self.levels - 1, 0, -1):
            x = transposed_conv(x, self._kernel(f"dec_{i}", x, channels[i - 1], 4))
            x = self._normed(f"dec_{i}", x, train)
            if train and self.dropout and i >= self.levels - DROPPING:
                x = _dropped(x, self.dropout, keys, layer=i)
            x = nn.relu(jnp.concatenate([x, raw[i - 1]], axis=-1))
        x = transposed_conv(x, self._kernel("dec_0", x, 3, 4))
        return jnp.tanh(x + self._bias("dec_0", 3).astype(x.dtype))

    def _kernel(self, name: str, x: Array, outputs: int, side: int) -> Array:
        init = nn.initializers.normal(self.deviation)
        return self.param(f"{name}_kernel", init, (side, side, x.shape[-1], outputs))

    def _bias(self, name: str, outputs: int) -> Array:
        return self.param(f"{name}_bias", nn.initializers.zeros, (outputs,))

    def _normed(self, name: str, x: Array, train: bool) -> Array:
        scale_init = normal_around_one(self.deviation)
        return BatchNorm(self.axis_name, scale_init, name=f"{name}_norm")(x, train=train)


def _dropped(
    x: Float[Array, "N h w C"], rate: float, keys: Key[Array, " N"] | None, *, layer: int
) -> Float[Array, "N h w C"]:
    """Features with a share set to zero and the rest enlarged, drawn for each picture by its key.

    Raises:
        ValueError: without keys.
    """
    if keys is None:
        raise ValueError("dropout in training takes keys, one a picture")

    def kept(key: Array) -> Array:
        return jax.random.bernoulli(jax.random.fold_in(key, layer), 1 - rate, x.shape[1:])

    return jnp.where(jax.vmap(kept)(keys), x / (1 - rate), 0)
