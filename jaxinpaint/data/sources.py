"""Where training pictures come from: a folder, or the photographs that come along."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import jax

from jaxinpaint.array_typing import RGB
from jaxinpaint.data.pictures import (
    UnreadablePicture,
    list_pictures,
    partners,
    read_rgb,
    scaled,
)

log = logging.getLogger(__name__)

CACHE_BYTES = 2**29  # decoded pictures kept in memory; small sets are then decoded once


@dataclass(frozen=True)
class DataConfig:
    """Where the pictures come from, and how they are cut."""

    path: Path | None = None
    """A folder of training pictures, with the folders in it. None: the built-in photographs."""
    held_out: Path | None = None
    """A folder of pictures that are only looked at: sample grids and the closing comparison. None:
    the two built-in held-out photographs if the training pictures are built-in too, else none."""
    pairs: Path | None = None
    """A folder of inputs, for networks that make one picture from another: for each training
    picture one of the same size, place and name, whatever its suffix."""
    held_out_pairs: Path | None = None
    """The same for the held-out pictures."""
    shapes: Path | None = None
    """A folder of outlines of objects, white on black, that are cut out as holes (crfill)."""
    short_side: int | None = None
    """Scale training pictures to this shorter side before they are cut. None: keep their own."""
    size: int = 512
    """Side in pixels of the square crops. A picture that is smaller is enlarged to it."""
    batch_size: int = 6
    """Crops in a step, over all devices."""
    random_scale: bool = False
    """Cut squares of any side between this size and the picture's shorter side, and scale them down
    to it. Off: squares of this size, at the picture's own scale."""
    flip: bool = True
    """Mirror half of the crops."""
    random_colours: bool = False
    """Shuffle red, green and blue of each crop, and turn half of them into negatives: a few
    photographs then teach how to go on with what is around a hole, not their own colours."""

    def __post_init__(self) -> None:
        """Refuses what can't be cut, and folders of inputs that don't go with one of pictures."""
        for name, value in {"size": self.size, "batch-size": self.batch_size}.items():
            if value < 1:
                raise ValueError(f"--data.{name} is {value}; it must be at least 1")
        if self.short_side is not None and self.short_side < self.size:
            raise ValueError(
                f"--data.short-side is {self.short_side}; crops of --data.size {self.size} need at "
                "least that"
            )
        self._check_pairs()

    def _check_pairs(self) -> None:
        if self.pairs and not self.path:
            raise ValueError("--data.pairs holds inputs for the pictures of --data.path: give both")
        if self.held_out_pairs and not self.held_out:
            raise ValueError(
                "--data.held-out-pairs holds inputs for the pictures of --data.held-out: give both"
            )
        if self.held_out and bool(self.pairs) != bool(self.held_out_pairs):
            raise ValueError(
                "--data.pairs and --data.held-out-pairs go together: training and held-out "
                "pictures must both have inputs, or neither"
            )
        if self.pairs and self.random_colours:
            raise ValueError(
                "--data.random-colours does not go with --data.pairs, where a colour may be a label"
            )


class Pair(NamedTuple):
    """A picture, and the one of the same size that it is to be made from."""

    image: RGB
    source: RGB


Seen = TypeVar("Seen", covariant=True)


class Pictures(Generic[Seen]):
    """Random access to what some files show, pictures or pairs, as Grain wants its sources.

    A file that can't be read is reported once and replaced by the next one that can, so that what
    stands at an index depends on the files alone.

    Args:
        paths: the files.
        decode: reads one, or raises `UnreadablePicture`.
    """

    def __init__(self, paths: Sequence[Path], decode: Callable[[Path], Seen]) -> None:
        self.paths = list(paths)
        self.unreadable: dict[Path, str] = {}
        self._decode = decode
        self._cache: dict[Path, Seen] = {}
        self._room = CACHE_BYTES
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Seen:
        """What stands at an index.

        Raises:
            UnreadablePicture: if not one of the files can be read.
        """
        for offset in range(len(self.paths)):
            seen = self.read(self.paths[(index + offset) % len(self.paths)])
            if seen is not None:
                return seen
        raise UnreadablePicture(
            f"none of the {len(self.paths)} pictures can be read; the first: "
            f"{self.unreadable[self.paths[0]]}"
        )

    def __repr__(self) -> str:
        return f"Pictures({len(self.paths)} files)"

    def readable(self) -> list[Seen]:
        """Each that can be read, once."""
        found = [self.read(path) for path in self.paths]
        return [seen for seen in found if seen is not None]

    def read(self, path: Path) -> Seen | None:
        """What a file shows, or None if it can't be read, which is told once."""
        if path in self._cache:
            return self._cache[path]
        if path in self.unreadable:
            return None
        try:
            seen = self._decode(path)
        except UnreadablePicture as error:
            with self._lock:
                if path not in self.unreadable:  # another thread may have met it meanwhile
                    self.unreadable[path] = str(error)
                    log.warning("skipped (%d so far) %s", len(self.unreadable), error)
            return None
        nbytes = sum(picture.nbytes for picture in jax.tree.leaves(seen))
        with self._lock:
            if nbytes <= self._room and path not in self._cache:
                self._room -= nbytes
                self._cache[path] = seen
        return seen


def training_pictures(config: DataConfig) -> Pictures[RGB | Pair]:
    """The training pictures of a config, or its pairs, at the scale that they are cut at.

    Inputs that are labels in colours are scaled as photographs are (bicubic, which mixes colours at
    borders): pix2pix's PyTorch program does so too.

    Raises:
        ValueError: if a folder is missing or holds no pictures, or pictures have no input.
    """
    folder = config.path or built_in("train")
    paths = list_pictures(folder)
    decode = pair_reader(paths, folder, config.pairs) if config.pairs else read_rgb
    if config.short_side is None:
        return Pictures(paths, decode)
    scale = partial(scaled, short_side=config.short_side)
    # Here, not as they are cut: what is kept in memory is then scaled once, and mostly smaller.
    return Pictures(paths, lambda path: jax.tree.map(scale, decode(path)))


def held_out_pictures(config: DataConfig) -> list[RGB]:
    """The held-out pictures of a config that can be read; those that can't are told.

    Raises:
        ValueError: if the folder is missing or holds no pictures.
    """
    if config.held_out is None and config.path is not None:
        return []
    return Pictures(list_pictures(config.held_out or built_in("held_out")), read_rgb).readable()


def held_out_pairs(config: DataConfig) -> list[Pair]:
    """The held-out pairs of a config that can be read; those that can't are told.

    Raises:
        ValueError: if a folder is missing or holds no pictures, or pictures have no input.
    """
    if config.held_out is None or config.held_out_pairs is None:
        return []
    paths = list_pictures(config.held_out)
    return Pictures(paths, pair_reader(paths, config.held_out, config.held_out_pairs)).readable()


def pair_reader(paths: Sequence[Path], folder: Path, inputs: Path) -> Callable[[Path], Pair]:
    """A function that reads a picture of a folder together with its input.

    It raises `UnreadablePicture` if one of the two can't be read, or they differ in size.

    Args:
        paths: the pictures.
        folder: where they lie.
        inputs: the folder of their inputs.

    Raises:
        ValueError: as `partners`.
    """
    source_of = dict(zip(paths, partners(paths, folder, inputs, noun="input"), strict=True))

    def read(path: Path) -> Pair:
        pair = Pair(read_rgb(path), read_rgb(source_of[path]))
        if pair.source.shape != pair.image.shape:
            sizes = [f"{picture.shape[1]}x{picture.shape[0]}" for picture in pair]
            raise UnreadablePicture(f"{source_of[path]} is {sizes[1]}, but {path} is {sizes[0]}")
        return pair

    return read


def built_in(split: str) -> Path:
    """The folder of the photographs that come with the package: ``train`` or ``held_out``."""
    return Path(str(resources.files("jaxinpaint") / "data" / "photographs" / split))
