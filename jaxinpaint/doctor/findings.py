"""What a check found, how bad it is, and what to do."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

Level = Literal["ok", "warn", "fail"]
LEVELS: tuple[Level, ...] = ("ok", "warn", "fail")  # from good to bad
WIDTH = 100  # of the table, in characters


class Finding(NamedTuple):
    """One line of the doctor's table.

    Attributes:
        subject: what was looked at.
        level: ok; warn, a run would go on but perhaps not as meant; fail, it would not.
        found: what was seen, with its numbers.
        remedy: what to do; empty where nothing is to be done.
    """

    subject: str
    level: Level
    found: str
    remedy: str = ""


def worst(levels: Iterable[Level]) -> Level:
    """The worst of some levels; ok if there are none."""
    return LEVELS[max(map(LEVELS.index, levels), default=0)]


def judged(subject: str, found: str, *, warn: str = "", fail: str = "") -> Finding:
    """A finding that is as bad as the worst remedy that is not empty."""
    if fail:
        return Finding(subject, "fail", found, fail)
    if warn:
        return Finding(subject, "warn", found, warn)
    return Finding(subject, "ok", found)


def table(findings: Sequence[Finding]) -> str:
    """The findings as text, each followed by what to do."""
    indent = max(len(finding.subject) for finding in findings) + 2
    lines = []
    for finding in findings:
        start = f"{finding.level:5s} {finding.subject:{indent}s}"
        rest = " " * len(start)
        lines += textwrap.wrap(
            finding.found, WIDTH, initial_indent=start, subsequent_indent=rest
        ) or [start]
        if finding.remedy:
            lines += textwrap.wrap(
                finding.remedy, WIDTH, initial_indent=f"{rest}-> ", subsequent_indent=f"{rest}   "
            )
    return "\n".join(lines)


def some(names: Sequence[str], most: int = 3) -> str:
    """The first of some names."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
