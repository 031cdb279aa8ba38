"""The trainer in several processes on this machine, as on several hosts."""

import json
import re
import signal
import time
from pathlib import Path

import pytest
from random_kills import COMMON, RUNS, newest_step
from same_everywhere import ALONE, Setting, compared, ended, started

TINY = ["pan-holes", *RUNS["pan-holes"], *COMMON, "--data.batch-size", "8"]
TWO, FOUR = Setting(2, 4, "jit"), Setting(4, 2, "pmap")
LONGEST = 300


def finished(arguments: list[str], setting: Setting, folder: Path) -> list[str]:
    """What each process of a setting printed."""
    told = []
    for process, file in started(arguments, setting, folder):
        assert process.wait(LONGEST) == 0, file.read_text()
        told.append(file.read_text())
    return told


@pytest.mark.slow
@pytest.mark.parametrize("setting", [TWO, FOUR], ids=str)
def test_several_processes_make_the_steps_of_one_and_the_first_alone_prints(
    setting: Setting, tmp_path: Path
) -> None:
    alone = ended("pan-holes", ALONE, tmp_path)
    # Sums in another order.
    assert max(compared(str(setting), alone, ended("pan-holes", setting, tmp_path))) < 1e-5
    files = [tmp_path / f"told-{number}" for number in range(setting.processes)]
    # What connects the processes tells of it, past Python.
    told = [re.sub(r"\[Gloo\].*\n", "", file.read_text()) for file in files]
    assert (
        f"8 cpu ({setting.parallel}) of {setting.processes} processes: batch 8, 1 on each"
        in (told[0])
    )
    assert "PSNR inside the hole" in told[0]
    assert not any(told[1:])


@pytest.mark.slow
def test_a_run_goes_on_in_another_number_of_processes(tmp_path: Path) -> None:
    run, steps = tmp_path / "run", 0
    for setting in (TWO, ALONE, FOUR):
        steps += 2
        where = ["--resume", str(run)] if steps > 2 else [*TINY, "--run", str(run)]
        told = finished([*where, "--parallel", setting.parallel, "--steps", str(steps)],
                        setting, tmp_path)  # fmt: skip
        assert "unreadable" not in told[0]
        assert newest_step(run) == steps
    whole = tmp_path / "whole"
    finished([*TINY, "--run", str(whole), "--steps", str(steps)], ALONE, tmp_path)
    losses = [
        {line["step"]: line["loss"] for line in map(json.loads, lines) if "loss" in line}
        for lines in (
            (folder / "metrics.jsonl").read_text().splitlines() for folder in (run, whole)
        )
    ]
    # Sums in another order.
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.slow
def test_several_processes_start_from_the_weights_of_a_run(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    finished([*TINY, "--run", str(first), "--steps", "1"], ALONE, tmp_path)
    begun = ["--run", str(second), "--steps", "1", "--start-from", str(first)]
    finished([*TINY, *begun], TWO, tmp_path)
    assert newest_step(second) == 1


@pytest.mark.slow
def test_a_signal_to_one_stops_all_after_the_same_step(tmp_path: Path) -> None:
    run = tmp_path / "run"
    processes = started([*TINY, "--run", str(run), "--steps", "100000"], TWO, tmp_path)
    until = time.monotonic() + LONGEST
    while newest_step(run) < 2 and time.monotonic() < until:
        time.sleep(0.1)
    processes[1][0].send_signal(signal.SIGTERM)
    for process, file in processes:
        assert process.wait(LONGEST) == 0, file.read_text()
    assert f"stopped at step {newest_step(run)} and saved" in processes[0][1].read_text()


@pytest.mark.slow
def test_a_folder_in_use_is_told_by_all(tmp_path: Path) -> None:
    run = tmp_path / "run"
    ((holder, told),) = started([*TINY, "--run", str(run), "--steps", "100000"], ALONE, tmp_path)
    while not (run / "metrics.jsonl").exists():
        assert holder.poll() is None, told.read_text()
        time.sleep(0.1)
    others = tmp_path / "others"
    others.mkdir()
    for process, file in started(["--resume", str(run)], TWO, others):
        assert process.wait(LONGEST) == 2
        assert "is in use: another process" in file.read_text()
    holder.kill()
    holder.wait()
