"""Partial convolution: a convolution that sees known pixels only and makes up for the missing ones.

Liu et al., Image Inpainting for Irregular Holes Using Partial Convolutions, ECCV 2018, eq. 1 and 2;
as a padding scheme: Liu et al., Partial Convolution based Padding, 2018.
"""

import math
from collections.abc import Sequence
from typing import Literal

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxinpaint.ops.convolution import Padding, Windowing, Windows, conv

# What is divided by how much of a window is known: its size, or one.
Ratio = Literal["paper", "inverse-coverage"]


def partial_conv(
    x: Float[Array, "N *S C"] | Sequence[Float[Array, "N *S _"]],
    valid: Float[Array, "N *S _"] | Sequence[Float[Array, "N *S _"]] | None,
    kernel: Float[Array, "*K C O"],
    bias: Float[Array, " O"] | None = None,
    *,
    strides: Windowing = 1,
    padding: Padding = 0,
    dilation: Windowing = 1,
    ratio: Ratio = "paper",
) -> tuple[Float[Array, "N *T O"], Float[Array, "N *T 1"]]:
    """A convolution over known pixels, rescaled by how much of its window is known.

    With ``X`` the window of the input, ``M`` that of the mask and ``W`` the kernel (eq. 1)::

        y = Wᵀ(X ⊙ M) · sum(1) / sum(M) + b    where sum(M) > 0, else 0
        updated valid = 1                       where sum(M) > 0, else 0   (eq. 2)

    ``sum(1)`` counts the whole window times the channels, also where the window reaches past the
    border, so that the ratio makes up for zero padding too.

    Args:
        x: the input, or a sequence of inputs that count as concatenated along their channels.
        valid: ones where ``x`` is known. One channel serves all channels of ``x`` and is the fast
            path: the mask is then summed once, not once a channel. ``C`` channels give every
            channel a mask of its own. For a sequence of inputs, a sequence of such masks, one an
            input. None: all of ``x`` is known, and only the padding is not.
        kernel: spatial sizes, then input and output channels (HWIO or DHWIO).
        bias: added after rescaling, and only where the window sees anything.
        strides: of the window; one for all axes or one an axis.
        padding: zeros (unknown pixels) around the input: one number for all sides, one an axis,
            or a pair (before, after) an axis.
        dilation: of the kernel; one for all axes or one an axis.
        ratio: ``inverse-coverage`` is ``1 / sum(M)``, as in the first published programs, whose
            kernels are ``sum(1)`` times as large for the same function.

    Returns:
        ``y`` in the dtype of ``x``, and the updated mask with one channel in float32. Gradients
        flow to ``x``, ``kernel`` and ``bias``, never to ``valid``, and are finite everywhere.

    Raises:
        ValueError: if the shapes of input, mask, kernel and bias do not fit together.
    """
    inputs, masks = _as_groups(x, valid)
    _check_shapes(inputs, masks, kernel, bias)
    window: dict = {"strides": strides, "padding": padding, "dilation": dilation}
    raw = conv(masked(inputs, masks), kernel, **window)
    channels = [part.shape[-1] for part in inputs]
    seen = coverage(masks, channels, kernel.shape[:-2], **window)
    return renormalise(raw, seen, numerator(kernel, ratio), bias)


def numerator(kernel: Float[Array, "*K C O"], ratio: Ratio) -> int:
    """What is divided by the coverage: ``sum(1)`` of a kernel's window, or one."""
    return math.prod(kernel.shape[:-1]) if ratio == "paper" else 1


def masked(
    inputs: Sequence[Float[Array, "N *S _"]], masks: Sequence[Float[Array, "B *S _"]]
) -> Float[Array, "N *S C"]:
    """The inputs with their unknown pixels set to zero, concatenated along the channels."""
    # Selected, not multiplied: whatever stands in a hole, no number included, stays out.
    known = [
        jnp.where(lax.stop_gradient(mask) > 0, x, 0) for x, mask in zip(inputs, masks, strict=True)
    ]
    return known[0] if len(known) == 1 else jnp.concatenate(known, axis=-1)


def coverage(
    masks: Sequence[Float[Array, "B *S _"]],
    channels: Sequence[int],
    kernel_size: Sequence[int],
    *,
    strides: Windowing = 1,
    padding: Padding = 0,
    dilation: Windowing = 1,
) -> Float[Array, "B *T 1"]:
    """``sum(M)``: how many known values each window sees, over its pixels and all channels.

    ``Σ_g channels_g · window sum of mask_g``, float32 whatever the masks' dtype: counts beyond 256
    are not exact in bfloat16.

    Args:
        masks: one for each group of channels: with one channel, or with all of the group's.
        channels: how many channels each group has.
        kernel_size: one number a spatial axis.
        strides, padding, dilation: as in `partial_conv`.
    """
    counts = sum(
        (n // mask.shape[-1]) * jnp.sum(mask.astype(jnp.float32), axis=-1)
        for mask, n in zip(masks, channels, strict=True)
    )
    counts = lax.stop_gradient(jnp.asarray(counts))
    axes = len(kernel_size)
    parameters = zip(kernel_size, *Windows.of(strides, padding, dilation, axes), strict=True)
    # A sum over a box is separable: k additions an axis instead of k**axes a window.
    for axis, (size, stride, pad, spread) in enumerate(parameters):
        counts = _window_sum(counts, axis - axes, size, stride, pad, spread)
    return counts[..., None]


def renormalise(
    raw: Float[Array, "N *T O"],
    seen: Float[Array, "B *T 1"],
    numerator: int,
    bias: Float[Array, " O"] | None = None,
) -> tuple[Float[Array, "N *T O"], Float[Array, "N *T 1"]]:
    """The second half of a partial convolution: rescale what was summed, add the bias, cut.

    Args:
        raw: ``Wᵀ(X ⊙ M)``.
        seen: ``sum(M)``, from `coverage`.
        numerator: ``sum(1)``, the size of a whole window times the input channels, or one.
        bias: added where anything was seen.

    Returns:
        the output in the dtype of ``raw``, and the updated mask in float32.
    """
    updated = (seen > 0).astype(jnp.float32)
    ratio = updated * numerator / jnp.maximum(seen, 1)
    y = raw.astype(jnp.float32) * ratio
    if bias is not None:
        y = y + bias.astype(jnp.float32) * updated
    return y.astype(raw.dtype), jnp.broadcast_to(updated, (*raw.shape[:-1], 1))


def _as_groups(
    x: Array | Sequence[Array], valid: Array | Sequence[Array] | None
) -> tuple[list[Array], list[Array]]:
    inputs = _listed(x)
    if valid is None:
        return inputs, [jnp.ones((1, *part.shape[1:-1], 1)) for part in inputs]
    return inputs, _listed(valid)


def _listed(arrays: Array | Sequence[Array]) -> list[Array]:
    # An array is a sequence too, so it is not asked whether it is one.
    return list(arrays) if isinstance(arrays, list | tuple) else [jnp.asarray(arrays)]


def _check_shapes(
    inputs: Sequence[Array], masks: Sequence[Array], kernel: Array, bias: Array | None
) -> None:
    if len(inputs) != len(masks):
        raise ValueError(f"{len(inputs)} inputs need as many masks, not {len(masks)}")
    for x, m in zip(inputs, masks, strict=True):
        if x.ndim != kernel.ndim:
            raise ValueError(f"a kernel of shape {kernel.shape} does not fit an input {x.shape}")
        if m.shape[1:-1] != x.shape[1:-1] or m.shape[0] not in (1, x.shape[0]):
            raise ValueError(f"valid has shape {m.shape}, its input {x.shape}")
        if m.shape[-1] not in (1, x.shape[-1]):
            raise ValueError(
                f"valid has {m.shape[-1]} channels; it needs 1 or the {x.shape[-1]} of its input. "
                "For one mask a group of channels give the groups as sequences"
            )
    channels = sum(x.shape[-1] for x in inputs)
    if kernel.shape[-2] != channels:
        raise ValueError(f"the kernel takes {kernel.shape[-2]} channels, the input has {channels}")
    if bias is not None and bias.shape != kernel.shape[-1:]:
        raise ValueError(f"bias has shape {bias.shape}, the kernel {kernel.shape[-1]} outputs")


def _window_sum(
    counts: Array, axis: int, size: int, stride: int, pad: tuple[int, int], dilation: int
) -> Array:
    axis %= counts.ndim

    def along(value: int) -> tuple[int, ...]:
        return tuple(value if i == axis else 1 for i in range(counts.ndim))

    edges = tuple(pad if i == axis else (0, 0) for i in range(counts.ndim))
    return lax.reduce_window(
        counts, 0.0, lax.add, along(size), along(stride), edges, window_dilation=along(dilation)
    )
