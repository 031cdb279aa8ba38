"""From many numbers to one value per image, with the denominator said."""

from collections.abc import Mapping
from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxinpaint.array_typing import PerImage

Denominator = Literal["picture", "region"]


def mean_per_image(
    values: Float[Array, "N ..."],
    *,
    region: Float[Array, "N H W 1"] | None = None,
    denominator: Denominator = "picture",
) -> PerImage:
    """``Σ region · values / denominator`` for each picture, in float32 at least.

    Args:
        values: any numbers of each picture; with a region, one per pixel and channel.
        region: weights of the pixels, ``>= 0``; None weighs all of them 1.
        denominator: ``picture`` divides by ``H · W · C`` whatever the region; ``region`` divides by
            ``C · Σ region``, and a region without weight gives 0, in value and gradient.

    Raises:
        ValueError: if the region is not ``[N, H, W, 1]`` of the values' ``N, H, W``, or for a
            denominator of another name.
    """
    values = in_full_precision(values)
    axes = tuple(range(1, values.ndim))
    if values.size == 0:  # no pixels: such as the neighbours in a single row
        return jnp.zeros(values.shape[0], values.dtype)
    if region is None:
        return jnp.mean(values, axes)
    if region.shape != (*values.shape[:3], 1):
        raise ValueError(f"region has shape {region.shape}; it needs {(*values.shape[:3], 1)}")
    total = jnp.sum(values * region, axes)
    match denominator:
        case "picture":
            return total / (values.size // values.shape[0])
        case "region":
            weight = values.shape[3] * jnp.sum(in_full_precision(region), axes)
            return jnp.where(weight > 0, total / jnp.where(weight > 0, weight, 1), 0)
        case _:
            raise ValueError(f"the denominator is picture or region, not {denominator!r}")


def sum_per_image(values: Float[Array, "N ..."]) -> PerImage:
    """``Σ values`` for each picture, in float32 at least."""
    return jnp.sum(in_full_precision(values), axis=tuple(range(1, values.ndim)))


def difference(estimate: Float[Array, "..."], truth: Float[Array, "..."]) -> Float[Array, "..."]:
    """``estimate - truth``, in float32 at least. Broadcasting would hide a mistake: it is refused.

    Raises:
        ValueError: if the shapes differ.
    """
    require_equal_shapes(estimate=estimate, truth=truth)
    return in_full_precision(estimate) - in_full_precision(truth)


def absolute(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """``|x|``, whose gradient at 0 is 0, as in PyTorch: nothing pulls where two values agree.

    The gradient of `jnp.abs` is 1 there. Ties are common: pictures are made of 256 levels, and a
    composite is the truth wherever it is known.
    """
    return jnp.where(x == 0, 0, jnp.abs(x))


def require_equal_shapes(**arrays: Array) -> None:
    """Raises ValueError if the arrays, which go by their names, differ in shape."""
    if len({array.shape for array in arrays.values()}) > 1:
        shapes = ", ".join(f"{name} has shape {array.shape}" for name, array in arrays.items())
        raise ValueError(f"shapes differ: {shapes}")


def in_full_precision(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """In float32 if it is less: objectives are never computed in half precision."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def weighted(terms: Mapping[str, PerImage], weights: Mapping[str, float]) -> dict[str, PerImage]:
    """Each term times its weight.

    Raises:
        ValueError: if terms and weights do not have the same names.
    """
    if terms.keys() != weights.keys():
        raise ValueError(f"terms {sorted(terms)} and weights {sorted(weights)} differ")
    return {name: weights[name] * values for name, values in terms.items()}
