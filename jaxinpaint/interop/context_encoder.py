"""The published PyTorch Context Encoder: what its state dicts say of its nets, and hold."""

import re

from jaxinpaint.interop.state_dicts import Entries, Entry, Layout, PublishedProgram
from jaxinpaint.interop.weight_files import Arrays, UnreadableWeights
from jaxinpaint.recipes import ContextEncoderConfig

NAME = "BoyuanJiang/context_encoder_pytorch"
NORM = {
    "weight": ("params", "scale"),
    "bias": ("params", "bias"),
    "running_mean": ("batch_stats", "mean"),
    "running_var": ("batch_stats", "var"),
}


def _numbers(layers: int) -> list[int]:
    """``N`` of each convolution's ``main.N``: activations count, and norms but for the first."""
    return [0, *range(2, 3 * layers - 3, 3)]


def _convolutions(arrays: Arrays) -> list[int]:
    """``N`` of those keys ``main.N.weight`` that have four axes.

    Raises:
        UnreadableWeights: if they are not as in the published networks.
    """
    found = sorted(
        int(match[1])
        for key, array in arrays.items()
        if (match := re.fullmatch(r"main\.(\d+)\.weight", key)) and array.ndim == 4
    )
    if len(found) < 4 or found != _numbers(len(found)):
        told = ", ".join(map(str, found)) or "no number"
        raise UnreadableWeights(
            f"a network of {NAME} has convolutions main.N for N = 0, 2, 5, 8, …; this has {told}"
        )
    return found


def _levels(arrays: Arrays) -> int:
    """How many layers halve the picture, before the bottleneck.

    A network is of that size whose picture they make 4×4; the first of the decoder has as many
    inputs as the bottleneck outputs, and transposed kernels have inputs first.
    """
    shapes = [arrays[f"main.{n}.weight"].shape for n in _convolutions(arrays)]
    for i in range(1, len(shapes)):
        bottleneck, decoder = shapes[i - 1], shapes[i]
        if bottleneck[0] == decoder[0] and bottleneck[1] == decoder[1]:
            return i - 1
    raise UnreadableWeights("no two layers are the bottleneck and what follows it")


def _config(arrays: Arrays) -> ContextEncoderConfig:
    numbers, levels = _convolutions(arrays), _levels(arrays)
    size, painted = 4 * 2**levels, 4 * 2 ** (len(numbers) - levels - 2)
    if painted not in (size // 2, size):
        raise UnreadableWeights(f"its generator would paint {painted}² of {size}² pixels")
    of_centre = {"pixel_weight": 0.998, "pixel_weight_twice": True, "learning_rate": 2e-4}
    return ContextEncoderConfig(
        holes="center" if painted < size else "random-region",
        size=size,
        width=arrays["main.0.weight"].shape[0],
        bottleneck=arrays[f"main.{numbers[levels]}.weight"].shape[0],
        **(of_centre if painted < size else {}),
    )


def _generator(config: ContextEncoderConfig) -> Entries:
    levels = _halvings(config.size)
    encoder = [*(f"enc_{i}" for i in range(1, levels + 1)), "bottleneck"]
    decoder = [f"dec_{i}" for i in range(1, _halvings(_painted(config)) + 2)]
    layers = [*encoder, *decoder]
    entries = {}
    for n, name in zip(_numbers(len(layers)), layers, strict=True):
        layout: Layout = "IOHW" if name in decoder else "OIHW"
        entries[f"main.{n}.weight"] = Entry(("params", f"{name}_kernel"), layout)
        if name not in (layers[0], layers[-1]):
            entries |= _norm(n + 1, f"{name}_norm")
    return entries


def _discriminator(config: ContextEncoderConfig) -> Entries:
    *numbers, last = _numbers(_halvings(_painted(config)) + 1)
    entries = {f"main.{last}.weight": Entry(("params", "logit"), "OIHW")}
    for i, n in enumerate(numbers, start=1):
        entries[f"main.{n}.weight"] = Entry(("params", f"conv_{i}"), "OIHW")
        if n:
            entries |= _norm(n + 1, f"norm_{i}")
    return entries


def _painted(config: ContextEncoderConfig) -> int:
    return config.size // 2 if config.holes == "center" else config.size


def _halvings(side: int) -> int:
    """How often a side is halved until 4 are left."""
    return side.bit_length() - 3


def _norm(number: int, name: str) -> Entries:
    return {f"main.{number}.{key}": Entry((kept, name, leaf)) for key, (kept, leaf) in NORM.items()}


def _of_discriminator(arrays: Arrays) -> ContextEncoderConfig:
    numbers = _convolutions(arrays)
    size = 4 * 2 ** (len(numbers) - 1)
    return ContextEncoderConfig(size=2 * size, discriminator_width=arrays["main.0.weight"].shape[0])


def judges(arrays: Arrays) -> bool:
    """Whether a state dict of ``main.N`` is the discriminator's: its last layer has one output."""
    return arrays[f"main.{_convolutions(arrays)[-1]}.weight"].shape[0] == 1


MARK = re.compile(r"main\.0\.weight")
GENERATOR = PublishedProgram(NAME, "generator", MARK, _config, _generator)
DISCRIMINATOR = PublishedProgram(NAME, "discriminator", MARK, _of_discriminator, _discriminator)
