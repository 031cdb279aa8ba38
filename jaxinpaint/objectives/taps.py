"""Taps: what a network shows of its hidden layers, by name, and how objectives go over them."""

from collections.abc import Callable, Mapping

import jax.numpy as jnp
from jaxtyping import Array

from jaxinpaint.array_typing import Image, PerImage, Taps


def sum_over_taps(
    distance: Callable[[Array, Array], PerImage],
    estimate: Taps,
    truth: Taps,
    weights: Mapping[str, float] | None = None,
) -> PerImage:
    """``Σ_j weight_j · distance(estimate_j, truth_j)``.

    Args:
        distance: of two features of one layer, one value per image.
        estimate, truth: taps of the same names.
        weights: one for each tap; None weighs all of them 1.

    Raises:
        ValueError: if there is no tap, or the names of taps and weights are not the same.
    """
    if not estimate:
        raise ValueError("there are no taps to compare")
    if weights is None:
        weights = dict.fromkeys(estimate, 1.0)
    if not (estimate.keys() == truth.keys() == weights.keys()):
        names = ", ".join(str(sorted(names)) for names in (estimate, truth, weights))
        raise ValueError(f"taps of estimate, truth and their weights have different names: {names}")
    values = [weights[name] * distance(estimate[name], truth[name]) for name in estimate]
    return sum(values[1:], values[0])


def taps_in_one_pass(features: Callable[[Image], Taps], *pictures: Image) -> tuple[Taps, ...]:
    """The taps of several batches of pictures, from one pass over all of them.

    The pictures that belong together stand next to each other in it, so that a batch that is split
    over devices stays where it is.

    Args:
        features: the network, one picture independent of the other.
        pictures: batches of one shape.
    """
    together = jnp.stack(pictures, axis=1)
    n, several, *rest = together.shape
    taps = features(together.reshape(n * several, *rest))
    apart = {name: tap.reshape(n, several, *tap.shape[1:]) for name, tap in taps.items()}
    return tuple({name: tap[:, i] for name, tap in apart.items()} for i in range(several))
