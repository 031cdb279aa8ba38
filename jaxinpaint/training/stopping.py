"""Ending a run early, on a signal."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import TypeAlias

import jax
from jax.experimental import multihost_utils

# Whether the run is to end after a step of a number; asked once a step.
Stop: TypeAlias = Callable[[int], bool]


@contextmanager
def stop_signal() -> Iterator[Stop]:
    """What tells when the run is told to stop: by SIGTERM, or Ctrl-C once.

    The second Ctrl-C interrupts at once. Of several processes any may be told, and all stop after
    the same step.
    """
    if jax.process_count() > 1:
        # JAX has taken SIGTERM already, to make the processes agree on a step.
        def ask(number: int, frame: object) -> None:
            del number, frame
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.kill(os.getpid(), signal.SIGTERM)

        signals: tuple[int, ...] = (signal.SIGINT,)
        stop: Stop = multihost_utils.reached_preemption_sync_point
    else:
        asked = Event()

        def ask(number: int, frame: object) -> None:
            del frame
            asked.set()
            if number == signal.SIGINT:
                signal.signal(signal.SIGINT, signal.default_int_handler)

        signals = (signal.SIGINT, signal.SIGTERM)
        stop = lambda step: asked.is_set()  # noqa: E731
    previous = {number: signal.signal(number, ask) for number in signals}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
