"""The command line, called in this process."""

import functools
import sys
from pathlib import Path

import pytest
from cli.commands import Command

from jaxinpaint import cli, recipes

# The same functions every time: they are compiled for the first test that needs them only.
MAKE_ONCE = functools.cache(recipes.make)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs the command in this process, and gives its exit code."""
    monkeypatch.setattr(recipes, "make", MAKE_ONCE)

    def called(*words: Path | str) -> int:
        monkeypatch.setattr(sys, "argv", ["jaxinpaint", *map(str, words)])
        try:
            cli.main()
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else -1
        return 0

    return called
