"""Looks at the machine: devices, precision, disk and memory against what a run needs."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import psutil

from jaxinpaint.data.examples import CACHE_BYTES
from jaxinpaint.doctor.findings import Finding, judged
from jaxinpaint.recipes.base import TrainState

EXACT = 1e-5  # relative error of a product of matrices up to which it counts as of float32
GIB = 2**30


def examine_devices() -> Iterator[Finding]:
    """Findings about what computes, and how exactly."""
    devices = jax.devices()
    kinds = ", ".join(sorted({device.device_kind for device in devices}))
    unseen = devices[0].platform == "cpu" and Path("/dev/nvidia0").exists()
    yield judged(
        "devices",
        f"{len(devices)} x {kinds} ({devices[0].platform}), JAX {jax.__version__}",
        warn="there is an NVIDIA GPU that JAX does not see: pip install 'jaxinpaint[cuda]'"
        if unseen
        else "",
    )
    yield _precision()


def _precision() -> Finding:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 256, 256))
    product = np.asarray(jnp.asarray(a, jnp.float32) @ jnp.asarray(b, jnp.float32), np.float64)
    error = float(np.abs(product - a @ b).max() / np.abs(a @ b).max())
    found = f"products of float32 matrices are off by {error:.0e} of the largest"
    if error > EXACT:
        found += ": this device shortens their factors, which is fast and mostly does no harm"
        return Finding(
            "precision",
            "ok",
            f"{found} (JAX_DEFAULT_MATMUL_PRECISION=float32 for comparisons with other programs)",
        )
    return Finding("precision", "ok", found)


def examine_disk(folder: Path, state: TrainState, keep: int) -> Finding:
    """Whether the checkpoints of a run fit where it goes.

    Args:
        folder: in which runs lie.
        state: of training, or its shapes.
        keep: how many checkpoints stay; one more is there while it is written.
    """
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    free, needed = shutil.disk_usage(there).free, nbytes(state) * (keep + 1)
    return judged(
        "disk",
        f"{keep + 1} checkpoints take {needed / GIB:.2f} GiB; {free / GIB:.1f} GiB are free in "
        f"{there}",
        warn="little stays free: make room, or lower --keep" if 2 * needed > free else "",
        fail="make room, choose another disk by --run, or lower --keep" if needed > free else "",
    )


def examine_memory(step_bytes: int | None, workers: int) -> Iterator[Finding]:
    """Whether a step fits into a device's memory, and decoded pictures into the host's.

    Args:
        step_bytes: what a compiled step takes on each device; None where that is not told.
        workers: processes that read pictures.
    """
    device = jax.local_devices()[0]
    free = psutil.virtual_memory().available
    of_pictures = CACHE_BYTES * max(1, workers)
    on_host = of_pictures
    stats = device.memory_stats() if device.platform != "cpu" else None
    if step_bytes is not None and device.platform == "cpu":
        on_host += step_bytes * jax.local_device_count()
    yield judged(
        "memory",
        f"a run takes at least {on_host / GIB:.2f} GiB of this machine, {of_pictures / GIB:.2f} of "
        f"them for decoded pictures; {free / GIB:.1f} GiB are free",
        warn="little stays free: lower --data.batch-size or --data.workers"
        if 1.25 * on_host > free
        else "",
        fail="lower --data.batch-size or --data.workers" if on_host > free else "",
    )
    if step_bytes is not None and stats and "bytes_limit" in stats:
        limit = stats["bytes_limit"]
        yield judged(
            "device memory",
            f"a step takes {step_bytes / GIB:.2f} GiB of {limit / GIB:.1f} on each device",
            fail="lower --data.batch-size, or spread it over more devices"
            if step_bytes > limit
            else "",
        )


def nbytes(state: TrainState) -> int:
    """Bytes of all arrays of a state."""
    return sum(_leaf_nbytes(leaf) for leaf in jax.tree.leaves(state))


def _leaf_nbytes(leaf: jax.Array | jax.ShapeDtypeStruct) -> int:
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.eval_shape(jax.random.key_data, leaf)
    return leaf.size * leaf.dtype.itemsize
