"""The U-Net of partial convolutions.

Liu et al., Image Inpainting for Irregular Holes Using Partial Convolutions, ECCV 2018, section 3.2
and its supplement's table.
"""

from typing import Literal

import flax.linen as nn
from jaxtyping import Array, Bool, Float

from jaxinpaint.array_typing import Image, Valid
from jaxinpaint.nets.layers import BatchNorm, check_multiple, he_normal, leaky_relu
from jaxinpaint.nets.network import Network, network
from jaxinpaint.ops.partial_conv import (
    Ratio,
    coverage,
    masked,
    numerator,
    partial_conv,
    renormalise,
)
from jaxinpaint.ops.resampling import upsample, upsample_conv

LastLayer = Literal["paper", "rescaled-bias"]


def partial_conv_unet(
    *,
    layer_size: int = 7,
    width: float = 1.0,
    batch_norm: bool = True,
    last_layer: LastLayer = "paper",
    ratio: Ratio = "paper",
    axis_name: str | None = None,
) -> Network:
    """A U-Net whose every convolution is a partial one, skips and masks included.

    ``layer_size`` stride-2 encoders (kernels 7 5 5 3 3 …; 64 128 256 512 512 … channels; ReLU)
    and as many decoders (nearest ×2 of features and mask, concatenated as [decoder, encoder], 3×3,
    leaky ReLU 0.2). In a block: partial convolution, batch norm, activation; the first and the last
    block have no norm; the last has a bias, no activation, and the input picture as its skip.

    Args:
        layer_size: how many times the picture is halved: 7 or 8 in the paper.
        width: multiplies every inner number of channels.
        batch_norm: False reproduces `tanimutomo/partialconv`, whose norms are never registered.
        last_layer: how the last block adds its bias, where ``ratio = sum(1) / sum(M)``:
            ``paper`` ``conv · ratio + b`` where anything is seen, else 0;
            ``rescaled-bias`` ``(conv · ratio + b) · ratio``, as `tanimutomo/partialconv` computes.
        ratio: ``inverse-coverage`` reproduces `naoto0804/pytorch-inpainting-with-partial-conv`.
        axis_name: the mapped axis over which batch statistics are averaged over devices.

    Returns:
        a network of ``(image [N, H, W, 3], valid [N, H, W, 1]) -> image [N, H, W, 3]``, ``H`` and
        ``W`` multiples of ``2 ** layer_size``. The image is read where ``valid`` is one only; the
        output is the raw last convolution: every pixel, not clipped. With ``train=True`` it takes
        ``freeze_encoder`` (may be traced): the encoder's norms then use and keep their running
        averages, as in the paper's fine-tuning.

    Raises:
        ValueError: for a ``layer_size`` below 1 or a ``width`` that leaves no channel; when called,
            for a picture whose sides are no multiples of ``2 ** layer_size``.
    """
    if layer_size < 1:
        raise ValueError(f"layer_size is {layer_size}; it must be at least 1")
    if round(64 * width) < 1:
        raise ValueError(f"a width of {width} leaves no channels")
    return network(_PartialConvUNet(layer_size, width, batch_norm, last_layer, ratio, axis_name))


class _PartialConvUNet(nn.Module):
    layer_size: int
    width: float
    batch_norm: bool
    last_layer: LastLayer
    ratio: Ratio
    axis_name: str | None

    @nn.compact
    def __call__(
        self,
        image: Image,
        valid: Valid,
        *,
        train: bool,
        freeze_encoder: bool | Bool[Array, ""] = False,
    ) -> Image:
        check_multiple(image, 2**self.layer_size)
        levels = range(1, self.layer_size + 1)
        channels = [3] + [round(64 * 2 ** min(i, 3) * self.width) for i in range(self.layer_size)]

        skips = [(image, valid)]
        for i in levels:
            encode = _Encoder(
                channels[i],
                kernel_size=(7, 5, 5)[i - 1] if i <= 3 else 3,
                batch_norm=self.batch_norm and i > 1,
                ratio=self.ratio,
                axis_name=self.axis_name,
                name=f"enc_{i}",
            )
            skips.append(encode(*skips[-1], train=train, frozen=freeze_encoder))

        features, known = skips.pop()
        for i in reversed(levels[1:]):
            decode = _Decoder(
                channels[i - 1],
                batch_norm=self.batch_norm,
                ratio=self.ratio,
                axis_name=self.axis_name,
                name=f"dec_{i}",
            )
            features, known = decode(features, known, *skips.pop(), train=train)
        return _LastDecoder(3, self.last_layer, self.ratio, name="dec_1")(
            features, known, image, valid
        )


class _Encoder(nn.Module):
    features: int
    kernel_size: int
    batch_norm: bool
    ratio: Ratio
    axis_name: str | None

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "N H W C"],
        valid: Float[Array, "N H W 1"],
        *,
        train: bool,
        frozen: bool | Bool[Array, ""],
    ) -> tuple[Float[Array, "N h w O"], Float[Array, "N h w 1"]]:
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", he_normal, shape)
        x, valid = partial_conv(
            x, valid, kernel, strides=2, padding=self.kernel_size // 2, ratio=self.ratio
        )
        if self.batch_norm:
            x = BatchNorm(self.axis_name, name="norm")(x, train=train, frozen=frozen)
        return nn.relu(x), valid


class _Decoder(nn.Module):
    features: int
    batch_norm: bool
    ratio: Ratio
    axis_name: str | None

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "N h w C"],
        x_valid: Float[Array, "N h w 1"],
        skip: Float[Array, "N H W S"],
        skip_valid: Float[Array, "N H W 1"],
        *,
        train: bool,
    ) -> tuple[Float[Array, "N H W O"], Float[Array, "N H W 1"]]:
        shape = (3, 3, x.shape[-1] + skip.shape[-1], self.features)
        kernel = self.param("kernel", he_normal, shape)
        raw, seen = _see_upsampled_and_skip(x, x_valid, skip, skip_valid, kernel)
        y, valid = renormalise(raw, seen, numerator(kernel, self.ratio))
        if self.batch_norm:
            y = BatchNorm(self.axis_name, name="norm")(y, train=train)
        return leaky_relu(y), valid


class _LastDecoder(nn.Module):
    features: int
    bias_rule: LastLayer
    ratio: Ratio

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "N h w C"],
        x_valid: Float[Array, "N h w 1"],
        image: Float[Array, "N H W S"],
        valid: Float[Array, "N H W 1"],
    ) -> Float[Array, "N H W O"]:
        shape = (3, 3, x.shape[-1] + image.shape[-1], self.features)
        kernel = self.param("kernel", he_normal, shape)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        raw, seen = _see_upsampled_and_skip(x, x_valid, image, valid, kernel)
        whole = numerator(kernel, self.ratio)
        if self.bias_rule == "paper":
            return renormalise(raw, seen, whole, bias)[0]
        rescaled, _ = renormalise(raw, seen, whole)
        return renormalise(rescaled + bias.astype(raw.dtype), seen, whole)[0]


def _see_upsampled_and_skip(
    x: Float[Array, "N h w C"],
    x_valid: Float[Array, "N h w 1"],
    skip: Float[Array, "N H W S"],
    skip_valid: Float[Array, "N H W 1"],
    kernel: Float[Array, "3 3 C+S O"],
) -> tuple[Float[Array, "N H W O"], Float[Array, "N H W 1"]]:
    """Of a 3×3 partial convolution over [upsampled x, skip]: ``Wᵀ(X ⊙ M)`` and ``sum(M)``."""
    raw = upsample_conv(masked([x], [x_valid]), kernel, masked([skip], [skip_valid]))
    channels = [x.shape[-1], skip.shape[-1]]
    seen = coverage([upsample(x_valid), skip_valid], channels, (3, 3), padding=1)
    return raw, seen
