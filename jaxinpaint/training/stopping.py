"""Ending a run early: on a signal, or on a loss that is no number."""

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event


class NotFinite(FloatingPointError):
    """A loss term became infinite or no number."""


@contextmanager
def stop_signal() -> Iterator[Event]:
    """An event that is set when the process is told to stop (SIGTERM, or Ctrl-C once).

    The second Ctrl-C interrupts at once.
    """
    asked = Event()

    def ask(number: int, frame: object) -> None:
        del frame
        asked.set()
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    previous = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def require_finite(step: int, means: Mapping[str, float]) -> None:
    """Checks a step's means.

    Raises:
        NotFinite: naming the step and the terms that are infinite or no number.
    """
    wrong = {name: value for name, value in means.items() if not abs(value) < float("inf")}
    if wrong:
        terms = ", ".join(f"{name} = {value}" for name, value in wrong.items())
        raise NotFinite(
            f"step {step}: {terms}. The run stops here, and nothing from this step on was saved. "
            "Start a new one with a lower --recipe.learning-rate, or look at the pictures and holes"
        )
