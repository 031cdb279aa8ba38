"""Training Context Encoders as the published PyTorch program does, loss by loss."""

from typing import Any

import golden
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxinpaint.array_typing import Variables
from jaxinpaint.recipes.base import Batch, Player, TrainState
from jaxinpaint.recipes.context_encoder import ContextEncoderConfig, context_encoder

# The published program's, at the reference's size.
PUBLISHED = ContextEncoderConfig(
    width=16,
    discriminator_width=16,
    bottleneck=100,
    pixel_weight=0.998,
    pixel_weight_twice=True,
    learning_rate=2e-4,
)
TINY = ContextEncoderConfig(size=64, width=2, discriminator_width=2, bottleneck=3)

# What the reference's authors state: the bottleneck's batch norm over two pictures magnifies
# float32 rounding.
LOSSES = 1e-3
AFTER_THREE_STEPS = 3e-3


def reference_state() -> tuple[TrainState, Batch]:
    facts, z = golden.facts("context_encoder")["state_dict"], golden.arrays("context_encoder")
    init = context_encoder(PUBLISHED).init
    shapes = jax.eval_shape(lambda key: init(key, (128, 128)), jax.random.key(0)).players
    published = {
        "generator": golden.variables(golden.state_dict(facts["netG"])),
        "discriminator": golden.variables(golden.state_dict(facts["netlocalD"])),
    }
    players = {}
    for name, player in shapes.items():
        # Adam starts from nothing but zeros; the weights are all replaced.
        zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), player.opt_state)
        players[name] = Player(jax.tree.map(jnp.asarray, published[name]), zeros)
        assert jax.tree.structure(players[name]) == jax.tree.structure(player)
    batch = Batch(jnp.asarray(z["image_u8"]), jnp.arange(2))
    return TrainState(jnp.zeros((), jnp.int32), jax.random.key(0), players), batch


def test_three_steps_are_those_of_the_published_program() -> None:
    facts, z = golden.facts("context_encoder"), golden.arrays("context_encoder")
    recipe = context_encoder(PUBLISHED)
    assert recipe.inpaint is not None
    step = jax.jit(recipe.step_at(0))
    state, batch = reference_state()
    for number, expected in enumerate(facts["steps"]):
        state, metrics = step(state, batch)
        told = {name: float(mean.total / mean.n) for name, mean in metrics.items()}
        found = [told["discriminator"], told["adversarial"], told["pixel"] * 0.998, told["loss"]]
        names = ["g_adv", "g_l2_weighted", "g_total"]
        wanted = [expected["d_real"] + expected["d_fake"], *(expected[name] for name in names)]
        np.testing.assert_allclose(found, wanted, rtol=LOSSES)
        if number == 0:
            assert_gradients(state, facts["g_grad_norm_step0"])
    output, _ = jax.jit(recipe.inpaint)(
        state.players["generator"].variables, batch.image / jnp.float32(255), centre_hole()
    )
    painted = 2 * output[:, 32:96, 32:96] - 1
    error = golden.relative_error(painted, z["output_eval_after_3_steps"])
    assert error < AFTER_THREE_STEPS


def assert_gradients(state: TrainState, expected: dict[str, float]) -> None:
    """Adam's first moment after a step is half the gradient."""
    moments = optax.tree.get(state.players["generator"].opt_state, "mu")
    named = golden.variables(
        golden.state_dict(golden.facts("context_encoder")["state_dict"]["netG"])
    )
    assert moments.keys() == named["params"].keys()
    kernels = [f"enc_{i}_kernel" for i in range(1, 6)] + ["bottleneck_kernel"]
    kernels += [f"dec_{i}_kernel" for i in range(1, 6)]
    norms = [2 * np.linalg.norm(moments[name]) for name in kernels]
    wanted = [value for name, value in expected.items() if is_convolution(name)]
    np.testing.assert_allclose(norms, wanted, rtol=LOSSES)


def is_convolution(name: str) -> bool:
    shapes = golden.facts("context_encoder")["state_dict"]["netG"]
    return len(shapes[name]) == 4


def centre_hole() -> jax.Array:
    return jnp.zeros((2, 128, 128, 1)).at[:, 36:92, 36:92].set(1)


def drawn_variables() -> Variables:
    """Of the generator, drawn by NumPy: nothing is compiled for them."""
    rng, init = np.random.default_rng(0), context_encoder(TINY).init
    state = jax.eval_shape(lambda key: init(key, (64, 64)), jax.random.key(0))
    return jax.tree.map(
        lambda leaf: jnp.asarray(rng.uniform(0.1, 0.5, leaf.shape), leaf.dtype),
        state.players["generator"].variables,
    )


def pictures(seed: int = 0) -> Batch:
    shape = (8, 64, 64, 3)
    drawn = jax.random.randint(jax.random.key(seed), shape, 0, 256)
    return Batch(drawn.astype(jnp.uint8), jnp.arange(8))


def test_the_centre_is_painted_and_all_else_stays() -> None:
    recipe = context_encoder(TINY)
    assert recipe.inpaint is not None
    image = pictures().image / jnp.float32(255)
    hole = jnp.zeros((8, 64, 64, 1)).at[:, 20:44, 20:44].set(1)
    output, completed = jax.jit(recipe.inpaint)(drawn_variables(), image, hole)
    known = np.broadcast_to(np.asarray(hole) == 0, image.shape)
    np.testing.assert_array_equal(np.asarray(completed)[known], np.asarray(image)[known])
    assert not np.array_equal(output[:, 16:48, 16:48], image[:, 16:48, 16:48])
    np.testing.assert_array_equal(output[:, :16], image[:, :16])
    assert np.all((output >= 0) & (output <= 1))


def test_what_lies_in_the_hole_has_no_influence() -> None:
    recipe = context_encoder(TINY)
    assert recipe.inpaint is not None
    image = pictures().image / jnp.float32(255)
    hole = jnp.zeros((8, 64, 64, 1)).at[:, 20:44, 20:44].set(1)
    fill = jax.jit(recipe.inpaint)
    output, _ = fill(drawn_variables(), image, hole)
    other, _ = fill(drawn_variables(), jnp.where(hole > 0, jnp.nan, image), hole)
    np.testing.assert_array_equal(output, other)


def test_options_that_make_no_sense_are_refused() -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"hole_ratio": (0.1, 0.2)}, "--recipe.hole-ratio says nothing"),
        ({"holes": "random-region", "overlap": 0}, "--recipe.overlap says nothing"),
        ({"size": 32}, "--recipe.size is 32"),
        ({"pixel_weight": 1.5}, "--recipe.pixel-weight is 1.5"),
    ]
    for options, message in cases:
        with pytest.raises(ValueError, match=message):
            ContextEncoderConfig(**options)


def test_an_overlap_that_leaves_nothing_covered_is_refused() -> None:
    with pytest.raises(ValueError, match="overlap of 32 does not fit into 64"):
        context_encoder(ContextEncoderConfig(overlap=32))
