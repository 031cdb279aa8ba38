"""Partial convolutions on irregular holes.

Liu et al., Image Inpainting for Irregular Holes Using Partial Convolutions, ECCV 2018.

    python train.py                                     a small one, on the built-in photographs
    python train.py partial-conv --data.source photos/    512², batch 6, Adam 2e-4

The perceptual and the style terms look through VGG-16, whose weights `jaxinpaint weights vgg16`
fetches. The published scores are not yet reproduced.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from jaxinpaint.array_typing import Hole, Image, PerImage, RandomKey, Scalar, Taps, Variables
from jaxinpaint.nets.network import Network, computed_in, dtype_of, floats_as
from jaxinpaint.nets.partial_conv_unet import LastLayer, partial_conv_unet
from jaxinpaint.nets.vgg import MEAN, STD, random_variables, vgg_taps
from jaxinpaint.objectives.partial_conv import partial_conv_terms
from jaxinpaint.ops.compositing import composite, from_bytes
from jaxinpaint.ops.partial_conv import Ratio
from jaxinpaint.recipes.base import (
    Batch,
    Inpainted,
    Metrics,
    Moves,
    Multiple,
    Player,
    Recipe,
    TrainState,
    gradient_norms,
    weighted_sum,
)
from jaxinpaint.recipes.holes import HolesName, holes_of, sampler_of
from jaxinpaint.recipes.optimisers import adam
from jaxinpaint.recipes.stepping import (
    PLAIN,
    Move,
    StepConfig,
    averaged_gradients,
    rate_factor,
    stepped_alone,
    whole_batch,
)

TAPS = ("pool1", "pool2", "pool3")


@dataclass(frozen=True)
class PartialConvConfig:
    """Partial convolutions (Liu et al., ECCV 2018)."""

    NETWORK: ClassVar = ("layer_size", "width", "batch_norm", "last_layer", "ratio", "normalised")

    layer_size: int = 7
    """How often the U-Net halves the picture: 7 or 8 in the paper. Pictures need sides that are
    multiples of 2 to this power."""
    width: float = 1.0
    """Multiplies every inner number of channels; 1 is the paper's 64 to 512."""
    batch_norm: bool = True
    """Off reproduces tanimutomo/partialconv."""
    last_layer: LastLayer = "paper"
    """How the last layer adds its bias; rescaled-bias reproduces tanimutomo/partialconv."""
    ratio: Ratio = "paper"
    """What makes up for missing pixels: a window's size over how much of it is known, as in the
    paper, or one over that, which reproduces naoto0804/pytorch-inpainting-with-partial-conv."""
    normalised: bool = False
    """Whether the network sees and paints pictures less ImageNet's mean, over its deviation, as the
    latter does. Losses are of pictures in [0, 1] all the same."""
    holes: HolesName = "irregular"
    """What is cut out of the training pictures (docs/masks.md shows them)."""
    hole_ratio: tuple[float, float] = (0.01, 0.6)
    """Irregular, mat and random-region: least and greatest share of the picture that is missing;
    the others draw as they do."""
    hole_border: bool = True
    """Irregular: whether holes may touch the picture's border."""
    valid_weight: float = 1.0
    """Weight of the mean absolute error over the known pixels."""
    hole_weight: float = 6.0
    """Weight of the mean absolute error over the missing pixels."""
    perceptual_weight: float = 0.05
    """Weight of the distance of output and composite from the truth in VGG-16's features."""
    style_output_weight: float = 120.0
    """Weight of the distance of the output's Gram matrices of these features from the truth's."""
    style_composite_weight: float = 120.0
    """Weight of the same of the composite."""
    tv_weight: float = 0.1
    """Weight of the composite's total variation."""
    tv_region: Literal["hole", "picture"] = "hole"
    """Where the total variation counts: in the hole dilated by one pixel, as in the paper, or over
    the whole picture, as in a published program."""
    features: Literal["imagenet", "random"] = "imagenet"
    """What the perceptual and style terms look through: VGG-16 as published, trained on ImageNet
    (`jaxinpaint weights vgg16`), or with random weights of a fixed seed, which need no file and
    know textures but no things: at the published weights style then pulls ten times as hard as the
    holes' own error. Not looked at where all three weights are 0."""
    normalise_features: bool = True
    """Whether these pictures are normalised as VGG-16 was trained with; off reproduces programs
    that feed it pictures in [0, 1]."""
    gradient_norms: bool = False
    """Whether to report how hard each term pulls at the network: a backward pass more a term."""
    learning_rate: float = 2e-4
    """Of Adam."""
    finetune_from: int | None = None
    """The step at which fine-tuning starts: the encoder's batch norms use their running averages
    from there on. None: it never does."""
    finetune_learning_rate: float = 5e-5
    """Of Adam, while fine-tuning."""


class Term(NamedTuple):
    """A term of one's own in a loss.

    Attributes:
        weight: of the term.
        objective: ``(output, truth, hole) -> one value per image``; the output is not clipped.
    """

    weight: float
    objective: Callable[[Image, Image, Hole], PerImage]


def partial_conv(
    config: PartialConvConfig,
    how: StepConfig = PLAIN,
    *,
    vgg16: Variables | None = None,
    more_terms: Mapping[str, Term] | None = None,
    axis_name: str | None = None,
) -> Recipe:
    """The recipe: one player, ``generator``, trained by Adam on freshly drawn holes.

    Minimises the weighted sum of `partial_conv_terms`, as in the paper's section 3.3.

    Args:
        config: every number of it.
        how: its steps are made.
        vgg16: VGG-16's published weights, which a step needs if ``config.features`` is
            ``imagenet`` and a term that looks through them has a weight; filling holes does not.
        more_terms: terms of one's own beside the paper's, by name; a config whose weights are 0
            leaves these alone.
        axis_name: the mapped axis over which gradients and batch statistics are averaged, where a
            step is written out for one of several devices; None is the global view.

    Raises:
        ValueError: for a config that no network or sampler can be made from, or a term with the
            name of one of the paper's; in a step, if VGG-16's weights are needed and missing.
    """
    generator = partial_conv_unet(
        layer_size=config.layer_size,
        width=config.width,
        batch_norm=config.batch_norm,
        last_layer=config.last_layer,
        ratio=config.ratio,
        axis_name=axis_name,
    )
    generator = computed_in(generator, how.precision)
    paint = partial(_paint, config, generator)
    sample_hole = sampler_of(config.holes, ratio=config.hole_ratio, border=config.hole_border)
    optimiser = adam(1.0)  # its rate comes with the step
    more_terms = more_terms or {}
    weights = _weights(config)
    if taken := weights.keys() & more_terms.keys():
        raise ValueError(f"the paper has terms of these names: {', '.join(sorted(taken))}")
    weights |= {name: term.weight for name, term in more_terms.items()}

    def init(key: RandomKey, size: tuple[int, int]) -> TrainState:
        init_key, run_key = jax.random.split(key)
        variables = generator.init(init_key, jnp.zeros((1, *size, 3)), jnp.ones((1, *size, 1)))
        player = Player(variables, optimiser.init(variables["params"]))
        return TrainState(jnp.zeros((), jnp.int32), run_key, {"generator": player})

    def gradients_of(
        fine_tuning: bool | Bool[Array, ""], variables: Variables, part: tuple[Image, Hole]
    ) -> tuple[Variables, Variables, Metrics]:
        truth, hole = part
        features = _features(config, how, vgg16)

        def terms(output: Image) -> dict[str, PerImage]:
            of_paper = partial_conv_terms(output, truth, hole, features, tv_region=config.tv_region)
            own = {name: term.objective(output, truth, hole) for name, term in more_terms.items()}
            return of_paper | own

        def objective(params: Variables) -> tuple[Scalar, tuple[Image, Variables, Metrics]]:
            output, updated = paint(
                {**variables, "params": params},
                truth,
                hole,
                train=True,
                freeze_encoder=fine_tuning,
            )
            loss, metrics = weighted_sum(terms(output), weights)
            return loss, (output, updated, metrics)

        gradients, aux = jax.grad(objective, has_aux=True)(variables["params"])
        output, updated, metrics = aux
        if config.gradient_norms:
            metrics |= gradient_norms(terms, output, weights)
        return gradients, updated, metrics

    def step(state: TrainState, batch: Batch, may_move: Moves = True) -> tuple[TrainState, Metrics]:
        hole = holes_of(batch, sample_hole, jax.random.fold_in(state.key, state.step))
        fine_tuning = config.finetune_from is not None and state.step >= config.finetune_from
        gradients, variables, metrics = averaged_gradients(
            partial(gradients_of, fine_tuning),
            state.players["generator"].variables,
            (from_bytes(batch.image), hole),
            how.accumulate,
            axis_name,
        )
        rate = jnp.where(fine_tuning, config.finetune_learning_rate, config.learning_rate)
        rate *= rate_factor(how, state.step, whole_batch(batch, axis_name))
        move = Move(variables, gradients, optimiser, how.clip, rate)
        return stepped_alone(state, move, metrics, may_move)

    def inpaint(variables: Variables, image: Image, hole: Hole) -> Inpainted:
        output = jnp.clip(paint(variables, image, hole)[0], 0, 1)
        return Inpainted(output, composite(output, image, hole))

    return Recipe(init, lambda number: step, Multiple(2**config.layer_size), inpaint)


def _paint(
    config: PartialConvConfig,
    generator: Network,
    variables: Variables,
    image: Image,
    hole: Hole,
    **options: Any,
) -> tuple[Image, Variables]:
    """The network's picture in [0, 1] (not clipped), and its variables after the pass."""
    mean, std = (jnp.array(MEAN), jnp.array(STD)) if config.normalised else (0.0, 1.0)
    # The network reads nothing of what stands in the hole.
    output, variables = generator.apply(variables, (image - mean) / std, 1 - hole, **options)
    return output * std + mean, variables


def perceptual_weights(config: PartialConvConfig) -> dict[str, float]:
    """Weights of the terms that look through VGG-16; empty if all are 0."""
    weights = {
        "perceptual": config.perceptual_weight,
        "style_output": config.style_output_weight,
        "style_composite": config.style_composite_weight,
    }
    return weights if any(weights.values()) else {}


def _weights(config: PartialConvConfig) -> dict[str, float]:
    """Weights of all terms that are computed."""
    pixelwise = {
        "valid": config.valid_weight,
        "hole": config.hole_weight,
        "tv": config.tv_weight,
    }
    return pixelwise | perceptual_weights(config)


def _features(
    config: PartialConvConfig, how: StepConfig, vgg16: Variables | None
) -> Callable[[Image], Taps] | None:
    """What the terms look through; None if none of them does.

    Raises:
        ValueError: if VGG-16's published weights are needed and missing.
    """
    if not perceptual_weights(config):
        return None
    if config.features == "random":
        vgg16 = random_variables(16, until=TAPS[-1])
    if vgg16 is None:
        raise ValueError(
            "the perceptual and style terms look through VGG-16: hand its weights to the recipe "
            "(vgg16=...), choose features='random', or set the three terms' weights to 0"
        )

    def features(image: Image) -> Taps:
        taps = vgg_taps(
            vgg16,
            image.astype(dtype_of(how.precision)),
            depth=16,
            taps=TAPS,
            normalise=config.normalise_features,
        )
        return floats_as(taps, jnp.float32)

    return features
