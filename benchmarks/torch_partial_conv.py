"""The partial convolution and its U-Net in plain PyTorch: the other side of the comparison.

Written from Liu et al., ECCV 2018, eq. 1 and 2 and the supplement's table, with the one-channel
mask that makes it cheap. Channels come second, as PyTorch has them.
"""
# pyright: reportMissingImports=false
# PyTorch is needed by the benchmarks only.

from collections.abc import Callable, Mapping

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (PyTorch's own name for it)
from torch import Tensor, nn


def partial_conv(
    x: Tensor, valid: Tensor, kernel: Tensor, *, stride: int = 1, padding: int = 0
) -> tuple[Tensor, Tensor]:
    """``Wᵀ(X ⊙ M) · sum(1) / sum(M)``, zero where nothing is seen, and the updated mask."""
    return _rescaled_conv(x * valid, valid * x.shape[1], kernel, None, stride, padding)


class PartialConvUNet(nn.Module):
    """The paper's U-Net, with its skips concatenated and its features upsampled as it says."""

    def __init__(self, layer_size: int, width: float) -> None:
        super().__init__()
        channels = level_channels(layer_size, width)
        sizes = kernel_sizes(layer_size)
        self.encoders = [f"enc_{i}" for i in range(1, layer_size + 1)]
        self.decoders = [f"dec_{i}" for i in range(layer_size, 0, -1)]
        for i, name in enumerate(self.encoders):
            block = _Block(channels[i], channels[i + 1], sizes[i], F.relu, stride=2, norm=i > 0)
            self.add_module(name, block)
        for i, name in zip(range(layer_size, 1, -1), self.decoders, strict=False):
            block = _Block(channels[i] + channels[i - 1], channels[i - 1], 3, _leaky_relu)
            self.add_module(name, block)
        self.dec_1 = _Block(channels[1] + 3, 3, 3, nn.Identity(), norm=False, bias=True)

    def forward(self, image: Tensor, valid: Tensor) -> Tensor:
        """The raw output of the last block, every pixel."""
        skips = [(image, valid)]
        for name in self.encoders:
            x, known = skips[-1]
            skips.append(self.get_submodule(name)(x * known, known * x.shape[1]))
        x, known = skips.pop()
        for name in self.decoders:
            skip, skip_known = skips.pop()
            x, known = (F.interpolate(part, scale_factor=2.0) for part in (x, known))
            both = torch.cat([x * known, skip * skip_known], dim=1)
            counts = known * x.shape[1] + skip_known * skip.shape[1]
            x, known = self.get_submodule(name)(both, counts)
        return x


class _Block(nn.Module):
    """Partial convolution of known values, batch norm (eps 1e-5, PyTorch's own), activation."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        activation: Callable[[Tensor], Tensor],
        *,
        stride: int = 1,
        norm: bool = True,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(outputs, inputs, size, size))
        nn.init.kaiming_normal_(self.kernel)
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.norm = nn.BatchNorm2d(outputs) if norm else nn.Identity()
        self.activation, self.stride, self.padding = activation, stride, size // 2

    def forward(self, known: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        y, valid = _rescaled_conv(known, counts, self.kernel, self.bias, self.stride, self.padding)
        return self.activation(self.norm(y)), valid


def load(net: PartialConvUNet, variables: Mapping[str, Mapping]) -> None:
    """Gives the net the weights and running averages of the JAX net's variables."""
    state: dict[str, np.ndarray] = {}
    for name, block in variables["params"].items():
        state[f"{name}.kernel"] = np.transpose(block["kernel"], (3, 2, 0, 1))
        if "bias" in block:
            state[f"{name}.bias"] = block["bias"]
        if "norm" in block:
            averages = variables["batch_stats"][name]["norm"]
            state[f"{name}.norm.weight"] = block["norm"]["scale"]
            state[f"{name}.norm.bias"] = block["norm"]["bias"]
            state[f"{name}.norm.running_mean"] = averages["mean"]
            state[f"{name}.norm.running_var"] = averages["var"]
            state[f"{name}.norm.num_batches_tracked"] = np.zeros((), np.int64)
    net.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in state.items()})


def level_channels(layer_size: int, width: float) -> list[int]:
    """Channels of the picture and of each encoder."""
    return [3] + [round(64 * 2 ** min(i, 3) * width) for i in range(layer_size)]


def kernel_sizes(layer_size: int) -> list[int]:
    """Sides of the encoders' kernels."""
    return ([7, 5, 5] + [3] * layer_size)[:layer_size]


def _rescaled_conv(
    known: Tensor, counts: Tensor, kernel: Tensor, bias: Tensor | None, stride: int, padding: int
) -> tuple[Tensor, Tensor]:
    """A partial convolution of values already masked, ``counts`` of them known at each pixel."""
    raw = F.conv2d(known, kernel, None, stride, padding)
    with torch.no_grad():
        ones = torch.ones(1, 1, *kernel.shape[2:], device=counts.device)
        seen = F.conv2d(counts, ones, None, stride, padding)
        valid = (seen > 0).float()
        ratio = valid * kernel[0].numel() / seen.clamp(min=1)
    y = raw * ratio
    return (y if bias is None else y + bias.view(1, -1, 1, 1) * valid), valid


def _leaky_relu(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)
