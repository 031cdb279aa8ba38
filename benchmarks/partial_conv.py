"""Partial convolutions measured: against PyTorch, against no masks, against upsampling first.

    python benchmarks/partial_conv.py                 minutes on two CPU cores
    python benchmarks/partial_conv.py --smoke         seconds; says only that it runs

Needs PyTorch. Both sides run in turns in one process, A B A B, so that a busy machine slows both.
"""
# pyright: reportMissingImports=false
# PyTorch is needed by the benchmarks only.

import argparse
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

# Before PyTorch is loaded. Its threads wait for one another by spinning, which on cores that other
# threads want too (XLA's, other programs') costs it up to fifty times its time.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import flax
import jax
import numpy as np
import optax
import torch
import torch_partial_conv as plain_torch
from partial_conv_cases import (
    SMOKE,
    LayerCase,
    Scale,
    decoder_cases,
    drawn_variables,
    layer_cases,
    normal,
    unet_case,
)
from partial_conv_training import (
    UNetWithoutMasks,
    jax_training,
    l1_in_training,
    torch_training,
)
from side_by_side import (
    compare,
    compiled,
    eager,
    heading,
    on_equal_terms,
    require_equal,
    to_hwio,
    to_nchw,
    to_nhwc,
    to_oihw,
    torch_device,
)

from jaxinpaint.nets.network import Network, network
from jaxinpaint.ops.convolution import conv
from jaxinpaint.ops.partial_conv import partial_conv
from jaxinpaint.ops.resampling import upsample, upsample_conv


def main() -> None:
    scale = _command_line()
    _set_up(scale)
    describe(scale)
    compare_layer(scale)
    compare_unet(scale)
    compare_masks_with_none(scale)
    compare_mask_channels(scale)
    compare_upsampling(scale)


def _set_up(scale: Scale) -> None:
    # Two frameworks share the device, so neither may take all of it; and both compute in float32.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if scale == SMOKE:
        os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # compiles sooner
    on_equal_terms()


def describe(scale: Scale) -> None:
    versions = {"JAX": jax, "Flax": flax, "Optax": optax, "PyTorch": torch, "NumPy": np}
    print(f"Python {platform.python_version()}", end="")
    print("".join(f", {name} {module.__version__}" for name, module in versions.items()))
    print(f"JAX on {jax.devices()[0]}, PyTorch on {torch_device()}; float32, TF32 off on a GPU")
    print(f"{os.cpu_count()} CPU cores, as many XLA threads, {torch.get_num_threads()} of PyTorch")
    print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in asdict(scale).items()))
    print("Times: milliseconds a call, min / median over the rounds; ratio: median of the rounds'.")
    print("MiB: temporaries + arguments + outputs - aliases, as XLA plans them for the program.")
    print(f"PyTorch's OpenMP threads wait by the policy {os.environ['OMP_WAIT_POLICY']!r}.")


def compare_layer(scale: Scale) -> None:
    heading("Layer, one-channel mask", "JAX", "PyTorch", "above 1: JAX is faster")
    for case in layer_cases(scale):
        _compare_one_layer(case, scale)


def _compare_one_layer(case: LayerCase, scale: Scale) -> None:
    x, kernel, valid = to_nchw(case.x), to_oihw(case.kernel), to_nchw(case.valid)

    def theirs(x: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        window = {"stride": case.stride, "padding": case.padding}
        return plain_torch.partial_conv(x, valid, kernel, **window)[0]

    def theirs_forward() -> torch.Tensor:
        with torch.inference_mode():
            return theirs(x, kernel)

    arrays = case.x, case.kernel, case.valid
    a, b = compiled(layer(case), *arrays), eager(theirs_forward)
    require_equal(f"layer {case.label}", a.run(), to_nhwc(b.run()))
    compare(f"{case.label} forward", a, b, scale.rounds)

    pulled = normal(7, a.run().shape)
    a = compiled(with_gradients(layer(case)), pulled, *arrays)
    b = eager(_with_torch_gradients(theirs, to_nchw(pulled), x, kernel))
    (_, (x_gradient, kernel_gradient)), found = a.run(), b.run()
    require_equal(f"layer {case.label}, input's gradient", x_gradient, to_nhwc(found[1]))
    require_equal(f"layer {case.label}, kernel's gradient", kernel_gradient, to_hwio(found[2]))
    compare(f"{case.label} forward+backward", a, b, scale.rounds)


def compare_unet(scale: Scale) -> None:
    heading("U-Net", "JAX", "PyTorch", "above 1: JAX is faster")
    net, image, valid = unet_case(scale)
    variables = drawn_variables(net, image, valid)
    theirs = plain_torch.PartialConvUNet(scale.layer_size, scale.width)
    plain_torch.load(theirs, variables)
    theirs = theirs.to(torch_device()).eval()
    image_torch, valid_torch = to_nchw(image), to_nchw(valid)

    def theirs_forward() -> torch.Tensor:
        with torch.inference_mode():
            return theirs(image_torch, valid_torch)

    a, b = compiled(forward(net), variables, image, valid), eager(theirs_forward)
    error = require_equal("U-Net, evaluation", a.run(), to_nhwc(b.run()))
    compare("forward, evaluation", a, b, scale.rounds)

    a = jax_training(net, variables, image, valid)
    b = torch_training(theirs, image_torch, valid_torch)
    losses = np.array([[float(side.run()) for _ in range(3)] for side in (a, b)])
    if not np.allclose(*losses, rtol=1e-3):
        sys.exit(f"the two U-Nets part in training; losses of three steps: {losses}")
    compare("training step", a, b, scale.rounds)
    parting = np.max(np.abs(losses[0] / losses[1] - 1))
    print(f"From the same weights the outputs differ by {error:.0e} of their range, and the losses")
    print(f"of the first three training steps by {parting:.0e} of themselves.")


def compare_masks_with_none(scale: Scale) -> None:
    heading("U-Net, no masks and masks", "none", "masks", "what masks cost; the goal is 1.15")
    net, image, valid = unet_case(scale)
    bare = network(UNetWithoutMasks(scale.layer_size, scale.width))
    variables, bare_variables = drawn_variables(net, image, valid), drawn_variables(bare, image)

    def both(net: Network) -> Callable[..., tuple]:
        gradient = jax.value_and_grad(l1_in_training(net), has_aux=True)
        return lambda variables, *arrays: gradient(variables["params"], variables, *arrays)

    for label, of in {"forward, evaluation": forward, "forward+backward": both}.items():
        a = compiled(of(bare), bare_variables, image)
        compare(label, a, compiled(of(net), variables, image, valid), scale.rounds)


def compare_mask_channels(scale: Scale) -> None:
    heading("Layer, a mask as deep as x", "1 channel", "all channels", "what depth costs")
    for case in layer_cases(scale):
        valids = case.valid, np.broadcast_to(case.valid, case.x.shape)

        a, b = (compiled(layer(case), case.x, case.kernel, valid) for valid in valids)
        require_equal(f"mask channels {case.label}", a.run(), b.run())
        compare(f"{case.label} forward", a, b, scale.rounds)
        pulled = normal(7, a.run().shape)
        both = with_gradients(layer(case))
        a, b = (compiled(both, pulled, case.x, case.kernel, valid) for valid in valids)
        compare(f"{case.label} forward+backward", a, b, scale.rounds)


def compare_upsampling(scale: Scale) -> None:
    heading("upsample_conv", "fused", "conv(upsample)", "above 1: what fusing gains")

    def upsampled_first(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return conv(upsample(x), kernel, padding=1)

    ways = upsample_conv, upsampled_first
    for label, x, kernel in decoder_cases(scale):
        a, b = (compiled(way, x, kernel) for way in ways)
        require_equal(f"upsample_conv {label}", a.run(), b.run())
        compare(f"{label} forward", a, b, scale.rounds)
        pulled = normal(7, a.run().shape)
        a, b = (compiled(with_gradients(way), pulled, x, kernel) for way in ways)
        require_equal(f"upsample_conv {label}, kernel's gradient", a.run()[1][1], b.run()[1][1])
        compare(f"{label} forward+backward", a, b, scale.rounds)


def layer(case: LayerCase) -> Callable[..., jax.Array]:
    # The mask is an argument: XLA would work out a constant's coverage once and for all.
    def apply(x: jax.Array, kernel: jax.Array, valid: jax.Array) -> jax.Array:
        return partial_conv(x, valid, kernel, strides=case.stride, padding=case.padding)[0]

    return apply


def forward(net: Network) -> Callable[..., jax.Array]:
    return lambda variables, *arrays: net.apply(variables, *arrays)[0]


def with_gradients(f: Callable[..., Any]) -> Callable[..., tuple]:
    """``(pulled, x, kernel, ...) -> value, (x's gradient, kernel's gradient)``.

    The value is given back lest the compiler drop the forward pass: the gradients of a layer that
    is linear do without it.
    """

    def both(pulled: jax.Array, x: jax.Array, kernel: jax.Array, *fixed: Any) -> tuple:
        value, pull = jax.vjp(lambda x, kernel: f(x, kernel, *fixed), x, kernel)
        return value, pull(pulled)

    return both


def _with_torch_gradients(f: Callable[..., Any], pulled: Any, *args: Any) -> Callable[[], tuple]:
    free = [arg.clone().requires_grad_() for arg in args]

    def both() -> tuple:
        value = f(*free)
        return value.detach(), *torch.autograd.grad(value, free, pulled)

    return both


def _command_line() -> Scale:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--smoke", action="store_true", help="tiny, one round: does it run?")
    parser.add_argument("--size", type=int, help="side of the pictures")
    parser.add_argument("--width", type=float, help="of the U-Net; 1 is the paper's")
    parser.add_argument("--batch", type=int, help="pictures a batch")
    parser.add_argument("--layer-size", type=int, help="levels of the U-Net")
    parser.add_argument("--repeats", type=int, help="rounds of both sides")
    given = {k: v for k, v in vars(parser.parse_args()).items() if v is not None}
    return replace(SMOKE if given.pop("smoke") else Scale(), **given)


if __name__ == "__main__":
    main()
