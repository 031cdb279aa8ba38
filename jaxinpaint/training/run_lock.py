"""One run at a time in a run folder."""

import errno
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from jaxinpaint.training.processes import from_first, is_first

log = logging.getLogger(__name__)

FILE = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other runs out of a run folder, which is made if it is not there.

    The lock is the system's own: it ends with the process, however that ends, and the file that is
    left of it stands in nobody's way. Of several processes that train together the first has it,
    for all of them.

    Raises:
        ValueError: in all of them, if another process has the folder, or it can't be made.
    """
    with ExitStack() as held:
        problem = ""
        if is_first():
            try:
                held.enter_context(_locked_here(folder))
            except Timeout:
                problem = (
                    f"{folder} is in use: another process trains in it. Wait until that has "
                    "ended, or stop it; two would spoil each other's checkpoints"
                )
            except OSError as error:
                if error.errno == errno.ENOSYS:
                    log.warning("%s is on a disk without locks: keep other runs out of it", folder)
                else:
                    problem = f"{folder} can't be written to: {error.strerror}"
        # Without its word the others would wait for the first one in vain.
        if problem := from_first(problem):
            raise ValueError(problem)
        yield


@contextmanager
def _locked_here(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    # A file that only stands for a lock would stay when the process is killed.
    with FileLock(folder / FILE, blocking=False, fallback_to_soft=False):
        yield
