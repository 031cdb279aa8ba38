"""A trial of training: whether reading keeps up, and one batch can be learned by heart."""

import math
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxinpaint.array_typing import Hole, Scalar, Variables
from jaxinpaint.doctor.findings import Finding, judged
from jaxinpaint.evaluation import held_out
from jaxinpaint.objectives.pixel import l1
from jaxinpaint.ops.compositing import from_bytes
from jaxinpaint.recipes.base import Batch, Crops, Recipe, Step, Window
from jaxinpaint.training.guarding import Guarded, guarded
from jaxinpaint.training.parallel import (
    Compiled,
    Placement,
    compile_init,
    compile_step,
    to_devices,
)

READ_FIRST = 8  # batches that do not count: some of them were read ahead
ENOUGH = 1.5  # times as fast as steps should reading be, on a machine that does nothing else
LEARNED = 0.7  # of its first error that is left of a batch that is being learned by heart
FEWEST_STEPS = 30  # from which on not learning says anything
READ_FASTER = (
    "more --data.workers, pictures at the scale of training (`jaxinpaint prepare --short-side`), "
    "or a faster disk"
)


class Trial(NamedTuple):
    """What a trial showed.

    Attributes:
        read: pictures a second that were read.
        trained: pictures a second that were trained on.
        steps: how many steps were made.
        losses: of the steps that have one.
        error: of what is made of the batch, before and after.
    """

    read: float
    trained: float
    steps: int
    losses: tuple[float, ...]
    error: tuple[float, float]


def reading_speed(crops: Iterator[Crops], *, seconds: float) -> float:
    """Pictures a second over some seconds, once reading is under way."""
    for _ in islice(crops, READ_FIRST):
        pass
    started, pictures = time.perf_counter(), 0
    while (passed := time.perf_counter() - started) < seconds:
        pictures += len(next(crops).image)
    return pictures / passed


class Ready(NamedTuple):
    """A trial that can begin.

    Attributes:
        recipe: what is trained.
        batch: what it is trained on.
        guard: the first state.
        steps: of training, compiled: all kinds of the run's last stage, in which all moves.
        first: the number of the trial's first step, as a step of the run.
        step_bytes: what a compiled step takes on each device, where that is told.
    """

    recipe: Recipe
    batch: Batch
    guard: Guarded
    steps: dict[Step, Compiled]
    first: int
    step_bytes: int | None


def prepare(
    recipe: Recipe,
    crops: Crops,
    placement: Placement,
    *,
    size: tuple[int, int],
    seed: int,
    last: int,
) -> Ready:
    """Compiles what a trial needs.

    Args:
        recipe: what is trained, made for the placement's axis.
        crops: a batch of training pictures.
        placement: on which devices.
        size: of these.
        seed: of the weights.
        last: the number of the run's last step.
    """
    batch = to_devices(crops, placement)
    state = compile_init(recipe.init, placement)(jax.random.key(seed), size)
    first = max([begin for _, begin in recipe.stages if begin <= last], default=0)
    kinds = dict.fromkeys(recipe.step_at(first + i) for i in range(FEWEST_STEPS))
    guard = Guarded(state, jax.device_put(jnp.zeros((), bool), placement.replicated))
    steps = {kind: compile_step(guarded(kind, "stop"), placement, guard, batch) for kind in kinds}
    taken = [step.bytes for step in steps.values() if step.bytes is not None]
    return Ready(recipe, batch, guard, steps, first, max(taken, default=None))


def try_out(ready: Ready, *, read: float, seconds: float) -> Trial:
    """Trains on one batch again and again.

    Args:
        ready: what `prepare` gives. Its state is used up.
        read: pictures a second that are read.
        seconds: how long to train; at least two steps are made.
    """
    batch, guard = ready.batch, ready.guard
    error = jax.jit(_error(ready.recipe, batch))
    before = float(error(guard.state.generator))
    losses: list[float] = []
    steps, trained = 0, 0.0
    while steps < 2 or trained < seconds:
        step = ready.steps[ready.recipe.step_at(ready.first + steps)]
        started = time.perf_counter()
        guard, metrics = step.call(guard, batch)
        told = jax.device_get(metrics)
        trained += time.perf_counter() - started
        steps += 1
        losses += [float(told["loss"].total / told["loss"].n)] if "loss" in told else []
    return Trial(
        read,
        steps * batch.image.shape[0] / trained,
        steps,
        tuple(losses),
        (before, float(error(guard.state.generator))),
    )


def _error(recipe: Recipe, batch: Batch) -> Callable[[Variables], Scalar]:
    """What tells how well a batch is made: the mean absolute difference, in its holes."""
    truth = from_bytes(batch.image)
    if recipe.translate is not None and batch.source is not None:
        translate, source = recipe.translate, from_bytes(batch.source)
        return lambda variables: jnp.mean(l1(translate(variables, source), truth))
    if recipe.inpaint is None:
        raise ValueError("this recipe makes pictures from others: say where, --data.pairs")
    inpaint, hole = recipe.inpaint, _hole(recipe, batch)
    return lambda variables: jnp.mean(
        l1(inpaint(variables, truth, hole).output, truth, region=hole, denominator="region")
    )


def _hole(recipe: Recipe, batch: Batch) -> Hole:
    """A hole that the recipe can fill: the batch's own, all that it can fill, or any."""
    if batch.hole is not None:
        return batch.hole
    margin = recipe.takes.margin if isinstance(recipe.takes, Window) else 0
    number, height, width, _ = batch.image.shape
    return jnp.asarray(held_out.fixed_holes((number, height, width), margin=margin))


def judge(trial: Trial, seconds: float) -> Iterator[Finding]:
    """Findings about a trial that trained for some seconds."""
    times = trial.read / trial.trained
    yield judged(
        "reading",
        f"{trial.read:.0f} pictures a second are read, {trial.trained:.1f} trained on: "
        f"{times:.1f} times as many",
        warn="" if times >= ENOUGH else READ_FASTER,
        fail="" if times >= 1 else f"steps will wait for pictures: {READ_FASTER}",
    )
    before, after = trial.error
    found = f"{trial.steps} steps on one batch in {seconds:.0f} s took the error in its holes from "
    found += f"{before:.3f} to {after:.3f}"
    if trial.losses:
        found += f", the loss from {trial.losses[0]:.4g} to {trial.losses[-1]:.4g}"
    if not np.all(np.isfinite([after, *trial.losses])):
        remedy = "lower --recipe.learning-rate"
        yield judged("one batch", f"{found}: no number any more", fail=remedy)
    elif trial.steps < FEWEST_STEPS:
        longer = math.ceil(max(seconds, 1.0) * 2 * FEWEST_STEPS / trial.steps)
        remedy = f"too few steps to say anything: give it longer, --seconds {longer}"
        yield judged("one batch", found, warn=remedy)
    else:
        remedy = (
            "one batch should be learned by heart: look at the learning rate, and at the weights "
            "of the terms"
        )
        yield judged(
            "one batch",
            found,
            warn=remedy if after > LEARNED * before else "",
            fail=remedy if after >= before else "",
        )
