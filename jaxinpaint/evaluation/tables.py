"""Scores as text: methods side by side, under a protocol's rules.

An arrow says whether higher or lower is better; a dash stands where a method lacks a score.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from jaxinpaint.evaluation.bootstrap import LEAST, LEVEL, Mean
from jaxinpaint.evaluation.protocols import PROTOCOLS, of_networks
from jaxinpaint.evaluation.results import (
    Evaluation,
    Group,
    difference,
    groups,
    metric_of,
    require_comparable,
)

NOTHING = "–"


def table(protocol: str, evaluations: Sequence[Evaluation]) -> str:
    """A protocol's means of all cases, a metric a line and a method a column.

    Raises:
        Incomparable: if the methods were not judged on the same cases, or by the same networks.
    """
    keys, overall = _values(protocol, evaluations), _overall(protocol, evaluations)
    require_comparable(evaluations, [*keys, *overall])
    first = evaluations[0]
    of_all = Group("all", np.ones(len(first.names), bool))
    found = [_means(one, keys, of_all) | dict(one.overall) for one in evaluations]
    heading = f"{protocol} ({PROTOCOLS[protocol].about}); {_counted(first, of_all)}"
    return _table(heading, [*keys, *overall], evaluations, found)


def tables_of_groups(protocol: str, evaluations: Sequence[Evaluation]) -> list[str]:
    """As `table`, for each of a protocol's groups: of missing shares, and of the border.

    Raises:
        Incomparable: as `table`.
    """
    keys, first = _values(protocol, evaluations), evaluations[0]
    require_comparable(evaluations, keys)
    return [
        _table(
            f"{protocol}, {_named(group)}; {_counted(first, group)}",
            keys,
            evaluations,
            [_means(one, keys, group) for one in evaluations],
        )
        for group in groups(PROTOCOLS[protocol], first)
        if group.name != "all"
    ]


def differences(protocol: str, evaluations: Sequence[Evaluation]) -> str:
    """How much methods differ from the first in the mean, with 95 % intervals.

    Metrics that the first lacks are left out.

    Raises:
        Incomparable: as `table`.
    """
    keys, (first, *others) = _values(protocol, evaluations), evaluations
    require_comparable(evaluations, keys)
    lines = [["", *(other.method for other in others)]]
    lines += [
        [
            _called(key),
            *(
                _differing(key, difference(o, first, key)) if key in o.values else NOTHING
                for o in others
            ),
        ]
        for key in keys
        if key in first.values
    ]
    about = (
        f"{LEVEL} % intervals; + better and - worse mark those without zero"
        if len(set(first.pictures)) >= LEAST
        else f"no intervals of fewer than {LEAST} pictures"
    )
    of_all = Group("all", np.ones(len(first.names), bool))
    heading = f"{protocol}, less {first.method} ({about}); {_counted(first, of_all)}"
    return "\n".join([heading, *_aligned(lines)])


def left_out(evaluations: Sequence[Evaluation]) -> dict[str, list[str]]:
    """Metrics that are missing, by the reason; with the methods that lack them if others don't."""
    lacking: dict[str, dict[str, list[str]]] = {}
    for one in evaluations:
        asked = {name for protocol in one.protocols for name in _asked(protocol)}
        for metric, why in one.left_out.items():
            if metric in asked:
                lacking.setdefault(why, {}).setdefault(metric, []).append(one.method)
    return {
        why: [
            metric if len(methods) == len(evaluations) else f"{metric} ({', '.join(methods)})"
            for metric, methods in metrics.items()
        ]
        for why, metrics in lacking.items()
    }


def _asked(protocol: str) -> set[str]:
    """What a protocol's metrics are called where they are left out."""
    asked = PROTOCOLS[protocol]
    return {*(metric.name for metric in asked.metrics), *of_networks(asked)}


def _values(protocol: str, evaluations: Sequence[Evaluation]) -> list[str]:
    """Columns of single cases that any method has, by picture."""
    return _by_picture(protocol, [key for one in evaluations for key in one.values])


def _overall(protocol: str, evaluations: Sequence[Evaluation]) -> list[str]:
    """Columns of all cases together that any method has, by picture."""
    return _by_picture(protocol, [key for one in evaluations for key in one.overall])


def _by_picture(protocol: str, keys: Sequence[str]) -> list[str]:
    own = [key for key in dict.fromkeys(keys) if key.startswith(f"{protocol}/")]
    return sorted(own, key=lambda key: PROTOCOLS[protocol].pictures.index(key.split("/")[1]))


def _means(of: Evaluation, keys: Sequence[str], group: Group) -> dict[str, float]:
    return {key: float(np.mean(of.values[key][group.members])) for key in keys if key in of.values}


def _table(
    heading: str,
    keys: Sequence[str],
    evaluations: Sequence[Evaluation],
    found: Sequence[Mapping[str, float]],
) -> str:
    lines = [["", *(one.method for one in evaluations)]]
    lines += [[_called(key), *(_number(one.get(key, math.nan)) for one in found)] for key in keys]
    return "\n".join([heading, *_aligned(lines)])


def _counted(of: Evaluation, group: Group) -> str:
    pictures = np.array(of.pictures)[group.members]
    return f"{_many(len(pictures), 'case')} of {_many(len(np.unique(pictures)), 'picture')}"


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _named(group: Group) -> str:
    return f"missing {group.name}" if group.name[0].isdigit() else group.name


def _higher(key: str) -> bool:
    """Whether higher is better: of distances it is not, of chances to be taken for true it is."""
    metric = metric_of(key)
    return metric.higher if metric else key.endswith("_ids")


def _called(key: str) -> str:
    """A column for people, with its unit, and which way is better."""
    _, picture, name = key.split("/")
    metric = metric_of(key)
    unit = f", {metric.unit}" if metric and metric.unit else ""
    return f"{picture} {name}{unit}{'↑' if _higher(key) else '↓'}"


def _differing(key: str, found: Mean) -> str:
    """A difference with its interval, and whether it is for the better or the worse."""
    if math.isnan(found.low):
        return _number(found.mean)
    mark = " "
    if found.low > 0 or found.high < 0:
        mark = "+" if (found.mean > 0) == _higher(key) else "-"
    return f"{_number(found.mean)} [{_number(found.low)}, {_number(found.high)}] {mark}"


def _number(value: float) -> str:
    """Two digits after the point of decibels and per cents, four of shares."""
    if math.isnan(value):
        return NOTHING
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
