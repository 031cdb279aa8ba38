"""A generator against a discriminator: the steps of both, together or alone."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int

from jaxinpaint.array_typing import Logits, PerImage, RandomKey, Scalar, Variables
from jaxinpaint.nets.network import Network
from jaxinpaint.recipes.base import (
    Batch,
    Mean,
    Metrics,
    Moves,
    Player,
    Recipe,
    Step,
    TrainState,
    averaged_over,
    finite,
    new_if,
)
from jaxinpaint.recipes.optimisers import Optimiser
from jaxinpaint.recipes.stepping import (
    Move,
    StepConfig,
    accumulated,
    proposed,
    rate_factor,
    stepped,
    whole_batch,
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
        begins: the step at which the optimisers, which then count their steps as `adam` does,
            forget what was before, also if that step breaks; None: they never do.
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
    optimiser: Optimiser


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
    how: StepConfig,
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
        how: steps are made.
        axis_name: the mapped axis over which gradients are averaged.
    """
    sides = {"generator": generator, "discriminator": discriminator}
    optimisers = {name: side.optimiser for name, side in sides.items()}

    @cache
    def step_of(kind: Round) -> Step:
        def step(
            state: TrainState, batch: Batch, may_move: Moves = True
        ) -> tuple[TrainState, Metrics]:
            posed = task.pose(jax.random.fold_in(state.key, state.step), batch)
            players = state.players
            if kind.begins is not None:
                anew = partial(_begun_anew, optimisers, state.step - kind.begins, may_move)
                players = {name: anew(name, player) for name, player in players.items()}
            rate = rate_factor(how, state.step, whole_batch(batch, axis_name))
            move = partial(_moved, optimisers, how, rate, axis_name)
            players, metrics = _played(
                kind, players, posed, move, may_move, moves_others_averages, how.accumulate
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
    optimisers: Mapping[str, Optimiser],
    since: Int[Array, ""],
    may_move: Moves,
    name: str,
    player: Player,
) -> Player:
    """A player, with an optimiser that has seen nothing of what was before a stage.

    One that has, has moved more often than there were steps since it began: so it is found
    whichever of the stage's steps a run goes on with. If the step turns out to be none, what is
    forgotten stays so: the next one would have it forget the same.
    """
    fresh = optimisers[name].init(player.variables["params"])
    old = (optax.tree.get(player.opt_state, "count") > since) & may_move
    return player._replace(opt_state=new_if(old, fresh, player.opt_state))


# What a pass may change: the generator's variables and the discriminator's.
Both: TypeAlias = tuple[Variables, Variables]

# `stepped` or `proposed`, or what calls one: a player after its move, and all that is told by then.
Stepping: TypeAlias = Callable[..., tuple[Player, Metrics]]


class _Painting(NamedTuple):
    """What the generator made of a batch, how to pull at it, and its variables after that."""

    painted: Painted
    pull_back: Callable[[Painted], tuple[Variables]]
    variables: Variables


def _moved(
    optimisers: Mapping[str, Optimiser],
    how: StepConfig,
    rate: Scalar,
    axis_name: str | None,
    name: str,
    player: Player,
    variables: Variables,
    gradients: Variables,
    metrics: Metrics,
    told: Metrics,
    step: Stepping,
) -> tuple[Player, Metrics]:
    """A player after its move, by the gradients and metrics of this device, and all that is told.

    Args:
        told: by all devices, of what came before in this step.
        step: makes it, `stepped` or `proposed`.
    """
    gradients, metrics = averaged_over(axis_name, (gradients, metrics))
    move = Move(variables, gradients, optimisers[name], how.clip, rate)
    return step(name, player, move, told | metrics)


def _played(
    kind: Round,
    players: Mapping[str, Player],
    posed: Posed,
    move: Stepping,
    may_move: Moves,
    moves_others_averages: bool,
    parts: int,
) -> tuple[dict[str, Player], Metrics]:
    """The players after the moves of those who move, and what there is to tell of these.

    The discriminator moves first. The generator runs forward once, or if the batch comes in parts
    once for each who moves; it is judged by the discriminator as it is then, on the same pictures.
    """
    game, movers, _ = kind
    g, d = players["generator"], players["discriminator"]

    def painting(variables: Variables, posed: Posed) -> _Painting:
        def paint(params: Variables) -> tuple[Painted, Variables]:
            return game.paint({**variables, "params": params}, posed)

        return _Painting(*jax.vjp(paint, variables["params"], has_aux=True))

    shared = painting(g.variables, posed) if parts == 1 else None

    def discriminating(kept: Both, posed: Posed) -> tuple[Variables, Both, Metrics]:
        of_g, of_d = kept
        painted, _, of_g = shared or painting(of_g, posed)

        def loss(params: Variables) -> Judged:
            return game.discriminator_loss({**of_d, "params": params}, posed, painted)

        gradients, (of_d, metrics) = jax.grad(loss, has_aux=True)(of_d["params"])
        return gradients, (of_g, of_d), metrics

    def generating(kept: Both, posed: Posed) -> tuple[Variables, Both, Metrics]:
        of_g, of_d = kept
        painted, pull_back, of_g = shared or painting(of_g, posed)
        judge = jax.grad(game.generator_loss, has_aux=True)
        pull, (of_d, metrics) = judge(painted, posed, of_d)
        return pull_back(pull)[0], (of_g, of_d), metrics

    # What the generator keeps beside its parameters moves once, in whoever's turn it is.
    of_g, told = g.variables, {}
    if_whole = partial(stepped, may_move=may_move)
    if "discriminator" in movers:
        gradients, (of_g, of_d), metrics = accumulated(
            discriminating, (g.variables, d.variables), posed, parts
        )
        # Whether it may move is not known before the generator's loss is.
        step = proposed if "generator" in movers else if_whole
        d, told = move("discriminator", d, of_d, gradients, metrics, told, step)
    if "generator" in movers:
        gradients, (of_g, of_d), metrics = accumulated(
            generating, (g.variables, d.variables), posed, parts
        )
        g, told = move("generator", g, of_g, gradients, metrics, told, if_whole)
        if moves_others_averages:
            d = d._replace(variables=of_d)
        d = new_if(may_move & finite(told), d, players["discriminator"])
    elif moves_others_averages:
        g = g._replace(variables=new_if(may_move & finite(told), of_g, g.variables))
    return {"generator": g, "discriminator": d}, told


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
