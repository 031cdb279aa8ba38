"""The objective of partial convolutions: six terms, and their published sum."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

from jax import lax

from jaxinpaint.array_typing import Hole, Image, PerImage, Taps
from jaxinpaint.objectives.perceptual import perceptual
from jaxinpaint.objectives.pixel import l1
from jaxinpaint.objectives.reduction import weighted
from jaxinpaint.objectives.smoothness import total_variation
from jaxinpaint.objectives.taps import taps_in_one_pass
from jaxinpaint.objectives.texture import style_l1
from jaxinpaint.ops.compositing import composite

PUBLISHED_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "valid": 1.0,
        "hole": 6.0,
        "perceptual": 0.05,
        "style_output": 120.0,
        "style_composite": 120.0,
        "tv": 0.1,
    }
)


def partial_conv_terms(
    output: Image,
    truth: Image,
    hole: Hole,
    features: Callable[[Image], Taps] | None = None,
    *,
    tv_region: Literal["hole", "picture"] = "hole",
) -> dict[str, PerImage]:
    """The terms of partial convolutions' loss, by name, none of them weighted.

    ::

        valid            mean |(1 - h) · (x - y)|
        hole             mean |h · (x - y)|
        perceptual       Σ_j mean |φ_j(x) - φ_j(y)| + mean |φ_j(c) - φ_j(y)|
        style_output     Σ_j mean |G(φ_j(x)) - G(φ_j(y))| / (H_j · W_j · C_j)
        style_composite  Σ_j mean |G(φ_j(c)) - G(φ_j(y))| / (H_j · W_j · C_j)
        tv               total variation of c in the hole dilated by a pixel

    with the output x, the truth y, the hole h and the composite c. Output and composite go through
    the features in one pass; the truth, which needs no gradient, in another.

    Source: Liu et al., ECCV 2018, section 3.3.
    Range: [0, ∞) each, for pictures in [0, 1].
    Reduction: that of each term; all are means, over all elements also where they are masked.

    Args:
        output: the network's raw picture.
        truth: the picture as it was.
        hole: what was missing.
        features: from pictures to taps: VGG-16's ``pool1``, ``pool2`` and ``pool3`` as published.
            None leaves out the three terms that need them.
        tv_region: where the total variation counts; ``picture`` as in a published program.

    Returns:
        one value per image for every term.

    Raises:
        ValueError: if shapes differ, or for a ``tv_region`` of another name.
    """
    if tv_region not in ("hole", "picture"):
        raise ValueError(f"tv_region is hole or picture, not {tv_region!r}")
    completed = composite(output, truth, hole)
    terms = {
        "valid": l1(output, truth, region=1 - hole),
        "hole": l1(output, truth, region=hole),
        "tv": total_variation(completed, hole=hole if tv_region == "hole" else None),
    }
    if features is None:
        return terms
    of_truth = features(lax.stop_gradient(truth))
    of_output, of_composite = taps_in_one_pass(features, output, completed)
    return terms | {
        "perceptual": perceptual(of_output, of_truth, distance="l1")
        + perceptual(of_composite, of_truth, distance="l1"),
        "style_output": style_l1(of_output, of_truth),
        "style_composite": style_l1(of_composite, of_truth),
    }


def partial_conv_total(
    output: Image,
    truth: Image,
    hole: Hole,
    features: Callable[[Image], Taps],
    *,
    weights: Mapping[str, float] = PUBLISHED_WEIGHTS,
    tv_region: Literal["hole", "picture"] = "hole",
) -> PerImage:
    """Partial convolutions' whole loss.

    ::

        valid + 6 hole + 0.05 perceptual + 120 (style_output + style_composite) + 0.1 tv

    Source: Liu et al., ECCV 2018, section 3.3.
    Range: [0, ∞) for pictures in [0, 1].
    Reduction: weighted sum of the terms of `partial_conv_terms`.

    Arguments, shapes and errors are those of `partial_conv_terms`, and:

    Args:
        weights: one for each term.

    Raises:
        ValueError: if weights and terms do not have the same names.
    """
    terms = partial_conv_terms(output, truth, hole, features, tv_region=tv_region)
    values = list(weighted(terms, weights).values())
    return sum(values[1:], values[0])
