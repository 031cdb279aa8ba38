"""Weights that others published, in the user's cache: taken from a file, or fetched from home."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import platformdirs

from jaxinpaint.array_typing import Variables
from jaxinpaint.interop.alexnet import alexnet_from
from jaxinpaint.interop.download import DownloadFailed, download
from jaxinpaint.interop.flat_variables import flattened
from jaxinpaint.interop.inception import inception_from
from jaxinpaint.interop.lpips import lpips_from
from jaxinpaint.interop.vgg import vgg_from
from jaxinpaint.interop.weight_files import (
    Arrays,
    UnreadableWeights,
    check_named_hash,
    digest_of,
    read_arrays,
    read_safetensors,
    sha256,
    write_safetensors,
)
from jaxinpaint.names import WeightsName


class Publication(NamedTuple):
    """A file that weights were published in.

    Attributes:
        whose: it is, for people.
        url: its home.
        sha256: how its SHA-256 begins.
        read: the variables from arrays by the file's names, or by those that `flattened` gives.
        others: other files that are read, for people.
    """

    whose: str
    url: str
    sha256: str
    read: Callable[[Arrays], Variables]
    others: str = "safetensors"

    @property
    def file(self) -> str:
        """Its name."""
        return self.url.rpartition("/")[2]


PYTORCH = "https://download.pytorch.org/models"
PYTORCH_FID = "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights"
LPIPS = "https://github.com/richzhang/PerceptualSimilarity/raw/master/lpips/weights/v0.1"

PUBLICATIONS: Mapping[WeightsName, Publication] = {
    "vgg16": Publication(
        "torchvision's",
        f"{PYTORCH}/vgg16-397923af.pth",
        "397923af",
        partial(vgg_from, depth=16),
        others="Keras's .h5, or safetensors",
    ),
    "vgg19": Publication(
        "torchvision's",
        f"{PYTORCH}/vgg19-dcbb9e9d.pth",
        "dcbb9e9d",
        partial(vgg_from, depth=19),
        others="Keras's .h5, or safetensors",
    ),
    "alexnet": Publication(
        "torchvision's", f"{PYTORCH}/alexnet-owt-7be5be79.pth", "7be5be79", alexnet_from
    ),
    # Their names have no hash; these are of the files in version 0.1.4 of the package lpips.
    "lpips-alex": Publication(
        "LPIPS 0.1's",
        f"{LPIPS}/alex.pth",
        "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
        partial(lpips_from, network="alex"),
    ),
    "lpips-vgg": Publication(
        "LPIPS 0.1's",
        f"{LPIPS}/vgg.pth",
        "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
        partial(lpips_from, network="vgg"),
    ),
    "inception-fid": Publication(
        "pytorch-fid's",
        f"{PYTORCH_FID}/pt_inception-2015-12-05-6726825d.pth",
        "6726825d",
        partial(inception_from, convention="fid"),
    ),
    "inception-torchvision": Publication(
        "torchvision's",
        f"{PYTORCH}/inception_v3_google-0cc3c7bd.pth",
        "0cc3c7bd",
        partial(inception_from, convention="torchvision"),
    ),
}


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


def load(name: WeightsName) -> PublishedWeights:
    """The weights from the cache.

    Raises:
        NoWeights: if they are not there.
        UnreadableWeights: if the file in the cache is damaged.
    """
    path, publication = cached_file(name), PUBLICATIONS[name]
    if not path.exists():
        raise NoWeights(
            f"there are no weights of {name} in {_from_home(path.parent)}: fetch them with "
            f"`jaxinpaint weights {name} --download`, or give a file you have with "
            f"`jaxinpaint weights {name} --from FILE` ({publication.whose} {publication.file}, "
            f"{publication.others})"
        )
    try:
        arrays, told = read_safetensors(path)
        if told.get("digest") != digest_of(arrays):
            raise UnreadableWeights("its numbers are not those that were saved")
        variables = publication.read(arrays)
    except UnreadableWeights as error:
        raise UnreadableWeights(_damaged(name, path, str(error))) from error
    return PublishedWeights(variables, told["source"], told["digest"])


def _from_home(path: Path) -> str:
    """The path as told to others, who read in reports why something is missing."""
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)


def take_from(file: Path, name: WeightsName) -> PublishedWeights:
    """Reads a published file, checks it, and puts its weights into the cache.

    Args:
        file: the published one, or a safetensors file of its names or this package's; of VGGs also
            Keras's ``.h5``.
        name: whose weights they are.

    Raises:
        UnreadableWeights: if the file is of another kind or network, is damaged, or is not the one
            that its name's hash says. The cache stays as it was.
        OSError: if the file can't be read, or the cache can't be written.
    """
    variables = _read(file, PUBLICATIONS[name])
    arrays = flattened(variables)
    digest = digest_of(arrays)
    path = cached_file(name)
    write_safetensors(arrays, path, {"source": file.name, "digest": digest})
    return PublishedWeights(variables, file.name, digest)


def fetch(name: WeightsName, *, url: str | None = None) -> PublishedWeights:
    """Downloads the published file, checks its hash, and puts its weights into the cache.

    Args:
        name: whose weights.
        url: another address of the same file; its home by default.

    Raises:
        DownloadFailed: if it can't be fetched or is another file. The cache stays as it was.
    """
    publication = PUBLICATIONS[name]
    published, prefix = cached_file(name).with_name(publication.file), publication.sha256
    # It may be there from a call that was killed before it had put the weights away.
    if not (published.exists() and sha256(published).startswith(prefix)):
        try:
            download(url or publication.url, published, sha256_prefix=prefix)
        except DownloadFailed as error:
            another_way = f"`jaxinpaint weights {name} --from FILE` takes one fetched elsewhere"
            raise DownloadFailed(f"{error}; {another_way}") from error
    taken = take_from(published, name)
    published.unlink()
    return taken


def cached_file(name: WeightsName) -> Path:
    """Where the weights are kept.

    Raises:
        ValueError: if the cache is a file.
    """
    return cache_folder() / f"{name}.safetensors"


def cache_folder() -> Path:
    """The cache of all that takes long to get: ``JAXINPAINT_CACHE``, or the user's cache directory.

    Raises:
        ValueError: if that is a file.
    """
    users = platformdirs.user_cache_path("jaxinpaint", appauthor=False)
    folder = Path(os.environ.get("JAXINPAINT_CACHE") or users).expanduser()
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"the cache is {folder}, which is no folder (JAXINPAINT_CACHE)")
    return folder


def _read(file: Path, publication: Publication) -> Variables:
    check_named_hash(file)
    try:
        arrays = read_arrays(file)
    except UnreadableWeights as error:
        way_out = f"take {publication.whose} {publication.file}"
        raise UnreadableWeights(f"{error}; {way_out}") from error
    try:
        return publication.read(arrays)
    except UnreadableWeights as error:
        raise UnreadableWeights(f"{file}: {error}") from error


def _damaged(name: WeightsName, path: Path, how: str) -> str:
    return f"{path} is damaged ({how}); make it again with `jaxinpaint weights {name} ...`"
