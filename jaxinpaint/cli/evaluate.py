"""``jaxinpaint evaluate``: methods judged on the same cases, by every program's rules."""

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from jaxinpaint.evaluation.evaluating import Judges
    from jaxinpaint.evaluation.manifests import Manifest
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
    protocols: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME")] = ("house",),
    size: int = 256,
    batch_size: int = 8,
) -> None:
    """Judge methods on the cases of a manifest, and report how they compare.

    A method is a run's folder, a network's file, an export, a folder of predictions (named as the
    manifest's cases), or one of mean-colour, telea, navier-stokes, biharmonic; or NAME=one of
    these. It goes on where it was stopped; methods can be added later. (docs/evaluation.md)

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
        protocols: Whose rules: house, context-encoder, partial-conv, lama, mat, aot, mmagic,
            deepfill, crfill; or all.
        size: Side of the squares, where there is no --manifest.
        batch_size: Cases at once.
    """
    from jaxinpaint.cli.galleries import gallery
    from jaxinpaint.cli.methods import method
    from jaxinpaint.data.examples import built_in
    from jaxinpaint.evaluation import evaluating, manifests
    from jaxinpaint.evaluation.report.page import Section, page
    from jaxinpaint.evaluation.tables import table

    if batch_size < 1:
        raise ValueError(f"--batch-size is {batch_size}; at least one case is judged at once")
    names = _protocols(protocols)
    judged = [method(told, batch_size) for told in methods]
    _require_names([one.name for one in judged])
    folder = data or built_in("held_out")
    cases = _manifest(output, manifest, folder, size)
    judges = _judges(names)
    case = partial(manifests.case, folder=folder, masks_folder=masks)
    evaluations = [
        evaluating.evaluate(
            one,
            cases,
            case,
            protocols=names,
            judges=judges,
            folder=output / one.name,
            batch_size=batch_size,
        )
        for one in judged
    ]
    print("\n\n".join(table(name, evaluations) for name in names))
    for why, metrics in _left_out(evaluations).items():
        print(f"not measured: {', '.join(metrics)}: {why}")
    sections = [Section(e, gallery(e, cases, case, Path(e.method), output)) for e in evaluations]
    report = output / REPORT
    report.write_text(page(sections, title=_title(cases)), encoding="utf-8")
    print(f"\n{report}")


def _protocols(told: Sequence[str]) -> tuple[str, ...]:
    """Names of protocols.

    Raises:
        ValueError: for one that is none.
    """
    from jaxinpaint.evaluation.protocols import PROTOCOLS

    if "all" in told:
        return tuple(PROTOCOLS)
    if other := [name for name in told if name not in PROTOCOLS]:
        raise ValueError(f"--protocols {other[0]} is none of {', '.join(PROTOCOLS)}, all")
    return tuple(dict.fromkeys(told))


def _require_names(names: Sequence[str]) -> None:
    """Raises ValueError if names can't be those of folders, or are not different."""
    for name in names:
        if name in ("", ".", "..") or "/" in name or name in (MANIFEST, REPORT):
            raise ValueError(f"{name!r} is no name for a method: say NAME=…")
    if len(set(names)) < len(names):
        raise ValueError(f"two methods of one name among {', '.join(names)}: say NAME=…")


def _manifest(output: Path, told: Path | None, data: Path, size: int) -> "Manifest":
    """The manifest that is judged by, of which a copy is kept with the results.

    Raises:
        ValueError: if it can't be read or made, or the output has results of another.
    """
    from jaxinpaint.evaluation import manifests
    from jaxinpaint.evaluation.protocols import HOUSE

    kept = output / MANIFEST
    if told is None:
        if not kept.exists():
            manifests.write(manifests.drawn_rows(data, size=size, holes=HOUSE.holes, seed=0), kept)
        found = manifests.read(kept)
        if found.rows[0].size != size:
            raise ValueError(
                f"{kept} is of {found.rows[0].size} pixels, not {size}: choose another output"
            )
        return found
    found = manifests.read(told)
    if not kept.exists():
        output.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(told, kept)
    elif manifests.read(kept).sha256 != found.sha256:
        raise ValueError(f"{output} has results of another manifest: choose another output")
    return found


def _judges(protocols: Sequence[str]) -> "Judges":
    """The networks that these protocols judge by, as far as their weights are there."""
    from importlib.util import find_spec

    from jaxinpaint.evaluation.evaluating import Judges
    from jaxinpaint.evaluation.protocols import PROTOCOLS, Distance
    from jaxinpaint.interop.judges import inception_features, perceptual_distance
    from jaxinpaint.interop.published_weights import NoWeights

    distances, features, left_out = {}, {}, {}
    applied = [PROTOCOLS[name] for name in protocols]
    networks: set[Distance] = {network for one in applied for network in one.lpips}
    fids = {fid.metric: fid for one in applied for fid in one.fid}.values()
    for network in sorted(networks):
        try:
            distances[network] = perceptual_distance(network)
        except NoWeights as error:
            left_out[f"lpips_{network}"] = str(error)
    for fid in fids:
        try:
            features[fid.convention] = inception_features(fid.convention)
        except NoWeights as error:
            left_out[fid.metric] = str(error)
    if find_spec("sklearn") is None:
        why = "scikit-learn is missing: pip install 'jaxinpaint[ids]'"
        left_out |= {"p_ids": why, "u_ids": why}
    elif "fid" in left_out:
        left_out |= {"p_ids": left_out["fid"], "u_ids": left_out["fid"]}
    return Judges(distances, features, left_out)


def _left_out(evaluations: "Sequence[Evaluation]") -> dict[str, list[str]]:
    """Metrics that are missing, by the reason."""
    found: dict[str, list[str]] = {}
    for metric, why in evaluations[0].left_out.items():
        found.setdefault(why, []).append(metric)
    return found


def _title(manifest: "Manifest") -> str:
    pictures = len({row.picture for row in manifest.rows})
    return f"{len(manifest.rows)} holes in {pictures} pictures"
