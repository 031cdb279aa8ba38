"""How many photographs of a camera a second are filled, from files to files.

    python benchmarks/filling.py                   photographs that come along, enlarged
    python benchmarks/filling.py --smoke           small, to see that it runs

A folder is filled in two ways, in turns: one picture after the other, each read, filled and written
before the next; and as `jaxinpaint inpaint` does it, where others are read and written while one is
filled. The networks have random weights: what they paint takes as long. The programs are compiled
before.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import jax
import numpy as np
from PIL import Image

from jaxinpaint import inpainter, recipes
from jaxinpaint.cli.inpaint import filling
from jaxinpaint.cli.jobs import Job, Work, carry_out, planned
from jaxinpaint.cli.presets import FIRST_RUN
from jaxinpaint.data.pictures import read_rgb, scaled
from jaxinpaint.data.sources import built_in
from jaxinpaint.inpainter import Inpainter
from jaxinpaint.recipes import ContextEncoderConfig, RecipeConfig

NETWORKS: Mapping[str, RecipeConfig] = {
    "whole pictures (first-run)": FIRST_RUN.recipe,
    "squares around holes (Context Encoder)": ContextEncoderConfig(holes="random-region"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Filling a folder of photographs.")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--short-side", type=int, default=2000)
    parser.add_argument("--pictures", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    if chosen.smoke:
        os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # compiles sooner
        chosen.short_side, chosen.pictures, chosen.rounds = 120, 6, 1
    print(f"JAX {jax.__version__} on {jax.devices()[0]}, {os.cpu_count()} cores", end="; ")
    print(f"{chosen.pictures} JPEGs, short side {chosen.short_side}; pictures a second")
    print(f"{'':44}{'one by one':>12}{'together':>12}   ratio (least–most)")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        photographs(folder, chosen.pictures, chosen.short_side)
        for name, config in NETWORKS.items():
            fill = with_random_weights(config)
            for suffix in (".jpg", ".png"):
                compare(f"{name}, to {suffix}", fill, folder, suffix, chosen.rounds)


def compare(name: str, fill: Inpainter, folder: Path, suffix: str, rounds: int) -> None:
    """Prints the pictures a second of both ways, and their ratio."""
    jobs = [
        Job(job.picture, job.target.with_suffix(suffix))
        for job in planned(folder / "in", folder / "out")
    ]
    holes = {job.picture: folder / "masks" / f"{job.picture.stem}.png" for job in jobs}
    work = filling(fill, holes)
    one_by_one(jobs, work)  # compiles
    turns = [(speed(one_by_one, jobs, work), speed(together, jobs, work)) for _ in range(rounds)]
    alone, at_once = (statistics.median(speeds) for speeds in zip(*turns, strict=True))
    ratios = sorted(after / before for before, after in turns)
    print(
        f"{name:44}{alone:12.2f}{at_once:12.2f}   {statistics.median(ratios):.2f} "
        f"({ratios[0]:.2f}–{ratios[-1]:.2f})",
        flush=True,
    )


def speed(
    way: Callable[[Sequence[Job], Work[Any, Any]], None],
    jobs: Sequence[Job],
    work: Work[Any, Any],
) -> float:
    """Pictures a second."""
    started = time.perf_counter()
    way(jobs, work)
    return len(jobs) / (time.perf_counter() - started)


def one_by_one(jobs: Sequence[Job], work: Work[Any, Any]) -> None:
    for job in jobs:
        read, _ = work.read(job)
        work.write(job, read, work.make(job, read))


def together(jobs: Sequence[Job], work: Work[Any, Any]) -> None:
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        carry_out(jobs, work, participle="filled")


def with_random_weights(config: RecipeConfig) -> Inpainter:
    recipe = recipes.make(config)
    state = jax.jit(recipe.init, static_argnums=1)(jax.random.key(0), (128, 128))
    return inpainter.of(recipe, state.generator)


def photographs(folder: Path, number: int, short_side: int) -> None:
    """JPEGs and masks with three small holes in each."""
    rng = np.random.default_rng(0)
    sources = sorted(
        path for path in built_in("train").iterdir() if path.suffix in (".png", ".jpg")
    )
    for part in ("in", "masks"):
        (folder / part).mkdir()
    for i in range(number):
        picture = scaled(read_rgb(sources[i % len(sources)]), short_side)
        Image.fromarray(picture).save(folder / "in" / f"{i}.jpg", quality=92)
        hole = np.zeros(picture.shape[:2], bool)
        side = short_side // 20
        for top, left in rng.integers(0, short_side - side, (3, 2)):
            hole[top : top + side, left : left + side] = True
        Image.fromarray(hole).save(folder / "masks" / f"{i}.png")


if __name__ == "__main__":
    main()
