"""The metrics of the steps since the last report, and how the time went."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import jax

from jaxinpaint.recipes.base import Metrics
from jaxinpaint.training.guarding import problem


class Broken(NamedTuple):
    """A step whose metrics are not finite.

    Attributes:
        step: its number, as reports count.
        what: is not finite.
        metrics: all of it.
    """

    step: int
    what: str
    metrics: dict[str, float]


class Told(NamedTuple):
    """What there is to tell of a window.

    Attributes:
        values: means over the steps that were whole, and rates.
        broken: the others.
    """

    values: dict[str, float]
    broken: list[Broken]


class Window:
    """The metrics since the last report, and how the time went."""

    def __init__(self, first: int) -> None:
        self._step = first
        self._open()

    def _open(self) -> None:
        self._metrics: list[Metrics] = []
        self._examples = 0
        self._flops = 0
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

    @contextmanager
    def left_out(self) -> Iterator[None]:
        """Counts the time inside as none: it is not spent on steps."""
        started = time.perf_counter()
        yield
        self._started += time.perf_counter() - started

    def add(self, metrics: Metrics, *, examples: int, flops: int) -> None:
        """The metrics of the next step, which may still be running."""
        self._step += 1
        self._examples += examples
        self._flops += flops
        self._metrics.append(metrics)

    def close(self, steps_left: int, matrix_rate: float) -> Told:
        """What there is to tell of the window, which starts anew.

        Args:
            steps_left: of the run.
            matrix_rate: floating-point operations a second that the devices reach at best.
        """
        steps: list[Metrics] = jax.device_get(self._metrics)
        seconds = time.perf_counter() - self._started
        whole, broken = [], []
        for step, metrics in enumerate(steps, self._step - len(steps) + 1):
            if (what := problem(metrics)) is None:
                whole.append(metrics)
            else:
                broken.append(Broken(step, what, _means([metrics])))
        values = _means(whole)
        values |= {
            "skipped": float(len(broken)),
            "examples_per_second": self._examples / seconds,
            "waiting_for_data": self._waited / seconds,
            "milliseconds_waited_a_step": 1000 * self._waited / len(steps),
            "seconds_left": steps_left * seconds / len(steps),
            "model_flops_a_step": self._flops / len(steps),
            "share_of_matrix_rate": self._flops / seconds / matrix_rate,
        }
        self._open()
        return Told(values, broken)


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
