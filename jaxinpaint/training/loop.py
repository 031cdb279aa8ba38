"""The training loop: batches through a compiled step, reports, checkpoints."""

import logging
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxinpaint.array_typing import RGB, Variables
from jaxinpaint.recipes.base import Batch, Crops, Recipe, Step, TrainState
from jaxinpaint.training.beginning import starting_from
from jaxinpaint.training.checkpoints import Checkpoints, open_checkpoints
from jaxinpaint.training.failures import write_failure
from jaxinpaint.training.flops import matrix_rate
from jaxinpaint.training.guarding import Guarded, NotFinite, OnNaN, guarded
from jaxinpaint.training.parallel import (
    Compiled,
    Parallel,
    Placement,
    ahead,
    compile_init,
    compile_step,
    to_devices,
)
from jaxinpaint.training.profiling import profiler, steps_of
from jaxinpaint.training.reports import Reports, open_reports
from jaxinpaint.training.stopping import Stop, stop_signal
from jaxinpaint.training.window import Broken, Window

log = logging.getLogger(__name__)

# A score of held-out pictures, of their holes but for ssim.
Best = Literal["psnr", "l1", "ssim", "seam"]

# Steps that break one after the other before a run that skips them is stopped all the same.
MOST_SKIPPED = 100


@dataclass(frozen=True)
class LoopConfig:
    """How long to train and on what, and how often to tell and to save."""

    steps: int = 500_000
    """How many steps the run has."""
    log_every: int = 100
    """Steps between two lines of metrics."""
    sample_every: int = 2_500
    """Steps between two sample grids, and two scores of the held-out pictures."""
    checkpoint_every: int = 2_500
    """Steps between two checkpoints."""
    keep: int = 3
    """How many of the latest checkpoints stay on disk."""
    parallel: Parallel = "jit"
    """How a step is compiled for several devices: as one program over all of them, or as the same
    one on replicas. The result is the same (docs/scaling.md)."""
    shard_params: bool = False
    """Jit: whether each device keeps a part of the weights and of what the optimisers know of them
    instead of all, for networks that do not fit otherwise."""
    on_nan: OnNaN = "stop"
    """What happens at a step whose loss, gradient or update is no number. stop: the run ends, and
    what led to it is written down. skip: all stays as it was, and the run goes on."""
    best: Best = "psnr"
    """By which score of the held-out pictures the best network is kept, in RUN/best.safetensors."""
    profile: str = ""
    """Steps of which a profiler's trace is written, FIRST:LAST, such as 10:15."""
    compile_cache: bool = True
    """Whether compiled programs are kept for later starts, in JAXINPAINT_CACHE, the user's cache or
    where JAX_COMPILATION_CACHE_DIR says."""

    def __post_init__(self) -> None:
        """Refuses numbers below one, and a trace of no steps."""
        for name in ("steps", "log_every", "sample_every", "checkpoint_every", "keep"):
            if getattr(self, name) < 1:
                told = name.replace("_", "-")
                raise ValueError(f"--{told} is {getattr(self, name)}; it must be at least 1")
        if self.profile:
            steps_of(self.profile)


class Trained(NamedTuple):
    """How a run ended."""

    state: TrainState
    stopped: bool
    """Whether it was told to stop before its last step."""


def train(
    recipe: Recipe,
    config: LoopConfig,
    placement: Placement,
    *,
    folder: Path,
    size: tuple[int, int],
    seed: int,
    crops_from: Callable[[int], Generator[Crops]],
    sample: Callable[[Variables], RGB] | None = None,
    judge: Callable[[int, Variables], Mapping[str, float]] | None = None,
    weights: Callable[[], Mapping[str, Variables]] | None = None,
    dtype: DTypeLike = jnp.float32,
) -> Trained:
    """Trains until the last step, from the newest checkpoint in the folder or from the start.

    The weights after any step depend on the recipe, the seed and the data alone: on the same
    devices and versions, a run that was killed and goes on ends with the same bits as one that
    never was (on a GPU this takes ``XLA_FLAGS=--xla_gpu_deterministic_ops=true``). Several
    processes call this together, each with its part of the batches; all of them draw samples and
    judge, and the first one writes.

    Args:
        recipe: what to train, made for the placement's axis.
        config: how long, and how often to report and save.
        placement: on which devices.
        folder: of the run: ``checkpoints/``, ``metrics.jsonl``, ``events/``, ``samples/``.
        size: height and width of the training pictures.
        seed: of the weights and of everything drawn in a step.
        crops_from: from the number of the first step, this process's part of that step's batch and
            of every later one.
        sample: draws a picture to look at, from the variables that fill holes.
        judge: scores these variables, as often as pictures are drawn; it is told the step.
        weights: reads the variables of players, by name, that the first step finds in place of
            random ones.
        dtype: what the networks compute in: how fast the devices could be is measured in it.

    Raises:
        NotFinite: if a loss term or an update becomes infinite or no number.
        ValueError: if the checkpoints in the folder or the given weights do not fit the recipe, or
            the batch does not divide among the devices.
    """
    init = compile_init(recipe.init, placement)
    key = jax.random.key(seed)
    shapes = jax.eval_shape(lambda key: recipe.init(key, size), key)
    with (
        # Until the last checkpoint is written: whoever is told to stop is told so more than once.
        stop_signal() as stop,
        open_checkpoints(folder / "checkpoints", keep=config.keep) as checkpoints,
    ):
        state = checkpoints.restore_latest(placement.abstract(shapes))
        if state is None:
            state = init(key, size)
            if weights is not None:
                state = starting_from(weights(), state, placement, recipe.dispensable)
                # From here on the run needs nothing of where they came from.
                checkpoints.save(state, 0)
        first = int(state.step)
        with (
            closing(crops_from(first)) as crops,
            open_reports(folder, first=first, last=config.steps) as reports,
        ):
            run = _Run(
                recipe,
                config,
                placement,
                folder,
                crops_from,
                checkpoints,
                reports,
                sample,
                judge,
                dtype,
            )
            batches = ahead(to_devices(part, placement) for part in crops)
            return _run_steps(run, state, batches, stop)


class _Run(NamedTuple):
    """What stays the same from step to step."""

    recipe: Recipe
    config: LoopConfig
    placement: Placement
    folder: Path
    crops_from: Callable[[int], Generator[Crops]]
    checkpoints: Checkpoints
    reports: Reports
    sample: Callable[[Variables], RGB] | None
    judge: Callable[[int, Variables], Mapping[str, float]] | None
    dtype: DTypeLike


def _run_steps(run: _Run, state: TrainState, batches: Iterator[Batch], stop: Stop) -> Trained:
    config, reports = run.config, run.reports
    guard = Guarded(state, jax.device_put(jnp.zeros((), bool), run.placement.replicated))
    compiled: dict[Step, Compiled] = {}
    step = int(state.step)
    window, stopping = Window(step), False
    streak: list[Broken] = []
    if config.profile and not step < steps_of(config.profile)[0] <= config.steps:
        reports.say(f"no trace: steps {config.profile} do not come between {step} and the last one")
    with profiler(config.profile, run.folder / "profile") as profile:
        while step < config.steps and not stopping:
            with window.waiting():
                batch = next(batches)
            kind = run.recipe.step_at(step)
            if kind not in compiled:
                with window.left_out():
                    compiled[kind] = _compile(run, kind, guard, batch)
            profile.before(step + 1)
            guard, metrics = compiled[kind].call(guard, batch)
            step += 1
            window.add(metrics, examples=batch.image.shape[0], flops=compiled[kind].flops)
            reports.advance()
            if profile.after(step, metrics):
                reports.say(f"the trace of steps {config.profile}: {run.folder / 'profile'}")
            last = step == config.steps
            # Asked once a step: a signal that comes later than here is seen after the next one.
            stopping = stop(step)
            saves = last or stopping or step % config.checkpoint_every == 0
            # Before a checkpoint always: what is not finite is never saved.
            if saves or step % config.log_every == 0:
                told = window.close(config.steps - step, matrix_rate(run.dtype))
                streak = _streak(streak, told.broken)
                if told.broken and config.on_nan == "stop":
                    raise _not_finite(run, guard.state, told.broken[0])
                if len(streak) >= MOST_SKIPPED:
                    raise _not_finite(run, guard.state, streak[0])
                reports.skipped(told.broken)
                reports.scalars(step, told.values)
                run.checkpoints.check()
            # All there is to tell of a step is told before its checkpoint: a run that is killed in
            # between goes on from an earlier one, and tells it again.
            if last or step % config.sample_every == 0:
                with window.left_out():
                    _show(run, step, guard.state)
            if saves:
                run.checkpoints.save(guard.state, step)
    return Trained(guard.state, stopped=stopping and step < config.steps)


def _compile(run: _Run, kind: Step, guard: Guarded, batch: Batch) -> Compiled:
    started = time.perf_counter()
    compiled = compile_step(guarded(kind, run.config.on_nan), run.placement, guard, batch)
    seconds = time.perf_counter() - started
    run.reports.say(
        f"compiled in {seconds:.1f} s: a step of {compiled.flops / 1e9:.4g} Gflop for "
        f"{batch.image.shape[0]} pictures"
    )
    matrix_rate(run.dtype)  # measured now, while the devices do nothing else
    return compiled


def _streak(streak: list[Broken], broken: Sequence[Broken]) -> list[Broken]:
    """The last broken steps that follow one another; more than enough of them as soon as there are.

    Args:
        streak: those before.
        broken: later ones.
    """
    for step in broken:
        if len(streak) >= MOST_SKIPPED:
            break
        follows = streak and streak[-1].step == step.step - 1
        streak = [*streak, step] if follows else [step]
    return streak


def _show(run: _Run, step: int, state: TrainState) -> None:
    if run.judge is None and run.sample is None:
        return
    variables = run.placement.here(state.generator)
    try:
        if run.judge is not None:
            run.reports.scores(step, run.judge(step, variables))
        if run.sample is not None:
            run.reports.picture(step, run.sample(variables))
    # Such as for lack of memory: no reason to lose a run.
    except jax.errors.JaxRuntimeError as error:
        log.warning("nothing is shown of step %d: %s", step, error)


def _not_finite(run: _Run, state: TrainState, first: Broken) -> NotFinite:
    """Writes down what led to a broken step, saves, and says so.

    Args:
        run: that ends here.
        state: which neither this step nor any since has touched, but for its number.
        first: of the broken steps.
    """
    step = int(state.step)
    run.checkpoints.save(state, step)
    folder = run.folder / "failed" / f"step_{first.step:08d}"
    kept = f"these, its batch and all that it told are in {folder}"
    # What the step drew follows from its number.
    before = replace(state, step=jnp.full_like(state.step, first.step - 1))
    try:
        with closing(run.crops_from(first.step - 1)) as crops:
            write_failure(folder, next(crops), first.metrics, before)
    except (OSError, ValueError) as error:
        kept = f"its batch could not be kept ({error})"
    return NotFinite(
        f"step {first.step}: {first.what}. The weights before it are saved (step {step}); {kept}. "
        "--resume with --on-nan skip leaves such steps out; a new run may do with a lower "
        "--recipe.learning-rate, --warm-up or --clip"
    )
