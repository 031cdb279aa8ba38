"""Changing resolution: nearest upsampling, alone or fused with a convolution; transposed ones."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxinpaint.ops.convolution import conv

# In all pictures together: with no more of them, summing a kernel's taps costs more than it saves.
FEW_PIXELS = 64


def upsample(x: Float[Array, "N H W C"]) -> Float[Array, "N 2*H 2*W C"]:
    """Nearest upsampling to twice the size: each pixel becomes a 2×2 block."""
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)


def upsample_conv(
    x: Float[Array, "N H W C"],
    kernel: Float[Array, "3 3 _ O"],
    skip: Float[Array, "N 2*H 2*W S"] | None = None,
) -> Float[Array, "N 2*H 2*W O"]:
    """``conv([upsample(x), skip], kernel, padding=1)``, of many pixels without making its input.

    Of the nine pixels below the kernel only 2×2 are different ones, so each of the four pixels of
    an output block is a 2×2 convolution of ``x`` whose taps are sums of the kernel's: 16
    multiplications a block and channel pair instead of 36, and a quarter of the memory read; what
    is seen of ``skip`` is added. Where the pixels are few, to cut the kernel and to sum its taps
    would be most of the work, and the plain steps are made.

    Args:
        x: features at half the resolution.
        kernel: a 3×3 kernel, meant for the upsampled features, with the skip's channels last.
        skip: features at the full resolution, in the dtype of ``x``; None: there are none.

    Returns:
        features at the full resolution, in the dtype of ``x``.
    """
    numbers = x.shape[:3]
    # Not where a program is for any size.
    if all(isinstance(number, int) for number in numbers) and math.prod(numbers) <= FEW_PIXELS:
        seen = upsample(x) if skip is None else jnp.concatenate([upsample(x), skip], axis=-1)
        return conv(seen, kernel, padding=1)
    if skip is not None:
        below, beside = jnp.split(kernel, [x.shape[-1]], axis=2)
        return upsample_conv(x, below) + conv(skip, beside, padding=1)
    return _by_phases(x, [[_fold(_fold(kernel, a, 0), b, 1) for b in (0, 1)] for a in (0, 1)])


def transposed_conv(
    x: Float[Array, "N H W C"], kernel: Float[Array, "4 4 C O"]
) -> Float[Array, "N 2*H 2*W O"]:
    """The transposed convolution of a 4×4 kernel with stride 2 and padding 1, to twice the size.

    ::

        y[2i - 1 + k] += x[i] · kernel[k], in both axes

    Each of the four pixels of an output block sees 2×2 pixels of ``x``, through taps of its own: no
    zeros are put between the pixels, and none multiplied.

    Args:
        x: features at half the resolution.
        kernel: its taps in the order of the output, from input to output channels. (PyTorch's
            ``ConvTranspose2d`` has the axes I, O, H, W.)

    Returns:
        features at the full resolution, in the dtype of ``x``.
    """
    taps = (slice(3, None, -2), slice(2, None, -2))
    return _by_phases(x, [[kernel[taps[a], taps[b]] for b in (0, 1)] for a in (0, 1)])


def _by_phases(x: Array, kernels: Sequence[Sequence[Float[Array, "2 2 C O"]]]) -> Array:
    """Twice the size: output pixels at row phase a and column phase b through ``kernels[a][b]``."""
    n, h, w, _ = x.shape
    phases = jnp.stack([kernel for row in kernels for kernel in row], axis=-2)
    flat = phases.reshape(*phases.shape[:3], -1).astype(x.dtype)
    # Padded first: the gradient of the kernel would be a convolution of x with what is larger.
    y, channels = conv(jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), flat), phases.shape[-1]

    def phase(a: int, b: int) -> Array:
        # A slice, not indices, of which symbols for sizes would make a gather.
        first = (2 * a + b) * channels
        return lax.slice(y, (0, a, b, first), (n, a + h, b + w, first + channels))

    # An even output row sees the rows i-1 and i below it, an odd one i and i+1: the next window.
    rows = [jnp.stack([phase(a, b) for b in (0, 1)], axis=3) for a in (0, 1)]
    return jnp.stack(rows, axis=2).reshape(n, 2 * h, 2 * w, channels)


def _fold(kernel: Array, phase: int, axis: int) -> Array:
    """The two taps of a phase, sums of the kernel's three along an axis."""
    first, middle, last = jnp.split(kernel, 3, axis=axis)
    taps = (first, middle + last) if phase == 0 else (first + middle, last)
    return jnp.concatenate(taps, axis=axis)
