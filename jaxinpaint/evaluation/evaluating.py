"""A method judged on a manifest: batch by batch, on all devices, gone on with where it stopped."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float
from PIL import Image as Pillow
from tqdm import tqdm

import jaxinpaint
from jaxinpaint.array_typing import Hole, Image, PerImage
from jaxinpaint.evaluation import distributions
from jaxinpaint.evaluation.in_batches import filled_batches
from jaxinpaint.evaluation.manifests import Case, Manifest, Row
from jaxinpaint.evaluation.protocols import (
    PROTOCOLS,
    Column,
    Convention,
    Distance,
    Levels,
    View,
    as_judged,
    column,
    columns,
    of_networks,
    scores,
)
from jaxinpaint.evaluation.results import SCORES, Evaluation, read, write
from jaxinpaint.whole_files import replaced

VERSIONS = {"jaxinpaint": jaxinpaint.__version__, "jax": jax.__version__}
STATE, PARTS = "evaluation.json", "parts"
OUTPUT, COMPOSITE = "output", "composite"  # folders of what was painted


class Method(NamedTuple):
    """What is judged.

    Attributes:
        name: what people call it; of its folder, too.
        paint: all that is painted for some cases, in their order: pictures in [0, 1].
        fingerprint: tells it from all others, so that no two are mixed in one result.
        details: to be told with its scores.
    """

    name: str
    paint: Callable[[Sequence[Case]], Float[np.ndarray, "N H W 3"]]
    fingerprint: str
    details: Mapping[str, Any]


class Judges(NamedTuple):
    """The networks that judge, as far as their weights are there.

    Attributes:
        distances: LPIPS, by network.
        features: of Inception, by convention.
        left_out: why others are not there, by the metrics that need them.
        digests: of their weights, by the metrics that look through them.
    """

    distances: Mapping[Distance, Callable[[Image, Image], PerImage]] = {}
    features: Mapping[Convention, Callable[[Image], Float[Array, "N F"]]] = {}
    left_out: Mapping[str, str] = {}
    digests: Mapping[str, str] = {}


class _Seen(NamedTuple):
    """Whose features are taken: of a picture as a protocol judges it, or of the true one."""

    convention: Convention
    view: tuple[View, Levels] | None  # None is the true one

    @property
    def key(self) -> str:
        return " ".join((self.convention, *(self.view or ("truth",))))


def evaluate(
    method: Method,
    manifest: Manifest,
    case: Callable[[Row], Case],
    *,
    protocols: Sequence[str],
    judges: Judges,
    folder: Path,
    batch_size: int,
) -> Evaluation:
    """Judges a method, or goes on where that was stopped, or reads what has been found before.

    The folder then has ``scores.json``, ``pictures.csv``, and what was painted as PNG: ``output``
    and ``composite``.

    Args:
        method: what is judged.
        manifest: its cases are of one size.
        case: makes a case of a row.
        protocols: names of `PROTOCOLS`.
        judges: networks that judge.
        folder: for this method.
        batch_size: cases at once; shared evenly by all devices if it is a multiple of their number.

    Raises:
        ValueError: if the folder holds another evaluation, cases are of several sizes, or the
            method can't fill one or paints what is no number.
    """
    size = _size(manifest)
    _begin(folder, _state(method, manifest, protocols, judges))
    if (folder / SCORES).exists():
        return read(folder)
    of = columns(protocols, size, judges.distances)
    judge = _judge(of, _all_seen(protocols, judges), judges)
    parts = []
    for start in tqdm(
        range(0, len(manifest.rows), batch_size), desc=method.name, unit="batch", disable=None
    ):
        # A part is of its own batch size: another one cuts the cases otherwise.
        parts.append(folder / PARTS / f"{start:06d}-{batch_size}.npz")
        if not parts[-1].exists():
            cases = [case(row) for row in manifest.rows[start : start + batch_size]]
            _store(parts[-1], _judged(method, cases, judge, folder, batch_size))
    evaluation = Evaluation(
        method=method.name,
        manifest=manifest.sha256,
        protocols=tuple(protocols),
        size=size,
        **_told(manifest),
        values={one.name: _found(parts, one.name).astype(float) for one in of},
        overall=_overall(protocols, judges, parts) if len(manifest.rows) > 1 else {},
        left_out=_left_out(protocols, judges, size, len(manifest.rows)),
        details=dict(method.details) | {"judges": dict(judges.digests), "versions": VERSIONS},
    )
    write(evaluation, folder)
    shutil.rmtree(folder / PARTS)
    return evaluation


def _state(
    method: Method, manifest: Manifest, protocols: Sequence[str], judges: Judges
) -> dict[str, Any]:
    """What makes an evaluation another one, by what messages call it."""
    return {
        "method": method.fingerprint,
        "manifest": manifest.sha256,
        "protocols": list(protocols),
        "judging networks": dict(judges.digests),
        "versions": VERSIONS,
    }


def _told(manifest: Manifest) -> dict[str, Any]:
    """What an `Evaluation` tells of its cases."""
    return {
        "names": tuple(row.name for row in manifest.rows),
        "pictures": tuple(row.picture for row in manifest.rows),
        "missing": np.array([row.missing for row in manifest.rows]),
        "touches_border": np.array([row.touches_border for row in manifest.rows]),
    }


def _found(parts: Sequence[Path], key: str) -> np.ndarray:
    """The values or features of all cases; no others are read."""
    found = []
    for path in parts:
        with np.load(path) as part:
            found.append(part[key])
    return np.concatenate(found)


def _size(manifest: Manifest) -> int:
    sizes = {row.size for row in manifest.rows}
    if len(sizes) > 1:
        raise ValueError(f"a manifest is judged in squares of one size; this has {sorted(sizes)}")
    return sizes.pop()


def _begin(folder: Path, state: Mapping[str, Any]) -> None:
    """Makes the folder of an evaluation, or checks that it is of this one."""
    path = folder / STATE
    if path.exists():
        try:
            earlier = json.loads(path.read_text())
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} is damaged: remove {folder} to judge again") from error
        if other := [name for name in state if earlier.get(name) != state[name]]:
            raise ValueError(
                f"{folder} holds another evaluation, with other {' and '.join(other)}: choose "
                "another output, or remove it to judge again"
            )
    elif folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is there, and no evaluation: choose another output")
    else:
        # First of all: a folder that has anything has this.
        folder.mkdir(parents=True, exist_ok=True)
        with replaced(path) as unfinished:
            unfinished.write_text(json.dumps(state, indent=1) + "\n")
    for name in (PARTS, OUTPUT, COMPOSITE):
        (folder / name).mkdir(exist_ok=True)


def _judge(
    of: Sequence[Column], seen: Sequence[_Seen], judges: Judges
) -> Callable[[Image, Image, Hole], dict[str, Array]]:
    """What gives all values and features of a batch, compiled."""

    def look(one: _Seen, output: Image, truth: Image, hole: Hole) -> Array:
        picture = truth if one.view is None else as_judged(*one.view, output, truth, hole)
        return judges.features[one.convention](picture)

    @jax.jit
    def judge(output: Image, truth: Image, hole: Hole) -> dict[str, Array]:
        features = {one.key: look(one, output, truth, hole) for one in seen}
        return scores(of, output, truth, hole) | features

    return judge


def _all_seen(protocols: Sequence[str], judges: Judges) -> list[_Seen]:
    found = []
    for protocol in map(PROTOCOLS.__getitem__, protocols):
        for fid in protocol.fid:
            if fid.convention in judges.features:
                found.append(_Seen(fid.convention, None))
                found += [
                    _Seen(fid.convention, (view, protocol.levels)) for view in protocol.pictures
                ]
    return list(dict.fromkeys(found))


def _judged(
    method: Method,
    cases: Sequence[Case],
    judge: Callable[..., Mapping[str, Array]],
    folder: Path,
    batch_size: int,
) -> dict[str, np.ndarray]:
    """The values and features of some cases; what was painted is written."""
    truth = np.stack([case.truth for case in cases])
    hole = np.stack([case.hole for case in cases])[..., None]
    painted = method.paint(cases)
    if not np.isfinite(painted).all():
        names = [
            case.row.name
            for case, one in zip(cases, painted, strict=True)
            if not np.isfinite(one).all()
        ]
        raise ValueError(f"{method.name} paints what is no number: case {names[0]}")
    output = np.clip(painted, 0, 1).astype(np.float32)
    bytes_ = np.round(255 * output).astype(np.uint8)
    for case, raw, filled in zip(cases, bytes_, np.where(hole, bytes_, truth), strict=True):
        Pillow.fromarray(raw).save(folder / OUTPUT / f"{case.row.name}.png")
        Pillow.fromarray(filled).save(folder / COMPOSITE / f"{case.row.name}.png")
    arrays = output, truth.astype(np.float32) / 255, hole.astype(np.float32)
    (batch,) = filled_batches(arrays, batch_size)  # a last one is filled up: one size, one program
    found = judge(*map(on_all_devices, batch[:-1]))
    return {key: np.asarray(values)[: len(cases)] for key, values in found.items()}


def on_all_devices(batch: np.ndarray) -> jax.Array:
    """A batch shared evenly by all devices; on the first one if it can't be."""
    devices = jax.local_devices()
    if len(batch) % len(devices):
        devices = devices[:1]
    mesh = jax.sharding.Mesh(np.array(devices), ("data",))
    return jax.device_put(
        batch, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
    )


def _store(path: Path, found: Mapping[str, np.ndarray]) -> None:
    with replaced(path) as unfinished, unfinished.open("wb") as file:
        np.savez(file, **found)  # type: ignore[arg-type]


def _overall(protocols: Sequence[str], judges: Judges, parts: Sequence[Path]) -> dict[str, float]:
    """The distances of distributions."""
    overall: dict[str, float] = {}
    for name in protocols:
        protocol = PROTOCOLS[name]
        for fid in protocol.fid:
            if fid.convention not in judges.features:
                continue
            real = _found(parts, _Seen(fid.convention, None).key)
            for picture in protocol.pictures:
                fake = _found(parts, _Seen(fid.convention, (picture, protocol.levels)).key)
                called = partial(column, name, picture)
                overall[called(fid.metric)] = distributions.fid(fake, real, ddof=fid.ddof)
                if protocol.ids and fid.convention == "fid" and "p_ids" not in judges.left_out:
                    p_ids, u_ids = distributions.ids(fake, real)
                    overall |= {called("p_ids"): p_ids, called("u_ids"): u_ids}
    return overall


def _left_out(protocols: Sequence[str], judges: Judges, size: int, cases: int) -> dict[str, str]:
    """Why metrics of these protocols are missing."""
    asked = {name for one in protocols for name in of_networks(PROTOCOLS[one])}
    small = {
        metric.name: f"pictures of {size} pixels are too small: {metric.least} are needed"
        for one in protocols
        for metric in PROTOCOLS[one].metrics
        if metric.least > size
    }
    if cases < 2:
        of_sets = [name for name in asked if not name.startswith("lpips_")]
        small |= dict.fromkeys(of_sets, "one case only")
    return small | {name: why for name, why in judges.left_out.items() if name in asked}
