"""Structural similarity of what lies under a window, from its moments; and the Gaussian window.

Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, 2004. How the
moments are come by is another matter: `evaluation.ssim` loses nothing, and `objectives.structure`
has a gradient that a training step has the time for.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float

K1, K2 = 0.01, 0.03


class Moments(NamedTuple):
    """Local means of two pictures in [0, 1], their variances and their covariance, of one shape."""

    mean_x: Array
    mean_y: Array
    var_x: Array
    var_y: Array
    cov: Array


class Similarity(NamedTuple):
    """The terms of structural similarity, whose product it is, in the shape of the moments."""

    luminance: Array
    structure: Array  # with contrast


def similarity(m: Moments) -> Similarity:
    """Both terms under each window.

    ::

        luminance = (2 μx μy + C1) / (μx² + μy² + C1),  structure = (2 σxy + C2) / (σx² + σy² + C2)

    with C1 = 0.01² and C2 = 0.03². Source: eq. 6 and 13, with the third constant half the second.
    """
    c1, c2 = K1**2, K2**2
    return Similarity(
        (2 * m.mean_x * m.mean_y + c1) / (m.mean_x**2 + m.mean_y**2 + c1),
        (2 * m.cov + c2) / (m.var_x + m.var_y + c2),
    )


def gaussian(side: int, sigma: float) -> Float[np.ndarray, " side"]:
    """The weights of one axis of a Gaussian window, adding up to one; sigma is in pixels."""
    weights = np.exp(-0.5 * ((np.arange(side) - (side - 1) / 2) / sigma) ** 2)
    return weights / weights.sum()
