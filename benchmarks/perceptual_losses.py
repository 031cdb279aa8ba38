"""The loss of partial convolutions measured: against PyTorch, and what its parts cost.

    python benchmarks/perceptual_losses.py            minutes on two CPU cores
    python benchmarks/perceptual_losses.py --smoke    seconds; says only that it runs

Needs PyTorch. Both sides run in turns in one process. Weights are random: they change no time.
"""
# pyright: reportMissingImports=false
# PyTorch is needed by the benchmarks only.

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

# Before PyTorch is loaded; why, `partial_conv.py` says.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import jax.numpy as jnp
import numpy as np
import torch
import torch_partial_conv as plain_torch
import torch_perceptual_losses as plain_losses
from jax import lax
from our_training import OurTraining, apart, first_state, first_variables
from partial_conv_cases import SMOKE, Scale, drawn_variables, normal, unet_case
from partial_conv_training import jax_training, torch_training
from side_by_side import (
    Dress,
    Side,
    compare,
    compiled,
    describe,
    eager,
    heading,
    on_equal_terms,
    plain,
    require_equal,
    to_nchw,
    to_nhwc,
    torch_device,
)

from jaxinpaint.array_typing import Hole, Image, Scalar, Taps, Valid, Variables
from jaxinpaint.nets.network import Network
from jaxinpaint.nets.vgg import pool, random_variables, vgg_taps
from jaxinpaint.objectives.partial_conv import (
    PUBLISHED_WEIGHTS,
    partial_conv_terms,
    partial_conv_total,
)
from jaxinpaint.objectives.perceptual import perceptual
from jaxinpaint.objectives.reduction import weighted
from jaxinpaint.objectives.taps import taps_in_one_pass
from jaxinpaint.objectives.texture import style_l1
from jaxinpaint.ops.compositing import composite
from jaxinpaint.recipes import PartialConvConfig
from jaxinpaint.recipes.base import Batch
from jaxinpaint.recipes.holes import holes_of, sampler_of

# Of the first step's losses (after it, ours draws other holes): batch norms over the few values of
# the narrowest layers magnify float32 rounding.
APART_IN_TRAINING = 1e-3
POOLS = ("pool1", "pool2", "pool3")
VGG16 = random_variables(16, until=POOLS[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a tiny case: shows that it runs")
    parser.add_argument("--size", type=int, default=Scale().size)
    parser.add_argument("--batch", type=int, default=Scale().batch)
    chosen = parser.parse_args()
    scale = SMOKE if chosen.smoke else Scale(size=chosen.size, batch=chosen.batch)
    on_equal_terms()
    describe(f"{scale.size}², batch {scale.batch}, {scale.repeats} rounds")
    compare_features(scale)
    compare_loss(scale)
    compare_step(scale)
    compare_ways(scale)


def compare_features(scale: Scale) -> None:
    heading("VGG-16 to pool3", "JAX", "PyTorch", "above 1: JAX is faster")
    _, image, _ = _case(scale)
    theirs, image_torch = plain_losses.VGG16(VGG16), to_nchw(image)

    def theirs_forward() -> torch.Tensor:
        with torch.inference_mode():
            return theirs(image_torch)[-1]

    a, b = compiled(lambda image: features(image)["pool3"], image), eager(theirs_forward)
    require_equal("pool3", a.run(), to_nhwc(b.run()))
    compare("forward", a, b, scale.rounds)


def compare_loss(scale: Scale) -> None:
    heading("All six terms", "JAX", "PyTorch", "above 1: JAX is faster")
    output, truth, valid = _case(scale)
    vgg, truth_torch, valid_torch = plain_losses.VGG16(VGG16), to_nchw(truth), to_nchw(valid)

    def theirs() -> tuple[torch.Tensor, torch.Tensor]:
        x = to_nchw(output).requires_grad_()
        loss = plain_losses.total(x, truth_torch, valid_torch, vgg, PUBLISHED_WEIGHTS)
        return loss.detach(), torch.autograd.grad(loss, x)[0]

    a, b = compiled(jax.value_and_grad(loss), output, truth, valid), eager(theirs)
    (ours, our_gradient), (other, their_gradient) = a.run(), b.run()
    _require_equal_losses(ours, other)
    # A rounding that switches a ReLU or a pooling turns the gradient around that pixel.
    apart = np.asarray(our_gradient) - to_nhwc(their_gradient)
    error = np.linalg.norm(apart) / np.linalg.norm(our_gradient)
    if not error < 1e-2:
        sys.exit(f"the gradients differ by {error:.1e} of their norm; nothing to compare")
    compare("value and gradient", a, b, scale.rounds)


def compare_step(scale: Scale) -> None:
    heading("Training step with all terms", "JAX", "PyTorch", "above 1: JAX is faster")
    config, batch = recipe_of(scale)
    start, hole = first_variables(config, batch), first_holes(config, batch)
    a, b = OurTraining(config, batch).side_of(0), their_training(scale, start, hole)
    if not (parted := apart(*a.run(), *b.run())) < APART_IN_TRAINING:
        sys.exit(f"the losses of the first step differ by {parted}; nothing to compare")
    compare("U-Net, six terms, Adam", a, b, scale.rounds)


def recipe_of(scale: Scale) -> tuple[PartialConvConfig, Batch]:
    """What is trained, and on what."""
    config = PartialConvConfig(layer_size=scale.layer_size, width=scale.width, features="random")
    shape = scale.batch, scale.size, scale.size, 3
    drawn = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    return config, Batch(jnp.asarray(drawn), jnp.arange(scale.batch))


def first_holes(config: PartialConvConfig, batch: Batch) -> Hole:
    """Those that our first step draws."""
    sample = sampler_of(config.holes, ratio=config.hole_ratio, border=config.hole_border)
    return holes_of(batch, sample, jax.random.fold_in(first_state(config, batch).key, 0))


def their_training(
    scale: Scale, start: Mapping[str, Variables], hole: Any, dress: Dress = plain
) -> Side:
    """The same step in PyTorch, on these holes; it gives its loss by name, as ours does."""
    _, batch = recipe_of(scale)
    net = plain_torch.PartialConvUNet(scale.layer_size, scale.width)
    plain_torch.load(net, start["generator"])
    net, vgg = dress(net.to(torch_device())), dress(plain_losses.VGG16(VGG16))

    def loss(output: torch.Tensor, image: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        return plain_losses.total(output, image, valid, vgg, PUBLISHED_WEIGHTS)

    step = torch_training(net, to_nchw(batch.image).float() / 255, 1 - to_nchw(hole), loss)
    return Side(lambda: [{"loss": step.run()}])


def compare_ways(scale: Scale) -> None:
    heading("What the terms cost", "six terms", "L1 alone", "below 1: their share")
    net, image, valid = unet_case(scale)
    variables = drawn_variables(net, image, valid)
    step = jax_training(net, variables, image, valid, _in_training)
    compare("training step", step, jax_training(net, variables, image, valid), scale.rounds)

    heading("The truth's branch", "without", "with gradient", "above 1: leaving it out gains")
    arrays = _case(scale)
    a, b = (compiled(jax.value_and_grad(way), *arrays) for way in (loss, loss_in_one_pass))
    _require_equal_losses(a.run()[0], b.run()[0])
    compare("value and gradient", a, b, scale.rounds)

    heading("2×2 pooling", "reshapes", "windows", "above 1: reshapes are faster")
    x = normal(1, (2 * scale.batch, scale.size, scale.size, scale.channels(64)))
    for label, of in {"forward": lambda f: f, "forward+backward": with_gradient}.items():
        a, b = (compiled(of(way), x) for way in (partial(pool, pooling="max"), pool_by_windows))
        compare(f"{x.shape[1]}² {x.shape[-1]}, {label}", a, b, scale.rounds)


def features(image: Image) -> Taps:
    return vgg_taps(VGG16, image, depth=16, taps=POOLS)


def loss(output: Image, truth: Image, valid: Valid) -> Scalar:
    return jnp.mean(partial_conv_total(output, truth, 1 - valid, features))


def loss_in_one_pass(output: Image, truth: Image, valid: Valid) -> Scalar:
    """The same with the truth in the one pass, whose gradient it then takes part in."""
    completed = composite(output, truth, 1 - valid)
    x, c, y = taps_in_one_pass(features, output, completed, truth)
    terms = partial_conv_terms(output, truth, 1 - valid) | {
        "perceptual": perceptual(x, y, distance="l1") + perceptual(c, y, distance="l1"),
        "style_output": style_l1(x, y),
        "style_composite": style_l1(c, y),
    }
    return jnp.sum(jnp.mean(jnp.stack(list(weighted(terms, PUBLISHED_WEIGHTS).values())), axis=1))


def pool_by_windows(x: jax.Array) -> jax.Array:
    window = (1, 2, 2, 1)
    return lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")


def with_gradient(f: Callable[[jax.Array], jax.Array]) -> Callable[[jax.Array], tuple]:
    return jax.value_and_grad(lambda x: jnp.sum(jnp.square(f(x))))


def _in_training(net: Network) -> Callable[..., tuple[Scalar, Variables]]:
    def of(
        params: Variables, variables: Variables, image: Image, valid: Valid
    ) -> tuple[Scalar, Variables]:
        output, updated = net.apply({**variables, "params": params}, image, valid, train=True)
        return loss(output, image, valid), updated

    return of


def _require_equal_losses(a: jax.Array | torch.Tensor, b: jax.Array | torch.Tensor) -> None:
    if not np.isclose(float(a), float(b), rtol=1e-4):
        sys.exit(f"the losses differ: {float(a)} and {float(b)}; nothing to compare")


def _case(scale: Scale) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An output, a truth and what was known of it."""
    _, image, valid = unet_case(scale)
    return image + 0.1 * normal(3, image.shape), image, valid


if __name__ == "__main__":
    main()
