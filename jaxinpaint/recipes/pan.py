"""PAN: a generator against a discriminator whose hidden layers rate what it paints.

Wang et al., Perceptual Adversarial Networks for Image-to-Image Transformation, TIP 2018.

    python train.py pan --data.source photos/                      the centre of pictures
    python train.py pan-holes --data.source photos/                holes anywhere
    python train.py pan-pairs --data.source photos/ --data.pairs labels/

There are no published weights, and no published scores that are reproduced here yet.
"""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal, NamedTuple

import jax.numpy as jnp

from jaxinpaint.array_typing import Hole, Image, Logits, PerImage, Variables
from jaxinpaint.nets.context_encoder import context_encoder
from jaxinpaint.nets.discriminators import PAN_TAPS, pan_discriminator
from jaxinpaint.nets.network import Network, computed_in
from jaxinpaint.nets.pan import pan_unet
from jaxinpaint.objectives.adversarial import (
    log_discriminator,
    log_generator,
    log_generator_saturating,
)
from jaxinpaint.objectives.perceptual_adversarial import perceptual_adversarial, perceptual_margin
from jaxinpaint.recipes import tasks
from jaxinpaint.recipes.adversarial import (
    BOTH,
    DISCRIMINATOR,
    GENERATOR,
    Game,
    Judged,
    Round,
    Side,
    adversarial,
    discriminator_metrics,
    on_pictures,
)
from jaxinpaint.recipes.base import (
    Mean,
    Multiple,
    Recipe,
    averaged_over,
    weighted_sum,
)
from jaxinpaint.recipes.holes import HolesName, sampler_of, unread
from jaxinpaint.recipes.optimisers import adam
from jaxinpaint.recipes.options import check_size, refuse_unread
from jaxinpaint.recipes.stepping import PLAIN, StepConfig
from jaxinpaint.recipes.tasks import Painting, Posed, Task


@dataclass(frozen=True)
class PANConfig:
    """PAN (Wang et al., TIP 2018)."""

    NETWORK: ClassVar = ("task", "size", "bottleneck", "overlap", "levels", "width")

    task: Literal["center", "holes", "pairs"] = "center"
    """What is painted: the square in the middle of pictures; holes anywhere in them; or from one
    picture another (--data.pairs)."""
    size: int = 128
    """Center: side of the pictures, a power of two from 64 on; --data.size must be the same."""
    bottleneck: int = 4000
    """Center: channels between encoder and decoder."""
    overlap: int = 0
    """Center: how many pixels along the border of what is painted the generator sees uncovered."""
    levels: int = 8
    """Holes, pairs: how often the U-Net halves the picture. Pictures need sides that are multiples
    of 2 to this power."""
    dropout: float = 0.0
    """Holes, pairs: the share that the three deepest layers of the decoder drop; 0.5 in one of the
    published variants."""
    holes: HolesName = "irregular"
    """Holes: what is cut out of the training pictures (docs/masks.md shows them)."""
    hole_ratio: tuple[float, float] = (0.01, 0.6)
    """Irregular, mat and random-region: least and greatest share of the picture that is missing;
    the others draw as they do."""
    hole_border: bool = True
    """Irregular: whether holes may touch the picture's border."""
    width: int = 64
    """Channels of the generator's first layer."""
    discriminator_width: int = 64
    """Channels of the discriminator's first layer."""
    tap_weights: tuple[float, float, float, float] = (5.0, 1.5, 1.5, 1.0)
    """Weights of the differences in the discriminator's four shown layers."""
    margin: float = 3.0
    """The discriminator enlarges these differences up to here."""
    perceptual_weight: float = 1.0
    """Weight of these differences in the generator's loss."""
    adversarial_weight: float = 1.0
    """Weight of the generator's adversarial term."""
    saturating: bool = True
    """Whether the generator's adversarial term is log(1 - D), as published; else it is -log D."""
    real_label: float = 0.9
    """What the discriminator is to say of true pictures."""
    in_turn: bool = True
    """Whether steps go as published: the discriminator's, the generator's, both, and so on. Off:
    both in every step."""
    learning_rate: float = 2e-4
    """Of the generator's Adam."""
    discriminator_learning_rate: float = 2e-4
    """Of the discriminator's Adam."""
    beta1: float = 0.5
    """Of both."""
    deviation: float = 0.02
    """Of the normal distributions that kernels (around 0) and scales of norms (around 1) start
    from."""
    first_deviation: float = 0.5
    """The same of the discriminator's first kernel."""
    moves_others_averages: bool = False
    """Whether a player's step also moves the running averages of the other. The discriminator's are
    not used in training."""

    def __post_init__(self) -> None:
        """Refuses what no network can be made for, and options that would not be read."""
        refuse_unread(self, UNREAD[self.task], f"--recipe.task {self.task}")
        if self.task == "center":
            check_size(self.size)
        if self.task == "holes":
            refuse_unread(self, unread(self.holes), f"--recipe.holes {self.holes}")


# What only other tasks ask for.
UNREAD = {
    "center": ("levels", "dropout", "holes", "hole_ratio", "hole_border"),
    "holes": ("size", "bottleneck", "overlap"),
    "pairs": ("size", "bottleneck", "overlap", "holes", "hole_ratio", "hole_border"),
}


def pan(config: PANConfig, how: StepConfig = PLAIN, *, axis_name: str | None = None) -> Recipe:
    """The recipe: a ``generator`` and a ``discriminator``, trained by Adam in turn.

    With P the weighted distance of what is painted from the truth in hidden layers of the
    discriminator::

        discriminator: -(0.9 log D(y) + 0.1 log(1 - D(y))) - log(1 - D(x)) + max(0, m - P)
        generator:     P + log(1 - D(x))

    P is the mean over the batch: at a margin or more of it the discriminator is not asked to see
    more differences. In a step of both the discriminator moves first. True and painted pictures
    pass it as batches of their own.

    Args:
        config: every number of it.
        how: its steps are made.
        axis_name: the mapped axis over which gradients, batch statistics and P are averaged,
            where a step is written out for one of several devices; None is the global view.

    Raises:
        ValueError: for a config that no network or sampler can be made from; in a step of pairs,
            for a batch without sources.
    """
    generator, task = _generator(config, how, axis_name)
    discriminator = pan_discriminator(
        width=config.discriminator_width,
        center=config.task == "center",
        deviation=config.deviation,
        first_deviation=config.first_deviation,
        axis_name=axis_name,
    )
    discriminator = computed_in(discriminator, how.precision)
    tap_weights = dict(zip(PAN_TAPS, config.tap_weights, strict=True))
    log_loss = log_generator_saturating if config.saturating else log_generator
    weights = {"perceptual": config.perceptual_weight, "adversarial": config.adversarial_weight}

    def paint(variables: Variables, posed: Posed) -> tuple[Image, Variables]:
        drawn = {"keys": posed.keys} if config.dropout else {}
        return generator.apply(variables, posed.shown, train=True, **drawn)

    def judge(variables: Variables, truth: Image, fake: Image) -> tuple[_Judgement, Variables]:
        (of_real, real_taps), variables = discriminator.apply(variables, truth, train=True)
        (of_fake, fake_taps), variables = discriminator.apply(variables, fake, train=True)
        distance = perceptual_adversarial(fake_taps, real_taps, weights=tap_weights)
        return _Judgement(of_real, of_fake, distance), variables

    def discriminator_loss(variables: Variables, posed: Posed, fake: Image) -> Judged:
        judged, variables = judge(variables, posed.truth, fake)
        losses = log_discriminator(judged.of_real, judged.of_fake, real_label=config.real_label)
        # One margin for the whole batch, on however many devices it lies.
        distance = averaged_over(axis_name, jnp.mean(judged.distance))
        margin = perceptual_margin(distance, margin=config.margin)
        one = jnp.ones(())
        told = discriminator_metrics(losses, judged.of_real, judged.of_fake)
        told["margin"] = Mean(margin, one)
        told["margin_active"] = Mean(jnp.float32(margin > 0), one)
        return jnp.mean(losses) + margin, (variables, told)

    def generator_loss(fake: Image, posed: Posed, variables: Variables) -> Judged:
        judged, variables = judge(variables, posed.truth, fake)
        terms = {"perceptual": judged.distance, "adversarial": log_loss(judged.of_fake)}
        loss, told = weighted_sum(terms, weights)
        return loss, (variables, told)

    game = Game(paint, discriminator_loss, generator_loss)
    turns = (DISCRIMINATOR, GENERATOR, BOTH) if config.in_turn else (BOTH,)
    rounds = [Round(game, movers) for movers in turns]
    return adversarial(
        task,
        lambda number: rounds[number % len(rounds)],
        Side(on_pictures(generator), adam(config.learning_rate, b1=config.beta1)),
        Side(
            on_pictures(discriminator, partial(_painted, config)),
            adam(config.discriminator_learning_rate, b1=config.beta1),
        ),
        moves_others_averages=config.moves_others_averages,
        how=how,
        axis_name=axis_name,
    )


def _painted(config: PANConfig, size: tuple[int, int]) -> tuple[int, int]:
    """The size of what is painted in pictures of a size."""
    return (config.size // 2, config.size // 2) if config.task == "center" else size


class _Judgement(NamedTuple):
    """What the discriminator says of true pictures and of painted ones."""

    of_real: Logits
    of_fake: Logits
    distance: PerImage


def _generator(config: PANConfig, how: StepConfig, axis_name: str | None) -> tuple[Network, Task]:
    """The generator, and what it is for."""
    if config.task == "center":
        network = context_encoder(
            size=config.size,
            output_size=config.size // 2,
            width=config.width,
            bottleneck=config.bottleneck,
            encoder_kernel=3,
            deviation=config.deviation,
            axis_name=axis_name,
        )
    else:
        network = pan_unet(
            levels=config.levels,
            width=config.width,
            dropout=config.dropout,
            deviation=config.deviation,
            axis_name=axis_name,
        )

    network = computed_in(network, how.precision)

    def fill(variables: Variables, shown: Image, hole: Hole | None = None) -> Painting:
        return network.apply(variables, shown)[0]

    takes = Multiple(2**config.levels)
    match config.task:
        case "center":
            return network, tasks.center(fill, config.size, config.overlap)
        case "pairs":
            return network, tasks.pairs(fill, takes)
        case "holes":
            sample = sampler_of(config.holes, ratio=config.hole_ratio, border=config.hole_border)
            return network, tasks.anywhere(fill, sample, takes)
