"""Whether variables are those of a network."""

import jax

from jaxinpaint import recipes
from jaxinpaint.array_typing import Variables
from jaxinpaint.recipes import RecipeConfig
from jaxinpaint.recipes.base import Multiple, Recipe, TrainState

Place = tuple[str, ...]  # of an array in nested variables
Parts = frozenset[tuple[str, str]]  # of players, as of `Recipe.dispensable`


def misfit(
    player: str, given: Variables, wanted: Variables, dispensable: Parts = frozenset()
) -> str | None:
    """What tells given variables from those of a player's network: one array, for people.

    Args:
        player: its name.
        given: what may be the network's.
        wanted: the network's, or their shapes.
        dispensable: parts of players that may be missing, as a whole.

    Returns:
        None if nothing does.
    """
    found, fitting = described(given), described(wanted)
    there = {part for _, part, *_ in found}
    missing = {part for name, part in dispensable if name == player} - there
    fitting = {place: what for place, what in fitting.items() if place[1] not in missing}
    for place in sorted(found | fitting):
        if found.get(place) != fitting.get(place):
            return (
                f"{'/'.join(place)} is {found.get(place, 'missing')} there, "
                f"{fitting.get(place, 'missing')} here"
            )
    return None


def described(variables: Variables) -> dict[Place, str]:
    """The shapes and types of arrays, such as ``(3, 3, 4, 64) float32``, by their places."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(variables)
    return {
        tuple(part.key for part in place): f"{leaf.shape} {leaf.dtype}" for place, leaf in leaves
    }


def first_state(config: RecipeConfig) -> tuple[Recipe, TrainState]:
    """The recipe of a config, and the shapes of its first state."""
    recipe = recipes.make(config)
    takes = recipe.takes
    side = max(takes.of, takes.least) if isinstance(takes, Multiple) else takes.side
    state = jax.eval_shape(lambda key: recipe.init(key, (side, side)), jax.random.key(0))
    return recipe, state
