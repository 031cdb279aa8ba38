"""Weights that others published, in the user's cache: taken from a file, or fetched from home."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import platformdirs
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from jaxinpaint.array_typing import Variables
from jaxinpaint.interop.download import DownloadFailed, download
from jaxinpaint.interop.vgg import flattened, unflattened, vgg_from
from jaxinpaint.interop.weight_files import (
    UnreadableWeights,
    check_named_hash,
    digest_of,
    read_arrays,
    sha256,
)
from jaxinpaint.nets.vgg import Depth

Name = Literal["vgg16", "vgg19"]

DEPTHS: Mapping[Name, Depth] = {"vgg16": 16, "vgg19": 19}

# The files' own names carry the first digits of their SHA-256.
HOME = "https://download.pytorch.org/models"
FILES: Mapping[Name, str] = {"vgg16": "vgg16-397923af.pth", "vgg19": "vgg19-dcbb9e9d.pth"}


class PublishedWeights(NamedTuple):
    """Weights from the cache.

    Attributes:
        variables: of the network.
        source: the file they were taken from.
        digest: SHA-256 of all arrays: the same for the same numbers, whatever file they came in.
    """

    variables: Variables
    source: str
    digest: str


class NoWeights(ValueError):
    """Weights that are not in the cache."""


def load(name: Name) -> PublishedWeights:
    """The weights from the cache.

    Raises:
        NoWeights: if they are not there.
        UnreadableWeights: if the file in the cache is damaged.
    """
    path = cached_file(name)
    if not path.exists():
        raise NoWeights(
            f"there are no weights of {name} in {path.parent}: fetch them with `jaxinpaint weights "
            f"{name} --download`, or give a file you have with `jaxinpaint weights {name} --from "
            f"FILE` ({FILES[name]}, Keras's .h5, or safetensors)"
        )
    try:
        with safe_open(path, framework="np") as file:
            told = file.metadata() or {}
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
    except SafetensorError as error:
        raise UnreadableWeights(_damaged(name, path, str(error))) from error
    if told.get("digest") != digest_of(arrays):
        raise UnreadableWeights(_damaged(name, path, "its numbers are not those that were saved"))
    try:
        variables = unflattened(arrays, DEPTHS[name])
    except UnreadableWeights as error:
        raise UnreadableWeights(_damaged(name, path, str(error))) from error
    return PublishedWeights(variables, told["source"], told["digest"])


def take_from(file: Path, name: Name) -> PublishedWeights:
    """Reads a published file, checks it, and puts its weights into the cache.

    Args:
        file: torchvision's ``.pth``, Keras's ``.h5``, or a safetensors file of either's names or
            this package's.
        name: whose weights they are.

    Raises:
        UnreadableWeights: if the file is of another kind or network, is damaged, or is not the one
            that its name's hash says. The cache stays as it was.
        OSError: if the file can't be read, or the cache can't be written.
    """
    check_named_hash(file)
    found = read_arrays(file)
    try:
        variables = vgg_from(found, DEPTHS[name])
    except UnreadableWeights as error:
        raise UnreadableWeights(f"{file}: {error}") from error
    arrays = flattened(variables)
    digest = digest_of(arrays)
    path = cached_file(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        save_file(arrays, partial, {"source": file.name, "digest": digest})
        partial.replace(path)
    except SafetensorError as error:  # such as a full disk
        raise OSError(f"{path} can't be written: {error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return PublishedWeights(variables, file.name, digest)


def fetch(name: Name, *, url: str | None = None) -> PublishedWeights:
    """Downloads the published file, checks its hash, and puts its weights into the cache.

    Args:
        name: whose weights.
        url: another address of the same file; its home by default.

    Raises:
        DownloadFailed: if it can't be fetched or is another file. The cache stays as it was.
    """
    published = cached_file(name).with_name(FILES[name])
    prefix = Path(FILES[name]).stem.rpartition("-")[2]
    # It may be there from a call that was killed before it had put the weights away.
    if not (published.exists() and sha256(published).startswith(prefix)):
        try:
            download(url or f"{HOME}/{FILES[name]}", published, sha256_prefix=prefix)
        except DownloadFailed as error:
            another_way = f"`jaxinpaint weights {name} --from FILE` takes one fetched elsewhere"
            raise DownloadFailed(f"{error}; {another_way}") from error
    taken = take_from(published, name)
    published.unlink()
    return taken


def cached_file(name: Name) -> Path:
    """Where the weights are kept: in ``JAXINPAINT_CACHE``, or the user's cache directory.

    Raises:
        ValueError: if that is a file.
    """
    users = platformdirs.user_cache_path("jaxinpaint", appauthor=False)
    folder = Path(os.environ.get("JAXINPAINT_CACHE") or users).expanduser()
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"the cache is {folder}, which is no folder (JAXINPAINT_CACHE)")
    return folder / f"{name}.safetensors"


def _damaged(name: Name, path: Path, how: str) -> str:
    return f"{path} is damaged ({how}); make it again with `jaxinpaint weights {name} ...`"
