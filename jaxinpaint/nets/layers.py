"""Layers that several networks share, written from their equations."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float

from jaxinpaint.array_typing import Image, RandomKey

# Radford et al., DCGAN, ICLR 2016: kernels N(0, 0.02), scales of norms N(1, 0.02).
DCGAN_DEVIATION = 0.02


def normal_around_one(deviation: float) -> nn.initializers.Initializer:
    """Scales of norms as DCGAN draws them, N(1, deviation)."""

    def init(
        key: RandomKey, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32
    ) -> Float[Array, "..."]:
        return 1 + nn.initializers.normal(deviation)(key, shape, dtype)

    return init


def pytorch_uniform(kernel_shape: tuple[int, ...]) -> nn.initializers.Initializer:
    """What PyTorch's convolutions start from, kernel and bias: U(-b, b), b = 1 / sqrt(fan in)."""
    bound = 1 / math.sqrt(math.prod(kernel_shape[:-1]))

    def init(
        key: RandomKey, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32
    ) -> Float[Array, "..."]:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init


# He et al., Delving Deep into Rectifiers, ICCV 2015, eq. 10: N(0, 2 / fan in).
he_normal = nn.initializers.variance_scaling(2.0, "fan_in", "normal")


def leaky_relu(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """``max(x, 0.2 x)``: the slope that all the systems here use unless they say otherwise."""
    return nn.leaky_relu(x, 0.2)


class BatchNorm(nn.Module):
    """Batch normalisation over all axes but the last (Ioffe and Szegedy, ICML 2015).

    ::

        y = (x - mean) / sqrt(var + 1e-5) · scale + bias
        running ← 0.9 · running + 0.1 · batch

    Statistics are float32, over the global batch. The running variance is the unbiased one
    (n / (n - 1)), as in the published PyTorch programs; Flax's own layer keeps the biased one.

    Attributes:
        axis_name: the mapped axis over which statistics are averaged over devices.
        scale_init: what the scale starts from.
    """

    axis_name: str | None = None
    scale_init: nn.initializers.Initializer = nn.initializers.ones

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "N *S C"],
        *,
        train: bool,
        frozen: bool | Bool[Array, ""] = False,
    ) -> Float[Array, "N *S C"]:
        """Normalises by the batch, or by the running averages in evaluation or where ``frozen``.

        ``frozen`` may be traced: one compiled step can serve before and after a fine-tuning starts.

        Raises:
            ValueError: in training, if there is one value a channel: its variance says nothing.
        """
        channels = x.shape[-1:]
        scale = self.param("scale", self.scale_init, channels)
        bias = self.param("bias", nn.initializers.zeros, channels)
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, channels)
        running_var = self.variable("batch_stats", "var", jnp.ones, channels)
        mean, var = running_mean.value, running_var.value
        if train:
            batch_mean, batch_var, n = self._batch_statistics(x.astype(jnp.float32))
            if n == 1:
                raise ValueError(
                    f"batch normalisation over a single value a channel (features {x.shape}): "
                    "take a larger batch, larger crops or fewer levels"
                )
            running_mean.value = jnp.where(frozen, mean, 0.9 * mean + 0.1 * batch_mean)
            running_var.value = jnp.where(frozen, var, 0.9 * var + 0.1 * batch_var * n / (n - 1))
            mean, var = jnp.where(frozen, mean, batch_mean), jnp.where(frozen, var, batch_var)
        gain = scale * lax.rsqrt(var + 1e-5)
        return (x.astype(jnp.float32) * gain + (bias - mean * gain)).astype(x.dtype)

    def _batch_statistics(self, x: Array) -> tuple[Array, Array, int]:
        axes = tuple(range(x.ndim - 1))
        mean = self._average(jnp.mean(x, axes))
        var = self._average(jnp.mean(jnp.square(x - mean), axes))
        n = math.prod(x.shape[:-1])
        return mean, var, n if self.axis_name is None else n * lax.axis_size(self.axis_name)

    def _average(self, x: Array) -> Array:
        # While variables are initialised no axis is mapped yet.
        if self.axis_name is None or self.is_initializing():
            return x
        return lax.pmean(x, self.axis_name)


def halving_channels(size: int, width: int) -> list[int]:
    """Channels of the layers that halve pictures of a side down to 4×4, as DCGAN has them.

    They double in the last three; layers that larger pictures need come first, of the same width.
    """
    layers = size.bit_length() - 3
    return [width] * (layers - 3) + [2 * width, 4 * width, 8 * width]


def check_square(image: Image, size: int) -> None:
    """Raises ValueError if pictures have not the one size that a network is made for."""
    height, width = image.shape[1:3]
    if (height, width) != (size, size):
        raise ValueError(f"this network takes pictures of {size}x{size}, not {height}x{width}")


def check_multiple(image: Image, multiple: int) -> None:
    """Raises ValueError if pictures have not the sides that a network halves to whole pixels."""
    height, width = image.shape[1:3]
    if height % multiple or width % multiple:
        raise ValueError(
            f"this network takes sides that are multiples of {multiple}, not {height}x{width}"
        )


def check_power_of_two(**sizes: int) -> None:
    """Raises ValueError for a size, told by its name, that is no power of two from 32 on."""
    for name, size in sizes.items():
        if size < 32 or size & (size - 1):
            raise ValueError(f"{name} is {size}; it must be a power of two from 32 on")
