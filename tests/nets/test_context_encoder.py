import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxinpaint.nets.context_encoder import context_encoder
from jaxinpaint.nets.discriminators import dcgan_discriminator

# What the reference's authors state, in evaluation.
GOLDEN = 1e-4


def weights(network: str) -> dict[str, np.ndarray]:
    return golden.state_dict(golden.facts("context_encoder")["state_dict"][network])


def pictures() -> tuple[jax.Array, jax.Array]:
    """The reference's pictures in [-1, 1], and the same with their centre filled with a colour."""
    z, options = golden.arrays("context_encoder"), golden.facts("context_encoder")["options"]
    truth = jnp.asarray(z["image_u8"], jnp.float32) / 127.5 - 1
    colour = jnp.array(options["fill_rgb"], jnp.float32) / 127.5 - 1
    return truth, truth.at[:, 36:92, 36:92].set(colour)


def test_the_generator_equals_the_published_one() -> None:
    net = context_encoder(width=16, bottleneck=100)
    variables = golden.variables(weights("netG"))
    output, _ = jax.jit(net.apply)(variables, pictures()[1])
    assert golden.relative_error(output, golden.arrays("context_encoder")["output_eval"]) < GOLDEN


def test_the_discriminator_equals_the_published_one() -> None:
    net, facts = dcgan_discriminator(width=16), golden.facts("context_encoder")
    variables = golden.variables(weights("netlocalD"))
    judge = jax.jit(net.apply)
    real, _ = judge(variables, pictures()[0][:, 32:96, 32:96])
    fake, _ = judge(variables, jnp.asarray(golden.arrays("context_encoder")["output_eval"]))
    np.testing.assert_allclose(jax.nn.sigmoid(real), facts["eval_D_of_real"], rtol=GOLDEN)
    np.testing.assert_allclose(jax.nn.sigmoid(fake), facts["eval_D_of_fake"], rtol=GOLDEN)


@pytest.mark.parametrize(("size", "output_size"), [(128, 128), (64, 32), (64, 64)])
def test_other_sizes_have_layers_more_or_less(size: int, output_size: int) -> None:
    net = context_encoder(size=size, output_size=output_size, width=2, bottleneck=5)
    image = jnp.zeros((2, size, size, 3))
    variables = jax.eval_shape(net.init, jax.random.key(0), image)
    output, _ = jax.eval_shape(net.apply, variables, image)
    assert output.shape == (2, output_size, output_size, 3)
    encoders = [name for name in variables["params"] if name.startswith("enc") and "kernel" in name]
    assert len(encoders) == {128: 5, 64: 4}[size]


def test_weights_start_as_in_dcgan() -> None:
    net = dcgan_discriminator(size=32, width=32)
    params = jax.jit(net.init)(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))["params"]
    # A hundred thousand numbers give theirs to a percent, 128 scales to a tenth.
    assert np.std(params["conv_2"]) == pytest.approx(0.02, rel=0.02)
    assert np.mean(params["norm_2"]["scale"]) == pytest.approx(1, abs=0.01)
    assert np.std(params["norm_2"]["scale"]) == pytest.approx(0.02, rel=0.3)
    assert not np.any(params["norm_2"]["bias"])


def test_pictures_and_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="output_size is 48; it must be a power of two"):
        context_encoder(output_size=48)
    with pytest.raises(ValueError, match="size is 16"):
        dcgan_discriminator(size=16)
    for net in (context_encoder(width=2, bottleneck=2), dcgan_discriminator(size=128, width=2)):
        with pytest.raises(ValueError, match="pictures of 128x128, not 64x64"):
            jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
