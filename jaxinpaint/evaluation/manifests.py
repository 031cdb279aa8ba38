"""Manifests: which squares of which pictures are judged, and with which holes.

A manifest is a file of JSON lines, a case a line, that says all of it by hashes. Scores of one
manifest can be compared; the same pictures cut otherwise, or with other holes, are another.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

import cattrs
import jax
import jax.numpy as jnp
import numpy as np
from cattrs.preconf.json import make_converter
from tqdm import tqdm

from jaxinpaint import masks
from jaxinpaint.array_typing import RGB, Missing
from jaxinpaint.data.pictures import (
    Encoded,
    list_pictures,
    middle,
    partners,
    read_hole,
    read_rgb,
    scaled,
    scaled_hole,
    scaled_size,
)
from jaxinpaint.whole_files import replaced

log = logging.getLogger(__name__)

# Rows as lines of JSON, and back; unknown names are refused.
CONVERTER = make_converter(forbid_extra_keys=True, omit_if_default=True)

HOUSE_BUCKETS = ((0.01, 0.1), (0.1, 0.2), (0.2, 0.3), (0.3, 0.4), (0.4, 0.5), (0.5, 0.6))
LEAST = 16  # side of a square
MUCH = 0.7  # of a square: whoever misses more may have taken black for white


@dataclass(frozen=True)
class Drawn:
    """A hole that a sampler draws.

    Attributes:
        sampler: its name.
        ratio, border: its options, as of `masks.sampler`.
        seed, number: what is drawn depends on these.
        fraction: for center, its share of each side.
    """

    sampler: masks.SamplerName
    seed: int
    number: int
    ratio: tuple[float, float] | None = None
    border: bool = True
    fraction: float | None = None


@dataclass(frozen=True)
class Stored:
    """A hole from a mask file, scaled and cut to the middle as its picture is.

    Attributes:
        file: its place in the folder of masks.
        sha256: of the file.
    """

    file: str
    sha256: str


@dataclass(frozen=True)
class Row:
    """A case of a manifest.

    Attributes:
        name: what files that are made of it are called, without a suffix.
        picture: its place in the folder of pictures.
        sha256: of the file.
        size: side of the square, in pixels. The picture's shorter side is scaled to it (bicubic,
            antialiased).
        crop: top, left, height and width of the square in the scaled picture.
        hole: where the hole comes from.
        hole_sha256: of its pixels.
        missing: its share of the square.
        touches_border: whether one of its pixels is at the border.
    """

    name: str
    picture: str
    sha256: str
    size: int
    crop: tuple[int, int, int, int]
    hole: Drawn | Stored
    hole_sha256: str
    missing: float
    touches_border: bool


class Manifest(NamedTuple):
    """Cases, and the SHA-256 of the file that tells them."""

    rows: tuple[Row, ...]
    sha256: str


class Case(NamedTuple):
    """A square of a picture and what is missing in it."""

    row: Row
    truth: RGB
    hole: Missing


class HolesOf(NamedTuple):
    """What holes a manifest is to have: each picture gets one of every combination.

    Attributes:
        samplers: their names.
        buckets: least and greatest share that is missing, for samplers that read it.
        borders: whether holes may touch the border, for samplers that read it.
        fraction: for center, its share of each side.
    """

    samplers: tuple[masks.SamplerName, ...] = ("irregular",)
    buckets: tuple[tuple[float, float], ...] = HOUSE_BUCKETS
    borders: tuple[bool, ...] = (True,)
    fraction: float | None = None


class Changed(ValueError):
    """A picture or a hole that is not the one that a manifest tells of."""


def drawn_rows(folder: Path, *, size: int, holes: HolesOf, seed: int) -> Iterator[Row]:
    """Rows for the middle squares of all pictures of a folder, with drawn holes.

    Args:
        folder: of pictures.
        size: side of the squares.
        holes: of which kinds.
        seed: of what is drawn.

    Raises:
        ValueError: without pictures, or for squares that are too small; while the rows are made,
            for holes that can't be drawn, or miss nothing or all.
        UnreadablePicture: while they are made, for a file that is none.
    """
    _require_size(size)
    kinds, pictures = _kinds(holes), list_pictures(folder)
    width = len(str(len(kinds) - 1))

    def rows() -> Iterator[Row]:
        for i, path in enumerate(_told(pictures)):
            row = _row_of(path, folder, size)
            for j, kind in enumerate(kinds):
                rule = replace(kind, seed=seed, number=i * len(kinds) + j)
                name = f"{i:06d}" if len(kinds) == 1 else f"{i:06d}-{j:0{width}d}"
                yield row(name, rule, _draw(rule, size))

    return rows()


def stored_rows(
    folder: Path, others: Path, *, size: int, tell: Callable[[str], None]
) -> Iterator[Row]:
    """Rows for the middle squares of all pictures of a folder, with holes of mask files.

    A picture goes with the mask of its own place and name. If not one has such a mask, masks go
    round, in the order of their names.

    Args:
        folder: of pictures.
        others: of mask files.
        size: side of the squares.
        tell: is given a line about which goes with which.

    Raises:
        ValueError, UnreadablePicture: as `drawn_rows`, of both folders; or if some pictures have a
            mask of their name and some none, or one has two.
    """
    _require_size(size)
    pictures, found = list_pictures(folder), list_pictures(others)
    stems, mask_stems = (
        {path.relative_to(root).with_suffix("") for path in paths}
        for paths, root in ((pictures, folder), (found, others))
    )
    if stems & mask_stems:
        found = partners(pictures, folder, others, noun="mask")
        tell("each picture has the mask of its own name")
    else:
        tell(f"no picture has a mask of its own name: masks go round ({len(found)})")

    def rows() -> Iterator[Row]:
        much = 0
        for i, path in enumerate(_told(pictures)):
            mask = found[i % len(found)]
            content = mask.read_bytes()
            hole = _cut_hole(read_hole(Encoded(str(mask), content)), size)
            stored = Stored(mask.relative_to(others).as_posix(), _digest(content))
            row = _row_of(path, folder, size)(f"{i:06d}", stored, hole)
            much += row.missing > MUCH
            yield row
        if much:
            log.warning(
                "%d of %d holes miss more than %.0f %% of their square: is white what is missing?",
                much,
                len(pictures),
                100 * MUCH,
            )

    return rows()


def write(rows: Iterable[Row], path: Path) -> int:
    """Writes a manifest, and gives the number of its rows. The file appears when all is written."""
    number = 0
    with replaced(path) as unfinished, unfinished.open("wb") as file:
        for row in rows:
            file.write(CONVERTER.dumps(row).encode() + b"\n")
            number += 1
    return number


def keep(source: Path, target: Path) -> None:
    """A copy of a manifest's file, unless there is one. It appears as a whole."""
    if not target.exists():
        with replaced(target) as unfinished:
            unfinished.write_bytes(source.read_bytes())


def read(path: Path) -> Manifest:
    """A manifest from its file.

    Raises:
        ValueError: if it is missing or none.
    """
    try:
        content = path.read_bytes()
        rows = tuple(CONVERTER.loads(line, Row) for line in content.splitlines())
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    except (ValueError, TypeError, AttributeError, cattrs.BaseValidationError) as error:
        raise ValueError(f"{path} is no manifest (jaxinpaint manifest writes one)") from error
    names = [row.name for row in rows]
    if not rows or len(set(names)) < len(names):
        raise ValueError(f"{path} has no cases, or two of one name")
    return Manifest(rows, _digest(content))


def case(row: Row, folder: Path, masks_folder: Path | None = None) -> Case:
    """The square and the hole that a row tells of.

    Args:
        row: of a manifest.
        folder: of the pictures.
        masks_folder: of the mask files, where the manifest's holes come from such.

    Raises:
        Changed: if the picture, its mask or the hole is another than when the manifest was made.
        UnreadablePicture, OSError: if a file can't be read.
        ValueError: if masks are needed and not given.
    """
    path = folder / row.picture
    content = _content(path, row.sha256)
    truth = _cut(read_rgb(Encoded(str(path), content)), row.size, row.crop)
    match row.hole:
        case Drawn() as rule:
            hole = _draw(rule, row.size)
        case Stored(file=file, sha256=sha256):
            if masks_folder is None:
                raise ValueError("the holes of this manifest are files: say where, --masks")
            mask = masks_folder / file
            content = _content(mask, sha256)
            hole = _cut_hole(read_hole(Encoded(str(mask), content)), row.size)
    if _hole_digest(hole) != row.hole_sha256:
        raise Changed(
            f"{_called(row.hole)} is drawn otherwise here than where the manifest was made, so its "
            "scores would not be of the same holes"
        )
    return Case(row, truth, hole)


def _kinds(holes: HolesOf) -> list[Drawn]:
    kinds = []
    for sampler in holes.samplers:
        unread = masks.unread(sampler)
        buckets = (None,) if "ratio" in unread else holes.buckets
        borders = (True,) if "border" in unread else holes.borders
        fraction = holes.fraction if sampler == "center" else None
        kinds += [
            Drawn(sampler, 0, 0, bucket, border, fraction)
            for border, bucket in product(borders, buckets)
        ]
    return kinds


def _require_size(size: int) -> None:
    if size < LEAST:
        raise ValueError(f"--size is {size}; squares have sides of at least {LEAST} pixels")


def _told(pictures: Sequence[Path]) -> Iterable[Path]:
    return tqdm(pictures, desc="manifest", unit="picture", disable=None)


def _row_of(path: Path, folder: Path, size: int) -> Callable[[str, Drawn | Stored, Missing], Row]:
    """What makes rows of a picture, which is read once: of a name, and of a hole and its rule."""
    content = path.read_bytes()
    picture = read_rgb(Encoded(str(path), content))
    height, width = scaled_size(picture.shape[0], picture.shape[1], size)
    place, sha256 = path.relative_to(folder).as_posix(), _digest(content)

    def row(name: str, rule: Drawn | Stored, hole: Missing) -> Row:
        if hole.all() or not hole.any():
            misses = "all" if hole.all() else "nothing"
            raise ValueError(f"{_called(rule)} misses {misses} of the square of {path}")
        return Row(
            name,
            picture=place,
            sha256=sha256,
            size=size,
            crop=((height - size) // 2, (width - size) // 2, size, size),
            hole=rule,
            hole_sha256=_hole_digest(hole),
            missing=round(float(hole.mean()), 6),
            touches_border=bool(hole[[0, -1]].any() or hole[:, [0, -1]].any()),
        )

    return row


def _called(rule: Drawn | Stored) -> str:
    if isinstance(rule, Stored):
        return f"the mask {rule.file}"
    return f"the {rule.sampler} hole {rule.number}"


def _draw(rule: Drawn, size: int) -> Missing:
    if rule.fraction is not None:
        drawn = masks.center(jax.random.key(rule.seed), (size, size), fraction=rule.fraction)
        return np.asarray(drawn)[..., 0] > 0
    sample = masks.sampler(rule.sampler, ratio=rule.ratio or (0.0, 1.0), border=rule.border)
    positions = jnp.array([rule.number])
    drawn = masks.holes(sample, jax.random.key(rule.seed), positions, (size, size))
    return np.asarray(drawn)[0, ..., 0] > 0


def _cut(picture: RGB, size: int, crop: Sequence[int]) -> RGB:
    top, left, height, width = crop
    return scaled(picture, size)[top : top + height, left : left + width]


def _cut_hole(hole: Missing, size: int) -> Missing:
    return middle(scaled_hole(hole, size), size)


def _content(path: Path, sha256: str) -> bytes:
    content = path.read_bytes()
    if _digest(content) != sha256:
        raise Changed(f"{path} is not the file that the manifest tells of: its SHA-256 differs")
    return content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _hole_digest(hole: Missing) -> str:
    return _digest(f"{hole.shape} ".encode() + np.packbits(hole).tobytes())
