"""The trainer as users start it: a process of its own, in the project's folder."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def started(*arguments: str, largest_file: int | None = None) -> subprocess.Popen[str]:
    """The trainer. Files larger than so many kilobytes it can't write, as on a full disk."""
    limited = ["bash", "-c", f'ulimit -f {largest_file} && exec "$@"', "limited"]
    return subprocess.Popen(
        [*(limited if largest_file else []), sys.executable, "train.py", *arguments],
        cwd=ROOT,
        env=os.environ | {"XLA_FLAGS": "", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Its exit code, and what it wrote to standard output and to standard error."""
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err
