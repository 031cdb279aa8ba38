import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from as_installed import as_installed

from jaxinpaint.array_typing import Variables
from jaxinpaint.interop.alexnet import alexnet_from
from jaxinpaint.nets.alexnet import alexnet_taps, kernel_shapes

RELUS = [f"relu{i}" for i in range(1, 6)]


@pytest.fixture(scope="module")
def variables() -> Variables:
    return alexnet_from(golden.state_dict(golden.facts("lpips")["alexnet"]))


def test_it_sees_what_the_published_program_sees(variables: Variables) -> None:
    image = jnp.asarray(golden.arrays("vgg16")["image_u8"], jnp.float32) / 255
    taps = alexnet_taps(variables, image, taps=RELUS)
    # Five sums of up to 3456 products in another order, of float32.
    assert golden.relative_error(taps["relu5"], golden.arrays("lpips")["relu5"]) < 1e-5
    means = {name: np.mean(np.asarray(tap, np.float64)) for name, tap in taps.items()}
    assert means == pytest.approx(golden.facts("lpips")["mean_of_tap"], rel=1e-5)


def test_layers_have_the_published_shapes() -> None:
    shapes = list(golden.facts("lpips")["alexnet"].values())
    assert [(o, i, h, w) for h, w, i, o in kernel_shapes().values()] == [
        tuple(shape) for shape in shapes if len(shape) == 4
    ]


def test_nothing_behind_the_last_tap_is_computed_or_needed(variables: Variables) -> None:
    few = {name: variables[name] for name in ("mean", "std", "conv1", "conv2")}

    def seen(image: jax.Array) -> dict:
        return dict(alexnet_taps(few, image, taps=["relu2", "relu1"]))

    image = jnp.ones((1, 99, 99, 3))  # so that both layers have many windows
    assert list(seen(image)) == ["relu2", "relu1"]
    assert str(jax.make_jaxpr(seen)(image)).count("conv_general_dilated[") == 2


def test_what_does_not_fit_is_refused(variables: Variables) -> None:
    image = jnp.ones((1, 31, 31, 3))
    assert alexnet_taps(variables, image, taps=RELUS)["relu5"].shape == (1, 1, 1, 256)
    with pytest.raises(ValueError, match=r"31x30 is too small.* conv3"):
        alexnet_taps(variables, image[:, :, 1:], taps=RELUS)
    with pytest.raises(ValueError, match=r"floats in .* not uint8"):
        as_installed(alexnet_taps)(variables, image.astype("uint8"), taps=RELUS)
    with pytest.raises(ValueError, match="no layer 'relu6'"):
        alexnet_taps(variables, image, taps=["relu6"])
    with pytest.raises(ValueError, match="no taps"):
        alexnet_taps(variables, image, taps=[])
    with pytest.raises(ValueError, match="sequence of names"):
        alexnet_taps(variables, image, taps="relu1")
    few = {name: variables[name] for name in ("mean", "std", "conv1")}
    with pytest.raises(ValueError, match="no conv2, and conv3 needs it"):
        alexnet_taps(few, image, taps=["relu3"])
