"""How methods were made to paint, and what judged them, as text."""

from collections.abc import Mapping, Sequence
from typing import Any

# What scores were made with, told once for all methods.
VERSIONS, JUDGES = "versions", "judges"


def told(value: Any) -> str:
    """Details, as text."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {told(inner)}" for key, inner in value.items())
    if isinstance(value, str) or not isinstance(value, Sequence):
        return str(value)
    return ", ".join(map(told, value))
