"""Pictures put into a dataset of tensorflow-datasets, without TensorFlow."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from PIL import ExifTags, Image

from jaxinpaint.data.pictures import (
    Encoded,
    File,
    UnreadablePicture,
    content_of,
    in_colours,
    open_upright,
    read_hole,
    scaled,
    scaled_hole,
)
from jaxinpaint.data.sources import Files, Source
from jaxinpaint.data.tfds_source import INFO, PROGRESS
from jaxinpaint.whole_files import replaced

PICTURES_A_SHARD, BYTES_A_SHARD = 1000, 2**28  # at most, whichever comes first; it is in memory
SKIPPED = "skipped.jsonl"
AT_A_TIME = 64  # pictures that are read by several threads


class Parts(NamedTuple):
    """The files that records are made of.

    Attributes:
        images: the pictures, of a folder or a list.
        inputs: what each is to be made from.
        holes: the mask of each.
    """

    images: Source
    inputs: Files | None = None
    holes: Files | None = None


class Skip(NamedTuple):
    """A picture that was not taken, and why."""

    name: str
    problem: str


class Prepared(NamedTuple):
    """What a split holds, how much of it was there already, and what was not taken."""

    written: int
    earlier: int
    skipped: list[Skip]


Record = dict[str, Any]


def prepare(
    parts: Parts,
    folder: Path,
    *,
    name: str,
    split: str = "train",
    short_side: int | None = None,
    advance: Callable[[int], object] = lambda pictures: None,
) -> Prepared:
    """Writes a split of a dataset: shards of ArrayRecord, in the order of the pictures.

    A record has the features ``image`` and ``name``, and ``input`` and ``hole`` where there are
    such. JPEG and PNG files that are RGB, upright and not to be scaled are taken over byte for
    byte; all others are stored as PNG, but JPEGs that were scaled as JPEG of quality 95. What can't
    be read is left out, and told in ``SPLIT.skipped.jsonl``.

    A shard is written whole, or anew: a call after one that was killed goes on behind the last.

    Args:
        parts: what it is made of.
        folder: of this version of the dataset, whose name is the version, such as ``1.0.0``.
        name: of the dataset.
        split: of the dataset; others may stand beside it.
        short_side: scale larger pictures down to it; None: keep their size.
        advance: is told how many more pictures are done.

    Raises:
        ValueError: if the pictures have no names, or nothing can be read; or if the split was
            begun, or the dataset made, of other pictures or with other settings.
    """
    names = _names(parts.images)
    digest = _digest(parts, names, short_side)
    folder.mkdir(parents=True, exist_ok=True)
    complete = _was_complete(folder, split, digest)
    features = _features(parts)
    earlier = written = _written(folder, split, features)
    skipped = _read_skipped(folder, split)
    if complete:
        advance(len(names))
        return Prepared(written, earlier, skipped)
    _note(folder, split, digest, complete=False)
    first = names.index(_last_name(folder, split, features)) + 1 if earlier else 0
    looked_at = set(names[:first])
    skipped = [skip for skip in skipped if skip.name in looked_at]
    advance(first)
    made = _made(parts, names, range(first, len(names)), short_side)
    while shard := _next_shard(made, skipped, advance):
        _write_skipped(folder, split, skipped)  # first: a shard without it would lose them
        written = _write_shard(folder, split, features, name, shard)
    _write_skipped(folder, split, skipped)
    if not written:
        raise ValueError(
            f"none of the {len(names)} pictures can be read; the first: {skipped[0].problem}"
        )
    _note(folder, split, digest, complete=True)
    return Prepared(written, earlier, skipped)


def _names(images: Source) -> list[str]:
    """What the records are called.

    Raises:
        ValueError: if the pictures have no names, or two have one.
    """
    if images.places is None:
        raise ValueError(f"{images.name} is a dataset already; prepare a folder or a list of files")
    # Bytes that are no text are written as such, since a record's text is UTF-8.
    names = [os.fsencode(place).decode(errors="backslashreplace") for place in images.places]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise ValueError(f"{images.name} names pictures twice: {', '.join(twice[:3])}")
    return names


def _digest(parts: Parts, names: Sequence[str], short_side: int | None) -> str:
    """By which the same pictures, inputs and masks are known again, wherever they lie."""
    files = [part and [_size(part[i]) for i in range(len(part))] for part in _files(parts).values()]
    told = json.dumps([names, short_side, files])
    return hashlib.sha256(told.encode()).hexdigest()


def _files(parts: Parts) -> dict[str, Files | None]:
    return {"image": parts.images.files, "input": parts.inputs, "hole": parts.holes}


def _size(file: File) -> int:
    """Bytes of a file; -1 if it is not there."""
    if isinstance(file, Encoded):
        return len(file.content)
    try:
        return file.stat().st_size
    except OSError:
        return -1


def _states(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / PROGRESS
    return json.loads(path.read_text()) if path.exists() else {}


def _was_complete(folder: Path, split: str, digest: str) -> bool:
    """Whether a split is there already.

    Raises:
        ValueError: if it was begun otherwise.
    """
    state = _states(folder).get(split)
    if state is not None and state["of"] != digest:
        raise ValueError(
            f"{folder} holds a split {split} of other pictures or settings: choose another "
            "--version or --split"
        )
    return state is not None and state["complete"]


def _note(folder: Path, split: str, digest: str, *, complete: bool) -> None:
    """Notes how far a split is."""
    states = _states(folder) | {split: {"of": digest, "complete": complete}}
    with replaced(folder / PROGRESS) as unfinished:
        unfinished.write_text(json.dumps(states, indent=1))


def _features(parts: Parts) -> dict[str, Any]:
    colours = tfds.features.Image(shape=(None, None, 3))
    features: dict[str, Any] = {"image": colours, "name": tfds.features.Text()}
    if parts.inputs is not None:
        features["input"] = colours
    if parts.holes is not None:
        features["hole"] = tfds.features.Image(shape=(None, None, 1))
    return features


def _written(folder: Path, split: str, features: dict[str, Any]) -> int:
    """How many pictures of a split are written.

    Raises:
        ValueError: if the dataset is damaged, or its records have other features.
    """
    if not (folder / INFO).exists():
        return 0
    try:
        builder: Any = tfds.builder_from_directory(folder)
    # Of half a file the parser of tensorflow-datasets raises what it likes.
    except Exception as error:
        raise ValueError(f"{folder} is damaged ({error}): remove it, and start anew") from error
    there = builder.info.features
    if set(there) != set(features):
        raise ValueError(
            f"{folder} has records of {', '.join(sorted(there))}, not of "
            f"{', '.join(sorted(features))}: choose another --version"
        )
    splits = builder.info.splits
    return splits[split].num_examples if split in splits else 0


def _write_shard(
    folder: Path, split: str, features: dict[str, Any], name: str, records: Sequence[Record]
) -> int:
    """Writes a shard, and says how many pictures there are then.

    Each has a writer of its own, because only with the writer is a shard closed for certain.
    """
    identity = tfds.core.DatasetIdentity(
        name=name,
        version=tfds.core.Version(folder.name),
        data_dir=str(folder),
        module_name="jaxinpaint",
    )
    info = tfds.core.DatasetInfo(builder=identity, features=tfds.features.FeaturesDict(features))
    writer = tfds.core.SequentialWriter(
        info, PICTURES_A_SHARD, overwrite=False, file_format="array_record"
    )
    writer.initialize_splits([split], fail_if_exists=False)
    writer.add_examples({split: list(records)})
    writer.close_all()
    return info.splits[split].num_examples


def _last_name(folder: Path, split: str, features: dict[str, Any]) -> str:
    """The name of the last picture that is written."""
    skip: Any = tfds.decode.SkipDecoding
    undecoded = {name: skip() for name in features if name != "name"}
    builder: Any = tfds.builder_from_directory(folder)
    records = builder.as_data_source(split, decoders=undecoded)
    return records[len(records) - 1]["name"].decode()


def _read_skipped(folder: Path, split: str) -> list[Skip]:
    path = folder / f"{split}.{SKIPPED}"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [Skip(**json.loads(line)) for line in lines]


def _write_skipped(folder: Path, split: str, skipped: Sequence[Skip]) -> None:
    lines = [json.dumps(skip._asdict(), ensure_ascii=False) + "\n" for skip in skipped]
    (folder / f"{split}.{SKIPPED}").write_text("".join(lines), encoding="utf-8")


def _next_shard(
    made: Iterator[Record | Skip], skipped: list[Skip], advance: Callable[[int], object]
) -> list[Record]:
    """The next records, as many as a shard takes; what was skipped on the way is added to that."""
    shard: list[Record] = []
    nbytes = 0
    for record in made:
        advance(1)
        if isinstance(record, Skip):
            skipped.append(record)
        else:
            shard.append(record)
            nbytes += sum(
                len(part.getvalue()) for part in record.values() if isinstance(part, BytesIO)
            )
        if len(shard) == PICTURES_A_SHARD or nbytes > BYTES_A_SHARD:
            break
    return shard


def _made(
    parts: Parts, names: Sequence[str], numbers: Sequence[int], short_side: int | None
) -> Iterator[Record | Skip]:
    """The records of pictures, in their order; several are made at a time."""

    def make(number: int) -> Record | Skip:
        try:
            return {"name": names[number]} | {
                feature: BytesIO(content)
                for feature, content in _contents(parts, number, short_side).items()
            }
        except UnreadablePicture as error:
            return Skip(names[number], os.fsencode(str(error)).decode(errors="backslashreplace"))

    left = iter(numbers)
    with ThreadPoolExecutor() as pool:
        while some := list(islice(left, AT_A_TIME)):
            yield from pool.map(make, some)


def _contents(parts: Parts, number: int, short_side: int | None) -> dict[str, bytes]:
    """The encoded pictures of a record.

    Raises:
        UnreadablePicture: if one can't be read, or they differ in size.
    """
    given = {name: part[number] for name, part in _files(parts).items() if part is not None}
    images = {feature: open_upright(file) for feature, file in given.items()}
    for feature, image in images.items():
        if image.size != images["image"].size:
            sizes = [f"{shown.width}x{shown.height}" for shown in (image, images["image"])]
            raise UnreadablePicture(
                f"{given[feature]} is {sizes[0]}, but {given['image']} is {sizes[1]}"
            )
    return {
        feature: _hole(file, short_side)
        if feature == "hole"
        else _picture(file, images[feature], short_side)
        for feature, file in given.items()
    }


def _picture(file: File, image: Image.Image, short_side: int | None) -> bytes:
    """A picture as it is stored."""
    content = content_of(file)
    with Image.open(BytesIO(content)) as original:
        kind = original.format
        upright = original.getexif().get(ExifTags.Base.Orientation, 1) == 1
        plain = original.mode == "RGB" and not original.has_transparency_data
    colours = np.asarray(in_colours(image))
    if short_side is not None and min(image.size) > short_side:
        smaller = scaled(colours, short_side)
        return _encoded(smaller, "JPEG", quality=95) if kind == "JPEG" else _encoded(smaller, "PNG")
    if kind in ("JPEG", "PNG") and upright and plain:
        return content
    return _encoded(colours, "PNG")


def _hole(file: File, short_side: int | None) -> bytes:
    """A mask as it is stored: 255 where pixels are missing."""
    hole = read_hole(file)
    if short_side is not None and min(hole.shape) > short_side:
        hole = scaled_hole(hole, short_side)
    return _encoded(hole.astype(np.uint8) * 255, "PNG")


def _encoded(pixels: np.ndarray, kind: str, **settings: int) -> bytes:
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, kind, **settings)
    return stream.getvalue()
