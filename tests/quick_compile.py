"""Programs that run a few times only: compiled in half the time, without the backend's passes."""

from functools import partial

import jax

quick_jit = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
