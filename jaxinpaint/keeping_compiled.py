"""Compiled programs, kept on the disk for the next process that needs them."""

import contextlib
import logging
import math
import os
import re
import warnings
from pathlib import Path
from typing import Any

import jax

from jaxinpaint.interop.published_weights import cache_folder

log = logging.getLogger(__name__)

MOST_BYTES = 2_000_000_000  # of all that is kept; the oldest goes first


def keep_compiled(keep: bool = True) -> None:
    """Keeps compiled programs in the cache, unless JAX has been told of another folder.

    Commands do so unasked; a program of one's own calls it once, before anything is compiled.

    They are JAX's own files, by all that a program depends on: the program, JAX's version, the kind
    of device and the flags. A folder that nothing can be written to is only read from; where there
    can be none, and where a file is damaged, programs are compiled as if there were no cache.
    Several processes may use it at once.

    Args:
        keep: False is for neither keeping nor looking.
    """
    if not keep:
        jax.config.update("jax_enable_compilation_cache", False)
    elif "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        try:
            folder = cache_folder() / "compiled"
            _limit(folder)
        except (OSError, ValueError) as error:
            log.warning("compiled programs are not kept: %s", error)
            return
        _switch_on(folder)


def _switch_on(folder: Path) -> None:
    jax.config.update("jax_compilation_cache_dir", str(folder))
    # All programs, for dozens of small ones take a second in all; but none where nothing can be
    # written: JAX would warn of each.
    least_seconds = 0 if os.access(folder, os.W_OK) else math.inf
    jax.config.update("jax_persistent_cache_min_compile_time_secs", least_seconds)
    _remove_damaged(folder)


def _limit(folder: Path) -> None:
    """Makes the folder, and takes the oldest files out of it if it holds too much.

    Raises:
        OSError: if there can be no such folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ages = []
    for path in folder.iterdir():
        with contextlib.suppress(OSError):  # another process may have removed it
            ages.append((path.stat().st_mtime, path.stat().st_size, path))
    excess = sum(size for _, size, _ in ages) - MOST_BYTES
    for _, size, path in sorted(ages):
        if excess <= 0:
            break
        with contextlib.suppress(OSError):  # none can be, of a folder that is only read
            path.unlink(missing_ok=True)
        excess -= size


def _remove_damaged(folder: Path) -> None:
    """Has files removed that JAX can't read, such as one whose writer was killed.

    JAX warns of them, compiles the program, and leaves the file for the next to warn of.
    """
    shown = warnings.showwarning

    def show(message: Warning | str, *where: Any, **more: Any) -> None:
        about = re.match(
            "Error reading persistent compilation cache entry for '(.+?)'", str(message)
        )
        if about is None:
            shown(message, *where, **more)
            return
        for path in folder.glob(f"{about[1]}-*"):
            with contextlib.suppress(OSError):  # such as of a folder that is only read
                path.unlink(missing_ok=True)

    warnings.showwarning = show
