"""Convolutions measured one by one: ours against XLA's own, and against PyTorch's.

    python benchmarks/convolutions.py             minutes on two CPU cores
    python benchmarks/convolutions.py --smoke     seconds; says only that it runs

Needs PyTorch. All run in turns in one process. Ours are `ops.convolution.conv` and
`ops.resampling`, compiled as training is; XLA's own is `lax.conv_general_dilated` under `jax.jit`.
"""
# pyright: reportMissingImports=false
# PyTorch is needed by the benchmarks only.

import argparse
import os
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

# Before PyTorch is loaded; why, `partial_conv.py` says.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import jax
import numpy as np
import torch
from jax import lax
from partial_conv_cases import normal
from side_by_side import (
    Rounds,
    Side,
    compare,
    compiled,
    describe,
    eager,
    heading,
    on_equal_terms,
    require_equal,
    to_nchw,
    to_nhwc,
    to_oihw,
)

from jaxinpaint.ops.convolution import conv


class Layer(NamedTuple):
    """A convolution of a network: batch, side, channels, kernel, stride, padding, dilation."""

    whose: str
    n: int
    side: int
    inputs: int
    outputs: int
    taps: int
    stride: int = 1
    padding: int = 1
    dilation: int = 1

    def __str__(self) -> str:
        at = f"{self.n}·{self.side}² {self.inputs}→{self.outputs}, {self.taps}×{self.taps}"
        stride = f" /{self.stride}" if self.stride > 1 else ""
        return f"{at}{stride}{f' ·{self.dilation}' if self.dilation > 1 else ''} ({self.whose})"


LAYERS = (
    Layer("partial-conv", 8, 64, 64, 128, 5, 2, 2),
    Layer("partial-conv", 8, 32, 128, 256, 5, 2, 2),
    Layer("partial-conv", 8, 8, 512, 512, 3, 2),
    Layer("partial-conv", 8, 4, 512, 512, 3, 2),
    Layer("partial-conv", 8, 2, 512, 512, 3),
    Layer("partial-conv", 4, 8, 512, 512, 3, 2),
    Layer("partial-conv", 4, 4, 1024, 512, 3),
    Layer("context-encoder", 8, 64, 64, 64, 4, 2),
    Layer("context-encoder", 8, 4, 512, 4000, 4, 1, 0),
    Layer("pan", 8, 62, 64, 128, 3, 2),
    Layer("pan", 8, 32, 128, 128, 3),
    Layer("crfill", 4, 128, 24, 24, 3),
    Layer("crfill", 4, 32, 96, 192, 3, 1, 4, 4),
    Layer("crfill", 4, 8, 256, 256, 5, 2, 2),
    Layer("crfill", 4, 128, 5, 48, 5, 1, 2),
    Layer("crfill", 4, 128, 24, 3, 3),
    Layer("VGG-16", 8, 128, 3, 64, 3),
    Layer("VGG-16", 8, 128, 64, 64, 3),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--smoke", action="store_true", help="tiny, one round: does it run?")
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    rounds = Rounds(1, 0.0) if chosen.smoke else Rounds(chosen.rounds, 0.1)
    layers = [Layer("smoke", 2, 16, 3, 4, 3, 2)] if chosen.smoke else LAYERS
    on_equal_terms()
    describe(f"{rounds.number} rounds")
    measures = {
        "forward": (forward, _their_forward),
        "gradient of the input": (of_input, partial(_their_gradient, 0)),
        "gradient of the kernel": (of_kernel, partial(_their_gradient, 1)),
    }
    for what, (ours, theirs) in measures.items():
        heading(f"{what}, against XLA's own", "ours", "XLA", "above 1: ours is faster")
        for layer in layers:
            arrays = _arrays(layer)
            a, b = compiled(ours(_ours(layer)), *arrays), _plainly(ours(_own(layer)), *arrays)
            require_equal(f"{what} {layer}", a.run(), b.run())
            compare(str(layer), a, b, rounds)
        heading(f"{what}, against PyTorch", "ours", "PyTorch", "above 1: ours is faster")
        for layer in layers:
            arrays = _arrays(layer)
            a = compiled(ours(_ours(layer)), *arrays)
            compare(str(layer), a, theirs(layer, *arrays), rounds)


Convolution = Callable[[jax.Array, jax.Array], jax.Array]


def forward(f: Convolution) -> Callable[..., jax.Array]:
    return lambda x, kernel, pulled: f(x, kernel)


def of_input(f: Convolution) -> Callable[..., jax.Array]:
    return lambda x, kernel, pulled: jax.vjp(lambda x: f(x, kernel), x)[1](pulled)[0]


def of_kernel(f: Convolution) -> Callable[..., jax.Array]:
    return lambda x, kernel, pulled: jax.vjp(lambda kernel: f(x, kernel), kernel)[1](pulled)[0]


def _ours(layer: Layer) -> Convolution:
    return partial(conv, strides=layer.stride, padding=layer.padding, dilation=layer.dilation)


def _own(layer: Layer) -> Convolution:
    return partial(
        lax.conv_general_dilated,
        window_strides=(layer.stride,) * 2,
        padding=[(layer.padding, layer.padding)] * 2,
        rhs_dilation=(layer.dilation,) * 2,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _plainly(f: Callable[..., jax.Array], *arrays: np.ndarray) -> Side:
    program, given = jax.jit(f), jax.device_put(arrays)
    return Side(lambda: jax.block_until_ready(program(*given)))


def _arrays(layer: Layer) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An input, a kernel, and what is pulled at."""
    x = normal(1, (layer.n, layer.side, layer.side, layer.inputs))
    kernel = normal(2, (layer.taps, layer.taps, layer.inputs, layer.outputs))
    return x, kernel, normal(3, jax.eval_shape(_own(layer), x, kernel).shape)


def _their_forward(layer: Layer, x: np.ndarray, kernel: np.ndarray, pulled: np.ndarray) -> Side:
    shown, weight = to_nchw(x), to_oihw(kernel)
    how = layer.stride, layer.padding, layer.dilation
    side = eager(lambda: torch.nn.functional.conv2d(shown, weight, None, *how))
    require_equal(str(layer), compiled(_ours(layer), x, kernel).run(), to_nhwc(side.run()))
    return side


def _their_gradient(
    argument: int, layer: Layer, x: np.ndarray, kernel: np.ndarray, pulled: np.ndarray
) -> Side:
    """The one of the two gradients alone, as autograd asks for it."""
    given = to_nchw(pulled), to_nchw(x), to_oihw(kernel), None
    how = [(n, n) for n in (layer.stride, layer.padding, layer.dilation)]
    wanted = argument == 0, argument == 1, False
    return eager(
        lambda: torch.ops.aten.convolution_backward(*given, *how, False, (0, 0), 1, wanted)[
            argument
        ]
    )


if __name__ == "__main__":
    main()
