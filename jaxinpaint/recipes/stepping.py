"""How steps are made, whatever they train: in parts, at which rate, clipped, in which precision."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Int

from jaxinpaint.array_typing import Scalar, Variables
from jaxinpaint.nets.network import Precision
from jaxinpaint.recipes.base import (
    Batch,
    Mean,
    Metrics,
    Moves,
    Player,
    TrainState,
    averaged_over,
    finite,
    new_if,
)
from jaxinpaint.recipes.optimisers import Optimiser

Tree = TypeVar("Tree")
Kept = TypeVar("Kept")
Part = TypeVar("Part")


@dataclass(frozen=True)
class StepConfig:
    """How steps are made, whatever they train."""

    precision: Precision = "float32"
    """What the networks compute in while they train: bf16 is faster where the hardware has it, and
    takes half the memory. Weights, optimisers, statistics, ratios and losses stay float32, and
    holes are filled in float32."""
    accumulate: int = 1
    """In how many parts a batch goes through the networks, one after the other: as many times less
    memory for one and the same update. What looks at a whole batch (batch normalisation, PAN's
    margin) sees a part."""
    clip: float = 0.0
    """Greatest length of a player's gradient; longer ones are made so long. 0: none is."""
    base_batch: int = 0
    """The batch that learning rates are told for: they are multiplied by --data.batch-size over
    this. 0: they are taken as told."""
    warm_up: int = 0
    """Steps over which learning rates rise to what is told."""
    decay: Literal["none", "linear", "cosine"] = "none"
    """How learning rates fall after that, over --decay-steps, to --decay-to."""
    decay_steps: int = 0
    """Steps of the decay. (They are not taken from --steps, so that a run can be made longer.)"""
    decay_to: float = 0.0
    """The share of the learning rates at the end of the decay, and from there on."""

    def __post_init__(self) -> None:
        """Refuses what can't be."""
        if self.accumulate < 1:
            raise ValueError(f"--accumulate is {self.accumulate}; it must be at least 1")
        for name in ("clip", "base_batch", "warm_up", "decay_steps"):
            if getattr(self, name) < 0:
                told = name.replace("_", "-")
                raise ValueError(f"--{told} is {getattr(self, name)}; it must be 0 or more")
        if not 0 <= self.decay_to <= 1:
            raise ValueError(f"--decay-to is {self.decay_to}; it must be in [0, 1]")
        if (self.decay == "none") != (self.decay_steps == 0):
            raise ValueError("--decay needs --decay-steps, and these need --decay linear or cosine")
        if self.decay == "none" and self.decay_to:
            raise ValueError("--decay-to is not read without --decay linear or cosine")


PLAIN = StepConfig()


def rate_factor(how: StepConfig, step: Int[Array, ""], examples: int) -> Scalar:
    """What learning rates are multiplied by in a step.

    ::

        examples / base batch · min(1, (step + 1) / warm up) · decay(step - warm up)

    The decay goes from 1 to ``decay_to``, on a line or half a cosine. The first factor is the
    linear scaling rule of Goyal et al., Accurate, Large Minibatch SGD, 2017.

    Args:
        how: whichever of these there are.
        step: how many were made before.
        examples: in the whole batch.
    """
    warm = optax.linear_schedule(1 / max(how.warm_up, 1), 1.0, max(how.warm_up - 1, 1))
    match how.decay:
        case "none":
            after = optax.constant_schedule(1.0)
        case "linear":
            after = optax.linear_schedule(1.0, how.decay_to, how.decay_steps)
        case "cosine":
            after = optax.cosine_decay_schedule(1.0, how.decay_steps, how.decay_to)
    factor = optax.join_schedules([warm, after], [how.warm_up])(step)
    return jnp.float32(factor * (examples / how.base_batch if how.base_batch else 1))


def whole_batch(batch: Batch, axis_name: str | None) -> int:
    """How many examples a step sees, on all devices."""
    here = batch.image.shape[0]
    return here if axis_name is None else here * lax.axis_size(axis_name)


class Move(NamedTuple):
    """What a player moves by.

    Attributes:
        variables: what its forward pass gave back: new running averages, the same parameters.
        gradients: of its parameters, averaged over the devices.
        optimiser: its own.
        clip: the greatest length of the gradient (Pascanu et al., On the Difficulty of Training
            Recurrent Neural Networks, ICML 2013); 0: as it is. What is told is its length before.
        rate: multiplies the update.
    """

    variables: Variables
    gradients: Variables
    optimiser: Optimiser
    clip: float = 0.0
    rate: float | Scalar = 1.0


def stepped_alone(
    state: TrainState, move: Move, metrics: Metrics, may_move: Moves = True
) -> tuple[TrainState, Metrics]:
    """The next state where ``generator`` is the only player, which is `stepped`."""
    player, metrics = stepped("generator", state.players["generator"], move, metrics, may_move)
    return replace(state, step=state.step + 1, players={"generator": player}), metrics


def stepped(
    name: str, player: Player, move: Move, metrics: Metrics, may_move: Moves = True
) -> tuple[Player, Metrics]:
    """A player after a step of its optimiser, or as it was if the step breaks.

    It breaks if a number that is told is not finite: one of the metrics, or the length of the
    gradient or of the update. (Adam's moments are chosen before its update is known: of a finite
    gradient both are finite, but at rates next to the greatest float32.)

    Args:
        name: of the player.
        player: as it was.
        move: what it moves by.
        metrics: all that the step has told so far.
        may_move: whether it may move at all.

    Returns:
        the player, and the metrics with both lengths: ``NAME_gradient_norm``, ``NAME_update_norm``.
    """
    known = finite(metrics) & jnp.isfinite(optax.tree.norm(move.gradients))
    moves = may_move & known & jnp.isfinite(move.rate)
    moved, metrics = proposed(name, player, move, metrics, moves)
    chosen = new_if(moves & finite(metrics), moved.variables, player.variables)
    return moved._replace(variables=chosen), metrics


def proposed(
    name: str, player: Player, move: Move, metrics: Metrics, moves: Moves = True
) -> tuple[Player, Metrics]:
    """A player after a step of its optimiser, whatever comes of it: for those who choose later.

    All but ``moves``, whether the optimiser's state is to be the new one, is as in `stepped`.
    """
    gradients, one = move.gradients, jnp.ones(())
    length = optax.tree.norm(gradients)
    if move.clip:
        scale = jnp.minimum(1, move.clip / length)
        gradients = jax.tree.map(lambda gradient: scale * gradient, gradients)
    params = player.variables["params"]
    updates, opt_state = move.optimiser.update(gradients, player.opt_state, params, moves)
    params = jax.tree.map(lambda old, up: (old + move.rate * up).astype(old.dtype), params, updates)
    told = {
        f"{name}_gradient_norm": Mean(length, one),
        # The length of what is not yet multiplied: else XLA would keep both.
        f"{name}_update_norm": Mean(jnp.abs(move.rate) * optax.tree.norm(updates), one),
    }
    return Player({**move.variables, "params": params}, opt_state), metrics | told


def averaged_gradients(
    gradients_of: Callable[[Kept, Part], tuple[Tree, Kept, Metrics]],
    kept: Kept,
    batch: Part,
    parts: int,
    axis_name: str | None,
) -> tuple[Tree, Kept, Metrics]:
    """The gradients of a whole batch, and what it tells: the mean over its parts and all devices.

    Args:
        gradients_of: as in `accumulated`.
        kept: the same; it comes back as this device leaves it.
        batch: the examples of this device.
        parts: in how many they go through the networks.
        axis_name: the mapped axis of the devices; None is the global view.

    Raises:
        ValueError: as `accumulated` does.
    """
    gradients, kept, metrics = accumulated(gradients_of, kept, batch, parts)
    gradients, metrics = averaged_over(axis_name, (gradients, metrics))
    return gradients, kept, metrics


def accumulated(
    gradients_of: Callable[[Kept, Part], tuple[Tree, Kept, Metrics]],
    kept: Kept,
    batch: Part,
    parts: int,
) -> tuple[Tree, Kept, Metrics]:
    """The gradients of a batch that goes through the networks in parts: the mean of the parts'.

    Examples of all devices are in each part: of every ``parts`` neighbours each is in another.

    Args:
        gradients_of: ``(kept, part of the batch) -> (gradients, kept, metrics)``.
        kept: what a pass may change, such as running averages; each part finds it as the one before
            left it.
        batch: arrays, all with the examples along their first axis.
        parts: how many; 1 is a plain call.

    Raises:
        ValueError: if the examples on a device do not divide into so many parts.
    """
    if parts == 1:
        return gradients_of(kept, batch)
    examples = jax.tree.leaves(batch)[0].shape[0]
    if examples % parts:
        raise ValueError(f"a batch of {examples} on a device does not divide into {parts} parts")
    # Neighbours are torn apart, not halves: so each device cuts up its own examples.
    cut = jax.tree.map(
        lambda x: x.reshape(examples // parts, parts, *x.shape[1:]).swapaxes(0, 1), batch
    )

    def add(carry: tuple[Kept, Any], part: Part) -> tuple[tuple[Kept, Any], None]:
        kept, total = carry
        gradients, kept, metrics = gradients_of(kept, part)
        return (kept, jax.tree.map(jnp.add, total, (gradients, metrics))), None

    first = jax.tree.map(lambda x: x[0], cut)
    gradients, _, metrics = jax.eval_shape(gradients_of, kept, first)
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), (gradients, metrics))
    (kept, (gradients, metrics)), _ = lax.scan(add, (kept, zeros), cut)
    return jax.tree.map(lambda x: x / parts, gradients), kept, metrics
