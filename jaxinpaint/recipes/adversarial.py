"""A generator against a discriminator: the steps of both, together or alone."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool

from jaxinpaint.array_typing import Logits, PerImage, RandomKey, Scalar, Variables
from jaxinpaint.nets.network import Network
from jaxinpaint.recipes.base import (
    Batch,
    Mean,
    Metrics,
    Player,
    Recipe,
    Step,
    TrainState,
    averaged_over,
    stepped,
)
from jaxinpaint.recipes.tasks import Posed, Task

# Who moves in a step.
DISCRIMINATOR = frozenset({"discriminator"})
GENERATOR = frozenset({"generator"})
BOTH = DISCRIMINATOR | GENERATOR

# What a generator paints: a picture, or several things in a tuple.
Painted: TypeAlias = Any

# A loss, with the judge's variables after its passes and what there is to tell.
Judged = tuple[Scalar, tuple[Variables, Metrics]]


class Game(NamedTuple):
    """What two players play for, as pure functions.

    Attributes:
        paint: ``(generator's variables, posed) -> (painted, variables)``.
        discriminator_loss: ``(discriminator's variables, posed, painted) -> (loss, (variables,
            metrics))``, which the discriminator minimises.
        generator_loss: ``(painted, posed, discriminator's variables) -> (loss, (variables,
            metrics))``, which the generator minimises.
    """

    paint: Callable[[Variables, Posed], tuple[Painted, Variables]]
    discriminator_loss: Callable[[Variables, Posed, Painted], Judged]
    generator_loss: Callable[[Painted, Posed, Variables], Judged]


class Round(NamedTuple):
    """One kind of step.

    Attributes:
        game: what it is about.
        movers: who moves.
        begins: the step at which the optimisers forget what was before; None: they never do.
    """

    game: Game
    movers: frozenset[str] = BOTH
    begins: int | None = None


class Side(NamedTuple):
    """A player's beginning and its optimiser.

    Attributes:
        init: ``(key, (height, width)) -> variables``, for such training pictures.
        optimiser: its own.
    """

    init: Callable[[RandomKey, tuple[int, int]], Variables]
    optimiser: optax.GradientTransformation


def on_pictures(
    network: Network, of: Callable[[tuple[int, int]], tuple[int, int]] = lambda size: size
) -> Callable[[RandomKey, tuple[int, int]], Variables]:
    """How a network that is given pictures begins: the ``init`` of a `Side`.

    Args:
        network: ``[N, H, W, 3] -> ...``.
        of: the height and width of what it is given, for training pictures of a size.
    """
    return lambda key, size: network.init(key, jnp.zeros((1, *of(size), 3)))


def adversarial(
    task: Task,
    round_at: Callable[[int], Round],
    generator: Side,
    discriminator: Side,
    *,
    moves_others_averages: bool,
    axis_name: str | None,
) -> Recipe:
    """The recipe of a game, or of several one after the other.

    Its players are called ``generator`` and ``discriminator``.

    Args:
        task: what the generator is shown, and should paint.
        round_at: of which kind the step of a number is; equal rounds are compiled once.
        generator: whose variables fill holes.
        discriminator: who judges what is painted.
        moves_others_averages: whether a player's turn also moves what the other keeps beside its
            parameters: running averages of the statistics that the turn used.
        axis_name: the mapped axis over which gradients are averaged.
    """
    sides = {"generator": generator, "discriminator": discriminator}
    optimisers = {name: side.optimiser for name, side in sides.items()}

    @cache
    def step_of(kind: Round) -> Step:
        def step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
            posed = task.pose(jax.random.fold_in(state.key, state.step), batch)
            players = state.players
            if kind.begins is not None:
                players = _begun_anew(players, optimisers, state.step == kind.begins)
            players, metrics = _played(
                kind, optimisers, players, posed, moves_others_averages, axis_name
            )
            return replace(state, step=state.step + 1, players=players), metrics

        return step

    return Recipe(
        init=partial(_start, sides),
        step_at=lambda number: step_of(round_at(number)),
        takes=task.takes,
        inpaint=task.inpaint,
        translate=task.translate,
    )


def _start(sides: Mapping[str, Side], key: RandomKey, size: tuple[int, int]) -> TrainState:
    """The state before the first step, for training pictures of a size."""
    *keys, run_key = jax.random.split(key, len(sides) + 1)
    players = {}
    for player_key, (name, side) in zip(keys, sides.items(), strict=True):
        variables = side.init(player_key, size)
        players[name] = Player(variables, side.optimiser.init(variables["params"]))
    return TrainState(jnp.zeros((), jnp.int32), run_key, players)


def _begun_anew(
    players: Mapping[str, Player],
    optimisers: Mapping[str, optax.GradientTransformation],
    begins: Bool[Array, ""],
) -> dict[str, Player]:
    """The players, where ``begins`` with optimisers that have seen nothing yet."""

    def anew(name: str, player: Player) -> Player:
        fresh = optimisers[name].init(player.variables["params"])
        chosen = jax.tree.map(partial(jnp.where, begins), fresh, player.opt_state)
        return player._replace(opt_state=chosen)

    return {name: anew(name, player) for name, player in players.items()}


def _played(
    kind: Round,
    optimisers: Mapping[str, optax.GradientTransformation],
    players: Mapping[str, Player],
    posed: Posed,
    moves_others_averages: bool,
    axis_name: str | None,
) -> tuple[dict[str, Player], Metrics]:
    """The players after the moves of those who move, and what there is to tell of these.

    The discriminator moves first. The generator runs forward once; it is judged by the
    discriminator as it is then, on the same pictures.
    """
    game, movers, _ = kind
    g, d = players["generator"], players["discriminator"]

    def paint(params: Variables) -> tuple[Painted, Variables]:
        return game.paint({**g.variables, "params": params}, posed)

    painted, pull_back, after_painting = jax.vjp(paint, g.variables["params"], has_aux=True)

    def discriminate(g: Player, d: Player) -> tuple[Player, Player, Metrics]:
        def loss(params: Variables) -> Judged:
            return game.discriminator_loss({**d.variables, "params": params}, posed, painted)

        gradients, (variables, metrics) = jax.grad(loss, has_aux=True)(d.variables["params"])
        gradients, metrics = averaged_over(axis_name, (gradients, metrics))
        d, norms = stepped("discriminator", d, variables, gradients, optimisers["discriminator"])
        if moves_others_averages:
            g = g._replace(variables=after_painting)
        return g, d, metrics | norms

    def generate(g: Player, d: Player) -> tuple[Player, Player, Metrics]:
        judge = jax.grad(game.generator_loss, has_aux=True)
        pull, (judged, metrics) = judge(painted, posed, d.variables)
        gradients, metrics = averaged_over(axis_name, (pull_back(pull)[0], metrics))
        g, norms = stepped("generator", g, after_painting, gradients, optimisers["generator"])
        if moves_others_averages:
            d = d._replace(variables=judged)
        return g, d, metrics | norms

    metrics: Metrics = {}
    if "discriminator" in movers:
        g, d, told = discriminate(g, d)
        metrics |= told
    if "generator" in movers:
        g, d, told = generate(g, d)
        metrics |= told
    return {"generator": g, "discriminator": d}, metrics


def discriminator_metrics(losses: PerImage, of_real: Logits, of_fake: Logits) -> Metrics:
    """The discriminator's loss, and how often it is right.

    It is right half of the time where it knows nothing, and always where it has won.
    """
    logits = jnp.float32(of_real.size)
    return {
        "discriminator": Mean(jnp.sum(losses), jnp.float32(losses.size)),
        "right_about_real": Mean(jnp.sum(of_real > 0, dtype=jnp.float32), logits),
        "right_about_fake": Mean(jnp.sum(of_fake < 0, dtype=jnp.float32), logits),
    }
