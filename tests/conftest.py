"""Eight simulated devices, and run-time checks of every array annotation, for all tests."""

import os
from collections.abc import Iterator
from pathlib import Path

os.environ["XLA_FLAGS"] = " ".join(
    (
        os.environ.get("XLA_FLAGS", ""),
        "--xla_force_host_platform_device_count=8",
        # Where eight devices share busy cores, one may come late to what they do together: XLA ends
        # the process after 40 seconds.
        "--xla_cpu_collective_call_terminate_timeout_seconds=200",
        # Nearly all of the time goes into compiling, of which these save half and more. (Where it
        # matters, tests start programs without them: trainer.py, test_example_programs.py.)
        "--xla_cpu_use_fusion_emitters=false",
        "--xla_cpu_parallel_codegen_split_count=1",
        "--xla_llvm_disable_expensive_passes=true",
    )
)
# XLA's threads, else one a core, or one a device. With those, eight devices under pmap waited for
# each other for ever when the cores were busy; with more they have not.
os.environ["NPROC"] = "16"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import pytest
from jaxtyping import install_import_hook

# Commands called in a test's own process would keep all that is compiled after them.
jax.config.update("jax_enable_compilation_cache", False)
install_import_hook("jaxinpaint", "beartype.beartype")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--screenshots", metavar="FOLDER", help="where tests/pages puts pictures of pages"
    )


# Pieces of memory that a process may have mapped are 65,530 on Linux, and every compiled program
# takes some: one more ends the process.
MANY_PIECES = 20_000


@pytest.fixture(autouse=True, scope="module")
def _compiled_programs_are_let_go() -> Iterator[None]:
    yield
    pieces = Path("/proc/self/maps")
    if pieces.exists() and len(pieces.read_bytes().splitlines()) > MANY_PIECES:
        jax.clear_caches()
