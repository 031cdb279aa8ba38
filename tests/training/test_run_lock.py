"""Run folders that another run has, has had, or that can't be written to."""

import subprocess
import sys
from pathlib import Path

import pytest

from jaxinpaint.training.run_lock import locked

HOLDING = """
import sys
from pathlib import Path
from jaxinpaint.training.run_lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_folder_that_another_process_has_is_refused_until_that_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "mine"
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    with pytest.raises(ValueError, match="mine is in use: another process"), locked(folder):
        pass
    other.kill()
    other.communicate()
    with locked(folder):
        assert folder.is_dir()


def test_a_run_that_fails_leaves_its_folder_to_the_next(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    with locked(tmp_path):
        pass


def test_a_folder_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = pytest.raises(ValueError, match="mine can't be written to: Not a directory")
    with told, locked(tmp_path / "file" / "mine"):
        pass
