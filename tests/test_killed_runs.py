"""Runs that are told to stop, killed, or kept from writing, as users have them."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from random import Random

import pytest
from random_kills import COMMON, RUNS, STEPS, kill_again_and_again, newest_step
from trainer import ended, started

TINY = ["first-run", *RUNS["first-run"], *COMMON, "--steps", str(STEPS)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pan-holes"])
def test_runs_killed_at_random_end_as_if_nothing_had_been(name: str, tmp_path: Path) -> None:
    arguments = [name, *COMMON, *RUNS[name], "--steps", str(STEPS)]
    assert kill_again_and_again(name, arguments, tmp_path, 2, Random(0)) == 0


def test_sigterm_saves_and_says_how_to_go_on_and_another_process_is_kept_out(
    tmp_path: Path,
) -> None:
    run = tmp_path / "run"
    # So many steps that only the signal ends it.
    process = started(*TINY, "--run", str(run), "--steps", "1000000", "--checkpoint-every", "1000")
    while not (run / "metrics.jsonl").exists() and process.poll() is None:
        time.sleep(0.05)
    code, _, err = ended(started("--resume", str(run)))
    assert code == 2
    assert err.startswith(f"error: {run} is in use: another process")
    process.send_signal(signal.SIGTERM)
    code, out, err = ended(process)
    assert code == 0, err
    step = newest_step(run)
    assert f"stopped at step {step} and saved. Go on with:\n    " in out
    command = out.rstrip().splitlines()[-1].split()
    assert command[1:] == ["train.py", "--resume", str(run)]
    code, out, err = ended(started("--resume", str(run), "--steps", str(step + 1)))
    assert code == 0, err
    assert newest_step(run) == step + 1


@pytest.mark.slow
def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert ended(started(*TINY, "--run", str(run), "--steps", "2"))[0] == 0
    largest = max(file.stat().st_size for file in (run / "checkpoints").rglob("*"))
    code, _, err = ended(
        started("--resume", str(run), "--steps", "9", largest_file=largest // 2048)
    )
    assert code == 2, err
    assert "error: a checkpoint can't be written to" in err
    assert "Those before it are whole: mend this (a full disk?) and --resume the run" in err
    assert newest_step(run) == 2
    code, _, err = ended(started("--resume", str(run), "--steps", "3"))
    assert code == 0, err
    assert newest_step(run) == 3


def test_a_folder_that_can_not_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = ended(started(*TINY, "--run", str(tmp_path / "file" / "run")))
    assert code == 2
    assert err.startswith(f"error: {tmp_path / 'file' / 'run'} can't be written to")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a disk")
@pytest.mark.slow
def test_disks_that_are_full_or_read_only_are_told_and_lose_nothing(tmp_path: Path) -> None:
    disk, run = tmp_path / "disk", tmp_path / "disk" / "run"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1200k", "tmpfs", str(disk)]
    if subprocess.run(mount).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        code, _, err = ended(started(*TINY, "--run", str(run), "--keep", "1000"))
        assert code == 2
        # Threads that still write as the program ends may add a warning of theirs behind it.
        told = [line for line in err.splitlines() if not line.startswith("WARNING: ")][-1]
        assert told.startswith("error: ")
        assert "can't be written to" in told
        assert "--resume the run" in told
        step = newest_step(run)
        assert step > 0
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        code, _, err = ended(started("--resume", str(run)))
        assert code == 2
        assert f"error: {run} can't be written to: Read-only file system" in err
        subprocess.run(["mount", "-o", "remount,rw,size=50m", str(disk)], check=True)
        code, _, err = ended(started("--resume", str(run)))
        assert code == 0, err
        shutil.copytree(run, tmp_path / "run")
    finally:
        subprocess.run(["umount", str(disk)], check=True)
