"""Structural similarity, with the windows that programs use.

Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, 2004; and for
several scales Wang, Simoncelli and Bovik, Multiscale Structural Similarity, 2003.
"""

from typing import Literal, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from jaxinpaint.array_typing import FeatureMap, Image, PerImage
from jaxinpaint.ops.similarity import Moments, Similarity, gaussian, similarity

# Of the finest scale first; they add up to one.
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


class Window(NamedTuple):
    """What a local mean is over.

    Attributes:
        weights: of one axis, adding up to one.
        sample: whether variances are those of a sample: times n / (n - 1).
    """

    weights: tuple[float, ...]
    sample: bool


# The paper's, and the one that scikit-image takes unless told otherwise.
GAUSSIAN = Window(tuple(gaussian(11, 1.5)), sample=False)
UNIFORM = Window((1 / 7,) * 7, sample=True)


def ssim(
    estimate: Image,
    truth: Image,
    *,
    window: Window = GAUSSIAN,
    padding: Literal["valid", "zeros"] = "valid",
) -> PerImage:
    """Mean structural similarity, of every channel for itself.

    ::

        (2 μx μy + C1) (2 σxy + C2) / ((μx² + μy² + C1) (σx² + σy² + C2)),  C = (0.01², 0.03²)

    Source: Wang et al., 2004, eq. 13. With `GAUSSIAN` and valid it is what scikit-image gives for
    ``gaussian_weights, sigma=1.5, use_sample_covariance=False``, with `UNIFORM` what it gives by
    itself, both with ``data_range=1``.

    Args:
        estimate, truth: pictures in [0, 1].
        window: what local means are over.
        padding: valid takes the windows that lie in the picture; zeros also those around pixels
            of its border, with zeros beyond, as some programs have it.

    Raises:
        ValueError: if shapes differ, or the picture is smaller than the window.
    """
    _check(estimate, truth, len(window.weights))
    if padding == "zeros":
        half = len(window.weights) // 2
        pads = ((0, 0), (half, half), (half, half), (0, 0))
        estimate, truth = jnp.pad(estimate, pads), jnp.pad(truth, pads)
    luminance, structure = _terms(estimate, truth, window)
    return jnp.mean(luminance * structure, axis=(1, 2, 3))


def ms_ssim(estimate: Image, truth: Image) -> PerImage:
    """Structural similarity over five scales, each half of the one before.

    ::

        (l·cs)_5^w5 · Π_{i<5} cs_i^wi,  w = .0448 .2856 .3001 .2363 .1333

    with the contrast and structure terms cs of each scale, of the coarsest together with the
    luminance term: each the mean over the picture, 0 where negative. The mean of the channels.
    Source: Wang et al., 2003, eq. 7; `GAUSSIAN` windows, means of 2×2 pixels between scales.

    Raises:
        ValueError: if shapes differ, or a side is less than 176 pixels.
    """
    least = len(GAUSSIAN.weights) * 2 ** (len(SCALES) - 1)
    _check(estimate, truth, least)
    product = jnp.ones((estimate.shape[0], estimate.shape[3]))
    for i, weight in enumerate(SCALES):
        luminance, structure = _terms(estimate, truth, GAUSSIAN)
        coarsest = i == len(SCALES) - 1
        term = jnp.mean(luminance * structure if coarsest else structure, axis=(1, 2))
        product *= jnp.maximum(term, 0) ** weight
        estimate, truth = _halved(estimate), _halved(truth)
    return jnp.mean(product, axis=1)


def _check(estimate: Array, truth: Array, least: int) -> None:
    if estimate.shape != truth.shape:
        raise ValueError(f"estimate has shape {estimate.shape}, truth {truth.shape}; they differ")
    if min(truth.shape[1:3]) < least:
        raise ValueError(f"pictures of {truth.shape[1:3]} are smaller than {least} pixels")


def _terms(x: Image, y: Image, window: Window) -> Similarity:
    """The terms of every window, whose moments are taken along one axis after the other.

    A variance is the mean of the rows' variances and the variance of their means. Each is of
    differences from a mean: E[x²] - E[x]² would lose in float32 what small variances consist of.
    """
    zero = jnp.zeros_like(x)
    moments = _along(Moments(x, y, zero, zero, zero), window.weights, axis=2)
    moments = _along(moments, window.weights, axis=1)
    if window.sample:
        n = len(window.weights) ** 2
        sampled = {name: n / (n - 1) * getattr(moments, name) for name in ("var_x", "var_y", "cov")}
        moments = moments._replace(**sampled)
    return similarity(moments)


def _along(parts: Moments, weights: tuple[float, ...], axis: int) -> Moments:
    """Moments of weighted parts that lie along an axis."""
    length = parts.mean_x.shape[axis] - len(weights) + 1
    taps = [
        (w, Moments(*(_shifted(part, i, length, axis) for part in parts)))
        for i, w in enumerate(weights)
    ]
    mean_x = sum(w * tap.mean_x for w, tap in taps)
    mean_y = sum(w * tap.mean_y for w, tap in taps)
    var_x = sum(w * (tap.var_x + (tap.mean_x - mean_x) ** 2) for w, tap in taps)
    var_y = sum(w * (tap.var_y + (tap.mean_y - mean_y) ** 2) for w, tap in taps)
    cov = sum(w * (tap.cov + (tap.mean_x - mean_x) * (tap.mean_y - mean_y)) for w, tap in taps)
    return Moments(*map(jnp.asarray, (mean_x, mean_y, var_x, var_y, cov)))


def _shifted(part: Image, start: int, length: int, axis: int) -> FeatureMap:
    return part[(slice(None),) * axis + (slice(start, start + length),)]


def _halved(image: Image) -> FeatureMap:
    n, height, width, channels = image.shape
    even = image[:, : height // 2 * 2, : width // 2 * 2]
    return even.reshape(n, height // 2, 2, width // 2, 2, channels).mean(axis=(2, 4))
