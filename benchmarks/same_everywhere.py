"""Five steps of every recipe on one device, on eight, and in several processes: how alike they end.

    python benchmarks/same_everywhere.py                      a quarter of an hour on two cores
    python benchmarks/same_everywhere.py --recipes pan-holes

Each run is `train.py` as users type it, on eight simulated devices in all, or on one. Sums over
devices are made in another order, so the last bits differ. Adam divides a gradient by its own size:
where it is next to nothing a last bit decides its sign, and such a weight moves by whole updates
one way or the other. So three things are printed: how far the losses of the steps are apart, how
far the median weight, and how many weights are further apart than 1e-5. Ends with 1 if losses
(relatively) or the median weight are.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from random_kills import ROOT, RUNS

from jaxinpaint.trained import read_players

STEPS = 5
DEVICES = 8
TOLERANCE = 1e-5
LONGEST = 900  # seconds of a run
SAME = [
    *("--steps", str(STEPS), "--data.batch-size", str(DEVICES), "--data.short-side", "72"),
    *("--log-every", "1", "--sample-every", "1000", "--checkpoint-every", "1000"),
]


class Setting(NamedTuple):
    """Over what a run is spread."""

    processes: int
    devices: int
    parallel: str

    def __str__(self) -> str:
        """In words."""
        spread = f"{self.processes} processes, " if self.processes > 1 else ""
        return f"{spread}{self.processes * self.devices} devices, {self.parallel}"


ALONE = Setting(1, 1, "jit")
OTHERS = [
    Setting(1, DEVICES, "jit"),
    Setting(1, DEVICES, "pmap"),
    Setting(2, DEVICES // 2, "jit"),
    Setting(4, DEVICES // 4, "jit"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description="The same steps, spread over devices otherwise.")
    parser.add_argument("--recipes", nargs="+", default=list(RUNS), choices=list(RUNS))
    chosen = parser.parse_args()
    apart = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen.recipes:
            alone = ended(name, ALONE, Path(folder))
            for setting in OTHERS:
                run = ended(name, setting, Path(folder))
                apart += max(compared(f"{name}, {setting}", alone, run)) > TOLERANCE
    print(f"{apart} runs are not as they are on one device")
    sys.exit(apart > 0)


class Ended(NamedTuple):
    """How a run ended: all its weights, and the loss of every step that told of one."""

    weights: np.ndarray
    losses: np.ndarray


def ended(name: str, setting: Setting, folder: Path) -> Ended:
    """Makes a run, and says how it ended."""
    run = folder / f"{name} {setting}".replace(", ", "-").replace(" ", "-")
    arguments = [name, *SAME, *RUNS[name], "--parallel", setting.parallel, "--run", str(run)]
    for process, told in started(arguments, setting, folder):
        if process.wait(timeout=LONGEST):
            sys.exit(f"{name}, {setting}:\n{told.read_text()}")
    players = read_players(run)
    leaves = jax.tree.leaves({name: variables["params"] for name, variables in players.items()})
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    losses = [line["loss"] for line in lines if "loss" in line]
    return Ended(np.concatenate([np.ravel(leaf) for leaf in leaves]), np.array(losses))


def started(
    arguments: list[str], setting: Setting, folder: Path
) -> list[tuple[subprocess.Popen[bytes], Path]]:
    """The trainer in all processes of a setting, and the files of what each of them prints."""
    environment = os.environ | {
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={setting.devices}",
        "JAX_PLATFORMS": "cpu",
        "NPROC": "16",
    }
    joining = ["--coordinator", f"127.0.0.1:{free_port()}", "--processes", str(setting.processes)]
    processes = []
    for number in range(setting.processes):
        joined = [*joining, "--process", str(number)] if setting.processes > 1 else []
        file = folder / f"told-{number}"
        with file.open("w") as told:
            process = subprocess.Popen(
                [sys.executable, "train.py", *arguments, *joined],
                cwd=ROOT,
                env=environment,
                stdout=told,
                stderr=subprocess.STDOUT,
            )
        processes.append((process, file))
    return processes


def compared(what: str, one: Ended, other: Ended) -> tuple[float, float]:
    """Prints how far two runs are apart.

    Returns:
        the largest difference of a loss, relative to it; the median difference of a weight.
    """
    losses = float(np.max(np.abs(one.losses - other.losses) / np.abs(one.losses)))
    weights = np.abs(one.weights - other.weights)
    median, share = float(np.median(weights)), float(np.mean(weights > TOLERANCE))
    print(
        f"{what}: losses within {losses:.1e} (relative), median weight within "
        f"{median:.1e}, {share:.3%} of {weights.size} weights further than "
        f"{TOLERANCE:g} (the furthest {weights.max():.1e})",
        flush=True,
    )
    return losses, median


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


if __name__ == "__main__":
    main()
