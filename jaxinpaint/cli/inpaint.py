"""``jaxinpaint inpaint``: fill the holes of a picture, or of a folder of pictures."""

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import tyro

if TYPE_CHECKING:
    from jaxinpaint.inpainter import Inpainter

log = logging.getLogger(__name__)


class Job(NamedTuple):
    """A picture, its hole, and the file to write."""

    picture: Path
    hole: Path
    target: Path


def inpaint(
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    image: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE")],
    /,
    *,
    hole: Annotated[Path, tyro.conf.arg(metavar="MASK")],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="OUT")],
) -> None:
    """Fill the holes of a picture, or of a folder of pictures.

    Known pixels keep their values (JPEG, which loses a little at every save, is the exception).
    Format, size, EXIF and colour profile stay; pictures turned by EXIF are written upright.

    Args:
        run: A run folder, such as runs/first-run.
        image: A picture of any size, or a folder of pictures.
        hole: A mask of the same size: white is missing, black is known. For a folder, a folder of
            masks of the same names, whatever their suffixes.
        output: The file to write (its suffix is its format), or a folder.
    """
    from jaxinpaint.inpainter import load
    from jaxinpaint.run_config import load_config

    load_config(run)  # first, because it is quick to fail
    jobs = _jobs(image, hole, output)
    inpainter = load(run)
    failures = 0
    for job in jobs:
        try:
            _fill(inpainter, job)
        except (ValueError, OSError) as error:
            if len(jobs) == 1:
                raise
            log.error("%s", error)
            failures += 1
        else:
            print(job.target)
    if failures:
        print(f"{failures} of {len(jobs)} pictures were not filled", file=sys.stderr)
        sys.exit(1)


def _jobs(image: Path, hole: Path, output: Path) -> list[Job]:
    """What is to be done, checked as far as can be before anything is.

    Raises:
        ValueError: if files are missing, pictures and masks do not match, or a target is a source.
    """
    from jaxinpaint.data.pictures import list_pictures
    from jaxinpaint.data.rewriting import check_writable

    for path in (image, hole):
        if not path.exists():
            raise ValueError(f"{path}: no such file or folder")
    if image.is_dir() != hole.is_dir():
        raise ValueError(f"{image} and {hole} must be two files or two folders")
    if image.is_dir():
        if output.is_file():
            raise ValueError(f"{output} is a file; a folder of pictures needs a folder to go to")
        pictures = list_pictures(image)
        holes = _holes_of(pictures, image, hole)
        jobs = [
            Job(p, h, output / p.relative_to(image)) for p, h in zip(pictures, holes, strict=True)
        ]
    else:
        to_folder = output.is_dir() or not output.suffix
        jobs = [Job(image, hole, output / image.name if to_folder else output)]
    sources = {path.resolve() for job in jobs for path in (job.picture, job.hole)}
    for job in jobs:
        check_writable(job.target)
        if job.target.resolve() in sources:
            raise ValueError(f"{job.target} would be written over; choose another output")
    return jobs


def _holes_of(pictures: list[Path], folder: Path, hole_folder: Path) -> list[Path]:
    """The mask of each picture: the same place and stem, any suffix."""
    from jaxinpaint.data.pictures import list_pictures

    by_stem: dict[Path, Path] = {}
    for path in list_pictures(hole_folder):
        stem = path.relative_to(hole_folder).with_suffix("")
        if stem in by_stem:
            raise ValueError(f"two masks of one name: {by_stem[stem]} and {path}")
        by_stem[stem] = path
    stems = [path.relative_to(folder).with_suffix("") for path in pictures]
    missing = [str(path) for path, stem in zip(pictures, stems, strict=True) if stem not in by_stem]
    if missing:
        listed = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        raise ValueError(f"{hole_folder} has no mask for {len(missing)} pictures: {listed}")
    return [by_stem[stem] for stem in stems]


def _fill(inpainter: "Inpainter", job: Job) -> None:
    """Fills one picture.

    Raises:
        UnreadablePicture: if a file can't be read.
        ValueError: if the mask has another size, or leaves nothing known.
    """
    from jaxinpaint.data.pictures import read_hole, read_rgb
    from jaxinpaint.data.rewriting import write_filled

    photo, hole = read_rgb(job.picture), read_hole(job.hole)
    if hole.shape != photo.shape[:2]:
        sizes = [f"{shape[1]}x{shape[0]}" for shape in (hole.shape, photo.shape)]
        raise ValueError(f"{job.hole} is {sizes[0]}, but {job.picture} is {sizes[1]}")
    if hole.all():
        raise ValueError(f"{job.hole} is all hole: white is missing, so nothing would be known")
    if hole.mean() > 0.7:
        log.warning(
            "%s: %.0f%% is hole; is it swapped? White is missing.", job.hole, 100 * hole.mean()
        )
    if not hole.any():
        log.warning("%s has no hole: white is missing; %s stays as it is", job.hole, job.picture)
    write_filled(job.picture, inpainter(photo, hole), hole, job.target)
