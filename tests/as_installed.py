"""Functions without the run-time type checks that only the tests add."""

import inspect
from collections.abc import Callable
from typing import Any


def as_installed(function: Callable[..., Any]) -> Callable[..., Any]:
    """What users call: its own errors show, not those of the checks."""
    return inspect.unwrap(function)
