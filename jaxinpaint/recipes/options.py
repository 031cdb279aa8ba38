"""What recipes refuse of their options, in the words of the command line."""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any


def refuse_unread(config: Any, names: Iterable[str], choice: str) -> None:
    """Raises ValueError for an option that was set and that a choice leaves without a meaning.

    Args:
        config: a dataclass.
        names: of the fields that say nothing.
        choice: what leaves them without a meaning, as an option.
    """
    defaults = {field.name: field.default for field in fields(config)}
    for name in names:
        if getattr(config, name) != defaults[name]:
            option = name.replace("_", "-")
            raise ValueError(f"--recipe.{option} says nothing where there is {choice}")


def check_size(size: int) -> None:
    """Raises ValueError for pictures whose centre can't be painted: 64, 128, 256, … can."""
    if size < 64 or size & (size - 1):
        raise ValueError(f"--recipe.size is {size}; it must be a power of two from 64 on")
