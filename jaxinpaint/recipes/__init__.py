"""Recipes: one file a paper. A config goes in, a `Recipe` of pure functions comes out."""

from typing import Any, Literal

from jaxinpaint.array_typing import Variables
from jaxinpaint.masks.shapes import Shapes
from jaxinpaint.recipes.base import Recipe
from jaxinpaint.recipes.context_encoder import ContextEncoderConfig, context_encoder
from jaxinpaint.recipes.crfill import CRFillConfig, crfill
from jaxinpaint.recipes.membrane import MembraneConfig, membrane
from jaxinpaint.recipes.pan import PANConfig, pan
from jaxinpaint.recipes.partial_conv import PartialConvConfig, partial_conv, perceptual_weights
from jaxinpaint.recipes.stepping import PLAIN, StepConfig

RecipeConfig = PartialConvConfig | ContextEncoderConfig | CRFillConfig | PANConfig | MembraneConfig

__all__ = [
    "CRFillConfig",
    "ContextEncoderConfig",
    "MembraneConfig",
    "PANConfig",
    "PartialConvConfig",
    "Recipe",
    "RecipeConfig",
    "StepConfig",
    "context_encoder",
    "crfill",
    "make",
    "membrane",
    "network_options",
    "pan",
    "partial_conv",
    "vgg16_weights",
]


def make(
    config: RecipeConfig,
    how: StepConfig = PLAIN,
    *,
    vgg16: Variables | None = None,
    shapes: Shapes | None = None,
    axis_name: str | None = None,
) -> Recipe:
    """The recipe that a config belongs to.

    Args:
        config: of any recipe.
        how: its steps are made.
        vgg16: VGG-16's published weights, for training with losses that look through it.
        shapes: of objects that are cut out, where holes have such.
        axis_name: the mapped axis over which gradients and batch statistics are averaged.
    """
    match config:
        case PartialConvConfig():
            return partial_conv(config, how, vgg16=vgg16, axis_name=axis_name)
        case ContextEncoderConfig():
            return context_encoder(config, how, axis_name=axis_name)
        case CRFillConfig():
            return crfill(config, how, shapes=shapes, axis_name=axis_name)
        case PANConfig():
            return pan(config, how, axis_name=axis_name)
        case MembraneConfig():
            return membrane(config, how, axis_name=axis_name)


def vgg16_weights(config: RecipeConfig) -> Literal["imagenet", "random"] | None:
    """Which weights of VGG-16 the losses look through; None if they look through none."""
    if isinstance(config, PartialConvConfig) and perceptual_weights(config):
        return config.features
    return None


def network_options(config: RecipeConfig) -> dict[str, Any]:
    """The options of a config that say which function its generator is, by name."""
    return {name: getattr(config, name) for name in config.NETWORK}
