"""Perceptual objectives: how far a picture is off in the features of a network."""

from collections.abc import Mapping
from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxinpaint.array_typing import FeatureMap, PerImage, Taps
from jaxinpaint.objectives.reduction import absolute, difference, mean_per_image, sum_per_image
from jaxinpaint.objectives.taps import sum_over_taps

Distance = Literal["l1", "mse"]


def perceptual(
    estimate: Taps,
    truth: Taps,
    *,
    distance: Distance = "mse",
    weights: Mapping[str, float] | None = None,
) -> PerImage:
    """Distance in a network's features.

    ::

        Σ_j λ_j · mean |φ_j(x) - φ_j(y)|^p,  p = 1 (l1) or 2 (mse)

    EnhanceNet takes ``mse`` on VGG-19's ``pool2`` and ``pool5``; partial convolutions ``l1`` on
    VGG-16's ``pool1``, ``pool2`` and ``pool3``.

    Source: EnhanceNet (Sajjadi et al., ICCV 2017); Liu et al., ECCV 2018, section 3.3.
    Range: [0, ∞); the features' unit, squared with mse.
    Reduction: mean over h, w and C of a tap, weighted sum over taps.

    Args:
        estimate, truth: features of the estimate and of the truth, by the names of their layers.
        distance: ``mse`` or ``l1``.
        weights: λ, one for each tap; None is 1 for each.

    Returns:
        one value per image.

    Raises:
        ValueError: if names or shapes differ, or there are no taps.
    """
    return sum_over_taps(lambda x, y: _mean_distance(x, y, distance), estimate, truth, weights)


def content(estimate: FeatureMap, truth: FeatureMap) -> PerImage:
    """Gatys' content loss.

    ::

        ½ Σ (φ(x) - φ(y))²

    Source: Gatys et al., CVPR 2016, eq. 1, on a middle layer of VGG-19 such as ``relu4_2``.
    Range: [0, ∞); the features' unit, squared; grows with the size of the layer.
    Reduction: sum over h, w and C.

    Args:
        estimate, truth: features of one layer.

    Returns:
        one value per image.

    Raises:
        ValueError: if shapes differ.
    """
    return sum_per_image(jnp.square(difference(estimate, truth))) / 2


def feature_matching(
    fake: Taps,
    real: Taps,
    *,
    distance: Distance = "l1",
    weights: Mapping[str, float] | None = None,
) -> PerImage:
    """Distance in a discriminator's features, for the generator.

    ::

        Σ_j λ_j · mean |D_j(x) - D_j(y)|^p,  p = 1 (l1) or 2 (mse)

    It is `perceptual` with a network that learns. LaMa takes ``mse`` and the mean over taps, which
    is a weight of 1 / their number.

    Source: pix2pixHD (Wang et al., CVPR 2018); LaMa (Suvorov et al., WACV 2022).
    Range: [0, ∞); the features' unit, squared with mse.
    Reduction: mean over all elements of a tap, weighted sum over taps.

    Args:
        fake, real: the discriminator's hidden features of the estimate and of the truth. Whoever
            does not want to train the discriminator by it stops the gradient of ``real``.
        distance: ``l1`` or ``mse``.
        weights: λ, one for each tap; None is 1 for each.

    Returns:
        one value per image.

    Raises:
        ValueError: if names or shapes differ, or there are no taps.
    """
    return perceptual(fake, real, distance=distance, weights=weights)


def _mean_distance(
    estimate: Float[Array, "N ..."], truth: Float[Array, "N ..."], distance: Distance
) -> PerImage:
    apart = difference(estimate, truth)
    match distance:
        case "l1":
            return mean_per_image(absolute(apart))
        case "mse":
            return mean_per_image(jnp.square(apart))
        case _:
            raise ValueError(f"the distance is l1 or mse, not {distance!r}")
