"""``jaxinpaint compare``: what was judged at different times, side by side."""

from pathlib import Path
from typing import Annotated

import tyro


def compare(
    folders: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")],
    /,
    *,
    protocols: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME")] = (),
    report: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
) -> None:
    """Compare methods that `jaxinpaint evaluate` has judged on the same manifest.

    Tells means, and how much each method differs from the first on the same cases, with 95 %
    intervals. Scores of different manifests are refused a common table.

    Args:
        folders: Methods' folders, such as judged/telea; or a folder of such.
        protocols: Whose rules, of those that all were judged by; by default all of these.
        report: Also write a page of tables and plots, without pictures.
    """
    from jaxinpaint.evaluation.report.page import Section, page
    from jaxinpaint.evaluation.results import SCORES, read, require_comparable
    from jaxinpaint.evaluation.tables import differences, table

    found = [
        inner
        for folder in folders
        for inner in (
            [folder]
            if (folder / SCORES).exists()
            else sorted(path.parent for path in folder.glob(f"*/{SCORES}")) or [folder]
        )
    ]
    evaluations = [read(folder) for folder in found]
    require_comparable(evaluations)
    common = [
        name for name in evaluations[0].protocols if all(name in e.protocols for e in evaluations)
    ]
    if other := [name for name in protocols if name not in common]:
        raise ValueError(f"not all were judged by {other[0]}, but by {', '.join(common) or 'none'}")
    for name in protocols or common:
        print(table(name, evaluations))
        if len(evaluations) > 1:
            print(differences(name, evaluations))
        print()
    if report is not None:
        title = f"{len(evaluations[0].names)} cases"
        applied = tuple(protocols or common)
        sections = [Section(e._replace(protocols=applied), []) for e in evaluations]
        report.write_text(page(sections, title=title), encoding="utf-8")
        print(report)
