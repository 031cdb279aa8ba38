"""A method judged on a manifest: batch by batch, on all devices, gone on with where it stopped."""

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Float
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

VERSIONS = {"jaxinpaint": jaxinpaint.__version__, "jax": jax.__version__}
STATE, PARTS = "evaluation.json", "parts"
OUTPUT, COMPOSITE = "output", "composite"  # folders of what was painted

# ``(photos in [0, 1] with zeros in their holes, holes) -> all that is painted``, of one size.
Paint = Callable[
    [Float[np.ndarray, "N H W 3"], Bool[np.ndarray, "N H W"]], Float[np.ndarray, "N H W 3"]
]


class Method(NamedTuple):
    """What is judged.

    Attributes:
        name: what people call it; of its folder, too.
        paint: fills the cases of a batch, in their order.
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
    """

    distances: Mapping[Distance, Callable[[Image, Image], PerImage]] = {}
    features: Mapping[Convention, Callable[[Image], Float[Array, "N F"]]] = {}
    left_out: Mapping[str, str] = {}


class _Seen(NamedTuple):
    """Whose features are taken: of a picture as a protocol judges it, or of the true one."""

    convention: Convention
    levels: Levels
    picture: View | None  # None is the true one, whatever the levels

    @property
    def key(self) -> str:
        return f"{self.convention} {self.levels} {self.picture or 'truth'}"


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
            method can't fill one.
    """
    size = _size(manifest)
    state = {
        "method": method.fingerprint,
        "manifest": manifest.sha256,
        "protocols": list(protocols),
        "judging networks": sorted([*judges.distances, *judges.features]),
        "batch_size": batch_size,
    }
    _begin(folder, state)
    if (folder / SCORES).exists():
        return read(folder)
    of = columns(protocols, size, judges.distances)
    judge = _judge(of, _all_seen(protocols, judges), judges)
    starts = range(0, len(manifest.rows), batch_size)
    parts = []
    for start in tqdm(starts, desc=method.name, unit="batch", disable=None):
        path = folder / PARTS / f"{start:06d}.npz"
        if not path.exists():
            rows = manifest.rows[start : start + batch_size]
            _store(path, _judged(method, [case(row) for row in rows], judge, folder, batch_size))
        with np.load(path) as part:
            parts.append(dict(part))
    found = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    evaluation = Evaluation(
        method=method.name,
        manifest=manifest.sha256,
        protocols=tuple(protocols),
        size=size,
        names=tuple(row.name for row in manifest.rows),
        pictures=tuple(row.picture for row in manifest.rows),
        missing=np.array([row.missing for row in manifest.rows]),
        touches_border=np.array([row.touches_border for row in manifest.rows]),
        values={one.name: found[one.name].astype(float) for one in of},
        overall=_overall(protocols, judges, found),
        left_out=_left_out(protocols, judges, size, len(manifest.rows)),
        details=dict(method.details) | {"versions": VERSIONS},
    )
    write(evaluation, folder)
    shutil.rmtree(folder / PARTS)
    return evaluation


def _size(manifest: Manifest) -> int:
    sizes = {row.size for row in manifest.rows}
    if len(sizes) > 1:
        raise ValueError(f"a manifest is judged in squares of one size; this has {sorted(sizes)}")
    return sizes.pop()


def _begin(folder: Path, state: Mapping[str, Any]) -> None:
    """Makes the folder of an evaluation, or checks that it is of this one."""
    path = folder / STATE
    if path.exists():
        earlier = json.loads(path.read_text())
        if other := [name for name in state if earlier.get(name) != state[name]]:
            raise ValueError(
                f"{folder} holds another evaluation, with another {' and '.join(other)}: choose "
                "another output, or remove it"
            )
        return
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is there, and no evaluation: choose another output")
    for name in (PARTS, OUTPUT, COMPOSITE):
        (folder / name).mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(state, indent=1) + "\n")


def _judge(
    of: Sequence[Column], seen: Sequence[_Seen], judges: Judges
) -> Callable[[Image, Image, Hole], dict[str, Array]]:
    """What gives all values and features of a batch, compiled."""

    def look(one: _Seen, output: Image, truth: Image, hole: Hole) -> Array:
        if one.picture is None:
            return judges.features[one.convention](truth)
        judged = as_judged(one.picture, one.levels, output, truth, hole)
        return judges.features[one.convention](judged)

    @jax.jit
    def judge(output: Image, truth: Image, hole: Hole) -> dict[str, Array]:
        features = {one.key: look(one, output, truth, hole) for one in seen}
        return scores(of, output, truth, hole) | features

    return judge


def _all_seen(protocols: Sequence[str], judges: Judges) -> list[_Seen]:
    found = []
    for name in protocols:
        protocol = PROTOCOLS[name]
        for fid in protocol.fid:
            if fid.convention in judges.features:
                found += [_Seen(fid.convention, protocol.levels, p) for p in protocol.pictures]
                found.append(_Seen(fid.convention, protocol.levels, None))
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
    output = np.clip(method.paint(cases), 0, 1).astype(np.float32)
    bytes_ = np.round(255 * output).astype(np.uint8)
    for case, painted, filled in zip(cases, bytes_, np.where(hole, bytes_, truth), strict=True):
        Pillow.fromarray(painted).save(folder / OUTPUT / f"{case.row.name}.png")
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
    """Writes a part; it is there as a whole or not at all."""
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        np.savez(file, **found)  # type: ignore[arg-type]
    os.replace(unfinished, path)


def _overall(
    protocols: Sequence[str], judges: Judges, found: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """The distances of distributions, if there are at least two pictures."""
    overall: dict[str, float] = {}
    if any(len(values) < 2 for values in found.values()):
        return overall
    for name in protocols:
        protocol = PROTOCOLS[name]
        for fid in protocol.fid:
            if fid.convention not in judges.features:
                continue
            real = found[_Seen(fid.convention, protocol.levels, None).key]
            for picture in protocol.pictures:
                fake = found[_Seen(fid.convention, protocol.levels, picture).key]
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
        few = dict.fromkeys(asked & {"fid", "fid_torchvision", "p_ids", "u_ids"}, "one case only")
        small |= few
    return small | {name: why for name, why in judges.left_out.items() if name in asked}
