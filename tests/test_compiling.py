import platform

import jax
import jax.numpy as jnp
import numpy as np
import psutil
import pytest

from jaxinpaint import compiling


@pytest.fixture(autouse=True)
def _asked_anew() -> None:
    compiling.compiler_options.cache_clear()


def test_the_cpu_backend_knows_its_options() -> None:
    assert compiling.compiler_options() == compiling.CPU


def test_options_that_xla_knows_no_more_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "CPU", {"xla_cpu_of_times_past": "1"})
    assert compiling.compiler_options() is None


def test_other_backends_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert compiling.compiler_options() is None


def test_a_program_computes_the_same_with_them() -> None:
    x = jax.random.normal(jax.random.key(0), (2, 8, 8, 3))
    kernel = jax.random.normal(jax.random.key(1), (3, 3, 3, 4))

    def conv(x: jax.Array) -> jax.Array:
        return jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    found = compiling.fast_jit(conv)(x)
    # Sums of 27 float32 products in another order.
    assert jnp.allclose(found, conv(x), atol=1e-5)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc")
def test_what_was_freed_below_what_is_held_is_given_back() -> None:
    blocks = [np.ones(2**13) for _ in range(4000)]  # 64 KiB each: 250 MiB of the heap
    full = psutil.Process().memory_info().rss
    del blocks[1::2]
    compiling.give_back_freed_memory()
    given_back = full - psutil.Process().memory_info().rss
    # Half of it, but for pages on the edges of blocks.
    assert given_back > 2000 * 2**16 * 0.8
    assert len(blocks) == 2000
