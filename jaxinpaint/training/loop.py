"""The training loop: batches through a compiled step, reports, checkpoints."""

import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from threading import Event
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxinpaint.array_typing import RGB, Variables
from jaxinpaint.recipes.base import Batch, Crops, Metrics, Recipe, Step, TrainState
from jaxinpaint.training.checkpoints import Checkpoints, abstract_like, open_checkpoints
from jaxinpaint.training.parallel import (
    Placement,
    ahead,
    compile_init,
    compile_step,
    place_on_all_devices,
    to_devices,
)
from jaxinpaint.training.reports import Reports, open_reports
from jaxinpaint.training.stopping import require_finite, stop_signal


@dataclass(frozen=True)
class LoopConfig:
    """How long to train, and how often to tell and to save."""

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

    def __post_init__(self) -> None:
        """Refuses numbers below one."""
        for name, value in vars(self).items():
            if value < 1:
                raise ValueError(f"--{name.replace('_', '-')} is {value}; it must be at least 1")


class Trained(NamedTuple):
    """How a run ended."""

    state: TrainState
    stopped: bool
    """Whether it was told to stop before its last step."""


def train(
    recipe: Recipe,
    config: LoopConfig,
    *,
    folder: Path,
    size: tuple[int, int],
    seed: int,
    crops_from: Callable[[int], Generator[Crops]],
    sample: Callable[[TrainState], RGB] | None = None,
    judge: Callable[[TrainState], Mapping[str, float]] | None = None,
    weights: Callable[[], Mapping[str, Variables]] | None = None,
) -> Trained:
    """Trains until the last step, from the newest checkpoint in the folder or from the start.

    The weights after any step depend on the recipe, the seed and the data alone: on the same
    devices and versions, a run that was killed and goes on ends with the same bits as one that
    never was (on a GPU this takes ``XLA_FLAGS=--xla_gpu_deterministic_ops=true``).

    Args:
        recipe: what to train.
        config: how long, and how often to report and save.
        folder: of the run: ``checkpoints/``, ``metrics.jsonl``, ``events/``, ``samples/``.
        size: height and width of the training pictures.
        seed: of the weights and of everything drawn in a step.
        crops_from: from the number of the first step, this process's part of that step's batch and
            of every later one.
        sample: draws a picture to look at.
        judge: scores the state, as often as pictures are drawn.
        weights: reads the variables of players, by name, that the first step finds in place of
            random ones.

    Raises:
        NotFinite: if a loss term becomes infinite or no number.
        ValueError: if the checkpoints in the folder or the given weights do not fit the recipe, the
            batch does not divide among the devices, or there are several processes.
    """
    if jax.process_count() > 1:
        raise ValueError("training in several processes is not supported yet; start one")
    placement = place_on_all_devices()
    init = compile_init(recipe.init, placement)
    key = jax.random.key(seed)
    compiled = cache(partial(compile_step, placement=placement))

    def step_at(number: int) -> Step:
        return compiled(recipe.step_at(number))

    shapes = jax.eval_shape(lambda key: recipe.init(key, size), key)
    with (
        open_checkpoints(folder / "checkpoints", keep=config.keep) as checkpoints,
        stop_signal() as stop,
    ):
        state = checkpoints.restore_latest(abstract_like(shapes, placement.replicated))
        if state is None:
            state = init(key, size)
            if weights is not None:
                state = _starting_from(weights(), state, placement)
                # From here on the run needs nothing of where they came from.
                checkpoints.save(state, 0)
        first = int(state.step)
        with (
            closing(crops_from(first)) as crops,
            open_reports(folder, first=first, last=config.steps) as reports,
        ):
            batches = ahead(to_devices(part, placement) for part in crops)
            return _run_steps(
                state, step_at, batches, config, stop, checkpoints, reports, sample, judge
            )


def require_fitting(weights: Mapping[str, Variables], state: TrainState) -> None:
    """Raises ValueError if weights to start from are not those of the networks of a state.

    Args:
        weights: variables of players, by name.
        state: a first one, or its shapes.
    """
    if "generator" not in weights:
        raise ValueError("the weights to start from have no generator")
    for name in weights.keys() & state.players.keys():
        given, wanted = _shapes(weights[name]), _shapes(state.players[name].variables)
        for place in sorted(given.keys() | wanted.keys()):
            if given.get(place) != wanted.get(place):
                raise ValueError(
                    f"the weights to start from are of another {name}: {place} is "
                    f"{given.get(place, 'missing')} there, {wanted.get(place, 'missing')} here"
                )


def _starting_from(
    weights: Mapping[str, Variables], state: TrainState, placement: Placement
) -> TrainState:
    """The first state, with given variables of some of its players, and averages of these."""
    require_fitting(weights, state)
    players = {
        name: player._replace(
            variables=jax.device_put(weights.get(name, player.variables), placement.replicated)
        )
        for name, player in state.players.items()
    }
    averages = {name: jax.tree.map(jnp.copy, players[name].variables) for name in state.averages}
    return replace(state, players=players, averages=averages)


def _shapes(variables: Variables) -> dict[str, tuple[int, ...]]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(variables)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf.shape for path, leaf in leaves
    }


def _run_steps(
    state: TrainState,
    step_at: Callable[[int], Step],
    batches: Iterator[Batch],
    config: LoopConfig,
    stop: Event,
    checkpoints: Checkpoints,
    reports: Reports,
    sample: Callable[[TrainState], RGB] | None,
    judge: Callable[[TrainState], Mapping[str, float]] | None,
) -> Trained:
    step = int(state.step)
    window = _Window(step)
    stopping = False
    while step < config.steps and not stopping:
        with window.waiting():
            batch = next(batches)
        state, metrics = step_at(step)(state, batch)
        step += 1
        window.add(metrics, batch.image.shape[0])
        reports.advance()
        last = step == config.steps
        # Asked once a step: a signal that comes later than here is seen after the next one.
        stopping = stop.is_set()
        saves = last or stopping or step % config.checkpoint_every == 0
        # Before a checkpoint always: what is not finite is never saved.
        if saves or step % config.log_every == 0:
            reports.scalars(step, window.close(config.steps - step))
        if saves:
            checkpoints.save(state, step)
        if last or step % config.sample_every == 0:
            if judge is not None:
                reports.scores(step, judge(state))
            if sample is not None:
                reports.picture(step, sample(state))
    return Trained(state, stopped=stopping and step < config.steps)


class _Window:
    """The metrics since the last report, and how the time went."""

    def __init__(self, first: int) -> None:
        self._step = first
        self._open()

    def _open(self) -> None:
        self._metrics: list[Metrics] = []
        self._examples = 0
        self._started = time.perf_counter()
        self._waited = 0.0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Counts the time inside as waiting for data."""
        # The device may be one step behind, no more: else the wait would be told as nothing.
        if len(self._metrics) > 1:
            jax.block_until_ready(self._metrics[-2])
        started = time.perf_counter()
        yield
        self._waited += time.perf_counter() - started

    def add(self, metrics: Metrics, examples: int) -> None:
        """The metrics of the next step, which may still be running."""
        self._step += 1
        self._examples += examples
        self._metrics.append(metrics)

    def close(self, steps_left: int) -> dict[str, float]:
        """Means and rates of the window, which starts anew.

        Raises:
            NotFinite: if a term of any of its steps is infinite or no number.
        """
        steps: list[Metrics] = jax.device_get(self._metrics)
        first = self._step - len(steps) + 1
        for step, metrics in enumerate(steps, first):
            require_finite(step, _means([metrics]))
        seconds = time.perf_counter() - self._started
        values = _means(steps)
        values |= {
            "examples_per_second": self._examples / seconds,
            "waiting_for_data": self._waited / seconds,
            "milliseconds_waited_a_step": 1000 * self._waited / len(steps),
            "seconds_left": steps_left * seconds / len(steps),
        }
        self._open()
        return values


def _means(steps: Sequence[Metrics]) -> dict[str, float]:
    """Means over the steps that tell of them: not every player moves in every step."""
    told = defaultdict(list)
    for metrics in steps:
        for name, mean in metrics.items():
            told[name].append(mean)
    return {
        name: float(sum(m.total for m in means) / sum(m.n for m in means))
        for name, means in told.items()
    }
