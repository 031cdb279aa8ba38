"""Training a generator against a discriminator measured: against PyTorch, and where the time goes.

    python benchmarks/adversarial_training.py            half an hour on two CPU cores
    python benchmarks/adversarial_training.py --smoke    a minute; says only that it runs

Needs PyTorch. Both sides run in turns in one process. Weights are those that a recipe starts from.
"""
# pyright: reportMissingImports=false
# PyTorch is needed by the benchmarks only.

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

# Before PyTorch is loaded; why, `partial_conv.py` says.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
import torch_adversarial_training as plain_torch
from our_training import OurTraining, first_variables
from partial_conv_cases import normal
from side_by_side import (
    Dress,
    Rounds,
    Side,
    compare,
    compiled,
    describe,
    eager,
    heading,
    on_equal_terms,
    plain,
    planned_bytes,
    program_of,
    to_nchw,
)

from jaxinpaint.array_typing import Image, Scalar, Variables
from jaxinpaint.nets.context_encoder import context_encoder
from jaxinpaint.nets.discriminators import dcgan_discriminator, pan_discriminator
from jaxinpaint.nets.network import Network
from jaxinpaint.nets.pan import pan_unet
from jaxinpaint.recipes.base import Batch, Metrics, Moves, Player
from jaxinpaint.recipes.context_encoder import ContextEncoderConfig
from jaxinpaint.recipes.optimisers import adam
from jaxinpaint.recipes.pan import PANConfig
from jaxinpaint.recipes.stepping import Move, stepped

BOTH = ("discriminator", "generator")

# How far apart losses and gradients may lie. Batch norms over a handful of values, the narrowest
# layer's above all, magnify float32 rounding.
APART = 1e-3
# Adam's first updates are as long where a gradient is next to nothing, and there rounding turns
# them around.
APART_AFTER_UPDATES = 1e-2


@dataclass(frozen=True)
class Scale:
    """How large everything is, and how long to measure."""

    width: int = 64
    bottleneck: int = 4000
    center: int = 128
    """Side of the pictures whose centre is painted."""
    levels: int = 8
    """How often the U-Net halves its pictures, down to a single pixel."""
    batches: tuple[int, int, int] = (8, 8, 4)
    """Of Context Encoders, of PAN on the centre, of PAN on pairs."""
    rounds: Rounds = field(default_factory=lambda: Rounds(7, 0.1))


SMOKE = Scale(width=4, bottleneck=8, center=64, levels=5, batches=(4, 4, 4), rounds=Rounds(1, 0.0))


class Match(NamedTuple):
    """A recipe, its networks on both sides, and what they are trained on.

    Attributes:
        label: the recipe's name.
        config: of the recipe.
        generator, discriminator: the recipe's networks.
        theirs: the same two in PyTorch.
        turns: who moves in each kind of step, in the order of the steps.
        batch: pictures in bytes.
        looks_at: side of the pictures that the discriminator sees.
    """

    label: str
    config: ContextEncoderConfig | PANConfig
    generator: Network
    discriminator: Network
    theirs: tuple[torch.nn.Module, torch.nn.Module]
    turns: tuple[tuple[str, ...], ...]
    batch: Batch
    looks_at: int

    @property
    def side(self) -> int:
        """Of the pictures."""
        return self.batch.image.shape[1]


def main() -> None:
    scale, smoke, only = _command_line()
    if smoke:
        os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # compiles sooner
    on_equal_terms()
    describe(f"width {scale.width}, {scale.rounds.number} rounds")
    matches = {
        "context-encoder": context_encoder_match,
        "pan": pan_center_match,
        "pan-pairs": pan_pairs_match,
    }
    for match_of in [matches[only]] if only else matches.values():
        match = match_of(scale)
        variables = compare_training(match, scale.rounds)
        compare_parts(match, variables, scale.rounds)


def context_encoder_match(scale: Scale) -> Match:
    config = ContextEncoderConfig(
        size=scale.center,
        width=scale.width,
        discriminator_width=scale.width,
        bottleneck=scale.bottleneck,
    )
    painted = scale.center // 2
    return Match(
        f"Context Encoders, centre of {scale.center}²",
        config,
        _center_generator(scale, encoder_kernel=4),
        dcgan_discriminator(size=painted, width=scale.width),
        (
            plain_torch.context_encoder(
                scale.center, scale.width, scale.bottleneck, encoder_kernel=4
            ),
            plain_torch.dcgan_discriminator(painted, scale.width),
        ),
        (BOTH,),
        Batch(_pictures(1, scale.batches[0], scale.center), jnp.arange(scale.batches[0])),
        painted,
    )


def pan_center_match(scale: Scale) -> Match:
    config = PANConfig(
        size=scale.center,
        width=scale.width,
        discriminator_width=scale.width,
        bottleneck=scale.bottleneck,
    )
    painted = scale.center // 2
    return Match(
        f"PAN, centre of {scale.center}²",
        config,
        _center_generator(scale, encoder_kernel=3),
        pan_discriminator(width=scale.width, center=True),
        (
            plain_torch.context_encoder(
                scale.center, scale.width, scale.bottleneck, encoder_kernel=3
            ),
            plain_torch.PANDiscriminator(painted, scale.width, center=True),
        ),
        (("discriminator",), ("generator",), BOTH),
        Batch(_pictures(1, scale.batches[1], scale.center), jnp.arange(scale.batches[1])),
        painted,
    )


def pan_pairs_match(scale: Scale) -> Match:
    n, side = scale.batches[2], 2**scale.levels
    return Match(
        f"PAN, pairs of {side}²",
        PANConfig(
            task="pairs", levels=scale.levels, width=scale.width, discriminator_width=scale.width
        ),
        pan_unet(levels=scale.levels, width=scale.width),
        pan_discriminator(width=scale.width),
        (
            plain_torch.PANUNet(scale.levels, scale.width),
            plain_torch.PANDiscriminator(side, scale.width, center=False),
        ),
        (("discriminator",), ("generator",), BOTH),
        Batch(_pictures(1, n, side), jnp.arange(n), _pictures(2, n, side)),
        side,
    )


class TheirTraining:
    """The same in PyTorch, from bytes on the device on."""

    def __init__(
        self, match: Match, variables: Mapping[str, Variables], dress: Dress = plain
    ) -> None:
        nets = zip(match.theirs, ("generator", "discriminator"), strict=True)
        generator, discriminator = (
            dress(plain_torch.load(net, variables[name])) for net, name in nets
        )
        self.players = plain_torch.players(generator, discriminator, match.config)
        self.match = match
        self.image = to_nchw(match.batch.image)
        self.source = None if match.batch.source is None else to_nchw(match.batch.source)

    def step(self, number: int, *, frozen_judge: bool = False) -> plain_torch.Told:
        """A step of the kind that has this number."""
        config = self.match.config
        if isinstance(config, ContextEncoderConfig) or self.source is None:
            posed = plain_torch.center(self.image, config.overlap)
        else:
            posed = plain_torch.pairs(self.source, self.image)
        if isinstance(config, ContextEncoderConfig):
            return plain_torch.context_encoder_step(
                self.players, posed, config, frozen_judge=frozen_judge
            )
        movers = self.match.turns[number]
        return plain_torch.pan_step(self.players, posed, config, movers, frozen_judge=frozen_judge)

    def side_of(self, *numbers: int, frozen_judge: bool = False) -> Side:
        """The steps of these kinds, one after the other."""
        return eager(lambda: [self.step(number, frozen_judge=frozen_judge) for number in numbers])


def compare_training(match: Match, rounds: Rounds) -> dict[str, Variables]:
    """Gives the variables that both sides started from."""
    heading(f"{match.label}, training", "JAX", "PyTorch", "above 1: JAX is faster")
    print(f"(batch {len(match.batch.image)})")
    ours = OurTraining(match.config, match.batch, len(match.turns))
    start = first_variables(match.config, match.batch)
    theirs = TheirTraining(match, start)
    apart = _require_same_steps(match, ours, theirs)
    every = tuple(range(len(match.turns)))
    for number, movers in enumerate(match.turns):
        label = f"step of {' and '.join(movers)}"
        compare(label, ours.side_of(number), theirs.side_of(number), rounds)
    if len(every) > 1:
        compare("cycle of these", ours.side_of(*every), theirs.side_of(*every), rounds)
    frozen = theirs.side_of(*every, frozen_judge=True)
    compare("all, PyTorch's judge frozen", ours.side_of(*every), frozen, rounds)
    print(f"From the same weights losses and gradients' norms differ by up to {apart[0]:.0e} of")
    print(f"themselves in each player's first step, the losses by {apart[1]:.0e} after both moved.")

    if len(every) > 1:
        heading("The generator's forward passes", "one", "two", "above 1: sharing one gains")
        compare("both move / one by one", ours.side_of(2), ours.side_of(0, 1), rounds)
    return start


def _require_same_steps(
    match: Match, ours: OurTraining, theirs: TheirTraining
) -> tuple[float, float]:
    """How far losses and gradients' norms are apart before any update, and losses after both."""
    before, after, moved = [0.0], [0.0], set()
    # Once through all kinds of step, and the first once more.
    for number in (*range(len(match.turns)), 0):
        fresh = set(match.turns[number]) - moved
        metrics, told = ours.step(number), theirs.step(number)
        for name, value in told.items():
            error = _relative(float(metrics[name].total / metrics[name].n), float(value))
            (after if len(moved) == 2 else before).append(error)
        for player in fresh:
            norm = float(metrics[f"{player}_gradient_norm"].total)
            before.append(_relative(norm, theirs.players.first_gradient_norm(player)))
        moved |= fresh
    if not (max(before) < APART and max(after) < APART_AFTER_UPDATES):
        sys.exit(f"{match.label}: the two sides part, by {before} and {after}; nothing to compare")
    return max(before), max(after)


def compare_parts(match: Match, variables: dict[str, Variables], rounds: Rounds) -> None:
    heading(f"{match.label}, parts", "JAX", "PyTorch", "above 1: JAX is faster")
    n = len(match.batch.image)
    nets = {"generator": match.generator, "discriminator": match.discriminator}
    shown = {
        "generator": normal(1, (n, match.side, match.side, 3)),
        "discriminator": normal(2, (n, match.looks_at, match.looks_at, 3)),
    }
    free = {
        "generator": {"kernels": (True, False)},
        "discriminator": {
            "kernels": (True, False),
            "pictures": (False, True),
            "kernels and pictures": (True, True),
        },
    }
    for theirs, (name, net) in zip(match.theirs, nets.items(), strict=True):
        x, theirs = shown[name], theirs.requires_grad_(True)
        a = compiled(partial(_forward, net), variables[name], x)
        compare(f"{name}, forward", a, _their_forward(theirs, to_nchw(x)), rounds)
        for what, of in free[name].items():
            a = compiled(_with_gradients(net, *of), variables[name], x)
            b = _their_gradients(theirs, to_nchw(x), *of)
            compare(f"… and gradient of {what}", a, b, rounds)
        theirs.zero_grad()
        b = _their_adam(theirs, match.config)
        compare(f"{name}'s Adam", _adam(variables[name], match.config), b, rounds)
        theirs.zero_grad()

    heading("Guarded and told", "optax.adam", "ours", "above 1: what both cost of Adam")
    for name in nets:
        a = _optax_adam(variables[name], match.config)
        compare(f"{name}'s Adam", a, _adam(variables[name], match.config), rounds)


def _forward(net: Network, variables: Variables, x: Image) -> tuple[Scalar, Variables]:
    output, updated = net.apply(variables, x, train=True)
    return _pulled_at(output), updated


def _with_gradients(net: Network, kernels: bool, pictures: bool) -> Callable[..., Any]:
    """Gradients of something that all of the output takes part in."""

    def of(params: Variables, x: Image, variables: Variables) -> tuple[Scalar, Variables]:
        return _forward(net, {**variables, "params": params}, x)

    arguments = tuple(i for i, wanted in enumerate((kernels, pictures)) if wanted)
    gradient = jax.value_and_grad(of, arguments, has_aux=True)
    return lambda variables, x: gradient(variables["params"], x, variables)


def _pulled_at(output: Any) -> Any:
    """A number of what a network gives on either side: a picture, logits, or logits and taps."""
    if not isinstance(output, tuple):
        return (output**2).mean()
    logits, taps = output
    parts = taps.values() if isinstance(taps, dict) else taps
    return (logits**2).mean() + sum((part**2).mean() for part in parts)


def _their_forward(net: torch.nn.Module, x: torch.Tensor) -> Side:
    def run() -> torch.Tensor:
        with torch.no_grad():
            return _pulled_at(net(x))

    return eager(run)


def _their_gradients(net: torch.nn.Module, x: torch.Tensor, kernels: bool, pictures: bool) -> Side:
    def run() -> None:
        net.requires_grad_(kernels)
        net.zero_grad()
        _pulled_at(net(x.detach().requires_grad_(pictures))).backward()

    return eager(run)


def _adam(variables: Variables, config: ContextEncoderConfig | PANConfig) -> Side:
    """An update alone, as a step makes it: guarded, and with the norms that it tells."""
    optimiser = adam(config.learning_rate, b1=config.beta1)

    def update(player: Player, gradients: Variables, may_move: Moves) -> tuple[Player, Metrics]:
        move = Move(player.variables, gradients, optimiser)
        return stepped("player", player, move, {}, may_move)

    return _updating(variables, optimiser.init, update)


def _optax_adam(variables: Variables, config: ContextEncoderConfig | PANConfig) -> Side:
    """The bare update."""
    optimiser = optax.adam(config.learning_rate, b1=config.beta1)

    def update(player: Player, gradients: Variables, may_move: Moves) -> tuple[Player, Metrics]:
        params = player.variables["params"]
        updates, opt_state = optimiser.update(gradients, player.opt_state, params)
        return Player({"params": optax.apply_updates(params, updates)}, opt_state), {}

    return _updating(variables, optimiser.init, update)


def _updating(
    variables: Variables,
    init: Callable[[Any], optax.OptState],
    update: Callable[[Player, Variables, Moves], tuple[Player, Metrics]],
) -> Side:
    """Updates of a player, one after the other, by the same gradients."""
    params = jax.device_put(variables["params"])
    state, may_move = Player({"params": params}, jax.jit(init)(params)), jnp.ones((), bool)
    gradients = jax.jit(partial(jax.tree.map, lambda leaf: 0.01 * leaf))(params)
    program = program_of(update, state, gradients, may_move, donate_argnums=0)

    def run() -> Metrics:
        nonlocal state
        state, told = jax.block_until_ready(program(state, gradients, may_move))
        return told

    return Side(run, planned_bytes(program))


def _their_adam(net: torch.nn.Module, config: ContextEncoderConfig | PANConfig) -> Side:
    for parameter in net.requires_grad_(True).parameters():
        parameter.grad = 0.01 * parameter.detach()
    return eager(
        torch.optim.Adam(net.parameters(), config.learning_rate, (config.beta1, 0.999)).step
    )


def _center_generator(scale: Scale, *, encoder_kernel: int) -> Network:
    return context_encoder(
        size=scale.center,
        output_size=scale.center // 2,
        width=scale.width,
        bottleneck=scale.bottleneck,
        encoder_kernel=encoder_kernel,
    )


def _pictures(seed: int, n: int, side: int) -> jax.Array:
    drawn = np.random.default_rng(seed).integers(0, 256, (n, side, side, 3), np.uint8)
    return jnp.asarray(drawn)


def _relative(a: float, b: float) -> float:
    if a == b:  # both can be zero: PAN's margin, out of reach
        return 0.0
    return abs(a - b) / abs(b) if np.isfinite(a) and b else np.inf


def _command_line() -> tuple[Scale, bool, str | None]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--smoke", action="store_true", help="tiny, one round: does it run?")
    parser.add_argument("--recipe", choices=("context-encoder", "pan", "pan-pairs"), help="only it")
    parser.add_argument("--width", type=int, help="channels of the first layers; 64 as published")
    parser.add_argument("--batch", type=int, help="pictures a batch, of all recipes")
    parser.add_argument("--rounds", type=int, help="rounds of both sides")
    chosen = parser.parse_args()
    scale = SMOKE if chosen.smoke else Scale()
    if chosen.width is not None:
        scale = replace(scale, width=chosen.width)
    if chosen.batch is not None:
        scale = replace(scale, batches=(chosen.batch,) * 3)
    if chosen.rounds is not None:
        scale = replace(scale, rounds=scale.rounds._replace(number=chosen.rounds))
    return scale, chosen.smoke, chosen.recipe


if __name__ == "__main__":
    main()
