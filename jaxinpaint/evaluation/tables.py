"""Scores as text: methods side by side, under a protocol's rules."""

from collections.abc import Sequence

from jaxinpaint.evaluation.protocols import PROTOCOLS
from jaxinpaint.evaluation.results import (
    Evaluation,
    difference,
    means,
    metric_of,
    require_comparable,
)


def table(protocol: str, evaluations: Sequence[Evaluation]) -> str:
    """A protocol's means of all cases, a metric a line and a method a column.

    Raises:
        Incomparable: if the methods were not judged on the same cases.
    """
    require_comparable(evaluations)
    found = [means(protocol, one)["all"] for one in evaluations]
    lines = [["", *(one.method for one in evaluations)]]
    lines += [[_called(key), *(_number(mean[key].mean) for mean in found)] for key in found[0]]
    overall = [key for key in evaluations[0].overall if key.startswith(f"{protocol}/")]
    lines += [
        [_called(key), *(_number(one.overall[key]) for one in evaluations)] for key in overall
    ]
    return "\n".join([f"{protocol} ({PROTOCOLS[protocol].about})", *_aligned(lines)])


def differences(protocol: str, evaluations: Sequence[Evaluation]) -> str:
    """How much methods differ from the first in the mean, with 95 % intervals.

    Raises:
        Incomparable: as `table`.
    """
    first, *others = evaluations
    lines = [["", *(other.method for other in others)]]
    for key in first.values:
        if key.startswith(f"{protocol}/"):
            found = [difference(other, first, key) for other in others]
            told = [f"{_number(d.mean)} [{_number(d.low)}, {_number(d.high)}]" for d in found]
            lines.append([_called(key), *told])
    return "\n".join([f"{protocol}, less {first.method} (95 % intervals)", *_aligned(lines)])


def _called(key: str) -> str:
    """A column for people, with its unit."""
    _, picture, name = key.split("/")
    metric = metric_of(key)
    return f"{picture} {name}" + (f", {metric.unit}" if metric and metric.unit else "")


def _number(value: float) -> str:
    """Two digits after the point of decibels and per cents, four of shares."""
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.4f}"


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            ["    " + line[0].ljust(widths[0])]
            + [text.rjust(width) for text, width in zip(line[1:], widths[1:], strict=True)]
        ).rstrip()
        for line in lines
    ]
