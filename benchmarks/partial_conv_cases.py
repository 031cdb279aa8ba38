"""What is measured: layers and a U-Net with pictures, holes and weights of the size asked for."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from side_by_side import Rounds

from jaxinpaint.array_typing import Variables
from jaxinpaint.nets.network import Network
from jaxinpaint.nets.partial_conv_unet import partial_conv_unet


@dataclass(frozen=True)
class Scale:
    """How large everything is, and how long to measure."""

    size: int = 128
    width: float = 1.0
    batch: int = 4
    layer_size: int = 7
    repeats: int = 7
    seconds_a_turn: float = 0.1
    shapes: int = 4
    """How many of the single layers' shapes, at most."""

    @property
    def rounds(self) -> Rounds:
        """How long to measure."""
        return Rounds(self.repeats, self.seconds_a_turn)

    def channels(self, at_full_width: int) -> int:
        """So many channels as the U-Net has where the paper's has ``at_full_width``."""
        return 3 if at_full_width == 3 else round(at_full_width * self.width)


SMOKE = Scale(size=32, width=0.125, batch=2, layer_size=2, repeats=1, seconds_a_turn=0.0, shapes=1)


class LayerCase(NamedTuple):
    """A layer of the U-Net with an input and its mask."""

    label: str
    x: np.ndarray
    valid: np.ndarray
    kernel: np.ndarray
    stride: int
    padding: int


def layer_cases(scale: Scale) -> list[LayerCase]:
    """The U-Net's first encoder, its second, and one deeper and of stride 1."""
    cases = []
    for shrink, c_in, c_out, k, stride in (
        (1, 3, 64, 7, 2),
        (2, 64, 128, 5, 2),
        (4, 256, 256, 3, 1),
    ):
        side, c_in, c_out = scale.size // shrink, scale.channels(c_in), scale.channels(c_out)
        x = normal(1, (scale.batch, side, side, c_in))
        kernel = normal(2, (k, k, c_in, c_out))
        label = f"{side}² {c_in}→{c_out} k{k} s{stride}"
        cases.append(LayerCase(label, x, holed(scale.batch, side), kernel, stride, k // 2))
    return cases[: scale.shapes]


def decoder_cases(scale: Scale) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """What four of the U-Net's decoders upsample, and the part of the kernel that sees it."""
    cases = []
    for shrink, c_in, c_out in ((32, 512, 512), (8, 256, 128), (4, 128, 64), (2, 64, 3)):
        side, c_in, c_out = scale.size // shrink, scale.channels(c_in), scale.channels(c_out)
        x = normal(1, (scale.batch, side, side, c_in))
        cases.append((f"{side}²→{2 * side}² {c_in}→{c_out}", x, normal(2, (3, 3, c_in, c_out))))
    return cases[: scale.shapes]


def unet_case(scale: Scale) -> tuple[Network, np.ndarray, np.ndarray]:
    """Our net, pictures, and what is valid of them."""
    net = partial_conv_unet(layer_size=scale.layer_size, width=scale.width)
    image = normal(1, (scale.batch, scale.size, scale.size, 3))
    return net, image, holed(scale.batch, scale.size)


def drawn_variables(net: Network, *arrays: np.ndarray) -> Variables:
    """Weights as He et al. draw them, and norms and biases that do something: no ones and zeros."""
    return drawn(jax.eval_shape(net.init, jax.random.key(0), *arrays))


def drawn(shapes: Variables) -> Variables:
    """Weights of these shapes, drawn with no help of JAX."""
    random = np.random.default_rng(0)

    def draw(leaf: jax.ShapeDtypeStruct) -> np.ndarray:
        if leaf.ndim == 1:
            return random.uniform(0.5, 1.5, leaf.shape).astype(np.float32)
        return random.standard_normal(leaf.shape, np.float32) * math.sqrt(
            2 / math.prod(leaf.shape[:-1])
        )

    return jax.tree.map(draw, shapes)


def holed(batch: int, side: int) -> np.ndarray:
    """A mask with a few square holes a picture. Its values do not matter to the time it takes."""
    valid = np.ones((batch, side, side, 1), np.float32)
    random = np.random.default_rng(5)
    for picture in valid:
        for top, left in random.integers(0, side, (4, 2)):
            picture[top : top + side // 3, left : left + side // 3] = 0
    return valid


def normal(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)
