"""Several processes, of one host or many, that train together."""

import hashlib

import jax
import numpy as np
from jax.experimental import multihost_utils

AUTO = "auto"
LONGEST = 8192  # bytes of a text that is shared; no path has more than 4096
# Seconds that processes wait for each other at the end: the first one still has pictures to make.
LONGEST_END = 3600


def join(coordinator: str, *, processes: int | None = None, process: int | None = None) -> None:
    """Makes this process one of several that train together. Nothing of JAX may have run before.

    Args:
        coordinator: HOST:PORT of the first process, or ``auto`` where all of it can be found out:
            under SLURM and Open MPI, on TPU pods and on GKE.
        processes: how many there are.
        process: the number of this one, from 0 on.

    Raises:
        ValueError: for numbers that are missing or can't be, or if ``auto`` finds nothing.
    """
    numbers = {"processes": processes, "process": process}
    if coordinator == AUTO:
        given = [f"--{name}" for name, number in numbers.items() if number is not None]
        if given:
            raise ValueError(f"--coordinator {AUTO} finds out {' and '.join(given)} by itself")
        try:
            jax.distributed.initialize(shutdown_timeout_seconds=LONGEST_END)
        except ValueError as error:
            raise ValueError(
                f"--coordinator {AUTO} finds nothing that started several processes here; say "
                "where the first one is: --coordinator HOST:PORT --processes N --process I"
            ) from error
        return
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError(f"--coordinator {coordinator}: it is HOST:PORT of the first process")
    if processes is None or process is None or not 0 <= process < processes:
        raise ValueError(
            f"--coordinator {coordinator} needs --processes N, how many there are, and --process "
            "I, which of them this one is, from 0 to N - 1"
        )
    jax.distributed.initialize(
        coordinator, processes, process, shutdown_timeout_seconds=LONGEST_END
    )


def is_first() -> bool:
    """Whether this is the process that prints and writes what one alone should."""
    return jax.process_index() == 0


def from_first(text: str) -> str:
    """The text that the first process has, in all of them; of a very long one the beginning."""
    if jax.process_count() == 1:
        return text
    content = text.encode(errors="surrogateescape")[:LONGEST]
    padded = np.zeros(LONGEST, np.uint8)
    padded[: len(content)] = list(content)
    shared = np.asarray(multihost_utils.broadcast_one_to_all(padded))
    return bytes(shared).rstrip(b"\0").decode(errors="surrogateescape")


def everywhere(here: bool) -> bool:
    """Whether it is so in all processes."""
    if jax.process_count() == 1:
        return here
    return bool(np.all(multihost_utils.process_allgather(np.array(here))))


def first_says(here: bool) -> bool:
    """Whether it is so in the first process."""
    if jax.process_count() == 1:
        return here
    return bool(multihost_utils.broadcast_one_to_all(np.array(here)))


def require_alike(text: str, what: str) -> None:
    """Checks that all processes have the same text.

    Raises:
        ValueError: in all of them, if they have not.
    """
    if jax.process_count() == 1:
        return
    digest = np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint8)
    digests = np.asarray(multihost_utils.process_allgather(digest))
    others = np.flatnonzero(np.any(digests != digests[0], axis=1))
    if others.size:
        told = ", ".join(map(str, others))
        raise ValueError(f"{what} of process {told} is another than that of process 0")
