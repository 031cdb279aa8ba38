"""Batches of crops: what a run sees at a step is a function of its seed and that step alone."""

from collections.abc import Iterator

import grain
import jax
import numpy as np

from jaxinpaint.array_typing import RGB
from jaxinpaint.data.pictures import scaled
from jaxinpaint.data.sources import DataConfig, Pair, Pictures
from jaxinpaint.recipes.base import Crops


class RandomCrop(grain.transforms.RandomMap):
    """A square at a random place of a picture, with the config's random changes.

    Both pictures of a pair are cut, scaled and mirrored alike.
    """

    def __init__(self, config: DataConfig) -> None:
        self.config = config

    def random_map(  # pyright: ignore[reportIncompatibleMethodOverride] Grain declares None
        self, element: RGB | Pair, rng: np.random.Generator
    ) -> tuple[RGB, ...]:
        """The crop of a picture, or those of a pair."""
        size = self.config.size
        originals = element if isinstance(element, tuple) else (element,)
        # Only what is smaller than a crop changes here.
        pictures = [scaled(picture, max(size, min(picture.shape[:2]))) for picture in originals]
        height, width = pictures[0].shape[:2]
        # All is drawn in any case, so that one choice does not move the crops of another.
        any_side = rng.integers(size, min(height, width) + 1)
        side = any_side if self.config.random_scale else size
        top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
        mirrored, inverted = rng.random(2) < 0.5
        channels = rng.permutation(3)

        def cut(picture: RGB) -> RGB:
            crop = scaled(picture[top : top + side, left : left + side], size)
            if self.config.flip and mirrored:
                crop = crop[:, ::-1]
            if self.config.random_colours:
                crop = crop[..., channels]
                crop = 255 - crop if inverted else crop
            return np.ascontiguousarray(crop)

        return tuple(cut(picture) for picture in pictures)


def crops(
    pictures: Pictures[RGB | Pair], config: DataConfig, *, seed: int, first: int = 0
) -> Iterator[Crops]:
    """Endless batches of crops, from batch number ``first`` on: this process's part of each.

    Pictures are shuffled anew every epoch and cut at random places; both depend on the seed and on
    the position in the run only, so the batches are the same for any number of processes, and a run
    that goes on at step ``first`` sees what it would have seen.

    Args:
        pictures: where they come from; pairs give crops with sources.
        config: how they are cut; its batch size is of the whole batch, over all processes.
        seed: of the run.
        first: the number of the first batch.

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
        .random_map(RandomCrop(config))
    )
    # Sliced last: before the shuffle, the pictures of an epoch would depend on the process count.
    mine = dataset[jax.process_index() :: processes]
    stacks = mine.batch(config.batch_size // processes, drop_remainder=True)
    batches = stacks.map(lambda stacked: Crops(*stacked))
    options = grain.ReadOptions(num_threads=2, prefetch_buffer_size=4)
    iterator = iter(batches.to_iter_dataset(options))
    iterator.set_state({"next_index": first})
    return iterator
