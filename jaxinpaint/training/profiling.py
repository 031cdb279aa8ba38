"""A profiler's trace of some steps of a run."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jax


class Profiler:
    """Traces the steps from a first to a last one, as reports count them."""

    def __init__(self, first: int, last: int, folder: Path) -> None:
        self._first = first
        self._last = last
        self._folder = folder
        self._tracing = False

    def before(self, step: int) -> None:
        """A step is about to be made."""
        if step == self._first:
            jax.profiler.start_trace(self._folder)
            self._tracing = True

    def after(self, step: int, results: object) -> bool:
        """A step was made, with these results; whether the trace is now written."""
        if not (self._tracing and step == self._last):
            return False
        jax.block_until_ready(results)
        self.close()
        return True

    def close(self) -> None:
        """Writes what was traced, if anything."""
        if self._tracing:
            self._tracing = False
            jax.profiler.stop_trace()


def steps_of(told: str) -> tuple[int, int]:
    """The first and the last step of ``FIRST:LAST``.

    Raises:
        ValueError: if these are not two numbers from 1 on, in their order.
    """
    found = re.fullmatch(r"(\d+):(\d+)", told)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise ValueError(f"--profile {told}: it takes FIRST:LAST, such as 10:15")
    return int(found[1]), int(found[2])


@contextmanager
def profiler(told: str, folder: Path) -> Iterator[Profiler]:
    """What traces the steps ``FIRST:LAST`` into a folder; an empty word, none."""
    first, last = steps_of(told) if told else (0, 0)
    profiler = Profiler(first, last, folder)
    try:
        yield profiler
    finally:
        profiler.close()
