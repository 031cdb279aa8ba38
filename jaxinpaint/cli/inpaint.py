"""``jaxinpaint inpaint``: fill the holes of a picture, or of a folder of pictures."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from jaxinpaint.cli.jobs import Job, carry_out, check_exists, check_sources_stay, planned

if TYPE_CHECKING:
    from jaxinpaint.inpainter import Inpainter

log = logging.getLogger(__name__)


def inpaint(
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    image: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE")],
    /,
    *,
    hole: Annotated[Path, tyro.conf.arg(metavar="MASK")],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="OUT")],
) -> None:
    """Fill the holes of a picture, or of a folder of pictures.

    Args:
        run: A run folder, such as runs/first-run-1; an export; or a file of a network, such as a
            published one (docs/checkpoints.md).
            One trained for the middle of pictures fills holes that keep off the border.
        image: A picture of any size, or a folder of pictures.
        hole: A mask of the same size: white is missing, black is known.
            For a folder, a folder of masks of the same names, whatever their suffixes.
        output: The file to write (its suffix is its format), or a folder.
            Known pixels keep their values; JPEG alone loses a little at every save.
            EXIF and colour profile stay; pictures turned by EXIF are written upright.
    """
    from jaxinpaint.inpainter import load
    from jaxinpaint.trained import require_there

    require_there(run)  # first, because it is quick to fail
    jobs = planned(image, output)
    holes = _holes(image, hole, [job.picture for job in jobs])
    check_sources_stay(jobs, [*holes, *holes.values()])
    inpainter = load(run)
    carry_out(jobs, lambda job: _fill(inpainter, job, holes[job.picture]), participle="filled")


def _holes(image: Path, hole: Path, pictures: Sequence[Path]) -> dict[Path, Path]:
    """The mask file of each picture.

    Raises:
        ValueError: if masks are missing, or pictures and masks do not match.
    """
    from jaxinpaint.data.pictures import partners

    check_exists(hole)
    if image.is_dir() != hole.is_dir():
        raise ValueError(f"{image} and {hole} must be two files or two folders")
    if not image.is_dir():
        return {image: hole}
    return dict(zip(pictures, partners(pictures, image, hole, noun="mask"), strict=True))


def _fill(inpainter: "Inpainter", job: Job, hole_file: Path) -> None:
    """Fills one picture.

    Raises:
        UnreadablePicture: if a file can't be read.
        ValueError: if the mask has another size, leaves nothing known, or has a hole that the
            network can't fill.
    """
    from jaxinpaint.data.pictures import read_hole, read_rgb
    from jaxinpaint.data.rewriting import write_filled

    photo, hole = read_rgb(job.picture), read_hole(hole_file)
    if hole.shape != photo.shape[:2]:
        sizes = [f"{shape[1]}x{shape[0]}" for shape in (hole.shape, photo.shape)]
        raise ValueError(f"{hole_file} is {sizes[0]}, but {job.picture} is {sizes[1]}")
    if hole.all():
        raise ValueError(f"{hole_file} is all hole: white is missing, so nothing would be known")
    if hole.mean() > 0.7:
        log.warning(
            "%s: %.0f%% is hole; is it swapped? White is missing.", hole_file, 100 * hole.mean()
        )
    if not hole.any():
        log.warning("%s has no hole: white is missing; %s stays as it is", hole_file, job.picture)
    try:
        filled = inpainter(photo, hole)
    except ValueError as error:
        raise ValueError(f"{job.picture}: {error}") from error
    write_filled(job.picture, filled, hole, job.target)
