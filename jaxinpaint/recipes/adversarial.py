"""A generator against a discriminator: the steps of both, together or alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxinpaint.array_typing import Image, Logits, PerImage, RandomKey, Scalar, Variables
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

# Who moves, step by step, over and over.
TOGETHER = (frozenset({"discriminator", "generator"}),)
IN_TURN = (frozenset({"discriminator"}), frozenset({"generator"}), *TOGETHER)

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

    paint: Callable[[Variables, Posed], tuple[Image, Variables]]
    discriminator_loss: Callable[[Variables, Posed, Image], Judged]
    generator_loss: Callable[[Image, Posed, Variables], Judged]


class Side(NamedTuple):
    """A player's network and optimiser."""

    network: Network
    optimiser: optax.GradientTransformation


def adversarial(
    task: Task,
    game: Game,
    generator: Side,
    discriminator: Side,
    *,
    turns: Sequence[frozenset[str]] = TOGETHER,
    moves_others_averages: bool,
    axis_name: str | None,
) -> Recipe:
    """The recipe of a game: two players, ``generator`` and ``discriminator``.

    Args:
        task: what the generator is shown, and should paint.
        game: what the players minimise.
        generator: whose network makes pictures from pictures.
        discriminator: whose network is given pictures as the generator paints them.
        turns: who moves in step i: ``turns[i % len(turns)]``.
        moves_others_averages: whether a player's turn also moves the running averages of the other,
            whose batch statistics it uses.
        axis_name: the mapped axis over which gradients are averaged.
    """
    sides = {"generator": generator, "discriminator": discriminator}

    def moving(movers: frozenset[str]) -> Step:
        def step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
            posed = task.pose(jax.random.fold_in(state.key, state.step), batch)
            players, metrics = _played(
                game, sides, state.players, posed, movers, moves_others_averages, axis_name
            )
            return replace(state, step=state.step + 1, players=players), metrics

        return step

    steps = [moving(movers) for movers in turns]
    return Recipe(
        init=partial(_start, sides),
        step_at=lambda number: steps[number % len(steps)],
        takes=task.takes,
        inpaint=task.inpaint and partial(task.inpaint, generator.network),
        translate=task.translate and partial(task.translate, generator.network),
    )


def _start(sides: Mapping[str, Side], key: RandomKey, size: tuple[int, int]) -> TrainState:
    """The state before the first step, for pictures of a size that the generator is shown."""
    generator_key, discriminator_key, run_key = jax.random.split(key, 3)
    shown = jnp.zeros((1, *size, 3))
    generator = sides["generator"].network
    of_g = generator.init(generator_key, shown)
    painted = jax.eval_shape(lambda: generator.apply(of_g, shown)[0])
    of_d = sides["discriminator"].network.init(discriminator_key, jnp.zeros(painted.shape))
    players = {
        name: Player(variables, sides[name].optimiser.init(variables["params"]))
        for name, variables in {"generator": of_g, "discriminator": of_d}.items()
    }
    return TrainState(jnp.zeros((), jnp.int32), run_key, players)


def _played(
    game: Game,
    sides: Mapping[str, Side],
    players: Mapping[str, Player],
    posed: Posed,
    movers: frozenset[str],
    moves_others_averages: bool,
    axis_name: str | None,
) -> tuple[dict[str, Player], Metrics]:
    """The players after the moves of those who move, and what there is to tell of these.

    The discriminator moves first. The generator runs forward once; it is judged by the
    discriminator as it is then, on the same pictures.
    """
    g, d = players["generator"], players["discriminator"]

    def paint(params: Variables) -> tuple[Image, Variables]:
        return game.paint({**g.variables, "params": params}, posed)

    painted, pull_back, after_painting = jax.vjp(paint, g.variables["params"], has_aux=True)

    def discriminate(g: Player, d: Player) -> tuple[Player, Player, Metrics]:
        def loss(params: Variables) -> Judged:
            return game.discriminator_loss({**d.variables, "params": params}, posed, painted)

        gradients, (variables, metrics) = jax.grad(loss, has_aux=True)(d.variables["params"])
        gradients, metrics = averaged_over(axis_name, (gradients, metrics))
        d, norms = stepped(
            "discriminator", d, variables, gradients, sides["discriminator"].optimiser
        )
        if moves_others_averages:
            g = g._replace(variables=after_painting)
        return g, d, metrics | norms

    def generate(g: Player, d: Player) -> tuple[Player, Player, Metrics]:
        judge = jax.grad(game.generator_loss, has_aux=True)
        pull, (judged, metrics) = judge(painted, posed, d.variables)
        gradients, metrics = averaged_over(axis_name, (pull_back(pull)[0], metrics))
        optimiser = sides["generator"].optimiser
        g, norms = stepped("generator", g, after_painting, gradients, optimiser)
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
    n = jnp.float32(losses.size)
    return {
        "discriminator": Mean(jnp.sum(losses), n),
        "right_about_real": Mean(jnp.sum(of_real > 0, dtype=jnp.float32), n),
        "right_about_fake": Mean(jnp.sum(of_fake < 0, dtype=jnp.float32), n),
    }
