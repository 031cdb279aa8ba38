"""The loss of partial convolutions in plain PyTorch: the other side of the comparison.

Written from Liu et al., ECCV 2018, section 3.3: VGG-16 as far as its third pooling, one pass each
for output, composite and truth, the truth's without gradient. Channels come second.
"""
# pyright: reportMissingImports=false
# PyTorch is needed by the benchmarks only.

import re
from collections.abc import Mapping

import torch
import torch.nn.functional as F  # noqa: N812 (PyTorch's own name for it)
from side_by_side import to_oihw, torch_device
from torch import Tensor, nn

from jaxinpaint.array_typing import Variables


class VGG16(nn.Module):
    """VGG-16's first three blocks, with frozen weights; gives the features after each pooling."""

    def __init__(self, variables: Variables) -> None:
        super().__init__()
        mean, std = (torch.from_numpy(variables[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
        self.mean, self.std = mean.to(torch_device()), std.to(torch_device())
        blocks: dict[str, list[nn.Module]] = {"1": [], "2": [], "3": []}
        for name, layer in variables.items():
            if match := re.fullmatch(r"conv(\d)_\d", name):
                weight, bias = to_oihw(layer["kernel"]), torch.from_numpy(layer["bias"])
                conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
                conv.weight, conv.bias = nn.Parameter(weight, False), nn.Parameter(bias, False)
                blocks[match[1]] += [conv, nn.ReLU(inplace=True)]
        self.blocks = nn.ModuleList(
            nn.Sequential(*layers, nn.MaxPool2d(2)) for layers in blocks.values()
        )
        self.to(torch_device())

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features after the three poolings."""
        x, taps = (image - self.mean) / self.std, []
        for block in self.blocks:
            x = block(x)
            taps.append(x)
        return taps


def total(
    output: Tensor, truth: Tensor, valid: Tensor, vgg: nn.Module, weights: Mapping[str, float]
) -> Tensor:
    """The weighted sum of the six terms."""
    hole = 1 - valid
    composite = hole * output + valid * truth
    of_output, of_composite = vgg(output), vgg(composite)
    with torch.no_grad():
        of_truth = vgg(truth)
    zero = torch.zeros((), device=output.device)
    terms = {
        "valid": F.l1_loss(valid * output, valid * truth),
        "hole": F.l1_loss(hole * output, hole * truth),
        "tv": _total_variation(composite, hole),
        "perceptual": zero,
        "style_output": zero,
        "style_composite": zero,
    }
    for x, c, y in zip(of_output, of_composite, of_truth, strict=True):
        gram = _gram(y)
        terms["perceptual"] = terms["perceptual"] + F.l1_loss(x, y) + F.l1_loss(c, y)
        terms["style_output"] = terms["style_output"] + F.l1_loss(_gram(x), gram)
        terms["style_composite"] = terms["style_composite"] + F.l1_loss(_gram(c), gram)
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum()


def _gram(features: Tensor) -> Tensor:
    n, c, h, w = features.shape
    flat = features.view(n, c, h * w)
    return flat @ flat.transpose(1, 2) / (c * h * w)


def _total_variation(image: Tensor, hole: Tensor) -> Tensor:
    inside = F.max_pool2d(hole, 3, stride=1, padding=1)
    columns, rows = inside[..., 1:] * inside[..., :-1], inside[:, :, 1:] * inside[:, :, :-1]
    horizontal = (columns * (image[..., 1:] - image[..., :-1])).abs().mean()
    return horizontal + (rows * (image[:, :, 1:] - image[:, :, :-1])).abs().mean()
