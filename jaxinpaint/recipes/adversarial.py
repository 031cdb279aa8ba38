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
    finite,
    new_if,
)
from jaxinpaint.recipes.optimisers import Optimiser
from jaxinpaint.recipes.stepping import (
    Move,
    StepConfig,
    averaged_gradients,
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


# By player.
AllVariables: TypeAlias = dict[str, Variables]

# A player's gradients, all variables after the passes that they took, and what there is to tell.
Gradients: TypeAlias = tuple[Variables, AllVariables, Metrics]

# Of a batch or a part of it, from all variables before.
GradientsOf: TypeAlias = Callable[[AllVariables, Posed], Gradients]

# ``(name, gradients_of, variables before) -> (move, variables after, metrics)``, of a whole batch.
Turn: TypeAlias = Callable[[str, GradientsOf, AllVariables], tuple[Move, AllVariables, Metrics]]


class _Painting(NamedTuple):
    """What the generator made of a batch, how to pull at it, and its variables after that."""

    painted: Painted
    pull_back: Callable[[Painted], tuple[Variables]]
    variables: Variables


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

            def turn(
                name: str, gradients_of: GradientsOf, variables: AllVariables
            ) -> tuple[Move, AllVariables, Metrics]:
                gradients, after, metrics = averaged_gradients(
                    gradients_of, variables, posed, how.accumulate, axis_name
                )
                move = Move(after[name], gradients, optimisers[name], how.clip, rate)
                return move, after, metrics

            # One forward pass serves both, but where each part of a batch has its own.
            whole = how.accumulate == 1
            shared = _painting(kind.game, players["generator"].variables, posed) if whole else None
            players, metrics = _played(kind, players, turn, shared, may_move, moves_others_averages)
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


def _played(
    kind: Round,
    players: Mapping[str, Player],
    turn: Turn,
    shared: _Painting | None,
    may_move: Moves,
    moves_others_averages: bool,
) -> tuple[dict[str, Player], Metrics]:
    """The players after the moves of those who move, and what there is to tell of these.

    The discriminator moves first; the generator is judged by it as it is then, on the same
    pictures. What the generator keeps beside its parameters moves once, in whoever's turn it is.
    """
    g, d = players["generator"], players["discriminator"]
    before, told = {name: player.variables for name, player in players.items()}, {}
    if "discriminator" in kind.movers:
        gradients_of = partial(_discriminating, kind.game, shared)
        move, after, told = turn("discriminator", gradients_of, before)
        if "generator" in kind.movers:  # whether it may move is known once that has its loss
            d, told = proposed("discriminator", d, move, told)
        else:
            d, told = stepped("discriminator", d, move, told, may_move)
            if moves_others_averages:
                kept = new_if(may_move & finite(told), after["generator"], g.variables)
                g = g._replace(variables=kept)
    if "generator" in kind.movers:
        gradients_of = partial(_generating, kind.game, shared)
        move, after, metrics = turn(
            "generator", gradients_of, before | {"discriminator": d.variables}
        )
        g, told = stepped("generator", g, move, told | metrics, may_move)
        if moves_others_averages:
            d = d._replace(variables=after["discriminator"])
        d = new_if(may_move & finite(told), d, players["discriminator"])
    return {"generator": g, "discriminator": d}, told


def _painting(game: Game, variables: Variables, posed: Posed) -> _Painting:
    def paint(params: Variables) -> tuple[Painted, Variables]:
        return game.paint({**variables, "params": params}, posed)

    return _Painting(*jax.vjp(paint, variables["params"], has_aux=True))


def _discriminating(
    game: Game, shared: _Painting | None, variables: AllVariables, posed: Posed
) -> Gradients:
    """The discriminator's, on what the generator made of a batch, or makes of it now."""
    painted, _, of_g = shared or _painting(game, variables["generator"], posed)
    of_d = variables["discriminator"]

    def loss(params: Variables) -> Judged:
        return game.discriminator_loss({**of_d, "params": params}, posed, painted)

    gradients, (of_d, metrics) = jax.grad(loss, has_aux=True)(of_d["params"])
    return gradients, {"generator": of_g, "discriminator": of_d}, metrics


def _generating(
    game: Game, shared: _Painting | None, variables: AllVariables, posed: Posed
) -> Gradients:
    """The generator's, through the discriminator."""
    painted, pull_back, of_g = shared or _painting(game, variables["generator"], posed)
    judge = jax.grad(game.generator_loss, has_aux=True)
    pull, (of_d, metrics) = judge(painted, posed, variables["discriminator"])
    return pull_back(pull)[0], {"generator": of_g, "discriminator": of_d}, metrics


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
