"""What a verb does with a picture, or with each picture of a folder."""

import logging
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

log = logging.getLogger(__name__)

Read = TypeVar("Read")
Made = TypeVar("Made")

MOST_THREADS = 4  # that read and write; as many pictures wait to be filled, and to be written


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


def check_files_stay(
    jobs: Sequence[Job], sources: Iterable[Path], output: Path, *, overwrite: bool
) -> None:
    """Refuses to write over files that a user did not mean.

    Args:
        jobs: whose targets are written.
        sources: all files that are read.
        output: what the user named: if it is a file, it may be written over.
        overwrite: whether other files may be, such as those in a folder.

    Raises:
        ValueError: if a target is a source, of this job or another; or is there already.
    """
    resolved = {path.resolve() for path in sources}
    for job in jobs:
        if job.target.resolve() in resolved:
            raise ValueError(f"{job.target} would be written over; choose another output")
    for job in jobs:
        if job.target != output and job.target.exists() and not overwrite:
            raise ValueError(f"{job.target} is there already: --overwrite, or another output")


@dataclass(frozen=True)
class Work(Generic[Read, Made]):
    """What is done for a job, in three parts. Each may raise ValueError or OSError.

    Attributes:
        read: reads what there is to a job, in any thread. What it gives second are warnings.
        make: makes something of that, where the program began.
        write: writes what was made of what was read, in any thread.
    """

    read: Callable[[Job], tuple[Read, Sequence[str]]]
    make: Callable[[Job, Read], Made]
    write: Callable[[Job, Read, Made], None]


def carry_out(jobs: Sequence[Job], work: Work[Read, Made], *, participle: str) -> None:
    """Does the jobs, and prints their targets and what there is to tell, in the jobs' order.

    While something is made for a job, others' pictures are read and written: a few of them at a
    time. One of several jobs that fails does not stop the others: it is told, and counted at the
    end.

    Args:
        jobs: what is to be done.
        work: how.
        participle: what messages call a picture that is done, such as "filled".

    Raises:
        ValueError, OSError: if the only job fails.
        SystemExit: with 1, if some of several have failed.
    """
    failures = 0
    with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as threads:
        for job, warnings, written in _under_way(jobs, work, threads):
            for warning in warnings:
                log.warning("%s", warning)
            try:
                written.result()
            except (ValueError, OSError) as error:
                if len(jobs) == 1:
                    raise
                log.error("%s", error)
                failures += 1
            else:
                print(job.target, flush=True)
    if failures:
        print(f"{failures} of {len(jobs)} pictures were not {participle}", file=sys.stderr)
        sys.exit(1)


class _Ending(NamedTuple):
    """A job that is read and made, or has failed, and what there is to tell."""

    job: Job
    warnings: Sequence[str]
    written: Future[None]


def _under_way(jobs: Sequence[Job], work: Work[Read, Made], threads: Executor) -> Iterator[_Ending]:
    """The jobs, in their order, soon after they are written."""
    writing: deque[_Ending] = deque()
    for job, reading in _ahead(jobs, work.read, threads):
        writing.append(_made(job, reading, work, threads))
        while writing and (len(writing) > MOST_THREADS or writing[0].written.done()):
            yield writing.popleft()
    yield from writing


def _ahead(
    jobs: Sequence[Job], read: Callable[[Job], Read], threads: Executor
) -> Iterator[tuple[Job, Future[Read]]]:
    """Each job with what is read of it; a few more are read meanwhile."""
    queue: deque[tuple[Job, Future[Read]]] = deque()
    for job in jobs:
        queue.append((job, threads.submit(read, job)))
        if len(queue) > MOST_THREADS:
            yield queue.popleft()
    yield from queue


def _made(
    job: Job,
    reading: Future[tuple[Read, Sequence[str]]],
    work: Work[Read, Made],
    threads: Executor,
) -> _Ending:
    """Makes something of what is read, and has it written."""
    warnings: Sequence[str] = ()
    try:
        read, warnings = reading.result()
        return _Ending(job, warnings, threads.submit(work.write, job, read, work.make(job, read)))
    # Whatever it is: it is raised in its turn, after what is told of the jobs before.
    except Exception as error:
        failed: Future[None] = Future()
        failed.set_exception(error)
        return _Ending(job, warnings, failed)
