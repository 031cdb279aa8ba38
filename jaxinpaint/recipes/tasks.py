"""What a generator that works in [-1, 1] is shown, what it is to paint, and how it fills holes."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from jaxinpaint import masks
from jaxinpaint.array_typing import Hole, Image, RandomKey, Variables
from jaxinpaint.ops.compositing import composite, from_bytes
from jaxinpaint.recipes.base import Batch, Inpainted, Takes, Window
from jaxinpaint.recipes.holes import holes_of

# What holes are covered with.
Colour: TypeAlias = tuple[float, float, float]
# The mean colour of the pictures that the original program of Context Encoders was trained on.
COVER: Colour = (117 / 255, 104 / 255, 123 / 255)
GREY: Colour = (0.5, 0.5, 0.5)  # 0 for a generator that works in [-1, 1]

# What a generator makes of what it is shown and of the hole in that: a picture, or the part of it
# that it paints.
Painting: TypeAlias = Float[Array, "N h w 3"]
Paint: TypeAlias = Callable[[Variables, Image, Hole], Painting]


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
        inpaint: ``(generator's variables, image, hole) -> Inpainted``; None for pairs.
        translate: ``(generator's variables, image) -> image``; only for pairs.
    """

    pose: Callable[[RandomKey, Batch], Posed]
    takes: Takes
    inpaint: Callable[[Variables, Image, Hole], Inpainted] | None = None
    translate: Callable[[Variables, Image], Image] | None = None


def center(paint: Paint, size: int, overlap: int) -> Task:
    """The centre of square pictures, half of each side.

    As published, the generator sees the outermost pixels of what it paints: only the square inside
    this band is covered, and only holes inside it can be filled. What is covered does not depend on
    the hole.

    Args:
        paint: the generator.
        size: side of the pictures.
        overlap: width of the band.

    Raises:
        ValueError: if the band leaves nothing to cover.
    """
    half, start = size // 2, size // 4
    if not 0 <= overlap < half // 2:
        raise ValueError(f"an overlap of {overlap} does not fit into {half} pixels")
    painted = slice(start, start + half)
    middle = slice(start + overlap, start + half - overlap)

    def show(image: Image, hole: Hole) -> Image:
        colour = jnp.array(COVER, image.dtype)
        return covered(image, hole, COVER).at[:, middle, middle].set(colour)

    return _holed(
        paint,
        sample=partial(masks.center, fraction=(half - 2 * overlap) / size),
        show=show,
        paints=lambda image: image[:, painted, painted],
        paste=lambda image, paint: image.at[:, painted, painted].set(paint),
        takes=Window(size, margin=start + overlap),
    )


def anywhere(
    paint: Paint,
    sample: masks.Sampler | None,
    takes: Takes,
    *,
    cover: Colour = COVER,
    one_hole: bool = False,
) -> Task:
    """Holes anywhere in the picture, all of which is painted.

    Args:
        paint: the generator.
        sample: draws a hole; None: batches bring them.
        takes: what pictures the generator can be given.
        cover: what the generator sees in the hole.
        one_hole: whether all pictures of a batch have the same hole.
    """
    return _holed(
        paint,
        sample=sample,
        one_hole=one_hole,
        show=partial(covered, colour=cover),
        paints=lambda image: image,
        paste=lambda image, paint: paint,
        takes=takes,
    )


def pairs(paint: Callable[[Variables, Image], Image], takes: Takes) -> Task:
    """All of a picture, from the other of its pair.

    Args:
        paint: the generator.
        takes: what pictures it can be given.

    Posing raises ValueError for a batch without sources.
    """

    def pose(key: RandomKey, batch: Batch) -> Posed:
        if batch.source is None:
            raise ValueError("this recipe makes pictures from others: say where, --data.pairs")
        shown, truth = (to_signed(from_bytes(part)) for part in (batch.source, batch.image))
        return Posed(shown, truth, jnp.ones((*truth.shape[:3], 1)), _keys(key, batch))

    def translate(variables: Variables, image: Image) -> Image:
        return to_unit(paint(variables, to_signed(image)))

    return Task(pose, takes, translate=translate)


def _holed(
    paint: Paint,
    *,
    sample: masks.Sampler | None,
    show: Callable[[Image, Hole], Image],
    paints: Callable[[Array], Array],
    paste: Callable[[Image, Image], Image],
    takes: Takes,
    one_hole: bool = False,
) -> Task:
    """The task of filling holes.

    Args:
        paint: the generator.
        sample: draws a hole; None: batches bring them.
        show: the picture as the generator sees it, its missing pixels covered.
        paints: cuts out the part that the generator paints.
        paste: the picture with this part replaced.
        takes: what pictures the generator can be given.
        one_hole: whether all pictures of a batch have the same hole.
    """

    def pose(key: RandomKey, batch: Batch) -> Posed:
        truth = from_bytes(batch.image)
        hole_key, others = jax.random.split(key)
        hole = holes_of(batch, sample, hole_key, one=one_hole)
        shown = to_signed(show(truth, hole))
        return Posed(shown, to_signed(paints(truth)), paints(hole), _keys(others, batch))

    def inpaint(variables: Variables, image: Image, hole: Hole) -> Inpainted:
        painted = paint(variables, to_signed(show(image, hole)), hole)
        known = composite(jnp.zeros_like(image), image, hole)
        output = paste(known, to_unit(painted))
        return Inpainted(output, composite(output, image, hole))

    return Task(pose, takes, inpaint=inpaint)


def to_signed(image: Image) -> Image:
    """Pictures in [0, 1] as the generator has them, in [-1, 1]."""
    return 2 * image - 1


def to_unit(painted: Image) -> Image:
    """The inverse of `to_signed`."""
    return (painted + 1) / 2


def covered(image: Image, hole: Hole, colour: Colour) -> Image:
    """The picture with its missing pixels covered."""
    return composite(jnp.broadcast_to(jnp.array(colour, image.dtype), image.shape), image, hole)


def _keys(key: RandomKey, batch: Batch) -> Key[Array, " N"]:
    return jax.vmap(lambda position: jax.random.fold_in(key, position))(batch.position)
