"""A first judgement: held-out pictures with fixed holes, filled by several methods."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxinpaint import masks
from jaxinpaint.array_typing import RGB, Missing
from jaxinpaint.evaluation import metrics
from jaxinpaint.evaluation.baselines import Fill
from jaxinpaint.evaluation.manifests import HOUSE_BUCKETS

BUCKETS = HOUSE_BUCKETS[:4]


class Case(NamedTuple):
    """A picture and what is missing in it."""

    truth: RGB
    hole: Missing


def cases(pictures: Sequence[RGB]) -> list[Case]:
    """Each picture with an irregular hole of each bucket, the same in every run."""
    key = jax.random.key(0)
    made = []
    for i, picture in enumerate(pictures):
        for j, bucket in enumerate(BUCKETS):
            place = jax.random.fold_in(key, i * len(BUCKETS) + j)
            hole = masks.irregular(place, (picture.shape[0], picture.shape[1]), ratio=bucket)
            made.append(Case(picture, np.asarray(hole)[..., 0] > 0))
    return made


def center_cases(pictures: Sequence[RGB], *, margin: int) -> list[Case]:
    """Each picture with a hole that keeps a margin off its border, and is all that is inside."""
    made = []
    for picture in pictures:
        hole = np.zeros(picture.shape[:2], bool)
        hole[margin:-margin, margin:-margin] = True
        made.append(Case(picture, hole))
    return made


def fixed_holes(shape: tuple[int, int, int], *, margin: int) -> Float[np.ndarray, "N H W 1"]:
    """Holes for as many squares, the same in every run.

    Args:
        shape: how many, and their height and width.
        margin: what keeps them off the border, if anything does: they are then all that is inside;
            else irregular, 10 to 30 % of the picture.
    """
    number, *size = shape
    if margin:
        hole = np.zeros((*shape, 1), np.float32)
        hole[:, margin:-margin, margin:-margin] = 1
        return hole
    sample = partial(masks.irregular, ratio=(0.1, 0.3))
    drawn = masks.holes(sample, jax.random.key(0), jnp.arange(number), (size[0], size[1]))
    return np.asarray(drawn)


def psnr_in_holes(fills: Mapping[str, Fill], of: Sequence[Case]) -> dict[str, float]:
    """Mean PSNR inside the hole, in dB, of each method: per picture, then averaged.

    The methods get the pictures with zeros in their holes.
    """
    return {
        name: float(np.mean([_psnr_in_hole(fill, case) for case in of]))
        for name, fill in fills.items()
    }


def psnr(estimate: RGB, truth: RGB, region: Missing | None = None) -> float:
    """PSNR of a picture in dB, or of a region of it."""
    pictures = (jnp.asarray(picture[None] / np.float32(255)) for picture in (estimate, truth))
    weight = None if region is None else jnp.asarray(region[None, ..., None], jnp.float32)
    return float(metrics.psnr(*pictures, region=weight)[0])


def _psnr_in_hole(fill: Fill, case: Case) -> float:
    filled = fill(case.truth * ~case.hole[..., None], case.hole)
    return psnr(filled, case.truth, case.hole)
