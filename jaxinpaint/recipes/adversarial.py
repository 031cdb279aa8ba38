"""A generator against a discriminator: the steps of both, together or alone."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxinpaint.array_typing import Logits, RandomKey, Scalar, Variables
from jaxinpaint.nets.network import Network
from jaxinpaint.recipes.base import (
    Batch,
    Mean,
    Metrics,
    Player,
    TrainState,
    averaged_over,
    stepped,
)

BOTH = frozenset({"generator", "discriminator"})

# A loss, with the judge's variables after its passes and what there is to tell.
Judged = tuple[Scalar, tuple[Variables, Metrics]]


class Game(NamedTuple):
    """What two players play for, as pure functions. What is posed and painted may be any tree.

    Attributes:
        pose: ``(key, batch) -> posed``: what the generator is shown and should paint.
        paint: ``(generator's variables, posed) -> (painted, variables)``.
        tell_apart: ``(discriminator's variables, posed, painted) -> (loss, (variables, metrics))``,
            which the discriminator minimises.
        pass_for_real: ``(painted, posed, discriminator's variables) -> (loss, (variables,
            metrics))``, which the generator minimises.
    """

    pose: Callable[[RandomKey, Batch], Any]
    paint: Callable[[Variables, Any], tuple[Any, Variables]]
    tell_apart: Callable[[Variables, Any, Any], Judged]
    pass_for_real: Callable[[Any, Any, Variables], Judged]


def start(
    key: RandomKey,
    size: tuple[int, int],
    networks: Mapping[str, Network],
    optimisers: Mapping[str, optax.GradientTransformation],
) -> TrainState:
    """The state before the first step.

    Args:
        key: of all that is drawn.
        size: height and width of the pictures that the generator is shown.
        networks: by player; the discriminator is made for what the generator paints.
        optimisers: by player.
    """
    generator_key, discriminator_key, run_key = jax.random.split(key, 3)
    shown = jnp.zeros((1, *size, 3))
    of_g = networks["generator"].init(generator_key, shown)
    painted = jax.eval_shape(lambda: networks["generator"].apply(of_g, shown)[0])
    of_d = networks["discriminator"].init(discriminator_key, jnp.zeros(painted.shape))
    players = {
        name: Player(variables, optimisers[name].init(variables["params"]))
        for name, variables in {"generator": of_g, "discriminator": of_d}.items()
    }
    return TrainState(jnp.zeros((), jnp.int32), run_key, players)


def play(
    game: Game,
    optimisers: Mapping[str, optax.GradientTransformation],
    state: TrainState,
    batch: Batch,
    *,
    movers: frozenset[str] = BOTH,
    moves_others_averages: bool,
    axis_name: str | None,
) -> tuple[TrainState, Metrics]:
    """One step of the game: the discriminator's update, then the generator's, or one of them.

    The generator runs forward once. Its update is judged by the discriminator as it is after its
    own, on the same pictures.

    Args:
        game: what it is about.
        optimisers: by player.
        state: with the players ``generator`` and ``discriminator``.
        batch: of pictures.
        movers: the players who make a step; of the others nothing is told.
        moves_others_averages: whether a player's turn also moves the running averages of the other,
            whose batch statistics it uses.
        axis_name: the mapped axis over which gradients are averaged.
    """
    g, d = state.players["generator"], state.players["discriminator"]
    posed = game.pose(jax.random.fold_in(state.key, state.step), batch)

    def paint(params: Variables) -> tuple[Any, Variables]:
        return game.paint({**g.variables, "params": params}, posed)

    painted, pull_back, after_painting = jax.vjp(paint, g.variables["params"], has_aux=True)

    def discriminate(g: Player, d: Player) -> tuple[Player, Player, Metrics]:
        def loss(params: Variables) -> Judged:
            return game.tell_apart({**d.variables, "params": params}, posed, painted)

        gradients, (variables, metrics) = jax.grad(loss, has_aux=True)(d.variables["params"])
        gradients, metrics = averaged_over(axis_name, (gradients, metrics))
        d, norms = stepped("discriminator", d, variables, gradients, optimisers["discriminator"])
        if moves_others_averages:
            g = g._replace(variables=after_painting)
        return g, d, metrics | norms

    def generate(g: Player, d: Player) -> tuple[Player, Player, Metrics]:
        judge = jax.grad(game.pass_for_real, has_aux=True)
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
    players = {"generator": g, "discriminator": d}
    return replace(state, step=state.step + 1, players=players), metrics


def told_apart(real: Logits, fake: Logits) -> Metrics:
    """How often a discriminator is right: half each where it knows nothing, 1 where it has won."""
    n = jnp.float32(real.shape[0])
    return {
        "right_about_real": Mean(jnp.sum(real > 0, dtype=jnp.float32), n),
        "right_about_fake": Mean(jnp.sum(fake < 0, dtype=jnp.float32), n),
    }
