import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest
from cli.commands import ROOT

from jaxinpaint import keeping_compiled
from jaxinpaint.keeping_compiled import keep_compiled

# Compiles one program, and says how many of them were found.
PROGRAM = """
import sys
import jax
from jax import monitoring
from jaxinpaint.keeping_compiled import keep_compiled
keep_compiled(sys.argv[1] == "keep")
found = []
monitoring.register_event_listener(lambda event, **_: found.append(event))
print(float(jax.jit(lambda x: 3 * x + 1)(2.0)))
print(sum(event.endswith("cache_hits") for event in found))
"""


def started(cache: Path, what: str = "keep") -> subprocess.Popen[str]:
    environment = os.environ | {"JAXINPAINT_CACHE": str(cache), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, what],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """How many programs were found in the cache, and what was told."""
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    result, found = out.split()
    assert result == "7.0"
    return int(found), err


def test_what_one_process_has_compiled_others_find(tmp_path: Path) -> None:
    cache = tmp_path / "new" / "cache"
    assert ended(started(cache)) == (0, "")
    files = sorted((cache / "compiled").iterdir())
    assert files
    many, told = ended(started(cache))
    assert many > 0
    assert told == ""
    assert sorted((cache / "compiled").iterdir()) == files

    # A damaged file is one that is not there, and is made anew.
    for file in files:
        file.write_bytes(file.read_bytes()[:50])
    assert ended(started(cache)) == (0, "")
    assert min(file.stat().st_size for file in files) > 50

    # Several at once, with none of the files.
    for file in files:
        file.unlink()
    assert [ended(process)[1] for process in [started(cache), started(cache)]] == ["", ""]


def test_without_a_folder_for_it_nothing_is_kept_and_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    found, told = ended(started(tmp_path / "file"))
    assert found == 0
    assert "compiled programs are not kept: the cache is" in told
    assert told.count("\n") == 1


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, object]]:
    """What JAX is told, without telling it."""
    told: dict[str, object] = {}
    monkeypatch.setattr(jax.config, "update", told.__setitem__)
    monkeypatch.setenv("JAXINPAINT_CACHE", str(tmp_path))
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    with warnings.catch_warnings():
        yield told


def test_a_folder_that_jax_was_told_of_stays(
    config: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "elsewhere")
    keep_compiled()
    assert config == {}
    keep_compiled(False)
    assert config == {"jax_enable_compilation_cache": False}


def test_of_a_folder_that_nothing_can_be_written_to_programs_are_only_read(
    config: dict[str, object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.R_OK)
    keep_compiled()
    assert config == {
        "jax_compilation_cache_dir": str(tmp_path / "compiled"),
        "jax_persistent_cache_min_compile_time_secs": float("inf"),
    }


def test_of_too_many_programs_the_oldest_go(
    config: dict[str, object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(keeping_compiled, "MOST_BYTES", 250)
    (tmp_path / "compiled").mkdir()
    for age, name in enumerate(("b", "a", "d", "c")):
        path = tmp_path / "compiled" / name
        path.write_bytes(bytes(100))
        os.utime(path, (1000 - age, 1000 - age))
    keep_compiled()
    assert sorted(path.name for path in (tmp_path / "compiled").iterdir()) == ["a", "b"]


def test_only_what_is_about_the_cache_is_not_shown(
    config: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = []
    monkeypatch.setattr(warnings, "showwarning", lambda message, *where: shown.append(message))
    keep_compiled()
    for message in ("Error reading persistent compilation cache entry for 'f': no", "another"):
        warnings.showwarning(message, UserWarning, "file.py", 1)
    assert shown == ["another"]
