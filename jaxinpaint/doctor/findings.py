"""What a check found, how bad it is, and what to do."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

Level = Literal["ok", "warn", "fail"]
LEVELS: tuple[Level, ...] = ("ok", "warn", "fail")  # from good to bad
WIDTH, SUBJECT = 100, 15  # of the table and of its second column, in characters


class Finding(NamedTuple):
    """One line of the doctor's table.

    Attributes:
        subject: what was looked at.
        level: ok; warn, a run may not do what is meant; fail, it should not be started.
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


def line(finding: Finding) -> str:
    """A finding as a line of the table, or some, and below it what to do."""
    start = f"{finding.level:5s} {finding.subject:{SUBJECT}s}"
    rest = " " * len(start)
    lines = textwrap.wrap(finding.found, WIDTH, initial_indent=start, subsequent_indent=rest)
    if finding.remedy:
        arrow = f"{rest}-> "
        lines += textwrap.wrap(
            finding.remedy, WIDTH, initial_indent=arrow, subsequent_indent=" " * len(arrow)
        )
    return "\n".join(lines)


def some(names: Sequence[str], most: int = 3) -> str:
    """The first of some names."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
