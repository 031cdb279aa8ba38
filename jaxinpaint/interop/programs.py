"""Programs that paint: a network with its weights inside, from pictures to pictures."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax import export

from jaxinpaint.array_typing import Hole, Image, Variables
from jaxinpaint.recipes.base import Multiple, Recipe, Takes, Window

# ``(image, hole) -> (composite, output)``, or of a network that makes pictures from others
# ``(image) -> (made,)``; arrays of any library, float32 in [0, 1], NHWC.
Painting: TypeAlias = Callable[..., tuple[Any, ...]]

Inputs: TypeAlias = tuple[tuple[str, int], ...]  # their names and channels
INPAINT, TRANSLATE = (("image", 3), ("hole", 1)), (("image", 3),)
# The names of what is made from each.
OUTPUTS: Mapping[Inputs, tuple[str, ...]] = {
    INPAINT: ("composite", "output"),
    TRANSLATE: ("made",),
}


class Program(NamedTuple):
    """What is exported.

    Attributes:
        call: what it computes.
        inputs: of that.
        takes: what pictures it can be given.
    """

    call: Painting
    inputs: Inputs
    takes: Takes

    @property
    def outputs(self) -> tuple[str, ...]:
        """Their names."""
        return OUTPUTS[self.inputs]

    @property
    def channels(self) -> tuple[int, ...]:
        """Of each input."""
        return tuple(channels for _, channels in self.inputs)


def program_of(recipe: Recipe, variables: Variables) -> Program:
    """The program of a recipe's generator, with its weights.

    Args:
        recipe: any.
        variables: of its generator.
    """
    variables = jax.tree.map(jnp.asarray, variables)  # those of files are NumPy's
    if recipe.inpaint is None:
        translate = recipe.translate
        assert translate is not None

        def made(image: Image) -> tuple[Image]:
            return (translate(variables, image),)

        return Program(made, TRANSLATE, recipe.takes)
    inpaint = recipe.inpaint

    def painted(image: Image, hole: Hole) -> tuple[Image, Image]:
        output, composite = inpaint(variables, image, hole)
        return composite, output

    return Program(painted, INPAINT, recipe.takes)


def symbolic_shape(takes: Takes) -> tuple[Any, ...]:
    """Batch, height and width of what a network takes, with symbols for what may vary."""
    match takes:
        case Window(side=side):
            return (*export.symbolic_shape("n"), side, side)
        case Multiple(of=of, least=least):
            fewest = -(-least // of)
            constraints = [f"h >= {fewest}", f"w >= {fewest}"]
            return tuple(export.symbolic_shape(f"n, {of}*h, {of}*w", constraints=constraints))
