"""Looks at pictures: bad files, sizes, grey ones, duplicates, held-out ones that are trained on."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image

from jaxinpaint.data.config import DataConfig
from jaxinpaint.data.examples import Pictures
from jaxinpaint.data.pictures import (
    File,
    UnreadablePicture,
    content_of,
    in_colours,
    open_upright,
)
from jaxinpaint.data.sources import Source, spread
from jaxinpaint.doctor.findings import Finding, judged, some

THUMBNAIL = 16  # pixels to a side of what pictures are compared by
# Correlation of thumbnails from which two pictures count as one. Of 200 photographs no two had more
# than 0.90; copies, scaled down to as little as 0.15 and saved as JPEG of quality 50, had 0.994.
ALIKE = 0.98
FLAT = 2.0  # levels that a thumbnail deviates by; what is flatter is alike to all that is flat
MOST_COMPARED = 4000  # with each other by their looks, which takes their square of memory
FEW = 0.05  # a share that is only told, not warned of


class Seen(NamedTuple):
    """What was seen of a picture.

    Attributes:
        name: of the file.
        digest: of its bytes.
        size: width and height.
        grey: whether it has no colours.
        thumbnail: to compare it by.
    """

    name: str
    digest: str
    size: tuple[int, int]
    grey: bool
    thumbnail: Float[np.ndarray, " P"]


class Looked(NamedTuple):
    """What was seen of a source: of how many, what could be read, and what not and why."""

    files: int
    seen: list[Seen]
    problems: list[str]


def look(source: Source, most: int) -> Looked:
    """Reads pictures of a source, ``most`` of them from all over it."""
    numbers = spread(len(source.files), most)
    with ThreadPoolExecutor() as pool:
        looked = list(pool.map(lambda number: _look_at(source.files[number]), numbers))
    seen = [each for each in looked if isinstance(each, Seen)]
    return Looked(len(source.files), seen, [each for each in looked if isinstance(each, str)])


def _look_at(file: File) -> Seen | str:
    """What was seen of a picture, or why it can't be read."""
    try:
        image = open_upright(file)
        content = content_of(file)
    except (UnreadablePicture, OSError) as error:
        return str(error)
    colours = in_colours(image)
    small = np.asarray(colours.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX), np.float32)
    grey = image.mode in ("1", "L", "LA") or bool(np.ptp(small, axis=-1).max() < 1)
    digest = hashlib.sha256(content).hexdigest()
    return Seen(str(file), digest, image.size, grey, small.mean(axis=-1).ravel())


def examine(looked: Looked, data: DataConfig) -> Iterator[Finding]:
    """Findings about training pictures."""
    yield _readable(looked, "pictures", "they are left out, and others seen more often")
    if looked.seen:
        yield _sizes(looked.seen, data)
        yield _greys(looked.seen)
        yield _duplicates(looked.seen)


def copies(training: Source, held_out: Source) -> list[str] | None:
    """The held-out files that are trained on too, byte for byte: of all files, not only some.

    Returns:
        their names; None for datasets, whose records have no size to compare first.
    """
    if training.places is None or held_out.places is None:
        return None
    by_size: dict[int, list[Path]] = defaultdict(list)
    for path in _paths(training):
        by_size[_size(path)].append(path)
    found = []
    for path in _paths(held_out):
        digest = _digest(path)
        same_size = by_size.get(_size(path), [])
        if digest is not None and any(_digest(other) == digest for other in same_size):
            found.append(str(path))
    return found


def examine_held_out(
    training: Looked, held_out: Looked, found: list[str] | None
) -> Iterator[Finding]:
    """Findings about held-out pictures: whether all can be read, and none is trained on.

    Args:
        training, held_out: what was seen of some of both.
        found: what `copies` found among all.
    """
    yield _readable(held_out, "held out", "they are left out")
    trained_on = {each.digest for each in training.seen}
    seen_twice = {each.name for each in held_out.seen if each.digest in trained_on}
    same = sorted(seen_twice) if found is None else found
    some_held_out, some_training = held_out.seen[:MOST_COMPARED], training.seen[:MOST_COMPARED]
    alike = [
        some_held_out[i].name
        for i in np.flatnonzero(_alike(some_held_out, some_training).any(axis=1))
        if some_held_out[i].name not in {*same, *seen_twice}
    ]
    compared = f"{len(some_held_out)} held-out and {len(some_training)} training pictures"
    among = f"among {compared}" if found is None else "among all files"
    remedy = "take them out of one of the two: else scores say how well they are remembered"
    yield judged(
        "leak",
        f"{len(same)} held-out pictures are trained on, byte for byte, {among}"
        + (f": {some(same)}" if same else "")
        + f"; {len(alike)} look like one that is, among {compared}"
        + (f": {some(alike)}" if alike else ""),
        warn=remedy if alike else "",
        fail=remedy if same else "",
    )


def examine_examples(pictures: Pictures, most: int) -> Iterator[Finding]:
    """A finding about pictures together with their inputs or masks: whether they go together."""
    numbers = spread(len(pictures), most)
    problems = {problem for number in numbers for problem in pictures[number].skipped}
    found = f"{len(problems)} of {len(numbers)} pictures can't be used with what belongs to them"
    remedy = "give each picture an input and a mask of its own size" if problems else ""
    yield judged(
        "examples",
        found + (f": {some(sorted(problems))}" if problems else ""),
        warn=remedy,
        fail=remedy if 2 * len(problems) >= len(numbers) else "",
    )


def _paths(source: Source) -> list[Path]:
    files = (source.files[number] for number in range(len(source.files)))
    return [file for file in files if isinstance(file, Path)]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else -1


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _readable(looked: Looked, subject: str, otherwise: str) -> Finding:
    bad, total = len(looked.problems), len(looked.seen) + len(looked.problems)
    part = "" if total == looked.files else f", {total} of them looked at"
    found = f"{looked.files} files{part}, {bad} can't be read"
    found += f": {some(looked.problems)}" if bad else ""
    remedy = f"mend or remove these files; {otherwise}" if bad else ""
    return judged(subject, found, warn=remedy, fail=remedy if 2 * bad >= total else "")


def _sizes(seen: Sequence[Seen], data: DataConfig) -> Finding:
    sides = sorted(min(each.size) for each in seen)
    needed = data.short_side or data.size
    small = [each.name for each in seen if min(each.size) < needed]
    found = f"shorter sides from {sides[0]} over {sides[len(sides) // 2]} to {sides[-1]} pixels"
    option = "--data.short-side" if data.short_side else "--data.size"
    if small:
        found += f"; {len(small)} are smaller than {needed}: {some(small)}"
    remedy = f"they are enlarged, and teach blur: leave them out, or take a smaller {option}"
    return judged("sizes", found, warn=remedy if small else "")


def _greys(seen: Sequence[Seen]) -> Finding:
    grey = [each.name for each in seen if each.grey]
    found = f"{len(grey)} of {len(seen)} have no colours" + (f": {some(grey)}" if grey else "")
    remedy = "a network that sees many fills holes with grey: leave them out"
    return judged("grey", found, warn=remedy if len(grey) > FEW * len(seen) else "")


def _duplicates(seen: Sequence[Seen]) -> Finding:
    by_digest = defaultdict(list)
    for each in seen:
        by_digest[each.digest].append(each.name)
    same = [names for names in by_digest.values() if len(names) > 1]
    compared = seen[:MOST_COMPARED]
    pairs = np.argwhere(np.triu(_alike(compared, compared), 1))
    alike = [(seen[i], seen[j]) for i, j in pairs if seen[i].digest != seen[j].digest]
    found = (
        f"among {len(seen)} pictures {sum(len(names) - 1 for names in same)} copies byte for byte"
    )
    found += f" ({' = '.join(same[0][:2])}, …)" if same else ""
    found += f"; {len(alike)} pairs that look alike"
    found += f" ({alike[0][0].name} ~ {alike[0][1].name}, …)" if alike else ""
    remedy = "what is there twice is learned twice as often: leave one out"
    return judged("duplicates", found, warn=remedy if same or alike else "")


def _alike(some: Sequence[Seen], others: Sequence[Seen]) -> Bool[np.ndarray, "A B"]:
    """Which of some pictures look like which of others: scaled and recompressed copies do."""
    if not some or not others:
        return np.zeros((len(some), len(others)), bool)
    return _normal(some) @ _normal(others).T > ALIKE


def _normal(seen: Sequence[Seen]) -> Float[np.ndarray, "A P"]:
    """Thumbnails of mean 0 and length 1; flat ones are 0, like nothing."""
    thumbnails = np.stack([each.thumbnail for each in seen])
    centred = thumbnails - thumbnails.mean(axis=1, keepdims=True)
    deviation = centred.std(axis=1, keepdims=True)
    length = np.sqrt(centred.shape[1]) * deviation
    return np.where(deviation < FLAT, 0, centred / np.maximum(length, 1e-6))
