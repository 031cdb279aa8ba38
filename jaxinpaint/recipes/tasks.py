"""What a generator that works in [-1, 1] is shown, what it is to paint, and how it fills holes."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from jaxinpaint import masks
from jaxinpaint.array_typing import Hole, Image, RandomKey, Variables
from jaxinpaint.nets.network import Network
from jaxinpaint.ops.compositing import composite, from_bytes
from jaxinpaint.recipes.base import Batch, Inpainted, Multiple, Window

# What holes are covered with, in bytes: the mean colour of the original program's pictures.
COVER = (117, 104, 123)


class Posed(NamedTuple):
    """A task for one batch.

    Attributes:
        shown: what the generator sees, in [-1, 1].
        truth: what it should paint, in [-1, 1].
        hole: the part of the truth that it can't see.
        keys: one a picture, for what a network draws.
    """

    shown: Image
    truth: Image
    hole: Hole
    keys: Key[Array, " N"]


class Task(NamedTuple):
    """A kind of hole that a generator is trained to fill; or pairs, one made from the other.

    Attributes:
        pose: ``(key, batch) -> Posed``: holes drawn by the key and the examples' positions.
        takes: what pictures the generator can be given.
        inpaint: ``(generator, variables, image, hole) -> Inpainted``; None for pairs.
        translate: ``(generator, variables, image) -> image``; only for pairs.
    """

    pose: Callable[[RandomKey, Batch], Posed]
    takes: Multiple | Window
    inpaint: Callable[[Network, Variables, Image, Hole], Inpainted] | None = None
    translate: Callable[[Network, Variables, Image], Image] | None = None


def center(size: int, overlap: int) -> Task:
    """The centre of square pictures, half of each side.

    As published, the generator sees the outermost pixels of what it paints: only the square inside
    this band is covered, and only holes inside it can be filled. What is covered does not depend on
    the hole.

    Args:
        size: side of the pictures.
        overlap: width of the band.

    Raises:
        ValueError: if the band leaves nothing to cover.
    """
    half, start = size // 2, size // 4
    if not 0 <= overlap < half // 2:
        raise ValueError(f"an overlap of {overlap} does not fit into {half} pixels")
    painted = slice(start, start + half)
    covered = slice(start + overlap, start + half - overlap)

    def show(image: Image, hole: Hole) -> Image:
        return _covered(image, hole).at[:, covered, covered].set(_colour(image))

    return _holed(
        sample=partial(masks.center, fraction=(half - 2 * overlap) / size),
        show=show,
        paints=lambda image: image[:, painted, painted],
        paste=lambda image, paint: image.at[:, painted, painted].set(paint),
        takes=Window(size, margin=start + overlap),
    )


def anywhere(sample: masks.Sampler, takes: Multiple | Window) -> Task:
    """Holes anywhere in the picture, all of which is painted."""
    return _holed(
        sample=sample,
        show=_covered,
        paints=lambda image: image,
        paste=lambda image, paint: paint,
        takes=takes,
    )


def pairs(takes: Multiple | Window) -> Task:
    """All of a picture, from the other of its pair.

    Posing raises ValueError for a batch without sources.
    """

    def pose(key: RandomKey, batch: Batch) -> Posed:
        if batch.source is None:
            raise ValueError("this recipe makes pictures from others: say where, --data.pairs")
        shown, truth = (_to_signed(from_bytes(part)) for part in (batch.source, batch.image))
        return Posed(shown, truth, jnp.ones((*truth.shape[:3], 1)), _keys(key, batch))

    def translate(generator: Network, variables: Variables, image: Image) -> Image:
        painted, _ = generator.apply(variables, _to_signed(image))
        return _to_unit(painted)

    return Task(pose, takes, translate=translate)


def _holed(
    *,
    sample: masks.Sampler,
    show: Callable[[Image, Hole], Image],
    paints: Callable[[Array], Array],
    paste: Callable[[Image, Image], Image],
    takes: Multiple | Window,
) -> Task:
    """The task of filling holes.

    Args:
        sample: draws a hole.
        show: the picture as the generator sees it, its missing pixels covered.
        paints: cuts out the part that the generator paints.
        paste: the picture with this part replaced.
        takes: what pictures the generator can be given.
    """

    def pose(key: RandomKey, batch: Batch) -> Posed:
        truth = from_bytes(batch.image)
        _, height, width, _ = truth.shape
        hole_key, others = jax.random.split(key)
        hole = masks.holes(sample, hole_key, batch.position, (height, width))
        shown = _to_signed(show(truth, hole))
        return Posed(shown, _to_signed(paints(truth)), paints(hole), _keys(others, batch))

    def inpaint(generator: Network, variables: Variables, image: Image, hole: Hole) -> Inpainted:
        painted, _ = generator.apply(variables, _to_signed(show(image, hole)))
        known = composite(jnp.zeros_like(image), image, hole)
        output = paste(known, _to_unit(painted))
        return Inpainted(output, composite(output, image, hole))

    return Task(pose, takes, inpaint=inpaint)


def _to_signed(image: Image) -> Image:
    """Pictures in [0, 1] as the generator has them, in [-1, 1]."""
    return 2 * image - 1


def _to_unit(painted: Image) -> Image:
    return (painted + 1) / 2


def _covered(image: Image, hole: Hole) -> Image:
    """The picture with its missing pixels covered."""
    return composite(jnp.broadcast_to(_colour(image), image.shape), image, hole)


def _colour(image: Image) -> Array:
    return jnp.array(COVER, image.dtype) / 255


def _keys(key: RandomKey, batch: Batch) -> Key[Array, " N"]:
    return jax.vmap(lambda position: jax.random.fold_in(key, position))(batch.position)
