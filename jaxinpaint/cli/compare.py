"""``jaxinpaint compare``: what was judged at different times, side by side."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from jaxinpaint.evaluation.results import Evaluation

log = logging.getLogger(__name__)


def compare(
    folders: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")],
    /,
    *,
    protocols: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME")] = (),
    groups: tyro.conf.FlagCreatePairsOff[bool] = False,
    report: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
) -> None:
    """Compare methods that `jaxinpaint evaluate` has judged on the same manifest.

    Tells means, and how much each method differs from the first on the same cases, with 95 %
    intervals. Scores of different manifests are refused a common table, and so are those of
    judging networks with different weights.

    Args:
        folders: Methods' folders, such as judged/telea; or a folder of such.
        protocols: Whose rules, of those that all were judged by; by default all of these.
        groups: Also tell the means of each group of cases: by missing share, and by border.
        report: Also write a page of tables and plots, without pictures.
    """
    from jaxinpaint.evaluation.results import read, require_comparable
    from jaxinpaint.evaluation.tables import differences, left_out, table, tables_of_groups

    found = _found(folders)
    read_ones = [read(folder) for folder in found]
    applied = _applied(protocols, read_ones)
    names = _told_apart(found, [one.method for one in read_ones])
    evaluations = [
        one._replace(method=name, protocols=applied)
        for one, name in zip(read_ones, names, strict=True)
    ]
    require_comparable(evaluations)
    _warn_of_versions(evaluations)
    for name in applied:
        print(table(name, evaluations))
        if groups:
            print("\n".join(tables_of_groups(name, evaluations)))
        if len(evaluations) > 1:
            print(differences(name, evaluations))
        print()
    for why, metrics in left_out(evaluations).items():
        print(f"not measured: {', '.join(metrics)}: {why}")
    if report is not None:
        from jaxinpaint.evaluation.report.page import Section, page
        from jaxinpaint.whole_files import replaced

        title = f"{len(evaluations[0].names)} cases"
        html = page([Section(one, []) for one in evaluations], title=title)
        with replaced(report) as unfinished:
            unfinished.write_text(html, encoding="utf-8")
        print(report)


def _found(folders: Sequence[Path]) -> list[Path]:
    """The folders of methods, each once: those that are told, and those within them.

    Raises:
        ValueError: if none is told.
    """
    from jaxinpaint.evaluation.results import SCORES

    if not folders:
        raise ValueError("name the folders of methods to compare, such as judged/telea")
    found = [
        inner
        for folder in folders
        for inner in (
            [folder]
            if (folder / SCORES).exists()
            else sorted(path.parent for path in folder.glob(f"*/{SCORES}")) or [folder]
        )
    ]
    return list({folder.resolve(): folder for folder in found}.values())


def _applied(told: Sequence[str], evaluations: "Sequence[Evaluation]") -> tuple[str, ...]:
    """The protocols to compare by.

    Raises:
        ValueError: if not all methods were judged by those that are told, or by any common one.
    """
    first = evaluations[0].protocols
    common = [name for name in first if all(name in one.protocols for one in evaluations)]
    if other := [name for name in told if name not in common]:
        raise ValueError(f"not all were judged by {other[0]}, but by {', '.join(common) or 'none'}")
    if not common:
        raise ValueError("there is no protocol that all were judged by")
    return tuple(dict.fromkeys(told or common))


def _told_apart(folders: Sequence[Path], methods: Sequence[str]) -> list[str]:
    """What heads methods' columns: their names, or their folders where two have the same name."""
    paths = [folder.resolve() for folder in folders]
    return [
        _end(path, [other for other in paths if other != path], {*methods} - {method})
        if methods.count(method) > 1
        else method
        for path, method in zip(paths, methods, strict=True)
    ]


def _end(path: Path, others: Sequence[Path], names: set[str]) -> str:
    """The end of a path, as short as tells it from others and is no other's name."""
    ends = (Path(*path.parts[-depth:]) for depth in range(1, len(path.parts) + 1))
    return next(
        str(end)
        for end in ends
        if str(end) not in names
        and not any(other.parts[-len(end.parts) :] == end.parts for other in others)
    )


def _warn_of_versions(evaluations: "Sequence[Evaluation]") -> None:
    """Tells in a line if methods were judged by several versions of jaxinpaint."""
    methods: dict[str, list[str]] = {}
    for one in evaluations:
        if version := one.details.get("versions", {}).get("jaxinpaint"):
            methods.setdefault(version, []).append(one.method)
    if len(methods) > 1:
        told = "; ".join(f"{version}: {', '.join(of)}" for version, of in methods.items())
        log.warning("judged by different versions of jaxinpaint (%s)", told)
