"""Where training pictures come from: a folder, or the photographs that come along."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from jaxinpaint.array_typing import RGB
from jaxinpaint.data.pictures import UnreadablePicture, list_pictures, read_rgb

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
        """Refuses crops without pixels and batches without crops."""
        for name, value in {"size": self.size, "batch-size": self.batch_size}.items():
            if value < 1:
                raise ValueError(f"--data.{name} is {value}; it must be at least 1")


class Pictures:
    """Random access to the decoded pictures of some files, as Grain wants its sources.

    A file that can't be read is reported once and replaced by the next one that can, so that what
    stands at an index depends on the files alone.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = list(paths)
        self.unreadable: dict[Path, str] = {}
        self._cache: dict[Path, RGB] = {}
        self._room = CACHE_BYTES
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> RGB:
        """The picture at an index.

        Raises:
            UnreadablePicture: if not one of the files can be read.
        """
        for offset in range(len(self.paths)):
            picture = self.read(self.paths[(index + offset) % len(self.paths)])
            if picture is not None:
                return picture
        raise UnreadablePicture(
            f"none of the {len(self.paths)} pictures can be read; the first: "
            f"{self.unreadable[self.paths[0]]}"
        )

    def __repr__(self) -> str:
        return f"Pictures({len(self.paths)} files)"

    def read(self, path: Path) -> RGB | None:
        """The picture of a file, or None if it can't be read, which is told once."""
        if path in self._cache:
            return self._cache[path]
        if path in self.unreadable:
            return None
        try:
            picture = read_rgb(path)
        except UnreadablePicture as error:
            with self._lock:
                if path not in self.unreadable:  # another thread may have met it meanwhile
                    self.unreadable[path] = str(error)
                    log.warning("skipped (%d so far) %s", len(self.unreadable), error)
            return None
        with self._lock:
            if picture.nbytes <= self._room and path not in self._cache:
                self._room -= picture.nbytes
                self._cache[path] = picture
        return picture


def training_pictures(config: DataConfig) -> Pictures:
    """The training pictures of a config.

    Raises:
        ValueError: if the folder is missing or holds no pictures.
    """
    return Pictures(list_pictures(config.path or built_in("train")))


def held_out_pictures(config: DataConfig) -> list[RGB]:
    """The held-out pictures of a config that can be read; those that can't are told.

    Raises:
        ValueError: if the folder is missing or holds no pictures.
    """
    if config.held_out is None and config.path is not None:
        return []
    pictures = Pictures(list_pictures(config.held_out or built_in("held_out")))
    found = [pictures.read(path) for path in pictures.paths]
    return [picture for picture in found if picture is not None]


def built_in(split: str) -> Path:
    """The folder of the photographs that come with the package: ``train`` or ``held_out``."""
    return Path(str(resources.files("jaxinpaint") / "data" / "photographs" / split))
