"""What an evaluation has found: a value a case and metric, and the means of protocols."""

import csv
import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxinpaint.evaluation.bootstrap import Mean, mean_with_interval, means_with_intervals
from jaxinpaint.evaluation.protocols import PROTOCOLS, Metric, Protocol, of_networks
from jaxinpaint.whole_files import replaced

FORMAT = 1  # of what `write` writes
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
    """Scores that are not of the same cases, or not by the same judges."""


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
    if not columns:
        return {name: {} for name, _ in groups(PROTOCOLS[protocol], of)}
    values = np.stack([of.values[key] for key in columns], axis=1)
    _, pictures = np.unique(np.array(of.pictures), return_inverse=True)
    return {
        name: dict(
            zip(columns, means_with_intervals(values[members], pictures[members]), strict=True)
        )
        for name, members in groups(PROTOCOLS[protocol], of)
    }


def difference(of: Evaluation, other: Evaluation, key: str) -> Mean:
    """The mean difference of a metric between two methods on the same cases, with its interval.

    Raises:
        Incomparable: if the cases are not the same, or the networks that the metric looks through.
    """
    require_comparable([of, other], [key])
    return mean_with_interval(of.values[key] - other.values[key], of.pictures)


def require_comparable(
    evaluations: Sequence[Evaluation], columns: Collection[str] | None = None
) -> None:
    """Raises Incomparable if evaluations are not of the same cases of one manifest, or judges.

    Where it is not known which weights a judging network had, they are taken to be the same.

    Args:
        evaluations: what is to be compared.
        columns: which of their scores are; by default all of their protocols.
    """
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
    _require_same_judges(evaluations, columns)


def _require_same_judges(
    evaluations: Sequence[Evaluation], columns: Collection[str] | None
) -> None:
    seen: dict[str, tuple[str, str]] = {}
    for one in evaluations:
        digests = one.details.get("judges", {})
        for key in (*one.values, *one.overall):
            protocol, _, metric = key.split("/")
            asked = protocol in one.protocols if columns is None else key in columns
            network = "fid" if metric in ("p_ids", "u_ids") else metric
            if not asked or network not in digests:
                continue
            method, digest = seen.setdefault(network, (one.method, digests[network]))
            if digest != digests[network]:
                raise Incomparable(
                    f"{method} and {one.method} were judged through two networks for {network}, of "
                    f"other weights: their {metric} can't be compared; judge one of them again, or "
                    "compare by protocols without it"
                )


def metric_of(key: str) -> Metric | None:
    """The metric of a column, if it is one of a single picture and no perceptual distance."""
    protocol, _, name = key.split("/")
    found = {metric.name: metric for metric in PROTOCOLS[protocol].metrics}
    return found.get(name)


def write(evaluation: Evaluation, folder: Path) -> None:
    """Writes ``scores.json`` and ``pictures.csv`` into a folder that is there.

    ``scores.json`` comes last: where it is, all is. Numbers that are none are null in it.
    """
    told = {
        "format": FORMAT,
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
    text = json.dumps(_finite(told), indent=1, allow_nan=False) + "\n"
    # The inner one takes its place first.
    with replaced(folder / SCORES) as scores, replaced(folder / PICTURES) as pictures:
        scores.write_text(text, encoding="utf-8")
        # Names of files need not be text in any encoding.
        with pictures.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*TOLD, *evaluation.values])
            writer.writerows(_lines(evaluation))


def read(folder: Path) -> Evaluation:
    """What `write` wrote.

    Raises:
        ValueError: if the folder holds no scores, or damaged ones, or those of another version.
    """
    try:
        told = json.loads((folder / SCORES).read_text(encoding="utf-8"))
        _require_format(told)
        with (folder / PICTURES).open(
            newline="", encoding="utf-8", errors="surrogateescape"
        ) as file:
            header, *lines = csv.reader(file)
        if len(lines) != told["cases"]:
            raise ValueError(f"{PICTURES} has {len(lines)} cases of {told['cases']}")
        columns = dict(zip(header, zip(*lines, strict=True), strict=True))
        evaluation = Evaluation(
            method=str(told["method"]),
            manifest=str(told["manifest"]),
            protocols=tuple(told["protocols"]),
            size=int(told["size"]),
            names=columns["name"],
            pictures=columns["picture"],
            missing=np.array(columns["missing"], float),
            touches_border=np.array([text == "True" for text in columns["touches_border"]]),
            values={key: np.array(columns[key], float) for key in header[len(TOLD) :]},
            overall={
                key: math.nan if value is None else float(value)
                for key, value in told["overall"].items()
            },
            left_out=dict(told["left_out"]),
            details=_details(told["details"]),
        )
        _require_known(evaluation)
    except FileNotFoundError as error:
        raise ValueError(
            f"{folder} has no scores: {error.filename} is missing (jaxinpaint evaluate makes them)"
        ) from error
    except NotADirectoryError as error:
        raise ValueError(
            f"{folder} is a file: scores are read from a method's folder, such as {folder.parent}"
        ) from error
    except KeyError as error:
        raise ValueError(f"{folder} has scores that can't be read: no {error} is there") from error
    except (ValueError, TypeError, AttributeError, csv.Error) as error:
        raise ValueError(f"{folder} has scores that can't be read: {error}") from error
    return evaluation


def _require_format(told: Mapping[str, Any]) -> None:
    """Raises ValueError if scores are written as this version can't read them."""
    found = told.get("format", 1)  # the first had no number
    if found != FORMAT:
        raise ValueError(
            f"they are of format {found}, this version of jaxinpaint reads {FORMAT}: judge again, "
            f"or read them with the version that wrote them{_version(told.get('details'))}"
        )


def _require_known(evaluation: Evaluation) -> None:
    """Raises ValueError if scores are by rules that this version does not have."""
    for key in (*evaluation.protocols, *evaluation.values, *evaluation.overall):
        protocol, *rest = key.split("/")
        if protocol in PROTOCOLS and (not rest or tuple(rest) in _measured(PROTOCOLS[protocol])):
            continue
        raise ValueError(
            f"{key!r} is nothing that this version of jaxinpaint measures: judge again, or read "
            f"them with the version that wrote them{_version(evaluation.details)}"
        )


def _measured(protocol: Protocol) -> set[tuple[str, str]]:
    """Pictures and metrics of a protocol."""
    names = [*(metric.name for metric in protocol.metrics), *of_networks(protocol)]
    return {(picture, name) for picture in protocol.pictures for name in names}


def _details(told: Mapping[str, Any]) -> dict[str, Any]:
    """Details, in which what is looked at here is as it should be."""
    for name in ("judges", "versions"):
        if not isinstance(told.get(name, {}), Mapping):
            raise TypeError(f"their {name} are {told[name]!r}")
    return dict(told)


def _version(details: Any) -> str:
    """Of jaxinpaint, if it was told."""
    versions = details.get("versions") if isinstance(details, Mapping) else None
    found = versions.get("jaxinpaint") if isinstance(versions, Mapping) else None
    return f", {found}" if found else ""


def _finite(told: Any) -> Any:
    """What JSON has a word for: numbers that are none become null."""
    if isinstance(told, Mapping):
        return {key: _finite(value) for key, value in told.items()}
    if isinstance(told, (list, tuple)):
        return [_finite(value) for value in told]
    return None if isinstance(told, float) and not math.isfinite(told) else told


def _lines(evaluation: Evaluation) -> Iterator[tuple[Any, ...]]:
    told = (evaluation.names, evaluation.pictures, evaluation.missing, evaluation.touches_border)
    # The shortest digits that tell the number from all others, so that nothing is lost.
    values = (map(float, column) for column in evaluation.values.values())
    return zip(*told, *values, strict=True)
