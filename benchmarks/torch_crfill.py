"""CR-Fill in plain PyTorch, written from its equations: what `crfill.py` compares with.

Attention is as one writes it with `unfold`, `bmm` and `fold`: patches are cut out, compared, mixed
and put back.
"""
# pyright: reportMissingImports=false
# PyTorch is needed by the benchmarks only.

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from side_by_side import Dress, plain, to_oihw, torch_device
from torch import nn
from torch.nn import functional

from jaxinpaint.array_typing import Variables
from jaxinpaint.interop.published_networks import as_published
from jaxinpaint.nets.crfill import (
    COARSE,
    DECODER,
    HALLUCINATION,
    MATCHED,
    MATCHING,
    Layer,
)
from jaxinpaint.recipes import CRFillConfig


class Gated(nn.Conv2d):
    """Half of a convolution's outputs through ELU, gated by the other half."""

    def __init__(
        self, inputs: int, channels: int, layer: Layer, activation: str | None = "elu"
    ) -> None:
        padding = layer.dilation * (layer.side // 2)
        super().__init__(inputs, channels, layer.side, layer.stride, padding, layer.dilation)
        self.up, self.kind = layer.up, activation

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 (as in PyTorch)
        """Features, of twice the size if it is a layer that doubles it."""
        x = super().forward(functional.interpolate(input, scale_factor=2) if self.up else input)
        if self.kind is None:
            return x
        value, gate = x.chunk(2, 1)
        return getattr(functional, self.kind)(value) * gate.sigmoid()


PLAIN = Layer(0)


def _suffix(layer: Layer) -> str:
    """What the published program adds to the name of a layer."""
    if layer.up:
        return "_upsample_conv"
    return "_downsample" if layer.stride > 1 else "_atrous" if layer.dilation > 1 else ""


class Painted(NamedTuple):
    """Both networks' pictures, and the features by which patches are compared."""

    coarse: torch.Tensor
    fine: torch.Tensor
    features: torch.Tensor


class Generator(nn.Module):
    """The coarse and the fine network; layers have the published program's names."""

    def __init__(self, width: int, *, attention: bool = False) -> None:
        super().__init__()
        self.width, self.attention = width, attention
        self.coarse = self._add("conv", 1, 5, COARSE)
        self.conv17 = Gated(width // 4, 3, PLAIN, None)
        self.hallucination = self._add("xconv", 1, 3, HALLUCINATION)
        self.matching = self._add("pmconv", 1, 3, MATCHING)
        self.pmconv6 = Gated(2 * width, 4 * width, PLAIN, "relu")
        self.matched = self._add("pmconv", 9, 2 * width, MATCHED)
        self.decoder = self._add("allconv", 11, 4 * width, DECODER)
        self.allconv17 = Gated(width // 4, 3, PLAIN, None)

    def forward(self, image: torch.Tensor, hole: torch.Tensor) -> Painted:
        """From pictures in [-1, 1] with zeros in their holes."""
        x = self._run(self.coarse, torch.cat([image, torch.ones_like(hole), hole], 1))
        coarse = self.conv17(x).tanh()
        x = coarse * hole + image * (1 - hole)
        features = self.pmconv6(self._run(self.matching, x))
        matched = features
        if self.attention:
            missing = functional.avg_pool2d(hole, 4)
            found = similarity(features, missing)
            matched = reconstruct(found, features * (1 - missing), side=4, stride=2)
        x = torch.cat([self._run(self.hallucination, x), self._run(self.matched, matched)], 1)
        return Painted(coarse, self.allconv17(self._run(self.decoder, x)).tanh(), features)

    def _add(self, prefix: str, first: int, inputs: int, layers: Sequence[Layer]) -> list[str]:
        names = []
        for number, layer in enumerate(layers, start=first):
            channels = round(layer.channels * self.width)
            names.append(f"{prefix}{number}{_suffix(layer)}")
            self.add_module(names[-1], Gated(inputs, channels, layer))
            inputs = channels // 2
        return names

    def _run(self, names: Sequence[str], x: torch.Tensor) -> torch.Tensor:
        for name in names:
            x = self.get_submodule(name)(x)
        return x


class Auxiliary(nn.Module):
    """The branch that rebuilds a picture from known patches."""

    def __init__(self, width: int) -> None:
        super().__init__()
        c, halves, up = width, Layer(0, stride=2), Layer(0, up=True)
        self.enc_1 = Gated(3, c, Layer(0, side=5))
        self.enc_2 = Gated(c // 2, 2 * c, halves)
        self.enc_3 = Gated(c, 2 * c, PLAIN)
        self.enc_4 = Gated(c, 4 * c, halves)
        self.dec_1 = Gated(2 * c, 2 * c, up)
        self.dec_2 = Gated(2 * c, 2 * c, PLAIN)
        self.dec_3 = Gated(c, c, up)
        self.dec_4 = Gated(c, c, PLAIN)
        self.dec_5 = Gated(c // 2, c, PLAIN)
        self.picture = Gated(c // 2, 3, PLAIN, None)

    def forward(
        self, completed: torch.Tensor, features: torch.Tensor, hole: torch.Tensor
    ) -> torch.Tensor:
        """A picture from the completed one, and from how the generator compares its patches."""
        found = similarity(features, functional.avg_pool2d(hole, 4))
        full = self.enc_1(completed)
        half = self.enc_3(self.enc_2(full))
        x = self.dec_1(self.enc_4(half))
        x = self.dec_3(self.dec_2(torch.cat([x, half], 1)))
        x = reconstruct(found, self.dec_4(torch.cat([x, full], 1)))
        return self.picture(self.dec_5(x)).tanh()


class Discriminator(nn.Sequential):
    """Six spectrally normalised convolutions."""

    def __init__(self, width: int) -> None:
        inputs, layers = 4, []
        for multiple in (1, 2, 4, 4, 4, 4):
            conv = nn.Conv2d(inputs, multiple * width, 5, 2, 2)
            layers += [nn.utils.spectral_norm(conv), nn.LeakyReLU(0.01)]
            inputs = multiple * width
        super().__init__(*layers)


def similarity(features: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
    """Of every 4×4 patch with every one: N × patches × patches."""
    keys = features / torch.sqrt((features**2).sum((2, 3), keepdim=True) + 1e-8)
    patches, kernels = (functional.unfold(x, 4, stride=2) for x in (features, keys))
    known = functional.avg_pool2d(1 - hole, 4, stride=2).flatten(1)
    of_patch, of_other = known[:, :, None], known[:, None, :]
    kept = (of_other == 1) | ((of_patch > 0.5) & (of_other > of_patch))
    scores = torch.bmm(patches.transpose(1, 2), kernels)
    return torch.softmax(10 * scores * kept, -1)


def reconstruct(
    found: torch.Tensor, image: torch.Tensor, *, side: int = 16, stride: int = 8
) -> torch.Tensor:
    """The picture of patches, a stride apart, each replaced by its mix."""
    patches = functional.unfold(image, side, stride=stride)
    mixed = torch.bmm(patches, found.transpose(1, 2))
    return functional.fold(mixed, image.shape[2:], side, stride=stride)


class Training:
    """Two steps in one: the discriminators', then the generator's on the same pictures."""

    def __init__(
        self, start: Mapping[str, Variables], config: CRFillConfig, dress: Dress = plain
    ) -> None:
        params, judging = start["generator"]["params"], start["discriminator"]

        def ready(net: nn.Module) -> nn.Module:
            return dress(net.to(torch_device()))

        self.generator = ready(load_generator(Generator(config.width), params))
        self.auxiliary = ready(load_auxiliary(Auxiliary(config.width), params["auxiliary"]))
        self.judges = [
            ready(
                load_discriminator(
                    Discriminator(config.discriminator_width),
                    judging["params"][name],
                    judging["spectral_norm"][name],
                )
            )
            for name in ("fine", "auxiliary")
        ]
        self.of_generator = _adam((self.generator, self.auxiliary), config.learning_rate, config)
        self.of_judges = _adam(self.judges, config.discriminator_learning_rate, config)
        self.config = config

    def step(self, image: torch.Tensor, hole: torch.Tensor) -> dict[str, float]:
        """A step on pictures in bytes and their holes; gives the terms of both losses."""
        truth = image.float() / 127.5 - 1
        shown = truth * (1 - hole)
        coarse, fine, features = self.generator(shown, hole)
        completed = fine * hole + shown
        rebuilt = self.auxiliary(completed, features, hole)
        fakes = completed, rebuilt * hole + shown

        judged = []
        for judge, fake in zip(self.judges, fakes, strict=True):
            of_fake, of_real = _judge(judge, torch.cat([fake.detach(), truth])).chunk(2)
            judged.append((functional.relu(1 - of_real) + functional.relu(1 + of_fake)).mean())
        self.of_judges.zero_grad()
        sum(judged, start=torch.zeros((), device=truth.device)).backward()
        self.of_judges.step()

        terms = {
            "coarse": functional.l1_loss(coarse, truth),
            "fine": functional.l1_loss(fine, truth),
        }
        terms["auxiliary"] = functional.l1_loss(rebuilt, truth)
        for judge in self.judges:
            judge.requires_grad_(False)
        names = ("adversarial", "auxiliary_adversarial")
        for name, judge, fake in zip(names, self.judges, fakes, strict=True):
            terms[name] = -_judge(judge, fake).mean()
        for judge in self.judges:
            judge.requires_grad_(True)
        half = self.config.auxiliary_weight
        loss = terms["coarse"] + terms["fine"] + terms["adversarial"]
        loss = loss + half * (terms["auxiliary"] + terms["auxiliary_adversarial"])
        self.of_generator.zero_grad()
        loss.backward()
        self.of_generator.step()
        told = terms | dict(zip(("discriminator", "auxiliary_discriminator"), judged, strict=True))
        return {name: float(value.detach()) for name, value in told.items()}


def load_generator(net: Generator, params: Variables) -> Generator:
    """The generator with weights of ours, but the branch's."""
    config = CRFillConfig(("all",), width=net.width, attention=net.attention)
    own = {name: part for name, part in params.items() if name != "auxiliary"}
    _, arrays = as_published(config, {"params": own})
    net.load_state_dict({key: torch.from_numpy(np.array(array)) for key, array in arrays.items()})
    return net


def load_auxiliary(net: Auxiliary, params: Variables) -> Auxiliary:
    """The branch with weights of ours."""
    for name, values in params.items():
        _load(getattr(net, name), values)
    return net


def load_discriminator(net: Discriminator, params: Variables, directions: Variables) -> nn.Module:
    """A discriminator with weights of ours, and directions of its spectral norms."""
    for i, name in enumerate(sorted(params)):
        conv, u = net[2 * i], directions[name]["u"]
        conv.weight_orig.data = to_oihw(params[name]["kernel"])
        conv.bias.data = torch.from_numpy(np.array(params[name]["bias"]))
        conv.weight_u.data = torch.from_numpy(np.array(u))
    return net


def _load(layer: Any, params: Variables) -> None:
    layer.weight.data = to_oihw(params["kernel"])
    layer.bias.data = torch.from_numpy(np.array(params["bias"]))


def _judge(judge: nn.Module, pictures: torch.Tensor) -> torch.Tensor:
    return judge(torch.cat([pictures, torch.ones_like(pictures[:, :1])], 1))


def _adam(nets: Sequence[nn.Module], rate: float, config: CRFillConfig) -> torch.optim.Adam:
    parameters = [parameter for net in nets for parameter in net.parameters()]
    return torch.optim.Adam(parameters, rate, (config.beta1, config.beta2))
