"""What the name of a source stands for: the photographs that come along, files, a dataset."""

import hashlib
import json
import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from jaxinpaint.data.config import BUILT_IN
from jaxinpaint.data.pictures import SUFFIXES, File, list_pictures, matches

DATASETS = ("tfds", "hf")
TRAIN = "train"  # the split of a dataset where none is named


@runtime_checkable
class Files(Protocol):
    """Picture files, or records that hold such, by number."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def __getitem__(self, number: int, /) -> File:
        """One of them, not yet decoded."""
        ...


class Source(NamedTuple):
    """Pictures that have a name together.

    Attributes:
        name: as a user writes it.
        files: the pictures.
        places: where each lies in its folder or list, by which partners are found; None for a
            dataset, where they have numbers alone.
    """

    name: str
    files: Files
    places: Sequence[Path] | None


def open_source(name: str) -> Source:
    """The source of a name (`DataConfig.source` says which there are).

    Raises:
        ValueError: if there is none, or no picture in it.
        ModuleNotFoundError: if a library that reads it is not installed.
    """
    if name == BUILT_IN:
        return _folder(built_in("train"), name)
    if not name:
        raise ValueError("a source has no name: is a variable of the shell empty?")
    kind, _, rest = name.partition(":")
    match kind:
        # Here, because they load libraries that folders don't need.
        case "tfds":
            from jaxinpaint.data.tfds_source import open_tfds

            return _dataset(name, open_tfds(rest))
        case "hf":
            from jaxinpaint.data.huggingface import open_huggingface

            return _dataset(name, open_huggingface(rest))
        case _:
            path = Path(name)
            return _listed(path) if path.is_file() else _folder(path, name)


def absolute(name: str) -> str:
    """The name of the same source that holds in any folder."""
    kind, colon, rest = name.partition(":")
    if name == BUILT_IN:
        return name
    if kind not in DATASETS or not colon:
        return str(Path(name).absolute())
    parts = dataset_parts(rest)
    if not Path(parts.name).is_dir():
        return name
    return f"{kind}:{Path(parts.name).absolute()}{rest[len(parts.name) :]}"


class DatasetParts(NamedTuple):
    """What stands behind ``tfds:`` or ``hf:``."""

    name: str
    split: str | None
    field: str | None


def dataset_parts(rest: str) -> DatasetParts:
    """``NAME@SPLIT#FIELD``; the last two may be left out."""
    whole, _, field = rest.partition("#")
    name, _, split = whole.partition("@")
    return DatasetParts(name, split or None, field or None)


def picture_field(whole: str, named: str | None, pictures: Sequence[str]) -> str:
    """The field of a dataset that holds the pictures: the one that is named, or the only one.

    Args:
        whole: the dataset's name, for messages.
        named: by the user.
        pictures: the fields that hold such.

    Raises:
        ValueError: if none of them is meant.
    """
    if named is None and len(pictures) == 1:
        return pictures[0]
    if named is None or named not in pictures:
        there = ", ".join(pictures) or "none"
        raise ValueError(f"{whole}: say which field holds the pictures, #FIELD; there is {there}")
    return named


def digest(source: Source) -> str:
    """By which a source is known again, wherever it lies: of its number and order of pictures."""
    places = (
        None if source.places is None else [os.fsencode(place).hex() for place in source.places]
    )
    told = json.dumps([len(source.files), places])
    return hashlib.sha256(told.encode()).hexdigest()


def partner_files(source: Source, others: Source, *, noun: str) -> Files:
    """The partner of each picture: of its place and stem; in datasets, of its number.

    Raises:
        ValueError: if pictures have no partner, two partners have one place and stem, or the
            numbers differ.
    """
    if source.places is not None and others.places is not None:
        numbers = matches(source.places, others.places, where=others.name, noun=noun)
        return [others.files[number] for number in numbers]
    if len(source.files) != len(others.files):
        raise ValueError(
            f"{others.name} has {len(others.files)} {noun}s, but {source.name} has "
            f"{len(source.files)} pictures: they go together by number"
        )
    return others.files


def spread(count: int, most: int) -> list[int]:
    """Numbers from all over so many, at most some of them."""
    shown = min(count, most)
    return [i * count // shown for i in range(shown)]


def built_in(split: str) -> Path:
    """The folder of the photographs that come with the package: ``train`` or ``held_out``."""
    return Path(str(resources.files("jaxinpaint") / "data" / "photographs" / split))


def _folder(path: Path, name: str) -> Source:
    paths = list_pictures(path)
    return Source(name, paths, [found.relative_to(path) for found in paths])


def _dataset(name: str, files: Files) -> Source:
    if not len(files):
        raise ValueError(f"{name} holds no pictures")
    return Source(name, files, None)


def _listed(path: Path) -> Source:
    """The pictures that a text file names, one a line, from its own folder on."""
    if path.suffix.lower() in SUFFIXES:
        raise ValueError(f"{path} is one picture; a source is a folder of them, or a list of files")
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="surrogateescape").split("\n")
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from error
    places = [Path(line.strip()) for line in lines if line.strip()]
    if not places:
        raise ValueError(f"{path} names no pictures: it should have one a line")
    return Source(str(path), [path.parent / place for place in places], places)
