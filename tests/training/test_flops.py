"""Work counted by hand, and by a program that is read."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import Mesh, PartitionSpec

from jaxinpaint.training.flops import matrix_rate, model_flops


def flops(function, *arguments) -> int:
    return model_flops(jax.make_jaxpr(function)(*arguments))


A, B = jnp.ones((5, 7)), jnp.ones((7, 3))
PRODUCT = 2 * 5 * 7 * 3


def test_a_product_is_two_operations_for_each_of_its_multiplications() -> None:
    assert flops(jnp.matmul, A, B) == PRODUCT
    batched = partial(jnp.einsum, "nij,njk->nik")
    assert flops(batched, jnp.ones((4, 5, 7)), jnp.ones((4, 7, 3))) == 4 * PRODUCT
    assert flops(lambda a, b: jnp.sin(a) + b, A, A) == 0


def test_gradients_of_a_product_are_two_more() -> None:
    both = jax.grad(lambda a, b: jnp.sum(jnp.matmul(a, b) ** 2), argnums=(0, 1))
    assert flops(both, A, B) == 3 * PRODUCT


def conv(x, kernel, *, strides=1, padding=0, groups=1, dilation=1):
    return lax.conv_general_dilated(
        x,
        kernel,
        (strides, strides),
        ((padding, padding), (padding, padding)),
        lhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


@pytest.mark.parametrize(
    ("options", "channels", "outputs"),
    [
        ({}, 4, 2 * 6 * 6 * 10),
        ({"strides": 2}, 4, 2 * 3 * 3 * 10),
        # Taps on the padding too: it is what devices compute.
        ({"padding": 1}, 4, 2 * 8 * 8 * 10),
        ({"groups": 2}, 2, 2 * 6 * 6 * 10),
    ],
)
def test_a_convolution_is_its_outputs_times_its_taps(options, channels: int, outputs: int) -> None:
    x, kernel = jnp.ones((2, 8, 8, 4)), jnp.ones((3, 3, channels, 10))
    assert flops(partial(conv, **options), x, kernel) == 2 * outputs * 9 * channels


def test_zeros_between_inputs_are_no_work() -> None:
    x, kernel = jnp.ones((1, 4, 4, 3)), jnp.ones((2, 2, 3, 5))
    # Dilated to 7x7 by three quarters of zeros: 6x6 outputs.
    assert flops(partial(conv, dilation=2), x, kernel) == 2 * 36 * 5 * 4 * 3 // 4


def test_loops_branches_and_programs_within_programs_are_counted() -> None:
    def looped(a, b):
        return lax.scan(lambda carry, _: (carry + 1, jnp.matmul(a, b)), 0.0, length=6)

    assert flops(looped, A, B) == 6 * PRODUCT
    branches = (lambda a, b: jnp.matmul(a, b), lambda a, b: 2 * jnp.matmul(a, b @ b.T @ b))
    dearest = PRODUCT + 2 * 2 * 7 * 3 * 7
    assert flops(partial(lax.switch, 0, branches), A, B) == dearest
    assert flops(jax.jit(jax.checkpoint(jnp.matmul)), A, B) == PRODUCT


def test_work_on_eight_devices_is_that_of_one() -> None:
    mesh = Mesh(np.array(jax.devices()), ("data",))
    split, whole = PartitionSpec("data"), PartitionSpec()
    spread = jax.shard_map(jnp.matmul, mesh=mesh, in_specs=(split, whole), out_specs=split)
    a = jnp.ones((16, 7))
    assert flops(spread, a, B) == flops(jnp.matmul, a, B) == 2 * 16 * 7 * 3


def test_the_machine_multiplies_matrices() -> None:
    # No computer that this runs on is slower, and none so fast.
    assert 1e8 < matrix_rate(jnp.float32) < 1e18
