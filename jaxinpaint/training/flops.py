"""How much work a program is, and how fast the devices could do it."""

import math
import time
from collections.abc import Iterator
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jax.typing import DTypeLike

from jaxinpaint.training.processes import first_says

REPETITIONS = 5
LEAST_SECONDS = 0.02  # of a repetition: below, calling it takes as long
LARGEST = 8192  # side of the matrices


def model_flops(program: core.ClosedJaxpr) -> int:
    """Floating-point operations of a program's matrix products and convolutions.

    ::

        2 · multiplications: outputs · products summed for each

    Everything else costs next to nothing where these are fast. A convolution counts all taps of its
    kernel, those on the padding too, but none on zeros between dilated inputs. A loop counts as
    often as it runs (one whose end is not known beforehand once), of branches the dearest, a
    program on each of several devices as many times. What is rematerialised is counted as it is
    computed, again.

    Args:
        program: as `jax.make_jaxpr` gives it, or a traced `jax.jit`.
    """
    return sum(_flops(equation) for equation in program.jaxpr.eqns)


def _flops(equation: core.JaxprEqn) -> int:
    name, params = equation.primitive.name, equation.params
    match name:
        case "dot_general":
            return _of_product(equation)
        case "conv_general_dilated":
            return _of_convolution(equation)
        case "cond":
            return max(map(model_flops, params["branches"]))
        case "scan":
            times = params["length"]
        case "shard_map":
            times = math.prod(params["mesh"].shape.values())
        case _:
            times = 1
    return times * sum(map(model_flops, _inner(params)))


def _inner(params: dict[str, Any]) -> Iterator[core.ClosedJaxpr]:
    """The programs inside an equation."""
    for value in params.values():
        if isinstance(value, core.ClosedJaxpr):
            yield value
        elif isinstance(value, core.Jaxpr):
            yield core.ClosedJaxpr(value, ())


def _of_product(equation: core.JaxprEqn) -> int:
    left = _shape(equation.invars[0])
    (summed, _), _ = equation.params["dimension_numbers"]
    return 2 * math.prod(_shape(equation.outvars[0])) * math.prod(left[i] for i in summed)


def _of_convolution(equation: core.JaxprEqn) -> int:
    params = equation.params
    kernel = _shape(equation.invars[1])
    _, inputs, *spatial = params["dimension_numbers"].rhs_spec
    taps = math.prod(kernel[i] for i in spatial) * kernel[inputs]
    # Of dilated inputs only one in so many is no inserted zero.
    inserted = math.prod(params["lhs_dilation"])
    return 2 * math.prod(_shape(equation.outvars[0])) * taps // inserted


def _shape(variable: Any) -> tuple[int, ...]:
    return variable.aval.shape


@cache
def matrix_rate(dtype: DTypeLike) -> float:
    """Floating-point operations a second that all devices together reach in large products.

    One product of square matrices on each at the same time, the best of a few. That is what this
    machine does at best now, not what its data sheet says. All of several processes call it
    together.

    Args:
        dtype: of the matrices.
    """
    mesh = Mesh(np.array(jax.devices()), ("data",))
    split = NamedSharding(mesh, PartitionSpec("data"))
    product = jax.jit(partial(jnp.einsum, "dij,djk->dik"), out_shardings=split)
    side, seconds = 256, 0.0
    while True:  # all go on with matrices of the same size
        shape = (mesh.size, side, side)
        matrices = jax.jit(partial(jnp.ones, shape, dtype), out_shardings=split)()
        product(matrices, matrices).block_until_ready()
        seconds = min(_seconds(product, matrices) for _ in range(REPETITIONS))
        if side == LARGEST or first_says(seconds >= LEAST_SECONDS):
            return 2 * mesh.size * side**3 / seconds
        side *= 2


def _seconds(product: Any, matrices: jax.Array) -> float:
    started = time.perf_counter()
    product(matrices, matrices).block_until_ready()
    return time.perf_counter() - started
