"""``jaxinpaint translate``: make a picture from another, or one from each of a folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from jaxinpaint.cli.jobs import Job, Work, carry_out, check_files_stay, planned

if TYPE_CHECKING:
    from jaxinpaint.array_typing import RGB
    from jaxinpaint.translator import Translator


def translate(
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    image: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE")],
    /,
    *,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="OUT")],
    overwrite: bool = False,
) -> None:
    """Make pictures from others, such as photographs from labels.

    Args:
        run: The folder of a run on pairs, such as runs/pan-pairs-1, or of an export of one.
        image: A picture of any size, or a folder of pictures.
        output: The file to write (its suffix is its format), or a folder.
            It is a new picture of the same size: in colour, upright and opaque.
            EXIF and colour profile are not taken over from the one it is made from.
        overwrite: Write over pictures that the output folder has already.
    """
    from jaxinpaint.keeping_compiled import keep_compiled
    from jaxinpaint.trained import require_there
    from jaxinpaint.translator import load

    require_there(run)  # first, because it is quick to fail
    jobs = planned(image, output)
    check_files_stay(jobs, [job.picture for job in jobs], output, overwrite=overwrite)
    keep_compiled()
    carry_out(jobs, _translating(load(run)), participle="translated")


def _translating(translator: "Translator") -> "Work[RGB, RGB]":
    """How pictures are made from others."""
    from jaxinpaint.data.pictures import read_rgb
    from jaxinpaint.data.rewriting import write_new

    def read(job: Job) -> "tuple[RGB, Sequence[str]]":
        return read_rgb(job.picture), ()

    def make(job: Job, picture: "RGB") -> "RGB":
        return translator(picture)

    def write(job: Job, picture: "RGB", made: "RGB") -> None:
        write_new(made, job.target)

    return Work(read, make, write)
