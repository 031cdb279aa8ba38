"""One process at a time in a run folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

FILE = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other processes out of a run folder, which is made if it is not there.

    The lock is the system's own: it ends with the process, however that ends, and the file that is
    left of it stands in nobody's way.

    Raises:
        ValueError: if another process has the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / FILE)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise ValueError(
            f"{folder} is in use: another process trains in it. Wait until that has ended, or stop "
            "it; two would spoil each other's checkpoints"
        ) from error
    try:
        yield
    finally:
        lock.release()
