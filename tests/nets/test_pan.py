"""PAN's networks; what they compute in training is tested with the steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxinpaint.nets.discriminators import PAN_TAPS, pan_discriminator
from jaxinpaint.nets.network import Network
from jaxinpaint.nets.pan import pan_unet


def shapes(net: Network, side: int) -> dict[str, tuple[int, ...]]:
    variables = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((2, side, side, 3)))
    return {
        name: leaf.shape for name, leaf in variables["params"].items() if hasattr(leaf, "shape")
    }


def test_the_u_net_has_the_published_channels() -> None:
    found = shapes(pan_unet(), 256)
    encoder = [found[f"enc_{i}_kernel"] for i in range(1, 9)]
    assert [shape[-1] for shape in encoder] == [64, 128, 256, 512, 512, 512, 512, 512]
    assert {shape[:2] for shape in encoder} == {(3, 3)}
    decoder = [found[f"dec_{i}_kernel"] for i in range(7, -1, -1)]
    assert [shape[-2] for shape in decoder] == [512, 1024, 1024, 1024, 1024, 512, 256, 128]
    assert [shape[-1] for shape in decoder] == [512, 512, 512, 512, 256, 128, 64, 3]
    assert {shape[:2] for shape in decoder} == {(4, 4)}


@pytest.mark.parametrize(("side", "center", "inputs"), [(256, False, 512), (64, True, 128)])
def test_the_discriminator_has_the_published_layers(side: int, center: bool, inputs: int) -> None:
    net = pan_discriminator(center=center)
    image = jnp.zeros((2, side, side, 3))
    variables = jax.eval_shape(net.init, jax.random.key(0), image)
    (logits, taps), _ = jax.eval_shape(net.apply, variables, image)
    first = side - 2 if center else side
    sizes = [first, *(-(-first // n) for n in (4, 8, 16))]
    expected = zip(PAN_TAPS, sizes, (64, 256, 512, 512), strict=True)
    assert {name: tap.shape for name, tap in taps.items()} == {
        name: (2, size, size, channels) for name, size, channels in expected
    }
    assert logits.shape == (2,)
    assert variables["params"]["logit_kernel"].shape == (inputs, 1)


def test_the_discriminators_first_weights_start_large() -> None:
    net = pan_discriminator(width=32)
    params = jax.jit(net.init)(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))["params"]
    # 864 and 74 thousand numbers give theirs to a tenth and to a percent.
    assert np.std(params["conv_1_kernel"]) == pytest.approx(0.5, rel=0.1)
    assert np.std(params["conv_4_kernel"]) == pytest.approx(0.02, rel=0.02)


def test_pictures_and_options_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 4, not 6x8"):
        jax.eval_shape(pan_unet(levels=2).init, jax.random.key(0), jnp.zeros((1, 6, 8, 3)))
    with pytest.raises(ValueError, match="levels"):
        pan_unet(levels=1)
    for dropout in (-0.1, 1.0):
        with pytest.raises(ValueError, match="dropout"):
            pan_unet(dropout=dropout)


def test_dropout_is_drawn_for_each_picture_by_its_key_and_in_training_only() -> None:
    net = pan_unet(levels=2, width=4, dropout=0.5)
    image = jnp.broadcast_to(jax.random.normal(jax.random.key(0), (1, 8, 8, 3)), (4, 8, 8, 3))
    variables = net.init(jax.random.key(1), image)
    keys = jax.random.split(jax.random.key(2), 4)[jnp.array([0, 1, 0, 2])]
    train = jax.jit(lambda keys: net.apply(variables, image, train=True, keys=keys)[0])
    first, second, again, _ = train(keys)
    np.testing.assert_array_equal(first, again)
    assert np.any(first != second)
    np.testing.assert_array_equal(*(net.apply(variables, image)[0][i] for i in (0, 3)))
    with pytest.raises(ValueError, match="keys"):
        net.apply(variables, image, train=True)


def test_dropout_drops_its_share_and_keeps_the_mean() -> None:
    from jaxinpaint.nets.pan import _dropped

    keys = jax.random.split(jax.random.key(0), 2)
    kept = np.asarray(_dropped(jnp.ones((2, 64, 64, 8)), 0.25, keys, layer=1))
    assert set(np.unique(kept)) == {np.float32(0), np.float32(1 / 0.75)}
    # 65 thousand draws: five deviations of their mean are 0.012.
    assert kept.mean() == pytest.approx(1, abs=0.012)
