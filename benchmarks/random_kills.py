"""Runs that are killed at random moments, against the same runs left alone.

    python benchmarks/random_kills.py                       56 kills over four recipes, an hour
    python benchmarks/random_kills.py --kills 2 --recipes pan

A tiny run of each recipe is made once undisturbed. Then the same run is started, ended by SIGKILL
at a random moment, gone on with by ``--resume``, killed again, and so on; a run that comes to its
end is compared, and another one started. A third of the kills falls anywhere between the start of
the process and its end, a third while steps are made, a third on a checkpoint that is just being
written. A run is lost if it can't be gone on with, sets a checkpoint aside, or ends with another
state (weights, running averages, optimisers: every bit of them) or with another metrics.jsonl (but
for what tells of time). Ends with 1 if any is.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from jaxinpaint.run_config import FILE
from jaxinpaint.trained import read_players

ROOT = Path(__file__).parent.parent
STEPS = 24
COMMON = [
    *("--data.batch-size", "2", "--data.short-side", "72", "--log-every", "2"),
    *("--checkpoint-every", "1", "--sample-every", "7", "--average", "0.9"),
]
# Every recipe moves through all kinds of its steps.
RUNS = {
    "first-run": [
        *("--recipe.layer-size", "2", "--recipe.width", "0.0625", "--data.size", "32"),
    ],
    "context-encoder": [
        *("--recipe.size", "64", "--recipe.width", "4", "--recipe.discriminator-width", "4"),
        *("--recipe.bottleneck", "8", "--data.size", "64"),
    ],
    "crfill": [
        *("--recipe.width", "8", "--recipe.discriminator-width", "4", "--data.size", "32"),
        *("--recipe.stages", "coarse:6", "fine:6", "all:6", "auxiliary"),
    ],
    "pan-holes": [
        *("--recipe.width", "2", "--recipe.discriminator-width", "2", "--recipe.levels", "3"),
        *("--data.size", "16"),
    ],
}
# What tells of time in metrics.jsonl.
OF_TIME = {
    "examples_per_second",
    "waiting_for_data",
    "milliseconds_waited_a_step",
    "seconds_left",
    "share_of_matrix_rate",
}
LONGEST = 600  # seconds of a process


class Result(NamedTuple):
    """How a run ended: digests of every array of its state, and all that it told."""

    digests: dict[str, Any]
    metrics: list[dict[str, float]]


class Kill(NamedTuple):
    """How a process ended.

    Attributes:
        killed: whether it was, before it came to its end.
        writing: whether a checkpoint was left unfinished.
        error: what it said if it ended by itself, and not well.
    """

    killed: bool
    writing: bool
    error: str


def main() -> None:
    parser = argparse.ArgumentParser(description="Runs killed at random moments.")
    parser.add_argument("--kills", type=int, default=14, help="of each recipe")
    parser.add_argument("--recipes", nargs="+", default=list(RUNS), choices=list(RUNS))
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--source", default="built-in", help="of the pictures")
    chosen = parser.parse_args()
    rng = random.Random(chosen.seed)
    lost = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen.recipes:
            arguments = [name, "--data.source", chosen.source, *COMMON, *RUNS[name]]
            arguments += ["--steps", str(STEPS)]
            lost += kill_again_and_again(name, arguments, Path(folder), chosen.kills, rng)
    print(f"{chosen.kills * len(chosen.recipes)} kills: {lost} runs lost")
    sys.exit(lost > 0)


def kill_again_and_again(
    name: str, arguments: list[str], folder: Path, kills: int, rng: random.Random
) -> int:
    """Prints how many kills of a recipe's runs came out how, and gives the number of lost runs."""
    alone = folder / f"{name}-alone"
    started = time.perf_counter()
    ended = until_killed(folder, [*arguments, "--run", str(alone)], alone, lambda: False)
    seconds = time.perf_counter() - started
    if ended.error:
        sys.exit(f"{name}, which nobody killed, ended with:\n{ended.error}")
    expected = result(alone)
    done, writing, runs, lost = 0, 0, 0, 0
    while done < kills:
        run = folder / f"{name}-{runs}"
        runs += 1
        trouble = ""
        while not trouble:
            # The last run goes to its end without being killed any more.
            due = moment(rng, run, seconds) if done < kills else lambda: False
            where = "--resume" if (run / FILE).exists() else "--run"
            again = [] if where == "--resume" else arguments
            ended = until_killed(folder, [*again, where, str(run)], run, due)
            trouble = ended.error
            if not ended.killed:
                break
            done += 1
            writing += ended.writing
        trouble = trouble or differences(run, expected)
        if trouble:
            lost += 1
            print(f"{name}: run {runs} is lost: {trouble}", flush=True)
    print(
        f"{name}: {done} kills, {writing} of them with a checkpoint left unfinished; {runs} runs "
        f"came to their end, {runs - lost} with the same bits as one left alone",
        flush=True,
    )
    return lost


def moment(rng: random.Random, run: Path, seconds: float) -> Callable[[], bool]:
    """Says when it is time to kill the process that starts now."""
    started = time.perf_counter()
    kind = rng.choice(("anywhere", "in steps", "while writing"))
    if kind == "anywhere":
        wait = rng.uniform(0, seconds)
        return lambda: time.perf_counter() - started > wait
    wait = rng.uniform(0, 0.3 if kind == "in steps" else 0.03)
    newest, seen = newest_step(run), None

    def due() -> bool:
        nonlocal seen
        begun = newest_step(run) > newest and (kind == "in steps" or unfinished(run))
        if seen is None and begun:
            seen = time.perf_counter()
        return seen is not None and time.perf_counter() - seen > wait

    return due


def until_killed(folder: Path, arguments: list[str], run: Path, due: Callable[[], bool]) -> Kill:
    """Trains until it is time to kill, or to the end."""
    environment = os.environ | {
        "XLA_FLAGS": "",
        "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    with (folder / "told").open("w+") as told:
        process = subprocess.Popen(
            [sys.executable, "train.py", *arguments],
            cwd=ROOT,
            env=environment,
            stdout=told,
            stderr=subprocess.STDOUT,
        )
        started = time.perf_counter()
        while process.poll() is None and not due():
            time.sleep(0.002)
            if time.perf_counter() - started > LONGEST:
                process.kill()
                return Kill(killed=False, writing=False, error=f"no end after {LONGEST} s")
        process.kill()
        killed = process.wait() < 0
        told.seek(0)
        error = "" if killed or process.returncode == 0 else told.read()
        return Kill(killed, killed and unfinished(run), error)


def newest_step(run: Path) -> int:
    """Of the finished checkpoints; -1 if there is none."""
    names = [path.name for path in (run / "checkpoints").glob("*")]
    return max((int(name) for name in names if name.isdigit()), default=-1)


def unfinished(run: Path) -> bool:
    """Whether a checkpoint is being written, or was when the process ended."""
    return any(".orbax-checkpoint-tmp" in path.name for path in (run / "checkpoints").glob("*"))


def result(run: Path) -> Result:
    """What came of a run that has ended."""
    read_players(run)  # which checks that the weights are those of the digests
    digests = json.loads((run / "checkpoints" / str(STEPS) / "digests" / "metadata").read_text())
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    kept = [{name: line[name] for name in line.keys() - OF_TIME} for line in lines]
    return Result(digests, kept)


def differences(run: Path, expected: Result) -> str:
    """How a run that has ended is not what was expected; an empty word if it is."""
    aside = [path.name for path in (run / "checkpoints").glob("*.unreadable*")]
    if aside:
        return f"it set aside {', '.join(aside)}"
    found = result(run)
    if found.digests != expected.digests:
        return "its last state is another"
    if found.metrics != expected.metrics:
        return "its metrics are others"
    return ""


if __name__ == "__main__":
    main()
