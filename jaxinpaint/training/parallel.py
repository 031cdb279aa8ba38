"""Devices: batches split over all of them, everything else on each."""

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Shaped

from jaxinpaint.array_typing import RandomKey
from jaxinpaint.recipes.base import Batch, Crops, Step, TrainState

T = TypeVar("T")


class Placement(NamedTuple):
    """Where arrays live: copied to every device, or cut along their first axis."""

    replicated: NamedSharding
    split: NamedSharding


def place_on_all_devices() -> Placement:
    """A mesh of one axis, ``data``, over all devices of all processes."""
    # Auto: the compiler finds the sharding of what a step computes in between.
    mesh = Mesh(np.array(jax.devices()), ("data",), axis_types=(AxisType.Auto,))
    return Placement(
        NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec("data"))
    )


def compile_init(
    init: Callable[[RandomKey, tuple[int, int]], TrainState], placement: Placement
) -> Callable[[RandomKey, tuple[int, int]], TrainState]:
    """What makes the first state, on all devices of the placement.

    It runs once and is next to nothing but random draws, one a parameter: on a CPU, where the
    backend's passes over these take longer than all else of a start, it is compiled without.
    """
    quickly = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
    return jax.jit(
        init, static_argnums=1, out_shardings=placement.replicated, compiler_options=quickly
    )


def compile_step(step: Step, placement: Placement) -> jax.stages.Wrapped:
    """The step on all devices of the placement. It donates its state: the old one is gone after."""
    return jax.jit(
        step,
        in_shardings=(placement.replicated, placement.split),
        out_shardings=placement.replicated,
        donate_argnums=0,
    )


def to_devices(crops: Crops, placement: Placement) -> Batch:
    """This process's part of a batch, on its devices, as a part of the global one.

    Bytes travel; what can be done there, is: mirroring, and the conversion of holes.

    Args:
        crops: every P-th example of the whole batch from the p-th on, for process p of P.
        placement: where to.

    Raises:
        ValueError: if the batch does not divide among the devices.
    """
    processes = jax.process_count()
    whole = crops.image.shape[0] * processes
    if whole % placement.split.mesh.size:
        raise ValueError(
            f"a batch of {whole} does not divide among {placement.split.mesh.size} devices"
        )
    position = np.arange(jax.process_index(), whole, processes, dtype=np.int32)
    place = partial(jax.make_array_from_process_local_data, placement.split)
    image, source, hole, mirrored, position = jax.tree.map(place, (*crops, position))
    return Batch(
        _mirrored(image, mirrored),
        position,
        None if source is None else _mirrored(source, mirrored),
        None if hole is None else _mirrored(hole, mirrored)[..., None].astype(jnp.float32),
    )


@jax.jit
def _mirrored(
    pictures: Shaped[Array, "N H W *C"], which: Bool[Array, " N"] | None
) -> Shaped[Array, "N H W *C"]:
    if which is None:
        return pictures
    along = which.reshape(-1, *(1,) * (pictures.ndim - 1))
    return jnp.where(along, pictures[:, :, ::-1], pictures)


def ahead(items: Iterator[T], depth: int = 2) -> Iterator[T]:
    """The same items, drawn ``depth`` ahead: transfers to the device overlap with computation."""
    queue: deque[T] = deque()
    for item in items:
        queue.append(item)
        if len(queue) > depth:
            yield queue.popleft()
    yield from queue
