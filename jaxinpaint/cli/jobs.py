"""What a verb does with a picture, or with each picture of a folder."""

import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger(__name__)


class Job(NamedTuple):
    """A picture, and the file to write."""

    picture: Path
    target: Path


def planned(image: Path, output: Path) -> list[Job]:
    """A job for a picture, or one for each of a folder.

    What is made of a folder's pictures has their places and names in the output folder; what is
    made of one picture goes to the output, or keeps its name if that is a folder.

    Raises:
        ValueError: if there is no such picture or folder, no picture in it, or its output is a
            file; or if a target's suffix is no picture format.
    """
    from jaxinpaint.data.pictures import list_pictures
    from jaxinpaint.data.rewriting import check_writable

    check_exists(image)
    if image.is_dir():
        if output.is_file():
            raise ValueError(f"{output} is a file; a folder of pictures needs a folder to go to")
        jobs = [Job(path, output / path.relative_to(image)) for path in list_pictures(image)]
    else:
        to_folder = output.is_dir() or not output.suffix
        jobs = [Job(image, output / image.name if to_folder else output)]
    for job in jobs:
        check_writable(job.target)
    return jobs


def check_exists(path: Path) -> None:
    """Raises ValueError if there is no such file or folder."""
    if not path.exists():
        raise ValueError(f"{path}: no such file or folder")


def check_sources_stay(jobs: Iterable[Job], sources: Iterable[Path]) -> None:
    """Raises ValueError if a target is a file that is read, by this job or another."""
    resolved = {path.resolve() for path in sources}
    for job in jobs:
        if job.target.resolve() in resolved:
            raise ValueError(f"{job.target} would be written over; choose another output")


def carry_out(jobs: Sequence[Job], do: Callable[[Job], None], *, participle: str) -> None:
    """Does the jobs one after another, and prints their targets.

    One of several that fails does not stop the others: it is told, and counted at the end.

    Args:
        jobs: what is to be done.
        do: does one, or raises ValueError or OSError.
        participle: what messages call a picture that is done, such as "filled".

    Raises:
        ValueError, OSError: if the only job fails.
        SystemExit: with 1, if some of several have failed.
    """
    failures = 0
    for job in jobs:
        try:
            do(job)
        except (ValueError, OSError) as error:
            if len(jobs) == 1:
                raise
            log.error("%s", error)
            failures += 1
        else:
            print(job.target)
    if failures:
        print(f"{failures} of {len(jobs)} pictures were not {participle}", file=sys.stderr)
        sys.exit(1)
