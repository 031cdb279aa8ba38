"""Looks at pictures: bad files, sizes, grey ones, duplicates, held-out ones that are trained on."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image

from jaxinpaint.data.config import DataConfig
from jaxinpaint.data.pictures import (
    File,
    UnreadablePicture,
    content_of,
    in_colours,
    open_upright,
)
from jaxinpaint.data.sources import Source
from jaxinpaint.doctor.findings import Finding, judged, some

THUMBNAIL = 16  # pixels to a side of what pictures are compared by
# Correlation of thumbnails from which two pictures count as one. Of 200 photographs no two had more
# than 0.90; copies, scaled down to as little as 0.15 and saved as JPEG of quality 50, had 0.994.
ALIKE = 0.98
FLAT = 2.0  # levels that a thumbnail deviates by; what is flatter is alike to all that is flat
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
    count = len(source.files)
    shown = min(count, most)
    numbers = [i * count // shown for i in range(shown)]
    with ThreadPoolExecutor() as pool:
        looked = list(pool.map(lambda number: _look_at(source.files[number]), numbers))
    seen = [each for each in looked if isinstance(each, Seen)]
    return Looked(count, seen, [each for each in looked if isinstance(each, str)])


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


def examine_held_out(training: Looked, held_out: Looked) -> Iterator[Finding]:
    """Findings about held-out pictures: whether all can be read, and none is trained on."""
    yield _readable(held_out, "held out", "they are left out")
    trained_on = {each.digest: each.name for each in training.seen}
    same = [each for each in held_out.seen if each.digest in trained_on]
    alike = [
        held_out.seen[i].name
        for i in np.flatnonzero(_alike(held_out.seen, training.seen).any(axis=1))
        if held_out.seen[i].digest not in trained_on
    ]
    of = f"of {len(held_out.seen)} held-out pictures looked at"
    remedy = "take them out of one of the two: else scores say how well they are remembered"
    yield judged(
        "leak",
        f"{len(same)} {of} are trained on, byte for byte"
        + (f": {some([each.name for each in same])}" if same else "")
        + f"; {len(alike)} look like one that is"
        + (f": {some(alike)}" if alike else ""),
        warn=remedy if alike else "",
        fail=remedy if same else "",
    )


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
    pairs = np.argwhere(np.triu(_alike(seen, seen), 1))
    alike = [(seen[i], seen[j]) for i, j in pairs if seen[i].digest != seen[j].digest]
    found = f"{sum(len(names) - 1 for names in same)} copies byte for byte"
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
