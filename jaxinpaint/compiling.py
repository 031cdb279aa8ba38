"""How programs are compiled to be fast on their device, and what compiling leaves behind."""

import ctypes
import gc
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import jax

# Of XLA's CPU backend, all that it hands to its library of kernels unasked but convolutions, in
# whose place its own are up to 1.5 times as fast (`docs/performance.md`).
CPU = {
    "xla_cpu_experimental_ynn_fusion_type": (
        "LIBRARY_FUSION_TYPE_DOT,LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT,LIBRARY_FUSION_TYPE_REDUCE"
    )
}


def fast_jit(f: Callable[..., Any], **how: Any) -> Any:
    """`jax.jit` with `compiler_options`: of programs that are called, not of parts of others.

    Args:
        f: a function of arrays.
        how: what else `jax.jit` takes.
    """
    return jax.jit(f, compiler_options=compiler_options(), **how)


def give_back_freed_memory() -> None:
    """Has the C library give the system what it keeps for later: a compiler's, hundreds of MiB.

    Only glibc is asked, which else gives back what lies at the end of its heaps alone.
    """
    gc.collect()
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)


@cache
def compiler_options() -> dict[str, str] | None:
    """What `jax.jit` is given wherever speed counts, by the backend in use.

    Options have no promise to stay: where this XLA knows them no more, there are none.
    """
    if jax.default_backend() != "cpu":
        return None
    try:
        jax.jit(lambda: 0, compiler_options=CPU)()
    except jax.errors.JaxRuntimeError:
        return None
    return CPU
