"""What an evaluation has found: a value a case and metric, and the means of protocols."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxinpaint.evaluation.bootstrap import Mean, mean_with_interval
from jaxinpaint.evaluation.protocols import PROTOCOLS, Metric, Protocol

SCORES, PICTURES = "scores.json", "pictures.csv"
TOLD = ("name", "picture", "missing", "touches_border")  # of each case, beside its scores


class Evaluation(NamedTuple):
    """A method's scores on the cases of a manifest.

    Attributes:
        method: what people call it.
        manifest: the SHA-256 of the manifest.
        protocols: names of those that were applied.
        size: side of the squares.
        names: of the cases.
        pictures: which picture each is of.
        missing: the share that is missing in each.
        touches_border: whether its hole does.
        values: of each case, by `protocols.column`.
        overall: of all cases together, by the same names: distances of distributions.
        left_out: why metrics are not among these, by what they are called.
        details: what else is to be told of how it was made.
    """

    method: str
    manifest: str
    protocols: tuple[str, ...]
    size: int
    names: tuple[str, ...]
    pictures: tuple[str, ...]
    missing: Float[np.ndarray, " n"]
    touches_border: Bool[np.ndarray, " n"]
    values: Mapping[str, Float[np.ndarray, " n"]]
    overall: Mapping[str, float]
    left_out: Mapping[str, str]
    details: Mapping[str, Any]


class Group(NamedTuple):
    """Cases that a protocol takes means of.

    Attributes:
        name: such as ``all`` or ``0.1-0.2``, for people.
        members: which of the cases.
    """

    name: str
    members: Bool[np.ndarray, " n"]


class Incomparable(ValueError):
    """Scores that are not of the same cases."""


def groups(protocol: Protocol, of: Evaluation) -> list[Group]:
    """The groups of a protocol that have cases: all, and its buckets."""
    found = [Group("all", np.ones(len(of.names), bool))]
    if protocol.by_border:
        found.append(Group("at the border", of.touches_border))
        found.append(Group("off the border", ~of.touches_border))
    for low, high in protocol.buckets:
        bucket = (of.missing > low) & (of.missing <= high)
        found.append(Group(f"{low:g}-{high:g}", bucket))
        if protocol.by_border:
            found.append(Group(f"{low:g}-{high:g}, at the border", bucket & of.touches_border))
            found.append(Group(f"{low:g}-{high:g}, off the border", bucket & ~of.touches_border))
    return [group for group in found if group.members.any()]


def means(protocol: str, of: Evaluation) -> dict[str, dict[str, Mean]]:
    """The means of a protocol's metrics, by group and by column."""
    columns = [name for name in of.values if name.startswith(f"{protocol}/")]
    pictures = np.array(of.pictures)
    return {
        name: {
            key: mean_with_interval(of.values[key][members], pictures[members]) for key in columns
        }
        for name, members in groups(PROTOCOLS[protocol], of)
    }


def difference(of: Evaluation, other: Evaluation, key: str) -> Mean:
    """The mean difference of a metric between two methods on the same cases, with its interval.

    Raises:
        Incomparable: if the cases are not the same.
    """
    require_comparable([of, other])
    return mean_with_interval(of.values[key] - other.values[key], of.pictures)


def require_comparable(evaluations: Sequence[Evaluation]) -> None:
    """Raises Incomparable if evaluations are not of the same cases of one manifest."""
    first = evaluations[0]
    for other in evaluations[1:]:
        if other.manifest != first.manifest:
            raise Incomparable(
                f"{first.method} was judged by manifest {first.manifest[:12]}, {other.method} by "
                f"{other.manifest[:12]}: their scores can't be compared"
            )
        if other.names != first.names:
            raise Incomparable(
                f"{first.method} has scores of {len(first.names)} cases, {other.method} of "
                f"{len(other.names)}: they can't be compared"
            )


def metric_of(key: str) -> Metric | None:
    """The metric of a column, if it is one of a single picture and no perceptual distance."""
    protocol, _, name = key.split("/")
    found = {metric.name: metric for metric in PROTOCOLS[protocol].metrics}
    return found.get(name)


def write(evaluation: Evaluation, folder: Path) -> None:
    """Writes ``scores.json`` and ``pictures.csv`` into a folder that is there."""
    with (folder / PICTURES).open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*TOLD, *evaluation.values])
        writer.writerows(_lines(evaluation))
    told = {
        "method": evaluation.method,
        "manifest": evaluation.manifest,
        "cases": len(evaluation.names),
        "size": evaluation.size,
        "protocols": {
            name: {
                group: {key.partition("/")[2]: mean._asdict() for key, mean in found.items()}
                for group, found in means(name, evaluation).items()
            }
            for name in evaluation.protocols
        },
        "overall": dict(evaluation.overall),
        "left_out": dict(evaluation.left_out),
        "details": dict(evaluation.details),
    }
    (folder / SCORES).write_text(json.dumps(told, indent=1) + "\n")


def read(folder: Path) -> Evaluation:
    """What `write` wrote.

    Raises:
        ValueError: if the folder holds no scores, or damaged ones.
    """
    try:
        told = json.loads((folder / SCORES).read_text())
        with (folder / PICTURES).open(newline="") as file:
            header, *lines = csv.reader(file)
        columns = dict(zip(header, zip(*lines, strict=True), strict=True))
        return Evaluation(
            method=told["method"],
            manifest=told["manifest"],
            protocols=tuple(told["protocols"]),
            size=told["size"],
            names=columns["name"],
            pictures=columns["picture"],
            missing=np.array(columns["missing"], float),
            touches_border=np.array([text == "True" for text in columns["touches_border"]]),
            values={key: np.array(columns[key], float) for key in header[len(TOLD) :]},
            overall=told["overall"],
            left_out=told["left_out"],
            details=told["details"],
        )
    except FileNotFoundError as error:
        raise ValueError(
            f"{folder} has no scores: {error.filename} is missing (jaxinpaint evaluate makes them)"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder} has scores that can't be read: {error}") from error


def _lines(evaluation: Evaluation) -> Iterator[tuple[Any, ...]]:
    told = (evaluation.names, evaluation.pictures, evaluation.missing, evaluation.touches_border)
    # The shortest digits that tell the number from all others, so that nothing is lost.
    values = (map(float, column) for column in evaluation.values.values())
    return zip(*told, *values, strict=True)
