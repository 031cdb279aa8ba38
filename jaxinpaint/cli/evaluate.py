"""``jaxinpaint evaluate``: methods judged on the same cases, by every program's rules."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from jaxinpaint.names import ProtocolName

if TYPE_CHECKING:
    from jaxinpaint.evaluation.manifests import Case, Manifest, Row
    from jaxinpaint.evaluation.results import Evaluation

MANIFEST, REPORT = "manifest.jsonl", "report.html"


def evaluate(
    methods: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="METHOD")],
    /,
    *,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="OUT")],
    data: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
    manifest: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    masks: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
    protocols: tuple[ProtocolName | Literal["all"], ...] = ("house",),
    size: int | None = None,
    batch_size: int = 8,
) -> None:
    """Judge methods on the cases of a manifest, and report how they compare.

    A method is a run's folder, a network's file, an export, a folder of predictions (named as the
    manifest's cases), membrane (the network that comes along), mean-colour, telea, navier-stokes or
    biharmonic; or NAME=one of these. It goes on where it was stopped; methods can be added later.
    (docs/evaluation.md)

    LPIPS, FID, P-IDS and U-IDS are among the scores where `jaxinpaint weights` has put the networks
    that they look through into the cache.

    Args:
        methods: What is judged.
        output: A folder: report.html, and for each method scores.json, pictures.csv and what it
            painted.
        data: The folder of the manifest's pictures. By default the held-out photographs that come
            along.
        manifest: Which squares and holes. By default the middle square of each picture, with six
            irregular holes; it is written to OUT/manifest.jsonl.
        masks: The folder of mask files, for a manifest whose holes are such.
        protocols: Whose rules.
        size: Side of the squares (256 if left out), where there is no --manifest.
        batch_size: Cases at once.
    """
    from jaxinpaint.cli.judges import judges
    from jaxinpaint.cli.methods import method
    from jaxinpaint.data.examples import built_in
    from jaxinpaint.evaluation import evaluating, manifests
    from jaxinpaint.evaluation.protocols import PROTOCOLS
    from jaxinpaint.keeping_compiled import keep_compiled

    if not methods:
        raise ValueError("say what is judged: a run, a network's file, membrane, telea, …")
    if batch_size < 1:
        raise ValueError(f"--batch-size is {batch_size}; at least one case is judged at once")
    keep_compiled()
    names = tuple(PROTOCOLS) if "all" in protocols else tuple(dict.fromkeys(protocols))
    folder = data or built_in("held_out")
    with TemporaryDirectory() as temporary:
        file = manifest or _house_manifest(output / MANIFEST, folder, size, Path(temporary))
        cases = _manifest(file, output / MANIFEST, size if manifest else None, masks)
        judged = [method(told, batch_size, cases) for told in methods]
        _require_names([one.name for one in judged])
        # Only now: what can't be judged leaves nothing.
        manifests.keep(file, output / MANIFEST)
    networks = judges(names)
    case = partial(manifests.case, folder=folder, masks_folder=masks)
    evaluations = [
        evaluating.evaluate(
            one,
            cases,
            case,
            protocols=names,
            judges=networks,
            folder=output / one.name,
            batch_size=batch_size,
        )
        for one in judged
    ]
    _print(names, evaluations)
    _report(evaluations, cases, case, output)


def _print(protocols: Sequence[str], evaluations: "Sequence[Evaluation]") -> None:
    """Tells the means of all cases, and what is missing."""
    from jaxinpaint.evaluation.tables import left_out, table

    print("\n\n".join(table(name, evaluations) for name in protocols))
    for why, metrics in left_out(evaluations).items():
        print(f"not measured: {', '.join(metrics)}: {why}")


def _report(
    evaluations: "Sequence[Evaluation]",
    manifest: "Manifest",
    case: "Callable[[Row], Case]",
    output: Path,
) -> None:
    """Writes the page, and tells where it is."""
    from jaxinpaint.cli.galleries import gallery
    from jaxinpaint.evaluation.report.page import Section, page
    from jaxinpaint.whole_files import replaced

    sections = [
        Section(one, gallery(one, manifest, case, Path(one.method), output)) for one in evaluations
    ]
    with replaced(output / REPORT) as unfinished:
        unfinished.write_text(page(sections, title=_title(manifest)), encoding="utf-8")
    print(f"\n{output / REPORT}")


def _require_names(names: Sequence[str]) -> None:
    """Raises ValueError if names can't be those of folders, or are not different."""
    for name in names:
        if name in ("", ".", "..") or "/" in name or name in (MANIFEST, REPORT):
            raise ValueError(f"{name!r} is no name for a method: say NAME=…")
    if len(set(names)) < len(names):
        raise ValueError(f"two methods of one name among {', '.join(names)}: say NAME=…")


def _house_manifest(kept: Path, data: Path, size: int | None, folder: Path) -> Path:
    """The manifest that is kept with the results; without one, a new one of the house's kind.

    Raises:
        ValueError: if pictures have come or gone since, or the size is another one.
    """
    from jaxinpaint.data.pictures import list_pictures
    from jaxinpaint.evaluation import manifests
    from jaxinpaint.evaluation.protocols import HOUSE

    if not kept.exists():
        rows = manifests.drawn_rows(data, size=size or HOUSE.size, holes=HOUSE.holes, seed=0)
        manifests.write(rows, folder / MANIFEST)
        return folder / MANIFEST
    rows = manifests.read(kept).rows
    if size not in (None, rows[0].size):
        raise ValueError(f"{kept} is of {rows[0].size} pixels, not {size}: choose another output")
    there = {path.relative_to(data).as_posix() for path in list_pictures(data)}
    if there != {row.picture for row in rows}:
        raise ValueError(f"{kept} is of other pictures than {data} has: choose another output")
    return kept


def _manifest(file: Path, kept: Path, size: int | None, masks: Path | None) -> "Manifest":
    """The manifest of a file.

    Raises:
        ValueError: if it can't be read, the output has results of another, or options are given
            that say nothing to it.
    """
    from jaxinpaint.evaluation import manifests

    found = manifests.read(file)
    if kept.exists() and manifests.read(kept).sha256 != found.sha256:
        raise ValueError(f"{kept.parent} has results of another manifest: choose another output")
    if size is not None:
        raise ValueError("--size is told by the --manifest: leave it out")
    if masks is not None and not any(isinstance(row.hole, manifests.Stored) for row in found.rows):
        raise ValueError("--masks says nothing to a manifest whose holes are drawn")
    return found


def _title(manifest: "Manifest") -> str:
    pictures = len({row.picture for row in manifest.rows})
    return f"{len(manifest.rows)} holes in {pictures} pictures"
