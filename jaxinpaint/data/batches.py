"""Batches of crops: what a run sees at a step is a function of its seed and that step alone."""

import os
from collections.abc import Callable, Generator, Sequence
from typing import NamedTuple

import grain
import jax
import numpy as np
from absl import flags

from jaxinpaint.array_typing import RGB, Missing
from jaxinpaint.data.config import DataConfig
from jaxinpaint.data.cropping import Cut, RandomCrop
from jaxinpaint.data.examples import Pictures
from jaxinpaint.recipes.base import Crops

# Threads that decode, a batch each. More than cores gain nothing, and are in the way of what they
# feed.
THREADS = max(2, min(16, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 4))
BATCHES_AHEAD = 4  # at least: else those that read them would wait


class Stacked(NamedTuple):
    """A batch, and what was skipped to fill it."""

    crops: Crops
    skipped: tuple[str, ...]


def crops(
    pictures: Pictures,
    config: DataConfig,
    *,
    seed: int,
    first: int = 0,
    holes: Pictures | None = None,
    tell: Callable[[str], None] = lambda problem: None,
) -> Generator[Crops]:
    """Endless batches of crops, from batch number ``first`` on: this process's part of each.

    Pictures are shuffled anew every epoch and cut at random places; both depend on the seed and on
    the position in the run only, so the batches are the same for any number of processes, workers
    and devices, and a run that goes on at step ``first`` sees what it would have seen. Closing the
    iterator ends its workers.

    Args:
        pictures: where they come from.
        config: how they are cut; its batch size is of the whole batch, over all processes.
        seed: of the run.
        first: the number of the first batch.
        holes: masks, any of which goes with any picture.
        tell: is given a line for each picture that can't be read, every time it is skipped.

    Raises:
        ValueError: if the batch does not divide among the processes.
    """
    processes = jax.process_count()
    if config.batch_size % processes:
        raise ValueError(
            f"a batch of {config.batch_size} does not divide among {processes} processes"
        )
    dataset = (
        grain.MapDataset.source(pictures)
        .seed(seed)
        .shuffle()
        .repeat(None)
        .random_map(RandomCrop(config, holes))
    )
    # Sliced last: before the shuffle, the pictures of an epoch would depend on the process count.
    mine = dataset[jax.process_index() :: processes]
    batches = mine.batch(config.batch_size // processes, drop_remainder=True, batch_fn=_stacked)
    # The place is in the slice, not in the iterator's state: that has another form for each number
    # of workers.
    threads = max(1, THREADS // max(1, config.workers))
    options = grain.ReadOptions(threads, max(threads, BATCHES_AHEAD))
    rest = batches[first:].to_iter_dataset(options)
    return _told(rest, config.workers, tell)


def _told(
    batches: grain.IterDataset[Stacked], workers: int, tell: Callable[[str], None]
) -> Generator[Crops]:
    if workers:
        if not flags.FLAGS.is_parsed():
            flags.FLAGS.mark_as_parsed()  # Grain asks for it; its own have their defaults
        batches = batches.mp_prefetch(grain.MultiprocessingOptions(num_workers=workers))
    iterator = iter(batches)
    try:
        for stacked in iterator:
            for problem in stacked.skipped:
                tell(problem)
            yield stacked.crops
    finally:
        iterator.close()


def _stacked(cuts: Sequence[Cut]) -> Stacked:
    images, sources, holes, mirrored, skipped = zip(*cuts, strict=True)
    crops = Crops(np.stack(images), _stack(sources), _stack(holes), np.array(mirrored))
    return Stacked(crops, tuple(problem for problems in skipped for problem in problems))


def _stack(parts: Sequence[RGB | Missing | None]) -> np.ndarray | None:
    present = [part for part in parts if part is not None]
    return np.stack(present) if present else None
