"""``jaxinpaint inpaint``: fill the holes of a picture, or of a folder of pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import tyro

from jaxinpaint.cli.jobs import Job, Work, carry_out, check_exists, check_files_stay, planned
from jaxinpaint.cli.units import number_of_bytes
from jaxinpaint.ready import NETWORK

if TYPE_CHECKING:
    from jaxinpaint.array_typing import RGB, Missing
    from jaxinpaint.inpainter import Inpainter


def inpaint(
    paths: Annotated[
        tuple[Path] | tuple[Path, Path], tyro.conf.Positional, tyro.conf.arg(metavar="[RUN] IMAGE")
    ],
    /,
    *,
    hole: Annotated[Path, tyro.conf.arg(metavar="MASK")],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="OUT")],
    overwrite: bool = False,
    max_memory: Annotated[str | None, tyro.conf.arg(metavar="SIZE")] = None,
) -> None:
    """Fill the holes of a picture, or of a folder of pictures.

    Args:
        paths: What fills, and what is filled.
            RUN: a run folder, such as runs/first-run-1; an export; or a file of a network, such as
            a published one (docs/checkpoints.md). Without it the network that comes along fills,
            whose weights are for research and education.
            One trained for the middle of pictures fills holes that keep off the border.
            IMAGE: a picture of any size, or a folder of pictures.
        hole: A mask of the same size: white is missing, black is known.
            For a folder, a folder of masks of the same names, whatever their suffixes.
        output: The file to write (its suffix is its format), or a folder.
            Known pixels keep their values; JPEG alone loses a little at every save.
            EXIF and colour profile stay; pictures turned by EXIF are written upright.
        overwrite: Write over pictures that the output folder has already.
        max_memory: How much memory filling a picture may take, such as 4GB; of a GPU, its own.
            Pictures that would take more are filled in tiles. By default what is free.
            (Networks of one picture size fill squares, and need no limit.)
    """
    run, image = paths if len(paths) == 2 else (NETWORK, *paths)
    if len(paths) == 1:
        _require_pictures(image)
    limit = None if max_memory is None else number_of_bytes(max_memory, option="--max-memory")
    from jaxinpaint.inpainter import load
    from jaxinpaint.keeping_compiled import keep_compiled
    from jaxinpaint.trained import require_there

    require_there(run)  # first, because it is quick to fail
    jobs = planned(image, output)
    holes = _holes(image, hole, [job.picture for job in jobs])
    check_files_stay(jobs, [*holes, *holes.values()], output, overwrite=overwrite)
    keep_compiled()
    carry_out(jobs, filling(load(run, max_memory=limit), holes), participle="filled")


def _require_pictures(image: Path) -> None:
    """Raises ValueError for what fills pictures, where pictures are meant."""
    from jaxinpaint.interop.export_folders import is_program
    from jaxinpaint.run_config import FILE

    if (image / FILE).exists() or is_program(image):
        raise ValueError(f"{image} fills pictures: say which, jaxinpaint inpaint {image} IMAGE …")


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


class Holed(NamedTuple):
    """A picture and its hole."""

    photo: "RGB"
    hole: "Missing"


def filling(inpainter: "Inpainter", holes: Mapping[Path, Path]) -> "Work[Holed, RGB]":
    """How pictures are filled.

    Args:
        inpainter: fills them.
        holes: the mask file of each.
    """
    from jaxinpaint.data.rewriting import write_filled

    def read(job: Job) -> tuple[Holed, Sequence[str]]:
        return _read(job.picture, holes[job.picture])

    def fill(job: Job, holed: Holed) -> "RGB":
        try:
            return inpainter(holed.photo, holed.hole)
        except ValueError as error:
            raise ValueError(f"{job.picture}: {error}") from error

    def write(job: Job, holed: Holed, filled: "RGB") -> None:
        write_filled(job.picture, filled, holed.hole, job.target)

    return Work(read, fill, write)


def _read(picture: Path, hole_file: Path) -> tuple[Holed, Sequence[str]]:
    """A picture with its hole, and what looks wrong with that.

    Raises:
        UnreadablePicture: if a file can't be read.
        ValueError: if the mask has another size, or leaves nothing known.
    """
    from jaxinpaint.data.pictures import read_hole_of, read_rgb

    photo = read_rgb(picture)
    hole = read_hole_of(picture, photo, hole_file)
    warnings = []
    if hole.mean() > 0.7:
        share = 100 * hole.mean()
        warnings.append(f"{hole_file}: {share:.0f}% is hole; is it swapped? White is missing.")
    if not hole.any():
        warnings.append(f"{hole_file} has no hole: white is missing; {picture} stays as it is")
    return Holed(photo, hole), warnings
