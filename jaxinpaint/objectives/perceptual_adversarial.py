"""Perceptual-adversarial objectives: a discriminator that keeps seeing a difference."""

from collections.abc import Mapping

from jax.nn import relu
from jaxtyping import Array, Float

from jaxinpaint.array_typing import PerImage, Taps
from jaxinpaint.objectives.perceptual import feature_matching
from jaxinpaint.objectives.reduction import in_full_precision


def perceptual_adversarial(
    fake: Taps, real: Taps, *, weights: Mapping[str, float] | None = None
) -> PerImage:
    """PAN's perceptual distance, which the generator minimises.

    ::

        P = Σ_j λ_j · mean |D_j(y) - D_j(T(x))|

    The published weights are 5, 1.5, 1.5 and 1 on four hidden layers of the discriminator.

    Source: PAN (Wang et al., TIP 2018).
    Range: [0, ∞); the features' unit.
    Reduction: mean over all elements of a tap, weighted sum over taps.

    Args:
        fake, real: the discriminator's hidden features of the estimate and of the truth.
        weights: λ, one for each tap; None is 1 for each.

    Returns:
        one value per image.

    Raises:
        ValueError: if names or shapes differ, or there are no taps.
    """
    return feature_matching(fake, real, distance="l1", weights=weights)


def perceptual_margin(distance: Float[Array, "..."], *, margin: float = 3.0) -> Float[Array, "..."]:
    """What PAN's discriminator minimises beside its adversarial term.

    ::

        max(0, m - P)

    At a distance of the margin or beyond the discriminator gets no gradient from it.

    Source: PAN (Wang et al., TIP 2018).
    Range: [0, m]; the distance's unit.
    Reduction: none. The published program takes one margin of the mean over a batch.

    Args:
        distance: P of `perceptual_adversarial`, per image or their mean.
        margin: m.

    Returns:
        a value for each distance.
    """
    return relu(margin - in_full_precision(distance))
