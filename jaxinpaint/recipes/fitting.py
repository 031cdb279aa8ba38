"""Whether variables are those of a network."""

import jax

from jaxinpaint.array_typing import Variables

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
    found, fitting = shapes(given), shapes(wanted)
    there = {part for _, part, *_ in found}
    missing = {part for name, part in dispensable if name == player} - there
    fitting = {place: shape for place, shape in fitting.items() if place[1] not in missing}
    for place in sorted(found | fitting):
        if found.get(place) != fitting.get(place):
            return (
                f"{'/'.join(place)} is {found.get(place, 'missing')} there, "
                f"{fitting.get(place, 'missing')} here"
            )
    return None


def shapes(variables: Variables) -> dict[Place, tuple[int, ...]]:
    """The shapes of arrays, by their places."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(variables)
    return {tuple(part.key for part in place): leaf.shape for place, leaf in leaves}
