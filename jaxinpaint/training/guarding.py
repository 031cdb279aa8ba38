"""Steps that break: a loss or an update that is no number, and what is done about it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from jaxinpaint.array_typing import Leaf
from jaxinpaint.recipes.base import Batch, Mean, Metrics, Step, TrainState

OnNaN: TypeAlias = Literal["stop", "skip"]
# A player's own numbers, which tell who is broken.
NORMS = ("_gradient_norm", "_update_norm")


class NotFinite(FloatingPointError):
    """A loss term or an update became infinite or no number."""


class Guarded(NamedTuple):
    """A state that no broken step has touched.

    Attributes:
        state: after the last step that was whole.
        broken: whether a step has broken since, so that no further one is made.
    """

    state: TrainState
    broken: Leaf


def guarded(step: Step, on_nan: OnNaN) -> Callable[[Guarded, Batch], tuple[Guarded, Metrics]]:
    """The step that leaves all players as they were if one of its metrics is not finite.

    It is seen on the device, at once, where the host reads the metrics many steps later.

    Args:
        step: any, whose metrics hold the length of each player's update.
        on_nan: ``stop``: nor are later steps made, so that the state stays the one before the
            broken step. ``skip``: the run goes on with the next step.
    """

    def guarding(before: Guarded, batch: Batch) -> tuple[Guarded, Metrics]:
        state, broken = before
        moved, metrics = step(state, batch)
        breaks = ~_finite(metrics)
        if on_nan == "skip":
            unmoved = replace(state, step=state.step + 1)
            return Guarded(_chosen(breaks, unmoved, moved), broken), metrics
        broken = broken | breaks
        return Guarded(_chosen(broken, state, moved), broken), metrics

    return guarding


def _finite(metrics: Metrics) -> Bool[Array, ""]:
    return jnp.all(jnp.array([jnp.isfinite(mean.total) for mean in metrics.values()]))


def _chosen(which: Bool[Array, ""], one: TrainState, other: TrainState) -> TrainState:
    return jax.tree.map(lambda a, b: jnp.where(which, a, b), one, other)


def problem(metrics: Mapping[str, Mean]) -> str | None:
    """Which terms of a step are not finite, and whose update is broken; None if all is well.

    Args:
        metrics: of one step, on the host.
    """
    wrong = {name: mean.total for name, mean in metrics.items() if not np.isfinite(mean.total)}
    if not wrong:
        return None
    terms = {name: float(value) for name, value in wrong.items() if not name.endswith(NORMS)}
    players = {name.removesuffix(norm) for name in wrong for norm in NORMS if name.endswith(norm)}
    told = [f"{name} = {value}" for name, value in terms.items()]
    told += [f"the update of the {player} is no number" for player in sorted(players)]
    return ", ".join(told)
