"""Pictures judged a batch at a time; the last one is filled up with what does not count."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, UInt8

from jaxinpaint.array_typing import Bytes, Hole, Image, PerImage, Scalar, Variables
from jaxinpaint.ops.compositing import from_bytes


class Squares(NamedTuple):
    """Pictures of one size, what they are to be made from, and where they are judged.

    Attributes:
        truth: as they should be.
        shown: what they are made from: themselves, or the other of a pair.
        hole: where they are missing, and judged.
    """

    truth: UInt8[np.ndarray, "N H W 3"]
    shown: UInt8[np.ndarray, "N H W 3"]
    hole: Bool[np.ndarray, "N H W 1"]


# ``(made, truth, region) -> one value per image``
Measure = Callable[[Image, Image, Hole], PerImage]


def mean_scores(
    make: Callable[[Variables, Image, Hole], Image],
    of: Squares,
    batch_size: int,
    measures: Mapping[str, Measure],
) -> Callable[[Variables], dict[str, float]]:
    """What tells mean scores of what a network makes of pictures.

    Args:
        make: ``(variables, shown, hole) -> pictures`` in [0, 1].
        of: the pictures.
        batch_size: how many are made at once; it is compiled once, whatever their number.
        measures: by the names of their means.
    """

    @jax.jit
    def of_batch(
        variables: Variables,
        truth: Bytes,
        shown: Bytes,
        missing: Bool[Array, "N H W 1"],
        counts: PerImage,
    ) -> dict[str, Scalar]:
        hole = missing.astype(jnp.float32)
        made, true = make(variables, from_bytes(shown), hole), from_bytes(truth)
        return {
            name: jnp.sum(counts * measure(made, true, hole)) for name, measure in measures.items()
        }

    def means(variables: Variables) -> dict[str, float]:
        totals = [of_batch(variables, *batch) for batch in filled_batches(of, batch_size)]
        return {
            name: float(sum(total[name] for total in totals)) / len(of.truth) for name in measures
        }

    return means


def filled_batches(
    arrays: Sequence[np.ndarray], batch_size: int
) -> Iterator[tuple[np.ndarray, ...]]:
    """Batches of arrays that go together, all of one size, and which of each count.

    Args:
        arrays: examples along their first axes.
        batch_size: of all batches. The last is filled up with its first example, which counts once.

    Yields:
        the parts of the arrays, and last 1 for each example that counts, 0 for others.
    """
    for start in range(0, len(arrays[0]), batch_size):
        numbers = np.arange(start, start + batch_size)
        counts = numbers < len(arrays[0])
        numbers = np.where(counts, numbers, start)
        yield (*(array[numbers] for array in arrays), counts.astype(np.float32))
