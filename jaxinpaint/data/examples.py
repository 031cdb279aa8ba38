"""Decoded examples by number: what can't be read is replaced by the next one that can."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from PIL import Image

from jaxinpaint.array_typing import RGB
from jaxinpaint.data.config import BUILT_IN, DataConfig
from jaxinpaint.data.pictures import (
    File,
    UnreadablePicture,
    in_colours,
    open_upright,
    read_hole,
    read_rgb,
)
from jaxinpaint.data.sources import (
    Files,
    Source,
    built_in,
    digest,
    open_source,
    partner_files,
    spread,
)

CACHE_BYTES = 2**29  # decoded pictures kept in memory; small sets are then decoded once
MOST_HELD_OUT = 200

# Where holes come from, if not from a sampler: any file for any picture, or one for each.
HoleFiles = Literal["folder", "paired"]


class Example(NamedTuple):
    """What belongs together.

    Attributes:
        image: a picture, in colours or grey.
        source: what it is to be made from, of the same size, if pictures come in pairs.
        hole: its own, white where it is missing, of the same size, if there are such.
    """

    image: Image.Image
    source: Image.Image | None = None
    hole: Image.Image | None = None


class Found(NamedTuple):
    """An example, and what was skipped to find it: a line for each that can't be read."""

    example: Example
    skipped: tuple[str, ...]


class Pair(NamedTuple):
    """A picture, and the one of the same size that it is to be made from."""

    image: RGB
    source: RGB


class Pictures:
    """Random access to examples, as Grain wants its sources.

    One that can't be read is replaced by the next that can, so that what stands at a number depends
    on the files alone. Each process that reads them keeps its own in memory.

    Args:
        count: how many there are.
        decode: reads one, or raises `UnreadablePicture`.
        digest: by which their source is known again.
    """

    def __init__(self, count: int, decode: Callable[[int], Example], digest: str = "") -> None:
        self.digest = digest
        self._count = count
        self._decode = decode
        self._forget()

    def _forget(self) -> None:
        self._problems: dict[int, str] = {}
        self._cache: dict[int, Example] = {}
        self._room = CACHE_BYTES
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Found:
        """What stands at a number.

        Raises:
            UnreadablePicture: if not one of the files can be read.
        """
        skipped: list[str] = []
        for offset in range(self._count):
            number = (index + offset) % self._count
            example = self._read(number)
            if example is not None:
                return Found(example, tuple(skipped))
            skipped.append(self._problems[number])
        raise UnreadablePicture(
            f"none of the {self._count} pictures can be read; the first: {self._problems[0]}"
        )

    def __repr__(self) -> str:
        return f"Pictures({self._count} files)"

    def __getstate__(self) -> dict[str, Any]:
        return {"digest": self.digest, "_count": self._count, "_decode": self._decode}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def _read(self, number: int) -> Example | None:
        """The example of a number itself, or None, and then there is a problem of that number."""
        if number in self._cache:
            return self._cache[number]
        if number in self._problems:
            return None
        try:
            example = self._decode(number)
        except UnreadablePicture as error:
            self._problems[number] = str(error)
            return None
        nbytes = sum(_nbytes(part) for part in example if part is not None)
        with self._lock:
            if nbytes <= self._room and number not in self._cache:
                self._room -= nbytes
                self._cache[number] = example
        return example


def training_pictures(config: DataConfig, *, paired_holes: bool = False) -> Pictures:
    """The training pictures of a config, with their inputs and their holes if they have such.

    Inputs that are labels in colours are scaled as photographs are (bicubic, which mixes colours at
    borders): pix2pix's PyTorch program does so too.

    Args:
        config: of the data.
        paired_holes: whether ``config.holes`` holds one for each picture.

    Raises:
        ValueError: if a source is missing or holds no pictures, or pictures have no partner.
    """
    source = open_source(config.source)
    sources = _partners(source, config.pairs, noun="input")
    holes = _partners(source, config.holes if paired_holes else None, noun="mask")
    alone = sources is None and holes is None
    # Parts of an example are checked to be of one size, so none is decoded at less than its own.
    short_side = config.short_side if alone and not config.random_scale else None

    def decode(number: int) -> Example:
        file = source.files[number]
        image = _plain(open_upright(file, short_side=short_side))
        return Example(
            image,
            None if sources is None else _fitting(sources[number], file, image, _read_input),
            None if holes is None else _fitting(holes[number], file, image, _read_mask),
        )

    return Pictures(len(source.files), decode, digest(source))


def hole_pictures(name: str) -> Pictures:
    """The masks of a source, any for any picture.

    Raises:
        ValueError: if the source is missing or holds none.
    """
    source = open_source(name)

    def decode(number: int) -> Example:
        file = source.files[number]
        mask = _read_mask(file)
        if len(mask.getcolors() or ()) < 2:
            raise UnreadablePicture(f"{file} is a mask of one colour: white is missing")
        return Example(mask)

    return Pictures(len(source.files), decode, digest(source))


def held_out_source(config: DataConfig) -> Source | None:
    """Where the held-out pictures of a config come from, if there are any.

    Raises:
        ValueError: if the source is missing or holds no pictures.
    """
    if config.held_out is not None:
        return open_source(config.held_out)
    return open_source(str(built_in("held_out"))) if config.source == BUILT_IN else None


def held_out_pictures(config: DataConfig, tell: Callable[[str], None]) -> Iterator[RGB]:
    """The held-out pictures of a config that can be read, one after the other.

    Of many, 200 from all over the source.

    Args:
        config: of the data.
        tell: is given a line for each that can't be read.

    Raises:
        ValueError: as `held_out_source`.
    """
    source = held_out_source(config)
    if source is None:
        return
    for number in spread(len(source.files), MOST_HELD_OUT):
        try:
            yield read_rgb(source.files[number])
        except UnreadablePicture as error:
            tell(str(error))


def held_out_pairs(config: DataConfig, tell: Callable[[str], None]) -> Iterator[Pair]:
    """The same of held-out pictures with their inputs.

    Raises:
        ValueError: as `held_out_pictures`, or if pictures have no input.
    """
    if config.held_out is None or config.held_out_pairs is None:
        return
    source = open_source(config.held_out)
    sources = partner_files(source, open_source(config.held_out_pairs), noun="input")
    for number in spread(len(source.files), MOST_HELD_OUT):
        try:
            file = source.files[number]
            image = in_colours(open_upright(file))
            made_from = _fitting(sources[number], file, image, _read_input)
            yield Pair(np.asarray(image), np.asarray(in_colours(made_from)))
        except UnreadablePicture as error:
            tell(str(error))


def _partners(source: Source, name: str | None, *, noun: str) -> Files | None:
    return None if name is None else partner_files(source, open_source(name), noun=noun)


def _fitting(
    file: File, of: File, image: Image.Image, read: Callable[[File], Image.Image]
) -> Image.Image:
    """Reads a partner of a picture.

    Raises:
        UnreadablePicture: if it can't be read, or has another size.
    """
    partner = read(file)
    if partner.size != image.size:
        sizes = [f"{part.width}x{part.height}" for part in (partner, image)]
        raise UnreadablePicture(f"{file} is {sizes[0]}, but {of} is {sizes[1]}")
    return partner


def _read_input(file: File) -> Image.Image:
    return _plain(open_upright(file))


def _read_mask(file: File) -> Image.Image:
    return Image.fromarray(read_hole(file).astype(np.uint8) * 255)


def _plain(image: Image.Image) -> Image.Image:
    """The picture in a mode that can be scaled as it is: grey stays grey until it is cut."""
    return image if image.mode == "L" and not image.has_transparency_data else in_colours(image)


def _nbytes(image: Image.Image) -> int:
    return image.width * image.height * (1 if image.mode == "L" else 4)  # as Pillow keeps them
