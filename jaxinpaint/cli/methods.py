"""What can be judged: runs, files, exports, folders of predictions, and what anybody can do."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxinpaint import inpainter
from jaxinpaint.array_typing import RGB, Missing, Variables
from jaxinpaint.data.pictures import list_pictures, read_rgb
from jaxinpaint.evaluation import baselines
from jaxinpaint.evaluation.evaluating import Method, on_all_devices
from jaxinpaint.evaluation.in_batches import filled_batches
from jaxinpaint.evaluation.manifests import Case
from jaxinpaint.exported import is_program
from jaxinpaint.inpainter import Inpainter
from jaxinpaint.run_config import FILE

BASELINES: Mapping[str, Callable[[RGB, Missing], RGB]] = {
    "mean-colour": baselines.mean_colour,
    "telea": baselines.telea,
    "navier-stokes": baselines.navier_stokes,
    "biharmonic": baselines.biharmonic,
}


def method(told: str, batch_size: int) -> Method:
    """What is to be judged.

    Args:
        told: a run's folder, a network's file, an export, a folder of predictions, or the name of a
            baseline; or NAME=one of these.
        batch_size: how many pictures a network fills at once.

    Raises:
        ValueError: if there is no such thing, or it fills no holes.
    """
    name, _, rest = told.rpartition("=")
    if Path(told).exists():
        name, rest = "", told
    if rest in BASELINES and not Path(rest).exists():
        return _baseline(name or rest, rest)
    path = Path(rest)
    if not path.exists():
        raise ValueError(
            f"{rest} is neither a file or folder nor a baseline ({', '.join(BASELINES)})"
        )
    if path.is_file() or (path / FILE).exists() or is_program(path):
        return _network(name or _name_of(path), path, batch_size)
    return _predictions(name or _name_of(path), path)


def _name_of(path: Path) -> str:
    """Of a run its folder's, of a file or an export where it lies, too."""
    parts = [part for part in path.with_suffix("").parts if part not in ("/", ".", "..")]
    return "-".join(parts[-1:] if path.is_dir() and not is_program(path) else parts[-2:])


def _baseline(name: str, baseline: str) -> Method:
    fill = BASELINES[baseline]

    def paint(cases: Sequence[Case]) -> np.ndarray:
        filled = [fill(np.where(c.hole[..., None], 0, c.truth), c.hole) for c in cases]
        return np.stack(filled).astype(np.float32) / 255

    return Method(name, paint, f"baseline {baseline}", {"baseline": baseline})


def _predictions(name: str, folder: Path) -> Method:
    """Pictures that another program made, named as the manifest's cases are."""
    found = {
        path.relative_to(folder).with_suffix("").as_posix(): path for path in list_pictures(folder)
    }

    def paint(cases: Sequence[Case]) -> np.ndarray:
        return np.stack([read(case) for case in cases]).astype(np.float32) / 255

    def read(case: Case) -> RGB:
        name = case.row.name
        if name not in found:
            raise ValueError(f"{folder} has no picture {name}, which the manifest asks for")
        picture = read_rgb(found[name])
        if picture.shape != case.truth.shape:
            sizes = (f"{shape[1]}x{shape[0]}" for shape in (picture.shape, case.truth.shape))
            raise ValueError(
                "{} is {}, but the manifest's square is {}".format(found[name], *sizes)
            )
        return picture

    digest = hashlib.sha256()
    for path in sorted(found.values()):
        digest.update(path.read_bytes())
    return Method(name, paint, f"predictions {digest.hexdigest()}", {"predictions": str(folder)})


def _network(name: str, path: Path, batch_size: int) -> Method:
    fill = _spread(inpainter.load(path))

    def paint(cases: Sequence[Case]) -> np.ndarray:
        truth = np.stack([case.truth for case in cases]).astype(np.float32) / 255
        # The last batch is filled up, so that all are of one size and one program.
        ((photos, holes, _),) = filled_batches(
            (truth, np.stack([case.hole for case in cases])), batch_size
        )
        try:
            return fill.fill(photos, holes).output[: len(cases)]
        except ValueError as error:
            names = f"{cases[0].row.name} to {cases[-1].row.name}"
            raise ValueError(f"{name} can't fill one of the cases {names}: {error}") from error

    return Method(name, paint, _fingerprint(path, fill.variables), {"network": str(path)})


def _spread(fill: Inpainter) -> Inpainter:
    """An inpainter that shares batches evenly between all devices.

    Exported programs run where they were made for, and others' batches of one on the first device.
    """
    if not fill.variables:
        return fill
    devices = np.array(jax.local_devices())
    everywhere = jax.sharding.NamedSharding(
        jax.sharding.Mesh(devices, ("data",)), jax.sharding.PartitionSpec()
    )
    host = jax.device_get(fill.variables)
    alone, shared = jax.device_put(host), jax.device_put(host, everywhere)

    def run(variables: Variables, image: np.ndarray, hole: np.ndarray) -> Any:
        del variables
        if len(image) % len(devices):
            return fill.run(alone, image, hole)
        return fill.run(shared, on_all_devices(image), on_all_devices(hole))

    return replace(fill, run=run, variables=host)


def _fingerprint(path: Path, variables: Variables) -> str:
    """Of a network by its numbers; of a program by its file."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(variables):
        digest.update(np.ascontiguousarray(leaf).tobytes())
    if not variables:
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
        for file in files:
            digest.update(file.read_bytes())
    return f"network {digest.hexdigest()}"
