import jax
import jax.numpy as jnp
import numpy as np

from jaxinpaint.ops.compositing import composite, from_bytes, to_bytes
from jaxinpaint.ops.morphology import dilate


def test_known_pixels_come_back_bit_for_bit_whatever_the_output_holds() -> None:
    image = jax.random.uniform(jax.random.key(0), (1, 4, 4, 3))
    hole = jnp.zeros((1, 4, 4, 1)).at[0, 1, 2].set(1)
    output = jnp.full_like(image, jnp.nan).at[0, 1, 2].set(0.25)
    completed = np.array(composite(output, image, hole))
    assert np.all(completed[0, 1, 2] == 0.25)
    completed[0, 1, 2] = image[0, 1, 2]
    np.testing.assert_array_equal(completed, image)


def test_gradient_reaches_the_output_in_the_hole_only() -> None:
    image, hole = jnp.ones((1, 2, 2, 3)), jnp.zeros((1, 2, 2, 1)).at[0, 0, 1].set(1)
    gradient = jax.grad(lambda output: jnp.sum(composite(output, image, hole)))(image)
    np.testing.assert_array_equal(gradient, jnp.broadcast_to(hole, gradient.shape))


def test_bytes_survive_the_trip_through_floats() -> None:
    levels = jnp.arange(256, dtype=jnp.uint8).reshape(1, 16, 16, 1)
    np.testing.assert_array_equal(to_bytes(from_bytes(levels)), levels)


def test_floats_are_rounded_and_clipped() -> None:
    values = jnp.array([-0.5, 0.0, 0.4 / 255, 0.6 / 255, 254.6 / 255, 1.5]).reshape(1, 1, 6, 1)
    np.testing.assert_array_equal(to_bytes(values).ravel(), [0, 0, 0, 1, 255, 255])


def test_dilation_grows_a_pixel_to_a_square() -> None:
    hole = jnp.zeros((1, 5, 6, 1)).at[0, 0, 3].set(1)
    grown = dilate(hole)[0, :, :, 0]
    assert grown.sum() == 6
    assert np.all(grown[:2, 2:5] == 1)
