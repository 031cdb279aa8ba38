"""What a report tells of: methods' scores, and their means, which are taken once."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jaxinpaint.evaluation import results
from jaxinpaint.evaluation.bootstrap import Mean
from jaxinpaint.evaluation.results import Evaluation

HOUSE = "house"

# By group and by column, as of `results.means`.
Means = Mapping[str, Mapping[str, Mean]]


class Found(NamedTuple):
    """What was found of methods.

    Attributes:
        evaluations: of each method.
        means: of each method, by the protocols that any was judged by, ours first.
    """

    evaluations: Sequence[Evaluation]
    means: Mapping[str, Sequence[Means]]


def found_of(evaluations: Sequence[Evaluation]) -> Found:
    """The scores of methods with their means."""
    applied = dict.fromkeys(name for one in evaluations for name in one.protocols)
    names = sorted(applied, key=lambda name: name != HOUSE)
    return Found(
        evaluations, {name: [results.means(name, one) for one in evaluations] for name in names}
    )


def keys(protocol: str, evaluations: Sequence[Evaluation], *, overall: bool = False) -> list[str]:
    """What any of the methods was judged by under a protocol's rules, as of `protocols.column`."""
    found = [key for one in evaluations for key in one.values]
    found += [key for one in evaluations for key in one.overall] if overall else []
    return [key for key in dict.fromkeys(found) if key.startswith(f"{protocol}/")]


def metric_name(key: str) -> str:
    """The metric's part of a column's name."""
    return key.rpartition("/")[2]
