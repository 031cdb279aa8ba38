"""How programs are compiled, so that they are fast on the device they are for."""

from functools import cache

import jax

# Of XLA's CPU backend, all that it hands to its library of kernels unasked but convolutions, in
# whose place its own are up to 1.6 times as fast (`docs/performance.md`).
CPU = {
    "xla_cpu_experimental_ynn_fusion_type": (
        "LIBRARY_FUSION_TYPE_DOT,LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT,LIBRARY_FUSION_TYPE_REDUCE"
    )
}


@cache
def compiler_options() -> dict[str, str] | None:
    """What `jax.jit` is given as ``compiler_options`` wherever speed counts, by the backend in use.

    Options have no promise to stay: where this XLA knows them no more, there are none.
    """
    if jax.default_backend() != "cpu":
        return None
    try:
        jax.jit(lambda: 0, compiler_options=CPU)()
    except jax.errors.JaxRuntimeError:
        return None
    return CPU
