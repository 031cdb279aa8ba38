"""The U-Net's training step in JAX and in PyTorch, and the U-Net without masks."""
# pyright: reportMissingImports=false
# PyTorch is needed by the benchmarks only.

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
import torch.nn.functional as F  # noqa: N812 (PyTorch's own name for it)
import torch_partial_conv as plain_torch
from side_by_side import (
    Side,
    eager,
    planned_bytes,
    program_of,
)

from jaxinpaint.array_typing import Image, Scalar, Valid, Variables
from jaxinpaint.nets.layers import BatchNorm, he_normal, leaky_relu
from jaxinpaint.nets.network import Network
from jaxinpaint.ops.convolution import conv
from jaxinpaint.ops.resampling import upsample_conv

LEARNING_RATE = 2e-4


class UNetWithoutMasks(nn.Module):
    """`partial_conv_unet` with the masks and the rescaling left out, and nothing else."""

    layer_size: int
    width: float

    @nn.compact
    def __call__(self, image: Image, *, train: bool) -> Image:
        """The picture that the last convolution makes."""
        channels = plain_torch.level_channels(self.layer_size, self.width)

        def normed(name: str, x: jax.Array) -> jax.Array:
            return BatchNorm(name=f"{name}_norm")(x, train=train)

        def decoded(name: str, x: jax.Array, skip: jax.Array, outputs: int) -> jax.Array:
            kernel = self._kernel(name, 3, x.shape[-1] + skip.shape[-1], outputs)
            return upsample_conv(x, kernel, skip)

        x, skips = image, []
        for i, size in enumerate(plain_torch.kernel_sizes(self.layer_size), start=1):
            skips.append(x)
            kernel = self._kernel(f"enc_{i}", size, channels[i - 1], channels[i])
            x = conv(x, kernel, strides=2, padding=size // 2)
            x = nn.relu(x if i == 1 else normed(f"enc_{i}", x))
        for i in range(self.layer_size, 1, -1):
            x = decoded(f"dec_{i}", x, skips.pop(), channels[i - 1])
            x = leaky_relu(normed(f"dec_{i}", x))
        return decoded("dec_1", x, image, 3) + self.param("bias", nn.initializers.zeros, (3,))

    def _kernel(self, name: str, size: int, inputs: int, outputs: int) -> jax.Array:
        return self.param(name, he_normal, (size, size, inputs, outputs))


# Of a network: (params, variables, image, valid) -> loss, variables with new running averages.
LossInTraining = Callable[[Network], Callable[..., tuple[Scalar, Variables]]]


def l1_in_training(net: Network) -> Callable[..., tuple[Scalar, Variables]]:
    def loss(
        params: Variables, variables: Variables, image: Image, *valid: Valid
    ) -> tuple[Scalar, Variables]:
        output, updated = net.apply({**variables, "params": params}, image, *valid, train=True)
        return jnp.mean(jnp.abs(output - image)), updated

    return loss


def jax_training(
    net: Network,
    variables: Variables,
    image: np.ndarray,
    valid: np.ndarray,
    loss_in_training: LossInTraining = l1_in_training,
) -> Side:
    """A training step that gives its loss; the weights move on from call to call."""
    adam = optax.adam(LEARNING_RATE)
    objective = jax.value_and_grad(loss_in_training(net), has_aux=True)

    def step(state: tuple, image: Image, valid: Valid) -> tuple[tuple, Scalar]:
        variables, opt_state = state
        (loss, updated), grads = objective(variables["params"], variables, image, valid)
        updates, opt_state = adam.update(grads, opt_state)
        params = optax.apply_updates(variables["params"], updates)
        return ({**updated, "params": params}, opt_state), loss

    state = jax.device_put((variables, jax.jit(adam.init)(variables["params"])))
    image, valid = jax.device_put((image, valid))
    # Donated, as the package's own training does.
    program = program_of(step, state, image, valid, donate_argnums=0)

    def run() -> Scalar:
        nonlocal state
        state, loss = jax.block_until_ready(program(state, image, valid))
        return loss

    return Side(run, planned_bytes(program))


def torch_training(
    net: torch.nn.Module,
    image: Any,
    valid: Any,
    loss_of: Callable[[Any, Any, Any], Any] = lambda output, image, valid: F.l1_loss(output, image),
) -> Side:
    """The same step in PyTorch."""
    net.train()
    adam = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)

    def step() -> Any:
        adam.zero_grad()
        loss = loss_of(net(image, valid), image, valid)
        loss.backward()
        adam.step()
        return loss.detach()

    return eager(step)
