"""How passes through networks are computed: in which precision, and what they keep."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend import core

from jaxinpaint.nets.context_encoder import context_encoder
from jaxinpaint.nets.crfill import crfill_auxiliary, crfill_generator
from jaxinpaint.nets.discriminators import (
    dcgan_discriminator,
    deepfill_discriminator,
    pan_discriminator,
)
from jaxinpaint.nets.membrane_unet import membrane_unet
from jaxinpaint.nets.network import Network, computed_in
from jaxinpaint.nets.pan import pan_unet
from jaxinpaint.nets.partial_conv_unet import partial_conv_unet
from jaxinpaint.ops import convolution

pytestmark = pytest.mark.slow  # whole steps and networks, compiled many times

N, SIDE = 4, 64
IMAGE = jax.random.uniform(jax.random.key(1), (N, SIDE, SIDE, 3))
HOLE = jnp.zeros((N, SIDE, SIDE, 1)).at[:, 16:40, 24:50].set(1)
FEATURES = jax.random.normal(jax.random.key(2), (N, SIDE // 4, SIDE // 4, 32))

# Each network, and what it is given.
NETWORKS: dict[str, tuple[Callable[..., Network], tuple[jax.Array, ...]]] = {
    "partial_conv_unet": (
        partial(partial_conv_unet, layer_size=4, width=0.25),
        (IMAGE * (1 - HOLE), 1 - HOLE),
    ),
    "context_encoder": (
        partial(context_encoder, size=SIDE, output_size=SIDE, width=16, bottleneck=64),
        (IMAGE,),
    ),
    "pan_unet": (partial(pan_unet, levels=4, width=16), (IMAGE,)),
    "membrane_unet": (partial(membrane_unet, width=8), (IMAGE, HOLE, HOLE / 2)),
    "crfill_generator": (partial(crfill_generator, width=8), (IMAGE, HOLE)),
    "crfill_with_attention": (partial(crfill_generator, width=8, attention=True), (IMAGE, HOLE)),
    "crfill_auxiliary": (partial(crfill_auxiliary, width=8), (IMAGE, FEATURES, HOLE)),
    "dcgan_discriminator": (partial(dcgan_discriminator, size=SIDE, width=16), (IMAGE,)),
    "pan_discriminator": (partial(pan_discriminator, width=16), (IMAGE,)),
    "deepfill_discriminator": (partial(deepfill_discriminator, width=16), (IMAGE, HOLE)),
}
each = pytest.mark.parametrize("name", NETWORKS)


@cache
def begun(name: str) -> Any:
    make, arrays = NETWORKS[name]
    return make().init(jax.random.key(0), *arrays)


def gradient_of(name: str, network: Network) -> Callable[[Any], Any]:
    """The gradient of a loss of all that a network says, with what it says and keeps."""
    _, arrays = NETWORKS[name]
    variables = begun(name)

    def loss(params: Any) -> Any:
        output, kept = network.apply({**variables, "params": params}, *arrays, train=True)
        leaves = [leaf for leaf in jax.tree.leaves(output) if leaf.dtype == jnp.float32]
        kept = {collection: kept[collection] for collection in kept if collection != "params"}
        return sum(jnp.mean(jnp.square(leaf)) for leaf in leaves), (output, kept)

    return jax.grad(loss, has_aux=True)


def equations(program: core.Jaxpr) -> Iterator[core.JaxprEqn]:
    for equation in program.eqns:
        yield equation
        for value in equation.params.values():
            if isinstance(value, core.ClosedJaxpr):
                yield from equations(value.jaxpr)
            elif isinstance(value, core.Jaxpr):
                yield from equations(value)


@each
def test_convolutions_in_training_are_of_bfloat16_and_all_else_that_counts_is_not(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else those of few windows would be products, which attention and norms have too.
    monkeypatch.setattr(convolution, "FEW_WINDOWS", 0)
    make, arrays = NETWORKS[name]
    network, variables = computed_in(make(), "bf16"), begun(name)
    program = jax.make_jaxpr(gradient_of(name, network))(variables["params"])
    convolutions = [
        e for e in equations(program.jaxpr) if e.primitive.name == "conv_general_dilated"
    ]
    assert convolutions
    for equation in convolutions:
        assert {var.aval.str_short().partition("[")[0] for var in equation.invars} == {"bfloat16"}
    gradients, (output, kept) = jax.eval_shape(gradient_of(name, network), variables["params"])
    for leaf in jax.tree.leaves((gradients, output, kept)):
        assert leaf.dtype == jnp.float32
    # Outside of training nothing is narrowed.
    narrow, _ = network.apply(variables, *arrays)
    wide, _ = make().apply(variables, *arrays)
    for one, same in zip(jax.tree.leaves(narrow), jax.tree.leaves(wide), strict=True):
        np.testing.assert_array_equal(one, same)


@each
def test_outputs_in_bfloat16_are_near_those_in_float32(name: str) -> None:
    make, arrays = NETWORKS[name]
    variables = begun(name)
    (wide, kept), (narrow, narrow_kept) = (
        jax.jit(partial(computed_in(make(), precision).apply, train=True))(variables, *arrays)
        for precision in ("float32", "bf16")
    )
    for one, near in zip(
        jax.tree.leaves((wide, kept)), jax.tree.leaves((narrow, narrow_kept)), strict=True
    ):
        # A bfloat16 has 8 bits; each of a dozen layers rounds once or twice.
        error = jnp.linalg.norm(near - one) / (jnp.linalg.norm(one) + 1e-6)
        assert error < 0.08
