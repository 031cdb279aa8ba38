"""CR-Fill measured: its attention by size, its generator and its training step, against PyTorch.

    python benchmarks/crfill.py            a quarter of an hour on two CPU cores
    python benchmarks/crfill.py --smoke    a minute; says only that it runs

Needs PyTorch. Both sides run in turns in one process. Weights are those that the recipe starts
from.
"""
# pyright: reportMissingImports=false
# PyTorch is needed by the benchmarks only.

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

# Before PyTorch is loaded; why, `partial_conv.py` says.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import jax.numpy as jnp
import numpy as np
import torch
import torch_crfill as plain_torch
from our_training import OurTraining, apart, first_state, first_variables
from side_by_side import (
    Rounds,
    compare,
    compiled,
    describe,
    eager,
    heading,
    on_equal_terms,
    require_equal,
    to_nchw,
    to_nhwc,
    torch_device,
)

from jaxinpaint import masks
from jaxinpaint.array_typing import Variables
from jaxinpaint.nets.crfill import crfill_generator
from jaxinpaint.ops.patches import reconstruct, similarity
from jaxinpaint.recipes import CRFillConfig
from jaxinpaint.recipes.base import Batch

# How far apart losses may lie before an update: float32 sums in another order.
APART = 1e-4


@dataclass(frozen=True)
class Scale:
    """How large everything is, and how long to measure."""

    width: int = 48
    judge_width: int = 64
    attention: Sequence[int] = (128, 256, 512)
    """Sides of the pictures that are rebuilt by patches."""
    filling: Sequence[tuple[int, int]] = ((256, 1), (512, 1), (128, 4))
    """Side and number of the pictures whose holes are filled."""
    training: tuple[int, int] = (128, 4)
    """The same of a training step."""
    rounds: Rounds = field(default_factory=lambda: Rounds(7, 0.1))


SMOKE = Scale(8, 4, (64,), ((32, 1),), (32, 2), Rounds(1, 0.0))


def main() -> None:
    scale = _command_line()
    on_equal_terms()
    # A softmax leaves numbers next to zero, which slow a CPU down many times; XLA flushes them.
    torch.set_flush_denormal(True)
    describe(f"width {scale.width}, {scale.rounds.number} rounds")
    compare_attention(scale)
    compare_filling(scale)
    compare_training(scale)


def compare_attention(scale: Scale) -> None:
    heading("Rebuilt by patches", "JAX", "PyTorch", "above 1: JAX is faster")
    for side in scale.attention:
        features = jax.nn.relu(_normal(1, (1, side // 4, side // 4, 2 * scale.width)))
        image, hole = _normal(2, (1, side, side, scale.width // 2)), _hole(1, side)
        missing = jnp.mean(hole.reshape(1, side // 4, 4, side // 4, 4, 1), (2, 4))
        theirs = [to_nchw(x) for x in (features, image, missing)]

        def ours(features: jax.Array, image: jax.Array, missing: jax.Array) -> jax.Array:
            return reconstruct(similarity(features, missing), image)

        a = compiled(ours, features, image, missing)
        b = eager(partial(_without_gradient, _their_rebuilt, *theirs))
        require_equal(f"rebuilt at {side}", a.run(), to_nhwc(b.run()))
        compare(f"{side}², forward", a, b, scale.rounds)

        def pulled(features: jax.Array, image: jax.Array, missing: jax.Array) -> jax.Array:
            return jnp.mean(jnp.square(ours(features, image, missing)))

        a = compiled(jax.grad(pulled, (0, 1)), features, image, missing)
        free = [x.requires_grad_(True) for x in theirs[:2]]
        b = eager(partial(_their_gradient, *free, theirs[2]))
        for mine, other in zip(a.run(), b.run(), strict=True):
            require_equal(f"gradient at {side}", mine, to_nhwc(other))
        compare(f"{side}², forward and backward", a, b, scale.rounds)


def _their_rebuilt(
    features: torch.Tensor, image: torch.Tensor, missing: torch.Tensor
) -> torch.Tensor:
    return plain_torch.reconstruct(plain_torch.similarity(features, missing), image)


def _their_gradient(
    features: torch.Tensor, image: torch.Tensor, missing: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    loss = _their_rebuilt(features, image, missing).square().mean()
    return torch.autograd.grad(loss, (features, image))


def compare_filling(scale: Scale) -> None:
    heading("Holes filled", "JAX", "PyTorch", "above 1: JAX is faster")
    net = crfill_generator(width=scale.width)
    for side, n in scale.filling:
        image, hole = _normal(3, (n, side, side, 3)), _hole(n, side)
        variables = jax.jit(net.init)(jax.random.key(0), image, hole)
        theirs = plain_torch.load_generator(plain_torch.Generator(scale.width), variables["params"])

        def fill(variables: Variables, image: jax.Array, hole: jax.Array) -> jax.Array:
            return net.apply(variables, image, hole)[0].fine

        a = compiled(fill, variables, image * (1 - hole), hole)
        fine = partial(_fine, theirs.to(torch_device()).eval())
        shown = to_nchw(image * (1 - hole)), to_nchw(hole)
        b = eager(partial(_without_gradient, fine, *shown))
        require_equal(f"filled at {side}", a.run(), to_nhwc(b.run()))
        compare(f"{side}², batch {n}", a, b, scale.rounds)


def compare_training(scale: Scale) -> None:
    heading("A step of the last stage", "JAX", "PyTorch", "above 1: JAX is faster")
    side, n = scale.training
    config, batch = last_stage(scale)
    shown = to_nchw(batch.image), to_nchw(first_holes(config, batch))
    theirs = plain_torch.Training(first_variables(config, batch), config)
    ours = OurTraining(config, batch).side_of(0)
    parted = apart(ours.run()[0], theirs.step(*shown))
    if not parted < APART:
        sys.exit(f"the two sides part by {parted}; nothing to compare")
    compare(f"{side}², batch {n}", ours, eager(lambda: theirs.step(*shown)), scale.rounds)
    print(f"From the same weights the terms of both losses differ by up to {parted:.0e}.")


def last_stage(scale: Scale) -> tuple[CRFillConfig, Batch]:
    """What is trained, and on what."""
    config = CRFillConfig(
        stages=("auxiliary",), width=scale.width, discriminator_width=scale.judge_width
    )
    side, n = scale.training
    drawn = np.random.default_rng(1).integers(0, 256, (n, side, side, 3), np.uint8)
    return config, Batch(jnp.asarray(drawn), jnp.arange(n))


def first_holes(config: CRFillConfig, batch: Batch) -> jax.Array:
    """Those that our first step draws."""
    hole_key, _ = jax.random.split(jax.random.fold_in(first_state(config, batch).key, 0))
    _, height, width, _ = batch.image.shape
    return masks.holes(masks.crfill, hole_key, batch.position, (height, width))


def _fine(net: torch.nn.Module, image: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
    return net(image, hole).fine


def _without_gradient(f: Any, *arrays: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return f(*arrays)


def _normal(seed: int, shape: tuple[int, ...]) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def _hole(n: int, side: int) -> jax.Array:
    """A square of half the side."""
    inside = slice(side // 4, 3 * side // 4)
    return jnp.zeros((n, side, side, 1)).at[:, inside, inside].set(1)


def _command_line() -> Scale:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--smoke", action="store_true", help="tiny, one round: does it run?")
    parser.add_argument("--rounds", type=int, help="rounds of both sides")
    chosen = parser.parse_args()
    scale = SMOKE if chosen.smoke else Scale()
    if chosen.rounds is None:
        return scale
    return replace(scale, rounds=scale.rounds._replace(number=chosen.rounds))


if __name__ == "__main__":
    main()
