"""Steps that break: a loss or an update that is no number, and what is done about it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal, NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np

from jaxinpaint.array_typing import Leaf
from jaxinpaint.recipes.base import Batch, Mean, Metrics, Step, TrainState, finite

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
    """The step that is made if none before it has broken.

    A step that breaks leaves all players as they were (`Recipe.step_at`). It is seen on the device,
    at once, where the host reads the metrics many steps later.

    Args:
        step: one that keeps to that, as `stepping.stepped` does for a player.
        on_nan: ``stop``: after a broken step no later ones are made, so that the state stays the
            one before it. ``skip``: the run goes on with the next step.
    """

    def guarding(before: Guarded, batch: Batch) -> tuple[Guarded, Metrics]:
        state, broken = before
        moved, metrics = step(state, batch, ~broken)
        if on_nan == "skip":
            return Guarded(moved, broken), metrics
        broken = broken | ~finite(metrics)
        number = jnp.where(broken, state.step, moved.step)
        return Guarded(replace(moved, step=number), broken), metrics

    return guarding


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
