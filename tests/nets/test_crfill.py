"""CR-Fill's networks against the published program, on the same weights."""

import dataclasses
from collections.abc import Callable
from typing import Any

import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxinpaint.array_typing import Variables
from jaxinpaint.nets.crfill import crfill_auxiliary, crfill_generator
from jaxinpaint.nets.discriminators import deepfill_discriminator
from jaxinpaint.ops.compositing import composite
from jaxinpaint.recipes import CRFillConfig, crfill

# What the reference's authors state.
AGREES = 1e-4


@pytest.fixture(scope="module")
def z() -> dict[str, np.ndarray]:
    return golden.arrays("crfill_generator")


def shown(z: dict[str, np.ndarray]) -> tuple[jax.Array, jax.Array]:
    hole = jnp.asarray(z["hole"], jnp.float32)
    return (jnp.asarray(z["image_u8"]) / jnp.float32(127.5) - 1) * (1 - hole), hole


def published(network: str, name: str = "crfill_generator") -> dict[str, np.ndarray]:
    shapes = golden.facts(name)["state_dict"]
    return golden.state_dict(shapes[network] if network else shapes)


def test_the_generator_its_branch_and_their_judge_are_the_published_ones(z) -> None:
    image, hole = shown(z)
    weights = golden.variables(published("netG"))
    generator, auxiliary = crfill_generator(), crfill_auxiliary()
    painted, _ = jax.jit(generator.apply)(weights, image, hole)
    assert golden.relative_error(painted.coarse, z["coarse"]) < AGREES
    assert golden.relative_error(painted.fine, z["fine"]) < AGREES
    completed = composite(painted.fine, image, hole)
    branch = {"params": weights["params"]["auxiliary"]}
    rebuilt, _ = jax.jit(auxiliary.apply)(branch, completed, painted.features, hole)
    assert golden.relative_error(rebuilt.image, z["auxiliary"]) < AGREES

    judge = deepfill_discriminator()
    judging = jax.tree.map(jnp.asarray, golden.variables(published("netD")))
    logits, moved = judge.apply(judging, completed, jnp.ones_like(hole), train=True)
    assert golden.relative_error(logits, z["d_of_composite"]) < AGREES
    again, still = judge.apply(moved, completed, jnp.ones_like(hole))
    # In evaluation no power iteration: the directions stay, and give what the pass before gave.
    np.testing.assert_allclose(again, logits, rtol=1e-5, atol=1e-6)
    jax.tree.map(np.testing.assert_array_equal, still, moved)


def test_the_variant_with_attention_is_the_published_one(z) -> None:
    name = "deepfill_generator_with_attention"
    reference = golden.arrays(name)
    weights = golden.variables(published("", name))
    painted, _ = jax.jit(crfill_generator(attention=True).apply)(weights, *shown(z))
    assert golden.relative_error(painted.coarse, reference["coarse"]) < AGREES
    assert golden.relative_error(painted.fine, reference["fine"]) < AGREES


def started(width: int = 8) -> Variables:
    image, hole = jnp.zeros((1, 16, 16, 3)), jnp.zeros((1, 16, 16, 1))
    return jax.jit(crfill_generator(width=width).init)(jax.random.key(0), image, hole)


def test_weights_start_as_those_of_pytorch() -> None:
    kernel = np.asarray(started(16)["params"]["coarse"]["stack"]["conv_5"]["kernel"])
    bound = 1 / np.sqrt(9 * 32)
    assert abs(kernel).max() <= bound
    # Uniform: a standard deviation of bound / sqrt(3), of 18 thousand numbers to 2 %.
    assert kernel.std() == pytest.approx(bound / np.sqrt(3), rel=0.02)


def test_a_spectral_norm_converges_to_the_largest_singular_value() -> None:
    judge = deepfill_discriminator(width=4)
    image, extra = jnp.zeros((1, 16, 16, 3)), jnp.zeros((1, 16, 16, 1))
    variables = jax.jit(judge.init)(jax.random.key(0), image, extra)
    step = jax.jit(lambda v: judge.apply(v, image, extra, train=True)[1])
    for _ in range(200):
        variables = step(variables)
    for name, kept in variables["spectral_norm"].items():
        matrix = np.asarray(variables["params"][name]["kernel"]).reshape(-1, len(kept["u"]))
        sigma = kept["v"] @ matrix @ kept["u"]
        assert sigma == pytest.approx(np.linalg.norm(matrix, 2), rel=1e-3)


def test_filling_holes_costs_nothing_of_the_auxiliary_branch() -> None:
    image, hole = jnp.zeros((1, 32, 32, 3)), jnp.zeros((1, 32, 32, 1))

    def flops(f: Callable[..., Any], *arguments: Any) -> float:
        costs = jax.jit(f).lower(*arguments).compile().cost_analysis()
        assert costs is not None
        return costs["flops"]

    def filling(config: CRFillConfig) -> float:
        recipe = crfill(config)
        state = jax.eval_shape(lambda key: recipe.init(key, (32, 32)), jax.random.key(0))
        assert recipe.inpaint is not None
        return flops(recipe.inpaint, state.players["generator"].variables, image, hole)

    def painting_alone(variables: Variables, image: jax.Array, hole: jax.Array) -> jax.Array:
        fine = crfill_generator(width=8).apply(variables, image, hole)[0].fine
        return composite((fine + 1) / 2, image, hole)

    with_branch = CRFillConfig(width=8, discriminator_width=2)
    with_attention = dataclasses.replace(with_branch, attention=True, stages=("all",))
    alone = flops(painting_alone, started(), image, hole)
    # Beside the networks only what takes pictures to [-1, 1] and back, and what XLA makes twice of
    # the last layer's sums. The branch would be 30 % more.
    assert alone <= filling(with_branch) < 1.01 * alone
    # The measure sees attention where it is: three 3x3 patches of 16 features of 16 channels each.
    assert filling(with_attention) > filling(with_branch) + 2 * 9 * 9 * 16 * 16


def test_under_bfloat16_all_but_similarities_is_bfloat16_whatever_the_hole_is() -> None:
    image, hole = jnp.zeros((1, 32, 32, 3), jnp.bfloat16), jnp.zeros((1, 32, 32, 1))
    for attention in (False, True):
        generator = crfill_generator(width=8, attention=attention)
        variables = jax.eval_shape(generator.init, jax.random.key(0), image, hole)
        painted, _ = jax.eval_shape(generator.apply, variables, image, hole)
        assert {leaf.dtype for leaf in painted} == {jnp.dtype(jnp.bfloat16)}
    branch, judge = crfill_auxiliary(width=8), deepfill_discriminator(width=2)
    features = jnp.zeros((1, 8, 8, 16), jnp.bfloat16)
    variables = jax.eval_shape(branch.init, jax.random.key(0), image, features, hole)
    rebuilt, _ = jax.eval_shape(branch.apply, variables, image, features, hole)
    assert (rebuilt.image.dtype, rebuilt.similarity.dtype) == (jnp.bfloat16, jnp.float32)
    variables = jax.eval_shape(judge.init, jax.random.key(0), image, hole)
    logits, _ = jax.eval_shape(judge.apply, variables, image, hole)
    assert logits.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype(jnp.float32)}


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="a width of 6"):
        crfill_generator(width=6)
    image, hole = jnp.zeros((1, 12, 20, 3)), jnp.zeros((1, 12, 20, 1))
    key = jax.random.key(0)
    jax.eval_shape(crfill_generator(width=4).init, key, image, hole)
    with pytest.raises(ValueError, match="multiples of 8, not 12x20"):
        jax.eval_shape(crfill_generator(width=4, attention=True).init, key, image, hole)
