"""The plain convolution, in forms that compile to fast programs.

XLA's CPU backend has one fast path and falls off it, by a factor of up to fifty, where a kernel is
larger than what it slides over, and where zeros are put between the pixels, and by less where
channels are few (`docs/performance.md`): none of this is asked of it here. On GPUs and TPUs the
forms compute the same; how fast they are there has not been measured.
"""

import itertools
import math
import operator
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

# Of channels: with fewer, in or out but not both, XLA's program is slow on CPUs.
FEW_CHANNELS = 8
# Of windows, in all pictures together: with no more of them XLA's time, where channels are many,
# goes to turning kernels around.
FEW_WINDOWS = 64

Windowing = int | Sequence[int]
Padding = int | Sequence[int] | Sequence[tuple[int, int]]


class Windows(NamedTuple):
    """Where a kernel is laid, one number or pair an axis.

    Attributes:
        strides: from one window to the next.
        padding: zeros before and after the input.
        dilation: from one tap to the next.
    """

    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]

    @classmethod
    def of(cls, strides: Windowing, padding: Padding, dilation: Windowing, axes: int) -> "Windows":
        """Every axis told.

        Raises:
            ValueError: if one is not given a number for each of the axes.
        """
        return cls(_per_axis(strides, axes), _pairs(padding, axes), _per_axis(dilation, axes))

    def outputs(self, sides: Sequence[int], kernel: Sequence[int]) -> tuple[int, ...]:
        """How many windows there are along each axis."""
        axes = zip(sides, kernel, *self, strict=True)
        return tuple(
            max(0, (side + sum(pad) - spread * (taps - 1) - 1) // stride + 1)
            for side, taps, stride, pad, spread in axes
        )


def conv(
    x: Float[Array, "N *S C"],
    kernel: Float[Array, "*K C O"],
    *,
    strides: Windowing = 1,
    padding: Padding = 0,
    dilation: Windowing = 1,
) -> Float[Array, "N *T O"]:
    """A convolution of any number of spatial axes, channels last, symmetric zero padding.

    Differentiable in both modes; where it has two axes and strides, as functions that are given
    their gradient are: in reverse mode, to any order, and forward over that.

    Args:
        x: the input.
        kernel: spatial sizes, then input and output channels (HWIO or DHWIO).
        strides: of the window; one for all axes or one an axis.
        padding: zeros around the input: one number for all sides, one an axis, or a pair (before,
            after) an axis.
        dilation: of the kernel; one for all axes or one an axis.

    Returns:
        features in the dtype of ``x``.

    Raises:
        ValueError: if one of the last three does not fit the axes of the kernel.
    """
    windows = Windows.of(strides, padding, dilation, kernel.ndim - 2)
    kernel = kernel.astype(x.dtype)
    sides, taps = x.shape[1:-1], kernel.shape[:-2]
    if not all(isinstance(side, int) for side in sides):  # a program for any size
        return _conv_plain(x, kernel, windows)
    outputs = windows.outputs(sides, taps)
    if _few(x.shape[0], math.prod(outputs), math.prod(taps)):
        return _conv_few_windows(x, kernel, windows, outputs)
    few_in, few_out = (channels < FEW_CHANNELS for channels in kernel.shape[-2:])
    if 0 in outputs or taps[-1] == 1 or few_in == few_out:
        return _conv_plain(x, kernel, windows)
    if few_in:
        return _conv_few_inputs(x, kernel, windows, outputs)
    # Narrower numbers would be rounded once a tap.
    if windows.strides[-1] == 1 and x.dtype in (jnp.float32, jnp.float64):
        return _conv_few_outputs(x, kernel, windows, outputs)
    return _conv_plain(x, kernel, windows)


def _few(pictures: Any, windows: int, taps: int) -> bool:
    """Whether a product is faster: few windows in each picture, or few in all.

    How many pictures there are is not known in a program for any batch.
    """
    in_all = windows * pictures if isinstance(pictures, int) else math.inf
    return 0 < windows <= taps or 0 < in_all <= FEW_WINDOWS


def _conv_plain(x: Array, kernel: Array, windows: Windows) -> Array:
    taps, strides = kernel.shape[:-2], windows.strides
    strided = max(strides) > 1 and windows.dilation == (1, 1)
    if strided and len(taps) == 2 and all(map(operator.ge, taps, strides)):
        return _conv_strided(x, kernel, windows)
    return _conv(x, kernel, windows)


def _conv(x: Array, kernel: Array, windows: Windows) -> Array:
    spatial = "DHW"[2 - kernel.ndim :]
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=windows.strides,
        padding=windows.padding,
        rhs_dilation=windows.dilation,
        dimension_numbers=(f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
    )


def _conv_few_inputs(x: Array, kernel: Array, windows: Windows, outputs: tuple[int, ...]) -> Array:
    """What the last axis's taps see laid side by side, as channels of a convolution without it."""
    *taps, last, channels, features = kernel.shape
    padded, others = _padded_in_the_last_axis(x, windows)
    seen = [_seen_through(padded, tap, windows, outputs[-1]) for tap in range(last)]
    tall = kernel.reshape(*taps, 1, last * channels, features)
    return _conv_plain(jnp.concatenate(seen, axis=-1), tall, others)


def _conv_few_outputs(x: Array, kernel: Array, windows: Windows, outputs: tuple[int, ...]) -> Array:
    """What the last axis's taps make, as channels of a convolution without it, shifted and added.

    For strides of 1 along that axis.
    """
    *taps, last, channels, features = kernel.shape
    padded, others = _padded_in_the_last_axis(x, windows)
    tall = jnp.moveaxis(kernel, -3, -2).reshape(*taps, 1, channels, last * features)
    parts = jnp.split(_conv_plain(padded, tall, others), last, axis=-1)
    first, *rest = (
        _seen_through(part, tap, windows, outputs[-1]) for tap, part in enumerate(parts)
    )
    return sum(rest, start=first)


def _padded_in_the_last_axis(x: Array, windows: Windows) -> tuple[Array, Windows]:
    """The input, and what is left to do for a kernel with one tap along that axis."""
    edges = [(0, 0, 0)] * (x.ndim - 2) + [(*windows.padding[-1], 0), (0, 0, 0)]
    padded = lax.pad(x, jnp.zeros((), x.dtype), edges)
    strides, padding, dilation = windows
    others = Windows((*strides[:-1], 1), (*padding[:-1], (0, 0)), (*dilation[:-1], 1))
    return padded, others


def _seen_through(padded: Array, tap: int, windows: Windows, outputs: int) -> Array:
    """What a tap of the last axis sees, window after window."""
    start, stride = tap * windows.dilation[-1], windows.strides[-1]
    stop = start + (outputs - 1) * stride + 1
    return lax.slice_in_dim(padded, start, stop, stride, axis=padded.ndim - 2)


def _conv_few_windows(x: Array, kernel: Array, windows: Windows, outputs: tuple[int, ...]) -> Array:
    """As one matrix product over windows that are cut out.

    Taps that see nothing but padding are left out.
    """
    axes = zip(x.shape[1:-1], kernel.shape[:-2], outputs, *windows, strict=True)
    seeing = [_seeing(*axis) for axis in axes]
    edges = [(0, 0, 0), *((*pair, 0) for pair in windows.padding), (0, 0, 0)]
    padded = lax.pad(x, jnp.zeros((), x.dtype), edges)

    def seen_through(tap: tuple[int, ...]) -> Array:
        starts = [i * spread for i, spread in zip(tap, windows.dilation, strict=True)]
        along = zip(starts, outputs, windows.strides, strict=True)
        stops = [start + (count - 1) * stride + 1 for start, count, stride in along]
        whole = (x.shape[0], *stops, x.shape[-1])
        return lax.slice(padded, (0, *starts, 0), whole, (1, *windows.strides, 1))

    cut = jnp.concatenate([seen_through(tap) for tap in itertools.product(*seeing)], axis=-1)
    used = kernel[tuple(slice(taps[0], taps[-1] + 1) for taps in seeing)]
    return cut @ used.reshape(-1, kernel.shape[-1])


def _seeing(
    side: int, taps: int, outputs: int, stride: int, padding: tuple[int, int], dilation: int
) -> list[int]:
    """The taps of an axis that see a pixel of the input in any window, from the first to the last.

    All of them, if none does.
    """
    offsets = [tap * dilation - padding[0] for tap in range(taps)]
    seeing = [
        tap
        for tap, offset in enumerate(offsets)
        if any(0 <= offset + i * stride < side for i in range(outputs))
    ]
    return list(range(seeing[0], seeing[-1] + 1)) if seeing else list(range(taps))


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _conv_strided(x: Array, kernel: Array, windows: Windows) -> Array:
    return _conv(x, kernel, windows)


def _conv_strided_forward(
    x: Array, kernel: Array, windows: Windows
) -> tuple[Array, tuple[Array, Array]]:
    return _conv(x, kernel, windows), (x, kernel)


def _conv_strided_backward(
    windows: Windows, saved: tuple[Array, Array], cotangent: Array
) -> tuple[Array, Array]:
    """The gradients; on CPUs the input's by phases.

    Automatic differentiation makes a convolution of it over the cotangent with zeros between its
    pixels. Elsewhere that is what libraries have a fast program for.
    """
    x, kernel = saved
    of_kernel = jax.linear_transpose(lambda kernel: _conv(x, kernel, windows), kernel)
    of_input = jax.linear_transpose(lambda x: _conv(x, kernel, windows), x)
    dx = lax.platform_dependent(
        kernel,
        cotangent,
        cpu=partial(_transposed_by_phases, sides=x.shape[1:-1], windows=windows),
        default=lambda _, cotangent: of_input(cotangent)[0],
    )
    return dx, of_kernel(cotangent)[0]


_conv_strided.defvjp(_conv_strided_forward, _conv_strided_backward)


def _transposed_by_phases(
    kernel: Array, cotangent: Array, *, sides: tuple[int, ...], windows: Windows
) -> Array:
    """The transpose of a strided convolution, each phase of the stride by a kernel of its own.

    ::

        dx[r] = Σ_i g[(r + padding - i) / stride] · kernel[i]

    Only taps ``i`` with a whole quotient count: for pixels of a phase, ``r = stride · m + phase``,
    they are every stride-th one, and a convolution of ``g`` without zeros between its pixels.

    Args:
        kernel: of the convolution, HWIO.
        cotangent: of its output.
        sides: of its input.
        windows: of it, without dilation.
    """
    geometry = zip(
        sides,
        cotangent.shape[1:3],
        kernel.shape[:2],
        windows.strides,
        windows.padding,
        strict=True,
    )
    rows, columns = (_phases(*axis) for axis in geometry)
    wide = [
        _interleaved([_conv_phase(cotangent, kernel, row, column) for column in columns], axis=2)
        for row in rows
    ]
    return _interleaved(wide, axis=1)[:, : sides[0], : sides[1]]


class _Phase(NamedTuple):
    """Along an axis, what makes the pixels of a phase.

    Attributes:
        taps: of the kernel, in their order; they are laid in the other.
        padding: around the cotangent. Less than none cuts off.
    """

    taps: slice
    padding: tuple[int, int]


def _phases(
    side: int, outputs: int, taps: int, stride: int, padding: tuple[int, int]
) -> list[_Phase]:
    """Of an input's axis; each makes as many pixels, the last ones perhaps beyond the input."""

    def phase(number: int) -> _Phase:
        shift, first = divmod(number + padding[0], stride)
        count = len(range(first, taps, stride))
        before = count - 1 - shift
        after = -(-side // stride) - 1 + shift - (outputs - 1)
        return _Phase(slice(first, None, stride), (before, after))

    return [phase(number) for number in range(stride)]


def _conv_phase(cotangent: Array, kernel: Array, row: _Phase, column: _Phase) -> Array:
    # Cut first: on CPUs XLA reads what it should not where padding is negative at one end alone.
    cuts = [(min(before, 0), min(after, 0), 0) for before, after in (row.padding, column.padding)]
    pads = [(max(before, 0), max(after, 0)) for before, after in (row.padding, column.padding)]
    edges = [(0, 0, 0), *cuts, (0, 0, 0)]
    return lax.conv_general_dilated(
        lax.pad(cotangent, jnp.zeros((), cotangent.dtype), edges),
        kernel[row.taps, column.taps][::-1, ::-1],
        window_strides=(1, 1),
        padding=pads,
        dimension_numbers=("NHWC", "HWOI", "NHWC"),
    )


def _interleaved(parts: Sequence[Array], axis: int) -> Array:
    """Arrays of one shape woven into one: every n-th along the axis from each of n of them."""
    shape = parts[0].shape
    longer = (*shape[:axis], len(parts) * shape[axis], *shape[axis + 1 :])
    return jnp.stack(parts, axis=axis + 1).reshape(longer)


def _per_axis(value: Windowing, axes: int) -> tuple[int, ...]:
    values = (value,) * axes if isinstance(value, int) else tuple(value)
    if len(values) != axes:
        raise ValueError(f"{value} does not give one number for each of {axes} spatial axes")
    return values


def _pairs(padding: Padding, axes: int) -> tuple[tuple[int, int], ...]:
    values = (padding,) * axes if isinstance(padding, int) else tuple(padding)
    if len(values) != axes:
        raise ValueError(f"padding {padding} does not fit {axes} spatial axes")
    return tuple((p, p) if isinstance(p, int) else p for p in values)
