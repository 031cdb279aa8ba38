"""Smooth fills: a hole as the membrane that the known pixels around it hold."""

from collections.abc import Sequence
from functools import partial

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from jaxinpaint.array_typing import Hole, Image
from jaxinpaint.ops.compositing import composite
from jaxinpaint.ops.resampling import upsample

GREY = 0.5  # where nothing is known
# Of damped Jacobi in the plane, what smooths best: Briggs et al., A Multigrid Tutorial, 2000.
DAMPING = 0.8
NEAR = 1e-14  # of the first residual's square: float32 gets no nearer


def fill_smoothly(
    image: Image,
    hole: Hole,
    *,
    levels: int | None = None,
    sweeps: int = 4,
    steps_at_coarsest: int = 128,
) -> Image:
    """The picture with its hole filled as smoothly as the known pixels allow.

    ::

        Δu = 0 in the hole,  u = image elsewhere,  ∂u/∂n = 0 at the picture's border

    Source: the membrane of Pérez et al., Poisson Image Editing, SIGGRAPH 2003, eq. 2. It is neared
    from coarse to fine: known pixels are averaged into cells of twice the side, over and over, and
    what is unknown is begun from the coarser cells, as by pull and push in Gortler et al., The
    Lumigraph, SIGGRAPH 1996. At the coarsest level conjugate gradients (Hestenes and Stiefel, 1952)
    reach across a hole of as many cells as there are steps; at each finer one some sweeps of damped
    Jacobi are made. No fill lies outside of the range of what is known.

    Args:
        image: in any range; what stands in the hole is not read.
        hole: 1 where a pixel is missing.
        levels: how often the sides are halved, rounded up. None: down to a single cell.
        sweeps: at each level but the coarsest.
        steps_at_coarsest: there, from the mean of what is known.

    Returns:
        the picture; known pixels come back bit for bit. Where a whole picture is a hole it is 0.5.

    Raises:
        ValueError: for fewer than no levels, sweeps or steps.
    """
    told = {"levels": levels or 0, "sweeps": sweeps, "steps_at_coarsest": steps_at_coarsest}
    for name, value in told.items():
        if value < 0:
            raise ValueError(f"{name} is {value}; it must be 0 or more")
    pictures, holes = _pulled(composite(jnp.zeros_like(image), image, hole), hole, levels)
    begun = composite(_mean_of_known(pictures[-1], holes[-1]), pictures[-1], holes[-1])
    filled = _solved(begun, holes[-1], steps_at_coarsest)
    for picture, missing in zip(pictures[-2::-1], holes[-2::-1], strict=True):
        finer = _as_large_as(_magnified(filled), picture)
        filled = _relaxed(composite(finer, picture, missing), missing, sweeps)
    return filled


def depth(hole: Hole, *, levels: int) -> Hole:
    """How deep in a hole a pixel lies: how coarse the cell is that knows something of it.

    ::

        number of levels at which the pixel's cell holds no known pixel / (levels + 1)

    Args:
        hole: 1 where a pixel is missing.
        levels: how often the sides are halved, rounded up.

    Returns:
        0 where a pixel is known, up to 1 where even the coarsest cell knows nothing.

    Raises:
        ValueError: for fewer than no levels.
    """
    if levels < 0:
        raise ValueError(f"levels is {levels}; it must be 0 or more")
    _, holes = _pulled(hole, hole, levels)
    deep = holes[-1]
    for missing in holes[-2::-1]:
        deep = missing * (1 + _as_large_as(upsample(deep), missing))
    return deep / (levels + 1)


def _pulled(image: Image, hole: Hole, levels: int | None) -> tuple[list[Array], list[Array]]:
    """Pictures and holes from fine to coarse; in each hole stands 0."""
    if levels is None:
        levels = (max(image.shape[1:3]) - 1).bit_length()
    pictures, holes = [image], [hole]
    for _ in range(levels):
        valid = 1 - holes[-1]
        known = _sums(valid)
        pictures.append(_sums(valid * pictures[-1]) / jnp.maximum(known, 1))
        holes.append(jnp.where(known > 0, 0, 1).astype(hole.dtype))
    return pictures, holes


def _sums(x: Float[Array, "N H W C"]) -> Float[Array, "N h w C"]:
    """Of blocks of 2×2; beyond the picture is nothing."""
    n, height, width, channels = x.shape
    even = jnp.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
    blocks = even.reshape(n, (height + 1) // 2, 2, (width + 1) // 2, 2, channels)
    return jnp.sum(blocks, axis=(2, 4))


def _mean_of_known(image: Image, hole: Hole) -> Image:
    """The mean colour of each picture everywhere; grey if nothing is known."""
    known = jnp.sum(1 - hole, axis=(1, 2), keepdims=True)
    total = jnp.sum((1 - hole) * image, axis=(1, 2), keepdims=True)
    mean = jnp.where(known > 0, total / jnp.maximum(known, 1), GREY).astype(image.dtype)
    return jnp.broadcast_to(mean, image.shape)


def _relaxed(image: Image, hole: Hole, sweeps: int) -> Image:
    """After sweeps of damped Jacobi in the hole."""

    def sweep(_: Int[Array, ""], u: Image) -> Image:
        return composite(u + DAMPING * _lacking(u), image, hole)

    return lax.fori_loop(0, sweeps, sweep, image) if sweeps else image


def _solved(image: Image, hole: Hole, steps: int) -> Image:
    """After steps of conjugate gradients in the hole, of each channel by itself."""
    if not steps:
        return image
    begun = image.astype(jnp.promote_types(image.dtype, jnp.float32))  # for squares and their sums
    residual = hole * _lacking(begun)
    near = NEAR * _dot(residual, residual)

    def step(_: Int[Array, ""], at: tuple[Image, Image, Image]) -> tuple[Image, Image, Image]:
        u, residual, direction = at
        bent = -hole * _lacking(direction)
        square, curvature = _dot(residual, residual), _dot(direction, bent)
        on = (square > near) & (curvature > 0)
        stride = _quotient(on, square, curvature)
        left = residual - stride * bent
        turned = left + _quotient(on, _dot(left, left), square) * direction
        return u + stride * direction, left, turned

    u, _, _ = lax.fori_loop(0, steps, step, (begun, residual, residual))
    # Rounding, and what is not yet near, may overshoot.
    least, most = (of(image, axis=(1, 2), keepdims=True) for of in (jnp.min, jnp.max))
    return composite(jnp.clip(u.astype(image.dtype), least, most), image, hole)


def _quotient(
    where: Bool[Array, "N 1 1 C"], a: Float[Array, "N 1 1 C"], b: Float[Array, "N 1 1 C"]
) -> Float[Array, "N 1 1 C"]:
    """``a / b``, and elsewhere 0 with a derivative of 0."""
    return jnp.where(where, a / jnp.where(where, b, 1), 0)


def _lacking(u: Image) -> Image:
    """What each pixel lacks to be the mean of its four neighbours."""
    return (sum(_neighbours(u, 1)) + sum(_neighbours(u, 2))) / 4 - u


def _dot(a: Image, b: Image) -> Float[Array, "N 1 1 C"]:
    return jnp.sum(a * b, axis=(1, 2), keepdims=True)


def _neighbours(u: Image, axis: int) -> tuple[Array, Array]:
    """Those before and after along an axis; the border's own where there are none."""
    # Ends are counted from behind: a program for any size has symbols for lengths.
    part = partial(lax.slice_in_dim, u, axis=axis)
    before = jnp.concatenate([part(0, 1), part(0, -1)], axis)
    after = jnp.concatenate([part(1, None), part(-1, None)], axis)
    return before, after


def _magnified(u: Image) -> Float[Array, "N 2*H 2*W C"]:
    """Twice as large, bilinear between the centres of cells."""
    for axis in (1, 2):
        sides = _neighbours(u, axis)
        u = _woven([0.75 * u + 0.25 * side for side in sides], axis)
    return u


def _woven(parts: Sequence[Array], axis: int) -> Array:
    shape = parts[0].shape
    longer = (*shape[:axis], len(parts) * shape[axis], *shape[axis + 1 :])
    return jnp.stack(parts, axis=axis + 1).reshape(longer)


def _as_large_as(x: Array, other: Array) -> Array:
    """Without the row and column that odd sides were rounded up by."""
    return lax.slice(x, (0, 0, 0, 0), (*other.shape[:3], x.shape[3]))
