"""Context Encoders and PAN in plain PyTorch, networks and steps: the other side of the comparison.

Written as users write them and BoyuanJiang/context_encoder_pytorch does: one forward pass of the
generator, ``detach()`` for the discriminator, true and painted pictures in batches of their own,
`torch.optim.Adam`. Modules have the names of our layers. Channels come second.
"""
# pyright: reportMissingImports=false
# PyTorch is needed by the benchmarks only.

import math
from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (PyTorch's own name for it)
from side_by_side import torch_device
from torch import Tensor, nn

from jaxinpaint.array_typing import Variables
from jaxinpaint.nets.discriminators import PAN_TAPS
from jaxinpaint.nets.layers import halving_channels
from jaxinpaint.recipes.context_encoder import ContextEncoderConfig
from jaxinpaint.recipes.pan import PANConfig
from jaxinpaint.recipes.tasks import COVER

Told = dict[str, Tensor]


class Posed(NamedTuple):
    """What the generator sees and what it should paint, in [-1, 1]."""

    shown: Tensor
    truth: Tensor


def center(image: Tensor, overlap: int) -> Posed:
    """The centre of pictures in bytes, covered but for a band of ``overlap`` pixels."""
    truth = image.float() / 127.5 - 1
    half = image.shape[-1] // 2
    start, end = half // 2, half // 2 + half
    covered = slice(start + overlap, end - overlap)
    colour = 2 * torch.tensor(COVER, device=image.device).view(3, 1, 1) - 1
    shown = truth.clone()
    shown[:, :, covered, covered] = colour
    return Posed(shown, truth[:, :, start:end, start:end])


def pairs(source: Tensor, image: Tensor) -> Posed:
    return Posed(source.float() / 127.5 - 1, image.float() / 127.5 - 1)


def context_encoder(
    size: int, width: int, bottleneck: int, *, encoder_kernel: int, centre: bool = True
) -> nn.Sequential:
    """The generator of the centre of pictures of a size, or of all of them."""
    net, inputs = nn.Sequential(), 3
    for i, outputs in enumerate(halving_channels(size, width), start=1):
        layer = nn.Conv2d(inputs, outputs, encoder_kernel, stride=2, padding=1, bias=False)
        _add(net, f"enc_{i}", layer, nn.LeakyReLU(0.2, inplace=True), norm=i > 1)
        inputs = outputs
    layer = nn.Conv2d(inputs, bottleneck, 4, bias=False)
    _add(net, "bottleneck", layer, nn.LeakyReLU(0.2, inplace=True), norm=True)

    painted = size // 2 if centre else size
    channels = [bottleneck, *reversed(halving_channels(painted, width))]
    for i, (inputs, outputs) in enumerate(pairwise(channels), start=1):
        stride, padding = (1, 0) if i == 1 else (2, 1)
        layer = nn.ConvTranspose2d(inputs, outputs, 4, stride, padding, bias=False)
        _add(net, f"dec_{i}", layer, nn.ReLU(inplace=True), norm=True)
    layer = nn.ConvTranspose2d(channels[-1], 3, 4, stride=2, padding=1, bias=False)
    _add(net, f"dec_{len(channels)}", layer, nn.Tanh(), norm=False)
    return net


def dcgan_discriminator(size: int, width: int) -> nn.Sequential:
    net, inputs = nn.Sequential(), 3
    for i, outputs in enumerate(halving_channels(size, width), start=1):
        net.add_module(f"conv_{i}", nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False))
        if i > 1:
            net.add_module(f"norm_{i}", nn.BatchNorm2d(outputs))
        net.add_module(f"relu_{i}", nn.LeakyReLU(0.2, inplace=True))
        inputs = outputs
    net.add_module("logit", nn.Conv2d(inputs, 1, 4, bias=False))
    net.add_module("flat", nn.Flatten(0))
    return net


class PANUNet(nn.Module):
    """The image-to-image generator; each skip is what a convolution gave, before its norm."""

    def __init__(self, levels: int, width: int) -> None:
        super().__init__()
        channels = [3, *(width * min(2**i, 8) for i in range(levels))]
        self.levels = levels
        for i in range(1, levels + 1):
            layer = nn.Conv2d(channels[i - 1], channels[i], 3, stride=2, padding=1, bias=i == 1)
            self.add_module(f"enc_{i}", layer)
            self.add_module(
                f"enc_{i}_norm", nn.BatchNorm2d(channels[i]) if i > 1 else nn.Identity()
            )
        for i in range(levels - 1, -1, -1):
            # From below and from beside; the deepest has nothing beside it.
            inputs = channels[i + 1] * (1 if i == levels - 1 else 2)
            layer = nn.ConvTranspose2d(inputs, channels[i], 4, stride=2, padding=1, bias=i == 0)
            self.add_module(f"dec_{i}", layer)
            self.add_module(f"dec_{i}_norm", nn.BatchNorm2d(channels[i]) if i else nn.Identity())

    def forward(self, image: Tensor) -> Tensor:
        """The picture made of a picture."""
        x, raw = image, []
        for i in range(1, self.levels + 1):
            x = self.get_submodule(f"enc_{i}")(x)
            raw.append(x)
            x = F.leaky_relu(self.get_submodule(f"enc_{i}_norm")(x), 0.2)
        for i in range(self.levels - 1, 0, -1):
            x = self.get_submodule(f"dec_{i}_norm")(self.get_submodule(f"dec_{i}")(x))
            x = F.relu(torch.cat([x, raw[i - 1]], dim=1))
        return torch.tanh(self.get_submodule("dec_0")(x))


class PANDiscriminator(nn.Module):
    """Nine convolutions and a logit; gives the four hidden layers that are compared, too."""

    def __init__(self, size: int, width: int, *, center: bool) -> None:
        super().__init__()
        channels = [3, *(width * multiple for multiple in (1, 2, 2, 4, 4, 8, 8, 8)), 8]
        for i in range(1, 10):
            stride = 2 if i % 2 == 0 or (i == 9 and not center) else 1
            padding = 0 if i == 1 and center else 1
            layer = nn.Conv2d(channels[i - 1], channels[i], 3, stride, padding, bias=i == 1)
            self.add_module(f"conv_{i}", layer)
            if i > 1:
                self.add_module(f"norm_{i}", nn.BatchNorm2d(channels[i]))
        # Four times halved, rounded up; the fifth time, of pictures that are not centres, as well.
        side = -(-(size - 2) // 16) if center else -(-size // 32)
        self.logit = nn.Linear(8 * side * side, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits, and the four taps."""
        x = torch.tanh(self.get_submodule("conv_1")(image))
        layers = {"conv_1": x}
        for i in range(2, 10):
            x = self.get_submodule(f"norm_{i}")(self.get_submodule(f"conv_{i}")(x))
            x = layers[f"conv_{i}"] = F.leaky_relu(x, 0.2)
        return self.logit(x.flatten(1))[:, 0], [layers[name] for name in PAN_TAPS]


def load(net: nn.Module, variables: Variables) -> nn.Module:
    """The net with the weights and running averages of the JAX net's variables, in training."""
    state: dict[str, np.ndarray] = {}
    for name, value in variables["params"].items():
        if isinstance(value, dict):
            averages = variables["batch_stats"][name]
            state[f"{name}.weight"], state[f"{name}.bias"] = value["scale"], value["bias"]
            state[f"{name}.running_mean"] = averages["mean"]
            state[f"{name}.running_var"] = averages["var"]
            state[f"{name}.num_batches_tracked"] = np.zeros((), np.int64)
        elif name.endswith("_bias"):
            state[f"{name.removesuffix('_bias')}.bias"] = value
        else:
            state[f"{name.removesuffix('_kernel')}.weight"] = _weight(name, np.asarray(value))
    net.load_state_dict(
        {key: torch.from_numpy(np.array(value, order="C")) for key, value in state.items()}
    )
    return net.to(torch_device()).train()


class Players(NamedTuple):
    """A generator and a discriminator with their Adams."""

    generator: nn.Module
    discriminator: nn.Module
    adams: Mapping[str, torch.optim.Adam]

    def move(self, player: str, loss: Tensor) -> None:
        """The step of a player's optimiser."""
        self.adams[player].zero_grad()
        loss.backward()
        self.adams[player].step()

    def first_gradient_norm(self, player: str) -> float:
        """From Adam's first moment, after a step: what follows adds to the gradients themselves."""
        adam = self.adams[player]
        moments = [state["exp_avg"] for state in adam.state.values()]
        norm = torch.stack([moment.norm() for moment in moments]).norm()
        return float(norm) / (1 - adam.param_groups[0]["betas"][0])


def players(
    generator: nn.Module, discriminator: nn.Module, config: ContextEncoderConfig | PANConfig
) -> Players:
    betas = (config.beta1, 0.999)
    adams = {
        "generator": torch.optim.Adam(generator.parameters(), config.learning_rate, betas),
        "discriminator": torch.optim.Adam(
            discriminator.parameters(), config.discriminator_learning_rate, betas
        ),
    }
    return Players(generator, discriminator, adams)


def context_encoder_step(
    players: Players, posed: Posed, config: ContextEncoderConfig, *, frozen_judge: bool
) -> Told:
    """The discriminator's update, then the generator's.

    ``frozen_judge`` freezes the discriminator while it judges for the generator. In the published
    program it is not: its gradients are computed and thrown away.
    """
    discriminator = players.discriminator.requires_grad_(True)
    fake = players.generator(posed.shown)
    of_real, of_fake = discriminator(posed.truth), discriminator(fake.detach())
    told = {"discriminator": _entropy(of_real, config.real_label) + _entropy(of_fake, 0)}
    players.move("discriminator", told["discriminator"])

    discriminator.requires_grad_(not frozen_judge)
    told["adversarial"] = _entropy(discriminator(fake), 1)
    seen = config.overlap
    weight = torch.full_like(fake, config.overlap_weight)
    weight[:, :, seen : fake.shape[2] - seen, seen : fake.shape[3] - seen] = 1
    told["pixel"] = (weight * (fake - posed.truth) ** 2).mean()
    w = config.pixel_weight
    told["loss"] = (1 - w) * told["adversarial"] + w * told["pixel"]
    players.move("generator", told["loss"])
    return {name: value.detach() for name, value in told.items()}


def pan_step(
    players: Players,
    posed: Posed,
    config: PANConfig,
    movers: Collection[str],
    *,
    frozen_judge: bool,
) -> Told:
    """The update of the discriminator, of the generator, or of both in this order."""
    told: Told = {}
    discriminator = players.discriminator.requires_grad_(True)
    with torch.set_grad_enabled("generator" in movers):
        fake = players.generator(posed.shown)

    if "discriminator" in movers:
        of_real, of_fake, distance = _judged(players, posed.truth, fake.detach(), config)
        told["discriminator"] = _entropy(of_real, config.real_label) + _entropy(of_fake, 0)
        told["margin"] = F.relu(config.margin - distance)
        players.move("discriminator", told["discriminator"] + told["margin"])

    if "generator" in movers:
        discriminator.requires_grad_(not frozen_judge)
        _, of_fake, told["perceptual"] = _judged(players, posed.truth, fake, config)
        told["adversarial"] = -_entropy(of_fake, 0)  # saturating, as published
        told["loss"] = (
            config.perceptual_weight * told["perceptual"]
            + config.adversarial_weight * told["adversarial"]
        )
        players.move("generator", told["loss"])
    return {name: value.detach() for name, value in told.items()}


def _judged(
    players: Players, truth: Tensor, fake: Tensor, config: PANConfig
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits of true and of painted pictures, and how far apart their hidden layers are."""
    of_real, real_taps = players.discriminator(truth)
    of_fake, fake_taps = players.discriminator(fake)
    distances = [F.l1_loss(x, y) for x, y in zip(fake_taps, real_taps, strict=True)]
    weighted = [w * d for w, d in zip(config.tap_weights, distances, strict=True)]
    return of_real, of_fake, torch.stack(weighted).sum()


def _entropy(logits: Tensor, label: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def _weight(name: str, kernel: np.ndarray) -> np.ndarray:
    """A kernel of ours in PyTorch's order of axes."""
    if kernel.ndim == 2:  # the logit, of features that PyTorch has with their channels first
        side = math.isqrt(len(kernel) // 8)
        return kernel.reshape(side, side, 8).transpose(2, 0, 1).reshape(1, -1)
    # Transposed convolutions have their input channels first.
    return kernel.transpose((2, 3, 0, 1) if name.startswith("dec_") else (3, 2, 0, 1))


def _add(
    net: nn.Sequential,
    name: str,
    layer: nn.Conv2d | nn.ConvTranspose2d,
    activation: nn.Module,
    *,
    norm: bool,
) -> None:
    net.add_module(name, layer)
    if norm:
        net.add_module(f"{name}_norm", nn.BatchNorm2d(layer.out_channels))
    net.add_module(f"{name}_activation", activation)
