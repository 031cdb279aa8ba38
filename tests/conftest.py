"""Eight simulated devices, and run-time checks of every array annotation, for all tests."""

import os
from collections.abc import Iterator

os.environ["XLA_FLAGS"] = " ".join(
    (
        os.environ.get("XLA_FLAGS", ""),
        "--xla_force_host_platform_device_count=8",
        # Where eight devices share busy cores, one may come late to what they do together: XLA ends
        # the process after 40 seconds.
        "--xla_cpu_collective_call_terminate_timeout_seconds=200",
        # Nearly all of the time goes into compiling, of which these save most. (Where it matters,
        # tests start programs without them: trainer.py, test_example_programs.py.)
        "--xla_backend_optimization_level=0",
        "--xla_cpu_use_fusion_emitters=false",
        "--xla_cpu_parallel_codegen_split_count=1",
    )
)
# XLA's threads, else one a core, or one a device. With those, eight devices under pmap waited for
# each other for ever when the cores were busy; with more they have not.
os.environ["NPROC"] = "16"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import pytest
from jaxtyping import install_import_hook
from platformdirs import user_cache_path

install_import_hook("jaxinpaint", "beartype.beartype")

from jaxinpaint.keeping_compiled import keep_compiled  # noqa: E402 (when it can be checked)

# What a test compiles, others find, those of later runs too.
os.environ["JAXINPAINT_CACHE"] = str(user_cache_path("jaxinpaint-tests", appauthor=False))
keep_compiled()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--screenshots", metavar="FOLDER", help="where tests/pages puts pictures of pages"
    )


@pytest.fixture(autouse=True, scope="module")
def _compiled_programs_are_let_go() -> Iterator[None]:
    """They take gigabytes, and pieces of memory of which a process may have 65,530 on Linux."""
    yield
    jax.clear_caches()
