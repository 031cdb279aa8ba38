"""What evaluation looks through: networks with published weights from the cache."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxinpaint.array_typing import Image, PerImage, Taps, Variables
from jaxinpaint.evaluation.lpips import TAPS, lpips
from jaxinpaint.interop import published_weights
from jaxinpaint.interop.published_weights import NoWeights
from jaxinpaint.nets.alexnet import alexnet_taps
from jaxinpaint.nets.inception import Convention, pool3_features
from jaxinpaint.nets.vgg import MEAN, STD, vgg_taps


def perceptual_distance(
    name: Literal["vgg", "alex"],
) -> tuple[Callable[[Image, Image], PerImage], str]:
    """LPIPS 0.1 through VGG-16 or AlexNet.

    Its scaling of pictures in [-1, 1], ``(x - shift) / scale``, is that by ImageNet's mean and
    deviation of pictures in [0, 1].

    Args:
        name: of the network.

    Returns:
        ``(estimate, truth) -> distances`` of pictures in [0, 1], computed in float32 throughout;
        compiled, and to be called in what is compiled too. And a digest of the weights.

    Raises:
        NoWeights: if the network's weights or LPIPS's are not in the cache; or VGG-16's there are
            not those that LPIPS was made with.
        UnreadableWeights: if they are damaged.
    """
    match name:
        case "vgg":
            network = published_weights.load("vgg16")
            _check_normalisation(network.variables, network.source)
            taps_of = partial(vgg_taps, depth=16, taps=TAPS["vgg"])
            linear = published_weights.load("lpips-vgg")
        case "alex":
            network = published_weights.load("alexnet")
            taps_of = partial(alexnet_taps, taps=TAPS["alex"])
            linear = published_weights.load("lpips-alex")
        case _:
            raise ValueError(f"LPIPS looks through vgg or alex, not {name!r}")

    @jax.jit
    def distance(
        variables: Variables, weights: Mapping[str, Array], estimate: Image, truth: Image
    ) -> PerImage:
        with jax.default_matmul_precision("float32"):
            # In one pass, so that the network is compiled once.
            taps = taps_of(variables, jnp.concatenate([estimate, truth]))
        half = len(estimate)
        of_estimate: Taps = {tap: x[:half] for tap, x in taps.items()}
        of_truth: Taps = {tap: x[half:] for tap, x in taps.items()}
        return lpips(of_estimate, of_truth, weights)

    variables = jax.device_put((network.variables, linear.variables))
    return partial(distance, *variables), f"{network.digest} {linear.digest}"


def inception_features(
    convention: Convention,
) -> tuple[Callable[[Image], Float[Array, "N 2048"]], str]:
    """The features between which Fréchet inception distances are taken.

    Args:
        convention: whose weights and pooling.

    Returns:
        ``pictures -> features`` of pictures in [0, 1] of any size, computed in float32 throughout;
        compiled, and to be called in what is compiled too. And a digest of the weights.

    Raises:
        NoWeights: if the weights are not in the cache.
        UnreadableWeights: if they are damaged.
    """
    match convention:
        case "fid":
            found = published_weights.load("inception-fid")
        case "torchvision":
            found = published_weights.load("inception-torchvision")
        case _:
            raise ValueError(f"Inception's convention is fid or torchvision, not {convention!r}")

    @jax.jit
    def features(variables: Variables, image: Image) -> Float[Array, "N 2048"]:
        with jax.default_matmul_precision("float32"):
            return pool3_features(variables, image, convention=convention)

    return partial(features, jax.device_put(found.variables)), found.digest


def _check_normalisation(vgg16: Variables, source: str) -> None:
    ours = np.stack([vgg16["mean"], vgg16["std"]])
    if not np.array_equal(ours, np.array([MEAN, STD], np.float32)):
        raise NoWeights(
            f"LPIPS was made with torchvision's VGG-16, but the cache has one from {source}, which "
            "takes other pictures: `jaxinpaint weights vgg16 --download` fetches torchvision's, "
            "`jaxinpaint weights vgg16 --from FILE` takes it from a file (vgg16-397923af.pth)"
        )
