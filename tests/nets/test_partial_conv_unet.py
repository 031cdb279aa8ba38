import math
from typing import Any

import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxinpaint.nets.network import Network
from jaxinpaint.nets.partial_conv_unet import partial_conv_unet

# What the reference's authors state for whole networks in float32, and for gradient norms.
GOLDEN, GOLDEN_NORMS = 1e-4, 1e-3

NAMES = {
    "conv.input_conv.weight": ("kernel",),
    "conv.weight": ("kernel",),
    "conv.input_conv.bias": ("bias",),
    "conv.bias": ("bias",),
    "bn.weight": ("norm", "scale"),
    "bn.bias": ("norm", "bias"),
    "bn.running_mean": ("norm", "mean"),
    "bn.running_var": ("norm", "var"),
}


def find(tree: Any, key: str) -> jax.Array:
    """The array that a published state dict keeps under a key."""
    block, _, name = key.partition(".")
    node = tree[block]
    for part in NAMES[name]:
        node = node[part]
    return node


class Published:
    """A published network on its reference weights, with its reference numbers."""

    def __init__(self, name: str, network: Network, variables: Any) -> None:
        self.facts, self.arrays = golden.facts(name), golden.arrays(name)
        self.network, self.variables = network, jax.tree.map(jnp.asarray, variables)
        self.target = jnp.asarray(self.arrays["target_u8"], jnp.float32) / 255
        self.valid = jnp.asarray(self.arrays["valid"], jnp.float32)

    def forward(self, params: Any, *, train: bool) -> tuple[jax.Array, Any]:
        variables = {**self.variables, "params": params}
        return self.network.apply(variables, self.target * self.valid, self.valid, train=train)


def naoto0804() -> Published:
    name = "pconv_unet_naoto0804"
    shapes = golden.facts(name)["state_dict"]
    weights = golden.state_dict(shapes)
    for key, shape in shapes.items():
        if key.endswith("input_conv.weight"):  # it divides by sum(M) alone
            weights[key] = weights[key] * np.float32(math.prod(shape[1:]))
    network = partial_conv_unet(layer_size=7, ratio="inverse-coverage")
    return Published(name, network, golden.variables(weights))


def tanimutomo() -> Published:
    name = "pconv_unet_tanimutomo"
    weights = golden.state_dict(golden.facts(name)["state_dict"])
    network = partial_conv_unet(layer_size=7, batch_norm=False, last_layer="rescaled-bias")
    return Published(name, network, golden.variables(weights))


@pytest.mark.parametrize("published", [naoto0804, tanimutomo])
def test_equals_the_published_network(published) -> None:
    net = published()
    params = net.variables["params"]
    output = jax.jit(lambda params: net.forward(params, train=False)[0])(params)
    assert golden.relative_error(output, net.arrays["output_eval"]) < GOLDEN

    def objective(params: Any) -> tuple[jax.Array, Any]:
        output, updated = net.forward(params, train=True)
        return jnp.mean(jnp.abs(output - net.target)), (output, updated)

    differentiate = jax.jit(jax.value_and_grad(objective, has_aux=True))
    (loss, (output, updated)), gradient = differentiate(params)
    assert golden.relative_error(output, net.arrays["output_train"]) < GOLDEN
    np.testing.assert_allclose(loss, net.facts["train_l1"], rtol=GOLDEN)
    for key, norm in net.facts["grad_norm_of_l1"].items():
        value = float(jnp.linalg.norm(find(gradient, key)))
        np.testing.assert_allclose(value, norm, rtol=GOLDEN_NORMS, err_msg=key)
    for key, mean in net.facts["running_mean_after_one_train_forward"].items():
        value = jnp.mean(find(updated["batch_stats"], key))
        np.testing.assert_allclose(value, mean, rtol=GOLDEN, atol=1e-6, err_msg=key)


def small(**options: Any) -> tuple[Network, Any, jax.Array, jax.Array]:
    network = partial_conv_unet(layer_size=3, width=1 / 16, **options)
    image = jax.random.uniform(jax.random.key(0), (2, 16, 24, 3))
    valid = jax.random.bernoulli(jax.random.key(1), 0.7, (2, 16, 24, 1)).astype(jnp.float32)
    return network, network.init(jax.random.key(2), image, valid), image, valid


@pytest.mark.parametrize(("layer_size", "side"), [(7, 128), (8, 256)])
def test_the_paper_has_seven_or_eight_levels(layer_size: int, side: int) -> None:
    network = partial_conv_unet(layer_size=layer_size)
    shapes = jax.eval_shape(
        network.init, jax.random.key(0), jnp.zeros((1, side, side, 3)), jnp.ones((1, side, side, 1))
    )
    encoders = [shapes["params"][f"enc_{i + 1}"]["kernel"].shape for i in range(layer_size)]
    assert [s[-1] for s in encoders] == [64, 128, 256] + [512] * (layer_size - 3)
    assert [s[0] for s in encoders] == [7, 5, 5] + [3] * (layer_size - 3)
    # No bias before a norm, no norm in the first and the last block.
    assert [name for name, block in shapes["params"].items() if "bias" in block] == ["dec_1"]
    assert {name for name, b in shapes["params"].items() if "norm" not in b} == {"enc_1", "dec_1"}


def test_what_lies_in_the_hole_has_no_influence() -> None:
    network, variables, image, valid = small()
    other = jnp.where(valid > 0, image, jnp.nan)
    forward = jax.jit(lambda image: network.apply(variables, image, valid)[0])
    np.testing.assert_array_equal(forward(image), forward(other))


def test_evaluation_changes_no_variables_and_training_only_running_averages() -> None:
    network, variables, image, valid = small()
    assert network.apply(variables, image, valid)[1] is variables
    _, updated = network.apply(variables, image, valid, train=True)
    assert updated["params"] is variables["params"]
    moved = jax.tree.map(
        lambda a, b: bool(jnp.any(a != b)), updated["batch_stats"], variables["batch_stats"]
    )
    assert all(jax.tree.leaves(moved))


@pytest.mark.parametrize("traced", [False, True])
def test_a_frozen_encoder_uses_and_keeps_its_running_averages(traced: bool) -> None:
    network, variables, image, valid = small()

    def forward(frozen: Any) -> tuple[jax.Array, Any]:
        return network.apply(variables, image, valid, train=True, freeze_encoder=frozen)

    output, updated = jax.jit(forward)(jnp.array(True)) if traced else forward(True)
    before, after = variables["batch_stats"], updated["batch_stats"]
    for block in before:
        same = np.array_equal(before[block]["norm"]["mean"], after[block]["norm"]["mean"])
        assert same == block.startswith("enc")
    free, _ = jax.jit(forward)(jnp.array(False)) if traced else forward(False)
    assert np.any(output != free)


def test_a_fully_masked_picture_gives_finite_values_and_gradients() -> None:
    network, variables, image, _ = small()
    nothing = jnp.zeros((2, 16, 24, 1))

    def total(params: Any) -> jax.Array:
        variables_ = {**variables, "params": params}
        return jnp.sum(network.apply(variables_, image, nothing, train=True)[0])

    gradient = jax.jit(jax.grad(total))(variables["params"])
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(gradient))


def test_a_size_that_does_not_fit_is_refused() -> None:
    network, variables, _, _ = small()
    with pytest.raises(ValueError, match="multiples of 8, not 16x20"):
        network.apply(variables, jnp.zeros((1, 16, 20, 3)), jnp.ones((1, 16, 20, 1)))


@pytest.mark.parametrize(
    ("options", "message"), [({"layer_size": 0}, "at least 1"), ({"width": 0.001}, "no channels")]
)
def test_a_network_that_cannot_be_is_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        partial_conv_unet(**options)
