"""Files that are there as a whole or not at all."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A name beside a file's, to write to: what is there takes the file's place at the end.

    What fails leaves the file as it was. The folder is made if there is none. The suffix is the
    file's, for libraries that take the format from it; each process has a name of its own, no
    longer than names may be.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    short = hashlib.sha256(path.name.encode(errors="surrogateescape")).hexdigest()[:12]
    unfinished = path.with_name(f".{short}.{os.getpid()}{path.suffix}")
    try:
        yield unfinished
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
