"""Recipes: one file a paper. A config goes in, a `Recipe` of pure functions comes out."""

from jaxinpaint.recipes.base import Recipe
from jaxinpaint.recipes.partial_conv import PartialConvConfig, partial_conv

RecipeConfig = PartialConvConfig

__all__ = ["PartialConvConfig", "Recipe", "RecipeConfig", "make", "partial_conv"]


def make(config: RecipeConfig, *, axis_name: str | None = None) -> Recipe:
    """The recipe that a config belongs to."""
    match config:
        case PartialConvConfig():
            return partial_conv(config, axis_name=axis_name)
