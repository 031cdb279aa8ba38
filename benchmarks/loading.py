"""How many crops a second are read, against how many the default recipe's step takes.

    python benchmarks/loading.py                   256x256, from the photographs that come along
    python benchmarks/loading.py --smoke           small, to see that it runs

Each kind of source is read and a step is computed in turns, in one process: the figures are medians
over the rounds, in pictures a second. What is decoded is not kept in memory but where it says so;
"whole" decodes, converts and scales the whole picture, as programs with a chain of transforms do.
"""

import argparse
import dataclasses
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import jax
import numpy as np
from PIL import Image

from jaxinpaint.cli.assembling import Assembly, assemble
from jaxinpaint.cli.presets import FIRST_RUN
from jaxinpaint.data import examples
from jaxinpaint.data.pictures import read_rgb, scaled
from jaxinpaint.data.sources import built_in, open_source
from jaxinpaint.data.tfds_writing import Parts, prepare
from jaxinpaint.doctor.trial import reading_speed
from jaxinpaint.recipes.base import Crops
from jaxinpaint.run_config import RunConfig
from jaxinpaint.training.parallel import (
    compile_init,
    compile_step,
    to_devices,
)

CAMERA = 3000  # shorter side in pixels of a photograph of a camera


def main() -> None:
    parser = argparse.ArgumentParser(description="Reading against training.")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of a turn")
    chosen = parser.parse_args()
    if chosen.smoke:
        os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # compiles sooner
        chosen.size, chosen.rounds, chosen.seconds = 64, 1, 0.2
    data = dataclasses.replace(FIRST_RUN.data, size=chosen.size)
    config = dataclasses.replace(FIRST_RUN, data=data)
    print(f"JAX {jax.__version__} on {jax.devices()[0]}, {os.cpu_count()} cores; {chosen.size}²")
    with tempfile.TemporaryDirectory() as folder:
        compare(config, Path(folder), chosen.rounds, chosen.seconds, smoke=chosen.smoke)


def compare(config: RunConfig, folder: Path, rounds: int, seconds: float, *, smoke: bool) -> None:
    """Prints the pictures a second of every source and of a step, and their ratios."""
    photos = _photographs(folder / "photos", None)
    large = _photographs(folder / "large", 300 if smoke else CAMERA)
    prepared = folder / "photos_prepared" / "1.0.0"
    prepare(Parts(open_source(str(photos))), prepared, name="photos_prepared")

    def of(source: object, **changes: object) -> Assembly:
        data = dataclasses.replace(config.data, source=str(source), **changes)
        return assemble(dataclasses.replace(config, data=data))

    short = {"short_side": config.data.size, "random_scale": False}
    cached = of("built-in")
    examples.CACHE_BYTES = 0  # of all that follow
    readers: dict[str, Iterator[Crops]] = {
        "built-in, kept in memory": cached.crops_from(0),
        "built-in": of("built-in").crops_from(0),
        "JPEGs, random scale": of(photos).crops_from(0),
        "JPEGs, short side": of(photos, **short).crops_from(0),
        "the same from tfds": of(f"tfds:{prepared}", **short).crops_from(0),
        "JPEGs of a camera": of(large, **short).crops_from(0),
        "the same, whole": _whole(large, config.data.size, config.data.batch_size),
    }
    next(readers["built-in, kept in memory"])
    turns: dict[str, Callable[[], float]] = {
        name: partial(reading_speed, crops, seconds=seconds) for name, crops in readers.items()
    }
    turns["a step"] = _training(cached, seconds)
    speeds: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, turn in turns.items():
            speeds[name].append(turn())
    step = statistics.median(speeds["a step"])
    for name, measured in speeds.items():
        speed = statistics.median(measured)
        print(f"{name:26s} {speed:8.1f} pictures a second   {speed / step:6.1f} x a step's")


def _training(parts: Assembly, seconds: float) -> Callable[[], float]:
    placement = parts.placement
    with closing(parts.crops_from(0)) as crops:
        batch = to_devices(next(crops), placement)
    size = (parts.config.data.size, parts.config.data.size)
    state = compile_init(parts.recipe.init, placement)(jax.random.key(0), size)
    step = compile_step(parts.recipe.step_at(0), placement, state, batch).call
    state, _ = step(state, batch)

    def turn() -> float:
        nonlocal state
        started, pictures = time.perf_counter(), 0
        while (passed := time.perf_counter() - started) < seconds:
            state, metrics = step(state, batch)
            jax.block_until_ready(metrics)
            pictures += batch.image.shape[0]
        return pictures / passed

    return turn


def _whole(folder: Path, size: int, batch: int) -> Iterator[Crops]:
    """Crops of pictures that are decoded, converted and scaled whole, one after the other."""
    rng = np.random.default_rng(0)
    paths = sorted(folder.iterdir())
    while True:
        crops = []
        for path in rng.choice(len(paths), batch):
            picture = scaled(read_rgb(paths[path]), size)
            top, left = (rng.integers(side - size + 1) for side in picture.shape[:2])
            crops.append(picture[top : top + size, left : left + size])
        yield Crops(np.stack(crops))


def _photographs(folder: Path, short_side: int | None) -> Path:
    """The photographs that come along as JPEGs, enlarged if so asked."""
    folder.mkdir()
    for path in sorted(built_in("train").iterdir()):
        if path.suffix in (".png", ".jpg"):
            picture = read_rgb(path)
            picture = picture if short_side is None else scaled(picture, short_side)
            Image.fromarray(picture).save(folder / f"{path.stem}.jpg", quality=90)
    return folder


if __name__ == "__main__":
    main()
