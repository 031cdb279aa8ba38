"""Networks in plain PyTorch whose modules have the names of the programs that were published.

What a user of such a program has at hand, to load a state dict into. They paint pictures in [0, 1],
of pictures in [0, 1] and their holes, all with their channels second.
"""
# pyright: reportMissingImports=false
# PyTorch is needed only where it is compared with.

from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812 (PyTorch's own name for it)
import torch_adversarial_training
import torch_crfill
from torch import Tensor, nn
from torch_partial_conv import kernel_sizes, level_channels

from jaxinpaint.nets.vgg import MEAN, STD
from jaxinpaint.recipes import ContextEncoderConfig, CRFillConfig, PartialConvConfig, RecipeConfig
from jaxinpaint.recipes.tasks import COVER


class Painter(Protocol):
    """A module that paints."""

    def load_state_dict(self, state_dict: dict[str, Tensor], *, strict: bool) -> object: ...
    def eval(self) -> object: ...
    def paint(self, image: Tensor, hole: Tensor) -> Tensor: ...


def network(config: RecipeConfig) -> Painter:
    """The network that a recipe's generator is in PyTorch."""
    match config:
        case PartialConvConfig(batch_norm=False):
            return UNet(config, Rescaled, mean=(0, 0, 0), std=(1, 1, 1))
        case PartialConvConfig():
            return UNet(config, Normed, mean=MEAN, std=STD)
        case ContextEncoderConfig():
            return Encoder(config)
        case CRFillConfig():
            return Gated(config.width, attention=config.attention)
    raise ValueError(f"no program was published of {config}")


class CountingConv(nn.Module):
    """``Wᵀ(X ⊙ M) / sum(M) + b`` where a convolution of ones counts something, else 0."""

    def __init__(self, inputs: int, outputs: int, side: int, stride: int, *, bias: bool) -> None:
        super().__init__()
        self.input_conv = nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=bias)
        self.mask_conv = nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=False)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Features and the updated mask, which has as many channels."""
        count = self.mask_conv(mask)
        seen = (count > 0).float()
        y = without_bias(self.input_conv, x * mask) / count.clamp(min=1)
        bias = self.input_conv.bias
        return (y if bias is None else y + bias.view(1, -1, 1, 1) * seen), seen


class Normed(nn.Module):
    """A block of naoto0804's program, before its activation."""

    def __init__(
        self, inputs: int, outputs: int, side: int, stride: int, *, last: bool, norm: bool
    ) -> None:
        super().__init__()
        self.conv = CountingConv(inputs, outputs, side, stride, bias=last)
        self.bn = nn.BatchNorm2d(outputs) if norm else nn.Identity()

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Features and the updated mask."""
        x, mask = self.conv(x, mask)
        return self.bn(x), mask


class Rescaled(nn.Module):
    """A block of tanimutomo's program: ``Wᵀ(X ⊙ M) · r``, the last ``(Wᵀ(X ⊙ M) · r + b) · r``.

    ``r = sum(1) / sum(M)``.
    """

    def __init__(
        self, inputs: int, outputs: int, side: int, stride: int, *, last: bool, norm: bool
    ):
        super().__init__()
        del norm  # never registered there
        shape = inputs, outputs, side, stride, side // 2
        self.conv = nn.Conv2d(*shape, bias=last)
        self.mask_conv = nn.Conv2d(*shape, bias=False)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Features and the updated mask, which has as many channels."""
        conv, count = self.conv, self.mask_conv(mask)
        seen = (count > 0).float()
        ratio = seen * conv.weight[0].numel() / count.clamp(min=1)
        y = without_bias(conv, x * mask) * ratio
        return (y if conv.bias is None else (y + conv.bias.view(1, -1, 1, 1)) * ratio), seen


class UNet(nn.Module):
    """The U-Net of partial convolutions."""

    def __init__(
        self,
        config: PartialConvConfig,
        block: type[Normed] | type[Rescaled],
        *,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> None:
        super().__init__()
        self.levels = config.layer_size
        self.mean, self.std = (torch.tensor(x).view(3, 1, 1) for x in (mean, std))
        channels, sides = level_channels(self.levels, config.width), kernel_sizes(self.levels)
        for i, side in enumerate(sides, start=1):
            shape = channels[i - 1], channels[i]
            self.add_module(f"enc_{i}", block(*shape, side, 2, last=False, norm=i > 1))
            shape = channels[i] + channels[i - 1], channels[i - 1]
            self.add_module(f"dec_{i}", block(*shape, 3, 1, last=i == 1, norm=i > 1))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        skips = []
        for i in range(1, self.levels + 1):
            skips.append((x, mask))
            x, mask = self.get_submodule(f"enc_{i}")(x, mask)
            x = F.relu(x)
        for i in range(self.levels, 0, -1):
            x, mask = (
                torch.cat([F.interpolate(below, scale_factor=2), beside], 1)
                for below, beside in zip((x, mask), skips.pop(), strict=True)
            )
            x, mask = self.get_submodule(f"dec_{i}")(x, mask)
            x = F.leaky_relu(x, 0.2) if i > 1 else x
        return x

    def paint(self, image: Tensor, hole: Tensor) -> Tensor:
        mask = (1 - hole).expand_as(image)
        painted = self((image - self.mean) / self.std, mask)
        return (painted * self.std + self.mean).clip(0, 1)


class Encoder(nn.Module):
    """A Context Encoder, as ``main``: of the centre, whose place it paints, or of the picture."""

    def __init__(self, config: ContextEncoderConfig) -> None:
        super().__init__()
        self.size, self.overlap = config.size, config.overlap
        self.centre = config.holes == "center"
        parts = torch_adversarial_training.context_encoder(
            config.size, config.width, config.bottleneck, encoder_kernel=4, centre=self.centre
        )
        self.main = nn.Sequential(*parts.children())

    def paint(self, image: Tensor, hole: Tensor) -> Tensor:
        colour = torch.tensor(COVER).view(3, 1, 1)
        shown = image * (1 - hole) + colour * hole
        if not self.centre:
            return (self.main(2 * shown - 1) + 1) / 2
        start, end = self.size // 4, 3 * self.size // 4
        covered = slice(start + self.overlap, end - self.overlap)
        shown[:, :, covered, covered] = colour
        painted = image.clone()
        painted[:, :, start:end, start:end] = (self.main(2 * shown - 1) + 1) / 2
        return painted


class Gated(torch_crfill.Generator):
    """CR-Fill's generator, or with attention DeepFill's."""

    def paint(self, image: Tensor, hole: Tensor) -> Tensor:
        return (self((2 * image - 1) * (1 - hole), hole).fine + 1) / 2


def without_bias(conv: nn.Conv2d, x: Tensor) -> Tensor:
    return F.conv2d(x, conv.weight, None, conv.stride, conv.padding)  # type: ignore[arg-type]
