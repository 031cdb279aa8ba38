"""Optimisers that can be told to stay as they are."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from jaxinpaint.array_typing import Variables
from jaxinpaint.recipes.base import Moves, new_if

Update: TypeAlias = Callable[
    [Variables, optax.OptState, Variables, Moves], tuple[Variables, optax.OptState]
]


class Optimiser(NamedTuple):
    """What makes updates of gradients, as pure functions.

    Attributes:
        init: ``parameters -> state``.
        update: ``(gradients, state, parameters, moves) -> (updates, state)``, where the state stays
            what it was if ``moves`` is false, which it is where a gradient is not finite. The
            updates may then be anything. Of finite gradients comes a finite state.
    """

    init: Callable[[Variables], optax.OptState]
    update: Update


def adam(
    learning_rate: float, *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8
) -> Optimiser:
    """Adam (Kingma and Ba, ICLR 2015), which chooses its moments before it makes updates of them.

    ::

        m ← β₁ m + (1 - β₁) g,  v ← β₂ v + (1 - β₂) g²
        update = -rate · m / (1 - β₁ᵗ) / (√(v / (1 - β₂ᵗ)) + ε)

    The same as `optax.adam`, with the same state. That one's moments can be chosen only after the
    update: then the old ones and the new ones are there at once, as much memory as the parameters
    take twice.

    Args:
        learning_rate: of the update.
        b1, b2: how much of the moments stays in a step, in [0, 1).
        eps: keeps the quotient finite; above 0.

    Raises:
        ValueError: for a rate that is not finite, or others that are not in these ranges.
    """
    if not (math.isfinite(learning_rate) and 0 <= b1 < 1 and 0 <= b2 < 1 and eps > 0):
        raise ValueError(
            f"Adam with a learning rate of {learning_rate}, b1 = {b1}, b2 = {b2}, eps = {eps}: the "
            "rate must be finite, b1 and b2 in [0, 1), and eps above 0"
        )

    def init(params: Variables) -> optax.OptState:
        m, v = (jax.tree.map(jnp.zeros_like, params) for _ in range(2))
        # As in Optax, so that checkpoints of either are the other's too.
        return optax.ScaleByAdamState(jnp.zeros((), jnp.int32), m, v), optax.EmptyState()

    def update(
        gradients: Variables, state: Any, params: Variables, moves: Moves
    ) -> tuple[Variables, optax.OptState]:
        (count, m, v), rest = state

        def first(m: Array, g: Array) -> Array:
            return jnp.where(moves, b1 * m + (1 - b1) * g, m)

        def second(v: Array, g: Array) -> Array:
            # Not of g²: XLA would keep that, for it is needed for the gradient's length too.
            return jnp.where(moves, b2 * v + (1 - b2) * g * g, v)

        def made_of(m: Array, v: Array) -> Array:
            return -learning_rate * (m / (1 - b1**t)) / (jnp.sqrt(v / (1 - b2**t)) + eps)

        count = jnp.where(moves, count + 1, count)
        t = jnp.maximum(count, 1)  # before the first step too the update is a number
        m, v = jax.tree.map(first, m, gradients), jax.tree.map(second, v, gradients)
        return jax.tree.map(made_of, m, v), (optax.ScaleByAdamState(count, m, v), rest)

    return Optimiser(init, update)


def from_optax(optimiser: optax.GradientTransformation) -> Optimiser:
    """Any optimiser of Optax's, whose state is chosen after its update."""

    def update(
        gradients: Variables, state: optax.OptState, params: Variables, moves: Moves
    ) -> tuple[Variables, optax.OptState]:
        made: Any = optimiser.update(gradients, state, params)
        updates, moved = made
        moves &= jnp.isfinite(optax.tree.norm(updates))
        return updates, new_if(moves, moved, state)

    return Optimiser(optimiser.init, update)
