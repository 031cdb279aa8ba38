import functools

import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from as_installed import as_installed

from jaxinpaint.array_typing import Variables
from jaxinpaint.interop.inception import inception_from
from jaxinpaint.nets.inception import (
    Convention,
    blocks,
    features_as_fed,
    kernel_shapes,
    pool3_features,
)

CONVENTIONS: tuple[Convention, ...] = ("fid", "torchvision")
# Some fifty layers in a row, of float32.
AGREES = 1e-5


@functools.cache
def variables(convention: Convention) -> Variables:
    facts = golden.facts("inception")
    # The second classifier is not read, and large.
    arrays = {k: s for k, s in facts[convention].items() if not k.startswith("AuxLogits")}
    return inception_from(golden.state_dict(facts["state_dict"] | arrays), convention)


def picture() -> jax.Array:
    return jnp.asarray(golden.arrays("vgg16")["image_u8"], jnp.float32) / 255


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_features_are_those_of_pytorch_fid(convention: Convention) -> None:
    seen = jax.jit(functools.partial(pool3_features, convention=convention))
    features = seen(variables(convention), picture())
    assert golden.relative_error(features, golden.arrays("inception")[convention]) < AGREES


def test_what_torchvision_makes_of_normalised_pictures_is_twice_them_less_one() -> None:
    # Its `transform_input`, of pictures less ImageNet's mean over its deviation.
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    x = np.asarray(picture(), np.float64)
    fed = (x - mean) / std * (std / 0.5) + (mean - 0.5) / 0.5
    np.testing.assert_allclose(fed, 2 * x - 1, atol=1e-12)  # float64's rounding


def test_the_conventions_are_two_networks() -> None:
    # The references' weights are the same, for they follow from the same names.
    z = golden.arrays("inception")
    assert golden.relative_error(z["fid"], z["torchvision"]) > 1000 * AGREES


def test_every_convolution_has_its_published_name_and_shape() -> None:
    published = golden.facts("inception")["state_dict"]
    kernels = {
        key.removesuffix(".conv.weight"): tuple(shape)
        for key, shape in published.items()
        if key.endswith(".conv.weight")
    }
    assert {name: (o, i, h, w) for name, (h, w, i, o) in kernel_shapes().items()} == kernels
    assert len(kernels) == 94


def test_what_does_not_fit_is_refused() -> None:
    image = jnp.ones((1, 75, 75, 3))
    seen = functools.partial(features_as_fed, variables("fid"), convention="fid")
    assert jax.eval_shape(seen, image).shape == (1, 2048)
    with pytest.raises(ValueError, match=r"74x75 is too small: Inception needs 75x75"):
        seen(image[:, 1:])
    with pytest.raises(ValueError, match=r"floats in .* not uint8"):
        as_installed(pool3_features)(variables("fid"), image.astype("uint8"), convention="fid")
    with pytest.raises(ValueError, match="fid or torchvision, not 'tf'"):
        as_installed(blocks)("tf")
