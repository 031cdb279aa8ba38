"""What can be judged: runs, files, exports, folders of predictions, and what anybody can do."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from PIL import Image, UnidentifiedImageError

from jaxinpaint import inpainter, ready, recipes, trained
from jaxinpaint.array_typing import Variables
from jaxinpaint.data.pictures import UnreadablePicture, list_pictures, matches, read_rgb
from jaxinpaint.evaluation.baselines import BASELINES, with_version
from jaxinpaint.evaluation.evaluating import Method, on_all_devices
from jaxinpaint.evaluation.in_batches import filled_batches
from jaxinpaint.evaluation.manifests import Case, Manifest
from jaxinpaint.inpainter import Inpainter
from jaxinpaint.interop.export_folders import is_program
from jaxinpaint.run_config import FILE, load_config

log = logging.getLogger(__name__)


def method(told: str, batch_size: int, manifest: Manifest) -> Method:
    """What is to be judged.

    Args:
        told: a run's folder, a network's file, an export, a folder of predictions, or the name of a
            baseline or of the network that comes along (a folder of that name is ``./NAME``); or
            NAME=one of these.
        batch_size: how many pictures a network fills at once.
        manifest: whose cases are to be filled.

    Raises:
        ValueError: if there is no such thing, it fills no holes, or predictions are not those of
            the manifest's cases.
        ModuleNotFoundError: for a baseline without its library.
    """
    name, _, rest = told.rpartition("=")
    if Path(told).exists():
        name, rest = "", told
    if rest in BASELINES:
        return _baseline(name or rest, rest)
    path = Path(rest)
    if rest == ready.NAME and not path.exists():
        return _network(name or rest, ready.NETWORK, batch_size, said=f"{rest}, which comes along")
    if not path.exists():
        raise ValueError(
            f"{rest} is neither a file or folder nor {ready.NAME}, which comes along, nor a "
            f"baseline ({', '.join(BASELINES)})"
        )
    if path.is_file() or (path / FILE).exists() or is_program(path):
        return _network(name or _name_of(path), path, batch_size)
    return _predictions(name or _name_of(path), path, manifest)


def _name_of(path: Path) -> str:
    """Of a run its folder's, of a file or an export where it lies, too."""
    stem = path.with_suffix("") if path.is_file() else path
    parts = [part for part in stem.parts if part not in ("/", ".", "..")]
    return "-".join(parts[-1:] if path.is_dir() and not is_program(path) else parts[-2:])


def _baseline(name: str, baseline: str) -> Method:
    fill = BASELINES[baseline]

    def paint(cases: Sequence[Case]) -> np.ndarray:
        filled = [fill(np.where(c.hole[..., None], 0, c.truth), c.hole) for c in cases]
        return np.stack(filled).astype(np.float32) / 255

    told = with_version(baseline)
    return Method(name, paint, f"baseline {told}", {"baseline": told})


def _predictions(name: str, folder: Path, manifest: Manifest) -> Method:
    """Pictures that another program made, named as the manifest's cases are."""
    found = _files_of_cases(folder, manifest)
    formats = {_format(found[row.name], row.size) for row in manifest.rows}
    if "JPEG" in formats:
        log.warning(
            "%s holds JPEGs, which change known pixels: composites have the true ones", folder
        )
    digest = hashlib.sha256()
    for case in sorted(found):
        digest.update(f"{case!a} {hashlib.sha256(found[case].read_bytes()).hexdigest()}".encode())

    def paint(cases: Sequence[Case]) -> np.ndarray:
        return np.stack([read_rgb(found[c.row.name]) for c in cases]).astype(np.float32) / 255

    return Method(name, paint, f"predictions {digest.hexdigest()}", {"predictions": str(folder)})


def _files_of_cases(folder: Path, manifest: Manifest) -> dict[str, Path]:
    """The pictures in a folder that are named as cases, by these names.

    Raises:
        ValueError: if a case has none, or two.
    """
    names = {row.name for row in manifest.rows}
    places = [path.relative_to(folder) for path in list_pictures(folder)]
    used = [place for place in places if place.with_suffix("").as_posix() in names]
    if missing := names - {place.with_suffix("").as_posix() for place in used}:
        more = f" ({len(missing)} are missing)" if len(missing) > 1 else ""
        raise ValueError(
            f"{folder} has no picture {min(missing)}, which the manifest asks for{more}"
        )
    cases = [Path(f"{name}.png") for name in names]
    numbers = matches(cases, used, where=str(folder), noun="picture")
    if others := len(places) - len(used):
        print(f"{others} pictures in {folder} are none of the manifest's cases, and play no part")
    return {name: folder / used[i] for name, i in zip(names, numbers, strict=True)}


def _format(path: Path, size: int) -> str | None:
    """The format of a prediction; its pixels are not read, unless it may be transparent.

    Raises:
        ValueError: if it is of another size, transparent, or no picture.
    """
    try:
        with Image.open(path) as image:
            if image.size != (size, size):
                width, height = image.size
                raise ValueError(
                    f"{path} is {width}x{height}, but the manifest's square is {size}x{size}"
                )
            if (
                image.has_transparency_data
                and np.asarray(image.convert("RGBA"))[..., 3].min() < 255
            ):
                raise ValueError(
                    f"{path} is transparent somewhere, where a prediction is a colour: save RGB"
                )
            return image.format
    except UnidentifiedImageError as error:
        raise UnreadablePicture(f"{path}: not a picture that Pillow can read") from error


def _network(name: str, path: Path, batch_size: int, said: str = "") -> Method:
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

    return Method(name, paint, _fingerprint(path, fill.variables), {"network": said or str(path)})


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

    return replace(fill, run=run, variables=host, budget=None)  # batches of squares are small


def _fingerprint(path: Path, variables: Variables) -> str:
    """Of a network by what it computes and its numbers; of a program by its file."""
    digest = hashlib.sha256()
    if variables:
        digest.update(_function(path).encode())
        for place, leaf in jax.tree_util.tree_leaves_with_path(variables):
            digest.update(f"{jax.tree_util.keystr(place)} {leaf.shape} {leaf.dtype}".encode())
            digest.update(np.ascontiguousarray(leaf).tobytes())
    else:
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
        for file in files:
            digest.update(file.read_bytes())
    return f"network {digest.hexdigest()}"


def _function(path: Path) -> str:
    """Which function of its numbers and the picture a network is."""
    config = trained.start(path).config
    precision = load_config(path).step.precision if (path / FILE).exists() else "float32"
    return f"{type(config).__name__} {recipes.network_options(config)} {precision}"
