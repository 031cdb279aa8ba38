"""Devices: batches split over all of them, everything else on each, or split too."""

from collections import deque
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Shaped

from jaxinpaint.array_typing import RandomKey
from jaxinpaint.compiling import fast_jit, give_back_freed_memory
from jaxinpaint.recipes.base import Batch, Crops, Metrics, TrainState
from jaxinpaint.training.flops import model_flops

T = TypeVar("T")
Tree = TypeVar("Tree")
Stepping = TypeVar("Stepping", bound=Callable[..., Any])  # a step, of a state or around one

Parallel: TypeAlias = Literal["jit", "pmap"]
AXIS = "data"
# Arrays with fewer elements are not worth splitting: each split one is gathered when it is used.
FEWEST_SPLIT = 2**12


class Placement(NamedTuple):
    """How a step is spread over devices.

    Attributes:
        mesh: all devices of all processes, along one axis.
        parallel: how a step is compiled for them.
        shard_params: whether each device keeps a part of the parameters and of what the optimisers
            know of them.
        axis_name: the axis that a recipe must be made for to run here; None is the global view.
    """

    mesh: Mesh
    parallel: Parallel
    shard_params: bool
    axis_name: str | None

    @property
    def replicated(self) -> NamedSharding:
        """Of what every device has."""
        return NamedSharding(self.mesh, PartitionSpec())

    @property
    def split(self) -> NamedSharding:
        """Of what is cut along its first axis."""
        return NamedSharding(self.mesh, PartitionSpec(AXIS))

    def of_state(self, state: Any) -> Any:
        """Where each array of a state, or of a part of one, lives."""
        return jax.tree.map(self._of_leaf, state)

    def abstract(self, state: TrainState) -> TrainState:
        """The shapes of a state with where each array of it lives."""
        return jax.tree.map(
            lambda leaf, where: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=where),
            state,
            self.of_state(state),
        )

    def _of_leaf(self, leaf: Any) -> NamedSharding:
        if not self.shard_params or leaf.size < FEWEST_SPLIT:
            return self.replicated
        axes = [i for i, length in enumerate(leaf.shape) if length % self.mesh.size == 0]
        if not axes:
            return self.replicated
        longest = max(axes, key=lambda i: leaf.shape[i])
        return NamedSharding(self.mesh, PartitionSpec(*[None] * longest, AXIS))

    def here(self, tree: Tree) -> Tree:
        """A tree on one device of this process, whole."""
        if self.shard_params:
            tree = _gathered(self.replicated)(tree)
        return jax.tree.map(lambda leaf: leaf.addressable_data(0), tree)


def place_on_all_devices(parallel: Parallel = "jit", *, shard_params: bool = False) -> Placement:
    """How a step is spread over all devices of all processes.

    Under ``jit`` the step is one program over a mesh: each device's part of it is written out
    (`jax.shard_map`), so that gradients meet in one all-reduce at its end. A compiler left to find
    that out reduces those of true and of painted pictures one by one. Where parameters are split it
    is left to, and gathers each for its use. ``pmap`` makes the same step on replicas.

    Raises:
        ValueError: for parameters split under ``pmap``, whose replicas each have all of them.
    """
    if parallel == "pmap" and shard_params:
        raise ValueError("--shard-params needs --parallel jit: replicas have all parameters each")
    # Auto: where nothing is written out the compiler finds the sharding of what a step computes.
    mesh = Mesh(np.array(jax.devices()), (AXIS,), axis_types=(AxisType.Auto,))
    written_out = parallel == "pmap" or (mesh.size > 1 and not shard_params)
    return Placement(mesh, parallel, shard_params, AXIS if written_out else None)


def compile_init(
    init: Callable[[RandomKey, tuple[int, int]], TrainState], placement: Placement
) -> Callable[[RandomKey, tuple[int, int]], TrainState]:
    """What makes the first state, where the placement has it.

    It runs once and is next to nothing but random draws, one a parameter: on a CPU, where the
    backend's passes over these take longer than all else of a start, it is compiled without.
    """
    quickly = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None

    def first(key: RandomKey, size: tuple[int, int]) -> TrainState:
        state = jax.eval_shape(lambda key: init(key, size), key)
        compiled = jax.jit(
            init,
            static_argnums=1,
            out_shardings=placement.of_state(state),
            compiler_options=quickly,
        )
        return compiled(key, size)

    return first


def spread(step: Stepping, placement: Placement) -> Stepping:
    """The step as a function of the whole batch: what is compiled under ``jit``."""
    if placement.axis_name is None:
        return step
    return jax.shard_map(
        step,
        mesh=placement.mesh,
        in_specs=(PartitionSpec(), PartitionSpec(AXIS)),
        out_specs=PartitionSpec(),
        # Not checked: what a step gives back is averaged over all devices, which a scan hides.
        check_vma=False,
    )


class Compiled(NamedTuple):
    """A step that is compiled.

    Attributes:
        call: makes it. It donates its state: the old one is gone after.
        flops: of its matrix products and convolutions, for a whole batch (`model_flops`).
        bytes: what it reads, makes and keeps in between on each device, where that is told.
    """

    call: Callable[[Any, Batch], tuple[Any, Metrics]]
    flops: int
    bytes: int | None


def compile_step(
    step: Callable[[Tree, Batch], tuple[Tree, Metrics]],
    placement: Placement,
    state: Tree,
    batch: Batch,
) -> Compiled:
    """The step on all devices of the placement. What compiling took is given back.

    Args:
        step: one for the placement's axis.
        placement: of what it is given.
        state, batch: what it will be given.
    """
    compile_for = _compile_replicas if placement.parallel == "pmap" else _compile_for_mesh
    compiled = compile_for(step, placement, state, batch)
    give_back_freed_memory()
    return compiled


def _compile_for_mesh(
    step: Callable[[Tree, Batch], tuple[Tree, Metrics]],
    placement: Placement,
    state: Tree,
    batch: Batch,
) -> Compiled:
    """The step under `jit`, as one program."""
    of_state = placement.of_state(state)
    traced = fast_jit(
        spread(step, placement),
        in_shardings=(of_state, placement.split),
        out_shardings=(of_state, placement.replicated),
        donate_argnums=0,
    ).trace(state, batch)
    compiled = traced.lower().compile()
    return Compiled(compiled, model_flops(traced.jaxpr), _bytes(compiled))


def _compile_replicas(
    step: Callable[[Tree, Batch], tuple[Tree, Metrics]],
    placement: Placement,
    state: Tree,
    batch: Batch,
) -> Compiled:
    """The step under `pmap`, between arrays as all other code has them."""
    mesh, whole, parts = placement.mesh, PartitionSpec(), PartitionSpec(AXIS)
    replicas = jax.pmap(step, axis_name=AXIS, in_axes=(None, 0), out_axes=None, donate_argnums=0)

    def local(state: Tree, batch: Batch) -> tuple[Tree, Batch]:
        """A process's replicas take its own devices' parts, stacked."""
        state, batch = (
            multihost_utils.global_array_to_host_local_array(tree, mesh, spec)
            for tree, spec in ((state, whole), (batch, parts))
        )
        devices = len(mesh.local_devices)
        return state, jax.tree.map(lambda x: x.reshape(devices, -1, *x.shape[1:]), batch)

    def call(state: Tree, batch: Batch) -> tuple[Tree, Metrics]:
        moved = replicas(*local(state, batch))
        return multihost_utils.host_local_array_to_global_array(moved, mesh, whole)

    # What it compiles is found again when it is called.
    compiled = replicas.lower(*local(state, batch)).compile()
    traced = jax.jit(spread(step, placement)).trace(state, batch)
    return Compiled(call, model_flops(traced.jaxpr), _bytes(compiled))


def _bytes(compiled: jax.stages.Compiled) -> int | None:
    analysis = compiled.memory_analysis()
    if analysis is None:
        return None
    return (
        analysis.argument_size_in_bytes
        + analysis.output_size_in_bytes
        + analysis.temp_size_in_bytes
        - analysis.alias_size_in_bytes
    )


@cache
def _gathered(replicated: NamedSharding) -> Callable[[Tree], Tree]:
    return jax.jit(lambda tree: tree, out_shardings=replicated)


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
