"""Context Encoders on the centre of pictures.

Pathak et al., Context Encoders: Feature Learning by Inpainting, CVPR 2016.

Not yet on the command line, and not yet reproduced: the paper's scores on Paris StreetView, 128²,
are a mean L1 of 9.37 %, a mean L2 of 1.96 % and 18.58 dB.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from jaxinpaint.array_typing import Hole, Image, RandomKey, Scalar, Variables
from jaxinpaint.nets.context_encoder import context_encoder as generator_network
from jaxinpaint.nets.discriminators import dcgan_discriminator
from jaxinpaint.nets.network import Network
from jaxinpaint.objectives.adversarial import log_discriminator, log_generator
from jaxinpaint.objectives.pixel import mse
from jaxinpaint.ops.compositing import composite, from_bytes
from jaxinpaint.recipes.base import (
    Batch,
    Inpainted,
    Mean,
    Metrics,
    Player,
    Recipe,
    TrainState,
    averaged_over,
    stepped,
    weighted_sum,
)

# What covers the centre, in bytes: the mean colour of the original program's pictures.
COVER = (117, 104, 123)


@dataclass(frozen=True)
class ContextEncoderConfig:
    """Context Encoders (Pathak et al., CVPR 2016), on the centre of pictures."""

    size: int = 128
    """Side of the pictures, a power of two from 64 on; half of it is painted."""
    width: int = 64
    """Channels of the generator's first layer."""
    discriminator_width: int = 64
    """Channels of the discriminator's first layer."""
    bottleneck: int = 4000
    """Channels between encoder and decoder."""
    overlap: int = 4
    """How many pixels along the border of what is painted the generator sees uncovered."""
    overlap_weight: float = 10.0
    """Weight of the pixel error there; inside it is 1."""
    pixel_weight: float = 0.999
    """Weight of the pixel term; the adversarial one has what is missing to 1."""
    pixel_weight_twice: bool = False
    """Whether the pixel term is weighted twice, as in BoyuanJiang/context_encoder_pytorch (whose
    weight is 0.998)."""
    real_label: float = 1.0
    """What the discriminator is to say of true centres."""
    learning_rate: float = 2e-3
    """Of the generator's Adam, ten times the discriminator's as in the original; 2e-4 in the
    PyTorch program."""
    discriminator_learning_rate: float = 2e-4
    """Of the discriminator's Adam."""
    beta1: float = 0.5
    """Of both."""
    generator_moves_averages: bool = True
    """Whether the discriminator's running averages also move when it judges for the generator, as
    in the published programs. They are not used in training."""


def context_encoder(config: ContextEncoderConfig, *, axis_name: str | None = None) -> Recipe:
    """The recipe: a ``generator`` and a ``discriminator``, both trained by Adam in every step.

    The published order: the discriminator sees true centres, then painted ones, each batch with
    statistics of its own, and makes one update; then the generator makes its own on the same
    painted centres, judged by the discriminator as it is now. The generator runs forward once.
    ``inpaint`` fills the part of a hole that lies in the centre.

    ::

        discriminator: -log D(y) - log(1 - D(x))
        generator:     (1 - w) · -log D(x) + w · mean(band · (x - y)²)

    Args:
        config: every number of it.
        axis_name: the mapped axis over which gradients and batch statistics are averaged, under
            ``pmap``; None is the global view, under ``jit``.

    Raises:
        ValueError: for sizes that no network can be made for, or an overlap that covers nothing; in
            ``inpaint``, for pictures of another size.
    """
    half = config.size // 2
    if not 0 <= config.overlap < half // 2:
        raise ValueError(f"an overlap of {config.overlap} does not fit into {half} pixels")
    generator = generator_network(
        size=config.size,
        output_size=half,
        width=config.width,
        bottleneck=config.bottleneck,
        axis_name=axis_name,
    )
    discriminator = dcgan_discriminator(
        size=half, width=config.discriminator_width, axis_name=axis_name
    )
    generator_adam = optax.adam(config.learning_rate, b1=config.beta1)
    discriminator_adam = optax.adam(config.discriminator_learning_rate, b1=config.beta1)
    centre = slice(half // 2, half // 2 + half)
    covered = slice(centre.start + config.overlap, centre.stop - config.overlap)
    w = config.pixel_weight
    tell_apart = partial(_tell_apart, discriminator, real_label=config.real_label)
    pass_for_real = partial(
        _pass_for_real,
        discriminator,
        band=_band(half, config.overlap, config.overlap_weight),
        weights={"adversarial": 1 - w, "pixel": w**2 if config.pixel_weight_twice else w},
    )

    def init(key: RandomKey, size: tuple[int, int]) -> TrainState:
        generator_key, discriminator_key, run_key = jax.random.split(key, 3)
        g = generator.init(generator_key, jnp.zeros((1, *size, 3)))
        d = discriminator.init(discriminator_key, jnp.zeros((1, half, half, 3)))
        players = {
            "generator": Player(g, generator_adam.init(g["params"])),
            "discriminator": Player(d, discriminator_adam.init(d["params"])),
        }
        return TrainState(jnp.zeros((), jnp.int32), run_key, players)

    def cover(image: Image) -> Image:
        colour = jnp.array(COVER, image.dtype) / 255
        return image.at[:, covered, covered].set(colour)

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        truth = from_bytes(batch.image)
        real = _to_signed(truth[:, centre, centre])
        g, d = state.players["generator"], state.players["discriminator"]

        def paint(params: Variables) -> tuple[Image, Variables]:
            seen = _to_signed(cover(truth))
            return generator.apply({**g.variables, "params": params}, seen, train=True)

        fake, pull_back, g_variables = jax.vjp(paint, g.variables["params"], has_aux=True)
        d_grads, (d_variables, judged) = jax.grad(tell_apart, has_aux=True)(
            d.variables["params"], d.variables, real, fake
        )
        d_grads = averaged_over(axis_name, d_grads)
        d, d_norms = stepped("discriminator", d, d_variables, d_grads, discriminator_adam)

        pull, (moved, metrics) = jax.grad(pass_for_real, has_aux=True)(fake, real, d.variables)
        if config.generator_moves_averages:
            d = d._replace(variables=moved)
        g_grads = averaged_over(axis_name, pull_back(pull)[0])
        g, g_norms = stepped("generator", g, g_variables, g_grads, generator_adam)

        metrics = averaged_over(axis_name, metrics | judged) | d_norms | g_norms
        players = {"generator": g, "discriminator": d}
        return TrainState(state.step + 1, state.key, players), metrics

    def inpaint(variables: Variables, image: Image, hole: Hole) -> Inpainted:
        known = composite(jnp.zeros_like(image), image, hole)
        painted, _ = generator.apply(variables, _to_signed(cover(known)))
        output = known.at[:, centre, centre].set((painted + 1) / 2)
        return Inpainted(output, composite(output, image, hole))

    return Recipe(init, step, inpaint, size_multiple=config.size)


def _tell_apart(
    discriminator: Network,
    params: Variables,
    variables: Variables,
    real: Image,
    fake: Image,
    *,
    real_label: float,
) -> tuple[Scalar, tuple[Variables, Metrics]]:
    """The discriminator's loss, its variables after both passes, and how often it is right."""
    of_real, variables = discriminator.apply({**variables, "params": params}, real, train=True)
    of_fake, variables = discriminator.apply({**variables, "params": params}, fake, train=True)
    losses = log_discriminator(of_real, of_fake, real_label=real_label)
    n = jnp.float32(losses.size)
    metrics = {
        "discriminator": Mean(jnp.sum(losses), n),
        "right_about_real": Mean(jnp.sum(of_real > 0, dtype=jnp.float32), n),
        "right_about_fake": Mean(jnp.sum(of_fake < 0, dtype=jnp.float32), n),
    }
    return jnp.mean(losses), (variables, metrics)


def _pass_for_real(
    discriminator: Network,
    fake: Image,
    real: Image,
    variables: Variables,
    *,
    band: Float[Array, "1 H W 1"],
    weights: Mapping[str, float],
) -> tuple[Scalar, tuple[Variables, Metrics]]:
    """The generator's loss of what it painted, and the discriminator's variables after its pass."""
    logits, variables = discriminator.apply(variables, fake, train=True)
    region = jnp.broadcast_to(band, (*fake.shape[:3], 1))
    terms = {"adversarial": log_generator(logits), "pixel": mse(fake, real, region=region)}
    loss, metrics = weighted_sum(terms, weights)
    return loss, (variables, metrics)


def _to_signed(image: Image) -> Image:
    """Pictures in [0, 1] as the networks have them, in [-1, 1]."""
    return 2 * image - 1


def _band(side: int, overlap: int, weight: float) -> Float[Array, "1 H W 1"]:
    """Weights of the pixel error: ``weight`` along the border, 1 inside."""
    inner = slice(overlap, side - overlap)
    return jnp.full((1, side, side, 1), weight).at[:, inner, inner].set(1)
