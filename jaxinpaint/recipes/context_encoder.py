"""Context Encoders on the centre of pictures, or on random regions of them.

Pathak et al., Context Encoders: Feature Learning by Inpainting, CVPR 2016.

    python train.py context-encoder --data.source photos/
    python train.py context-encoder --recipe.holes random-region --data.source photos/

Not yet reproduced: the paper's scores on the centres of Paris StreetView, 128², are a mean L1 of
9.37 %, a mean L2 of 1.96 % and 18.58 dB.
"""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import jax.numpy as jnp

from jaxinpaint import masks
from jaxinpaint.array_typing import Hole, Image, Variables
from jaxinpaint.nets.context_encoder import context_encoder as generator_network
from jaxinpaint.nets.discriminators import dcgan_discriminator
from jaxinpaint.nets.network import computed_in
from jaxinpaint.objectives.adversarial import log_discriminator, log_generator
from jaxinpaint.objectives.pixel import mse
from jaxinpaint.recipes import tasks
from jaxinpaint.recipes.adversarial import (
    Game,
    Judged,
    Round,
    Side,
    adversarial,
    discriminator_metrics,
    on_pictures,
)
from jaxinpaint.recipes.base import Recipe, Window, weighted_sum
from jaxinpaint.recipes.optimisers import adam
from jaxinpaint.recipes.options import check_size, refuse_unread
from jaxinpaint.recipes.stepping import PLAIN, StepConfig
from jaxinpaint.recipes.tasks import Paint, Painting, Posed, Task


@dataclass(frozen=True)
class ContextEncoderConfig:
    """Context Encoders (Pathak et al., CVPR 2016)."""

    NETWORK: ClassVar = ("holes", "size", "width", "bottleneck", "overlap")

    holes: Literal["center", "random-region"] = "center"
    """What is cut out of the training pictures: the square in their middle, which is then all that
    the network can fill; or blots all over them, drawn for each picture."""
    size: int = 128
    """Side of the pictures, a power of two from 64 on; --data.size must be the same."""
    width: int = 64
    """Channels of the generator's first layer."""
    discriminator_width: int = 64
    """Channels of the discriminator's first layer."""
    bottleneck: int = 4000
    """Channels between encoder and decoder."""
    overlap: int = 4
    """Center: how many pixels along the border of what is painted the generator sees uncovered."""
    overlap_weight: float = 10.0
    """Weight of the pixel error where the generator sees what it paints: that border, or for random
    regions all known pixels (10 in one published variant, 1 in the other). In the hole it is 1."""
    hole_ratio: tuple[float, float] = (0.2, 0.3)
    """Random regions: least and greatest share of the picture that is missing."""
    hole_resolution: float = 0.06
    """Random regions: the less, the larger the blots; cells of the noise a pixel."""
    pixel_weight: float = 0.999
    """Weight of the pixel term; the adversarial one has what is missing to 1."""
    pixel_weight_twice: bool = False
    """Whether the pixel term is weighted twice, as in BoyuanJiang/context_encoder_pytorch (whose
    weight is 0.998)."""
    real_label: float = 1.0
    """What the discriminator is to say of true pictures."""
    learning_rate: float = 2e-3
    """Of the generator's Adam, ten times the discriminator's as in the original; 2e-4 in the
    PyTorch program."""
    discriminator_learning_rate: float = 2e-4
    """Of the discriminator's Adam."""
    beta1: float = 0.5
    """Of both."""
    deviation: float = 0.02
    """Of the normal distributions that kernels (around 0) and scales of norms (around 1) start
    from."""
    moves_others_averages: bool = True
    """Whether the discriminator's running averages also move when it judges for the generator, as
    in the PyTorch program. They are not used in training."""

    def __post_init__(self) -> None:
        """Refuses what no network can be made for, and options that would not be read."""
        refuse_unread(self, UNREAD[self.holes], f"--recipe.holes {self.holes}")
        check_size(self.size)
        if not 0 <= self.pixel_weight <= 1:
            raise ValueError(f"--recipe.pixel-weight is {self.pixel_weight}; it must be in [0, 1]")


# What only the other kind of holes asks for.
UNREAD = {"center": ("hole_ratio", "hole_resolution"), "random-region": ("overlap",)}


def context_encoder(
    config: ContextEncoderConfig, how: StepConfig = PLAIN, *, axis_name: str | None = None
) -> Recipe:
    """The recipe: a ``generator`` and a ``discriminator``, both trained by Adam in every step.

    The order of the PyTorch program: the discriminator sees true pictures (their centres, or all
    of them), then painted ones, each batch with statistics of its own, and makes one update; then
    the generator makes its own on the same painted ones, judged by the discriminator as it is now.
    (The original judges it by what the discriminator said before its update.) The generator runs
    forward once. Where the centre is painted, ``inpaint`` fills the part of a hole that lies in it.

    ::

        discriminator: -log D(y) - log(1 - D(x))
        generator:     (1 - w) · -log D(x) + w · mean(weight · (x - y)²)

    Args:
        config: every number of it.
        how: its steps are made.
        axis_name: the mapped axis over which gradients and batch statistics are averaged, where a
            step is written out for one of several devices; None is the global view.

    Raises:
        ValueError: for sizes that no network can be made for, or an overlap that leaves nothing to
            fill; in ``inpaint``, for pictures of another size.
    """
    painted = config.size // 2 if config.holes == "center" else config.size
    generator = generator_network(
        size=config.size,
        output_size=painted,
        width=config.width,
        bottleneck=config.bottleneck,
        deviation=config.deviation,
        axis_name=axis_name,
    )
    discriminator = dcgan_discriminator(
        size=painted,
        width=config.discriminator_width,
        deviation=config.deviation,
        axis_name=axis_name,
    )
    generator, discriminator = (
        computed_in(network, how.precision) for network in (generator, discriminator)
    )
    w = config.pixel_weight
    weights = {"adversarial": 1 - w, "pixel": w**2 if config.pixel_weight_twice else w}

    def paint(variables: Variables, posed: Posed) -> tuple[Image, Variables]:
        return generator.apply(variables, posed.shown, train=True)

    def discriminator_loss(variables: Variables, posed: Posed, fake: Image) -> Judged:
        of_real, variables = discriminator.apply(variables, posed.truth, train=True)
        of_fake, variables = discriminator.apply(variables, fake, train=True)
        losses = log_discriminator(of_real, of_fake, real_label=config.real_label)
        return jnp.mean(losses), (variables, discriminator_metrics(losses, of_real, of_fake))

    def generator_loss(fake: Image, posed: Posed, variables: Variables) -> Judged:
        logits, variables = discriminator.apply(variables, fake, train=True)
        region = posed.hole + config.overlap_weight * (1 - posed.hole)
        pixel = mse(fake, posed.truth, region=region)
        terms = {"adversarial": log_generator(logits), "pixel": pixel}
        loss, told = weighted_sum(terms, weights)
        return loss, (variables, told)

    def fill(variables: Variables, shown: Image, hole: Hole) -> Painting:
        return generator.apply(variables, shown)[0]

    both_move = Round(Game(paint, discriminator_loss, generator_loss))
    return adversarial(
        _task(config, fill),
        lambda number: both_move,
        Side(on_pictures(generator), adam(config.learning_rate, b1=config.beta1)),
        Side(
            on_pictures(discriminator, lambda size: (painted, painted)),
            adam(config.discriminator_learning_rate, b1=config.beta1),
        ),
        moves_others_averages=config.moves_others_averages,
        how=how,
        axis_name=axis_name,
    )


def _task(config: ContextEncoderConfig, fill: Paint) -> Task:
    """What is cut out and painted."""
    if config.holes == "center":
        return tasks.center(fill, config.size, config.overlap)
    sample = partial(
        masks.random_region, ratio=config.hole_ratio, resolution=config.hole_resolution
    )
    return tasks.anywhere(fill, sample, Window(config.size))
