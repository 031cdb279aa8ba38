"""Texture objectives: which features occur together, wherever they do; by Gram matrices."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from jaxinpaint.array_typing import FeatureMap, PerImage, Taps
from jaxinpaint.objectives.reduction import (
    absolute,
    difference,
    in_full_precision,
    mean_per_image,
    require_equal_shapes,
    sum_per_image,
)
from jaxinpaint.objectives.taps import sum_over_taps


def gram_matrix(features: FeatureMap, *, normalised: bool = False) -> Float[Array, "N C C"]:
    """Which features occur together.

    ::

        G_kk' = Σ_ij F_ijk F_ijk'  (/ (H · W · C) if normalised)

    One matrix product, summed in float32 also of bfloat16 features.

    Source: Gatys et al., CVPR 2016, eq. 3; divided as in Liu et al., ECCV 2018.
    Range: (-∞, ∞); the features' unit, squared.
    Reduction: sum over h and w, or that divided by all elements.

    Args:
        features: of one layer.
        normalised: whether to divide by the number of the layer's elements.

    Returns:
        one symmetric matrix per image.

    Raises:
        ValueError: if the features have not four axes.
    """
    if features.ndim != 4:
        raise ValueError(f"a Gram matrix is of features [N, h, w, C], not {list(features.shape)}")
    n, h, w, c = features.shape
    flat = features.reshape(n, h * w, c)
    # The type of the sum is said, and so is that float32 is not rounded first, as a TPU would.
    gram = jnp.einsum(
        "npc,npd->ncd",
        flat,
        flat,
        precision=lax.Precision.HIGHEST,
        preferred_element_type=in_full_precision(flat).dtype,
    )
    return gram / max(h * w * c, 1) if normalised else gram


def texture_matching(
    estimate: Taps,
    truth: Taps,
    *,
    patch_size: int | None = None,
    normalised: bool = False,
    weights: Mapping[str, float] | None = None,
) -> PerImage:
    """Squared distance of Gram matrices, of whole maps or patch by patch.

    ::

        Σ_j λ_j · mean (G(φ_j(x)) - G(φ_j(y)))²

    EnhanceNet takes patches of 16×16 with ``relu1_1``, ``relu2_1`` and ``relu3_1`` of VGG-19, so
    that textures match where they are; here a patch is measured in positions of each map. The
    last patches of a map that does not divide are smaller.

    Source: EnhanceNet (Sajjadi et al., ICCV 2017).
    Range: [0, ∞); the features' unit to the fourth power.
    Reduction: mean over C·C and over patches, weighted sum over taps.

    Args:
        estimate, truth: features of the estimate and of the truth, by the names of their layers.
        patch_size: the side of a patch, in positions of the feature map; None is the whole map.
        normalised: whether Gram matrices are divided by the number of elements they sum over.
        weights: λ, one for each tap; None is 1 for each.

    Returns:
        one value per image.

    Raises:
        ValueError: if names or shapes differ, there are no taps, or ``patch_size`` is below 1.
    """
    if patch_size is not None and patch_size < 1:
        raise ValueError(f"patch_size is {patch_size}; it must be at least 1")

    def distance(x: Array, y: Array) -> PerImage:
        require_equal_shapes(estimate=x, truth=y)
        apart = difference(*(gram_matrix(_patches(f, patch_size)) for f in (x, y)))
        if normalised:
            elements = np.tile(_elements(x.shape[1:], patch_size), x.shape[0])
            apart = apart / elements[:, None, None]
        return mean_per_image(jnp.square(apart).reshape(x.shape[0], -1))

    return sum_over_taps(distance, estimate, truth, weights)


def style(estimate: Taps, target: Taps, *, weights: Mapping[str, float] | None = None) -> PerImage:
    """Gatys' style loss.

    ::

        Σ_j λ_j · 1 / (2 · H_j · W_j · C_j)² · Σ_kk' (G_kk'(φ_j(s)) - G_kk'(φ_j(x)))²

    Source: Gatys et al., CVPR 2016, eq. 4 and 5, on VGG-19's ``relu1_1`` … ``relu5_1``.
    Range: [0, ∞); the features' unit to the fourth power.
    Reduction: sum over C·C, divided as above, weighted sum over taps.

    Args:
        estimate, target: features of the estimate and of the picture whose style it shall have.
        weights: λ, one for each tap; None is 1 for each (the paper's are 1 / their number).

    Returns:
        one value per image.

    Raises:
        ValueError: if names or shapes differ, or there are no taps.
    """

    def distance(x: Array, s: Array) -> PerImage:
        # (G / HWC)² / 4 is the equation; dividing first keeps the numbers small.
        return sum_per_image(jnp.square(_grams_apart(x, s))) / 4

    return sum_over_taps(distance, estimate, target, weights)


def style_l1(
    estimate: Taps, truth: Taps, *, weights: Mapping[str, float] | None = None
) -> PerImage:
    """Partial convolutions' style loss.

    ::

        Σ_j λ_j · mean |G(φ_j(x)) - G(φ_j(y))| / (H_j · W_j · C_j)

    Source: Liu et al., ECCV 2018, section 3.3, on VGG-16's ``pool1``, ``pool2`` and ``pool3``.
    Range: [0, ∞); the features' unit, squared.
    Reduction: mean over C·C, weighted sum over taps.

    Args:
        estimate, truth: features of the estimate and of the truth, by the names of their layers.
        weights: λ, one for each tap; None is 1 for each.

    Returns:
        one value per image.

    Raises:
        ValueError: if names or shapes differ, or there are no taps.
    """

    def distance(x: Array, y: Array) -> PerImage:
        return mean_per_image(absolute(_grams_apart(x, y)))

    return sum_over_taps(distance, estimate, truth, weights)


def _grams_apart(estimate: Array, truth: Array) -> Float[Array, "N C C"]:
    """The difference of normalised Gram matrices.

    They would have one shape for maps of different sizes too: so these are compared.
    """
    require_equal_shapes(estimate=estimate, truth=truth)
    return difference(*(gram_matrix(f, normalised=True) for f in (estimate, truth)))


def _patches(features: FeatureMap, size: int | None) -> Float[Array, "NP _ _ C"]:
    """The patches of all maps as one batch, those of a map next to each other.

    Zeros fill up the last ones: they add nothing to a Gram matrix.
    """
    if size is None:
        return features
    n, h, w, c = features.shape
    padded = jnp.pad(features, ((0, 0), (0, -h % size), (0, -w % size), (0, 0)))
    rows, columns = padded.shape[1] // size, padded.shape[2] // size
    cut = padded.reshape(n, rows, size, columns, size, c).swapaxes(2, 3)
    return cut.reshape(n * rows * columns, size, size, c)


def _elements(shape: tuple[int, ...], size: int | None) -> Float[np.ndarray, " patches"]:
    """How many elements each patch of a map of that shape has, the zeros around it not counted."""
    h, w, c = shape
    if size is None:
        return np.array([h * w * c], np.float32)
    rows, columns = (np.minimum(size, side - np.arange(0, side, size)) for side in (h, w))
    return (np.outer(rows, columns).ravel() * c).astype(np.float32)
