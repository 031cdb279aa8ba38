"""Writes down what the programs are made of now: `python tests/record_compiled_programs.py`."""

import conftest  # noqa: F401  (before JAX: it sets devices and threads as tests have them)

# isort: split
from compiled_programs import record

if __name__ == "__main__":
    record()
