"""LPIPS: how far apart two pictures look, by the features of a network."""

from collections.abc import Mapping

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxinpaint.array_typing import FeatureMap, PerImage, Taps

# What the distance of each network sees, in the order of its published weights.
TAPS: Mapping[str, tuple[str, ...]] = {
    "alex": ("relu1", "relu2", "relu3", "relu4", "relu5"),
    "vgg": ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3"),
}

EPSILON = 1e-10  # what the published program adds to the norm


def lpips(estimate: Taps, truth: Taps, weights: Mapping[str, Float[Array, " C"]]) -> PerImage:
    """Learned perceptual image patch similarity, version 0.1; 0 for equal pictures.

    Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, CVPR 2018,
    eq. 1::

        Σ_l 1/(h w) Σ_hw Σ_c w_lc (x̂_lhwc - ŷ_lhwc)²,    x̂ = x / (|x| + 1e-10)

    with the norm over channels. (The paper's equation has the weights inside the square; the
    published weights are those of this one.)

    It is for judging: where a pixel's features are all zero its gradient is no number.

    Args:
        estimate, truth: features of the two pictures, by the names of their layers.
        weights: of the channels of each layer that counts, not negative.

    Raises:
        ValueError: if a layer's features are missing, of two shapes, or of another number of
            channels than its weights; or if there are no weights.
    """
    if not weights:
        raise ValueError("LPIPS needs the weights of a layer at least")
    distances = [_at(name, estimate, truth, weight) for name, weight in weights.items()]
    return jnp.sum(jnp.stack(distances), axis=0)


def _at(name: str, estimate: Taps, truth: Taps, weight: Float[Array, " C"]) -> PerImage:
    for whose, taps in {"estimate": estimate, "truth": truth}.items():
        if name not in taps:
            raise ValueError(f"{name} is not among the features of the {whose}")
    x, y = estimate[name], truth[name]
    if x.shape != y.shape or x.shape[-1:] != weight.shape:
        raise ValueError(
            f"at {name} features have shapes {x.shape} and {y.shape}, weights {weight.shape}"
        )
    squares = jnp.square(_unit(x) - _unit(y))
    return jnp.mean(jnp.sum(weight * squares, axis=-1), axis=(1, 2))


def _unit(x: FeatureMap) -> FeatureMap:
    return x / (jnp.sqrt(jnp.sum(jnp.square(x), axis=-1, keepdims=True)) + EPSILON)
