"""``jaxinpaint masks``: draw holes, and tell what they are like."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from jaxinpaint.names import SamplerName

if TYPE_CHECKING:
    from jaxinpaint.array_typing import Missing
    from jaxinpaint.masks import Sampler

BATCH = 16  # holes that are drawn at once
RATIO = (0.01, 0.6)  # what holes take that may be told how much


def masks(
    *,
    sampler: SamplerName,
    n: int = 1000,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")],
    size: Annotated[str, tyro.conf.arg(metavar="SIDE|HxW")] = "256",
    ratio: tuple[float, float] | None = None,
    border: bool = True,
    seed: int = 0,
    shapes: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None,
) -> None:
    """Draw masks, white where a pixel is missing, and tell what they are like.

    Args:
        sampler: What draws them.
        n: How many.
        output: A new or empty folder: 000000.png, 000001.png, … go there.
            What they are like is drawn beside it: OUTPUT.statistics.png.
            A mask depends on the seed and its number alone, not on how many there are.
        size: Pixels: one number for squares, or height and width, such as 256x384.
        ratio: For irregular, mat and random-region: least and greatest share of the picture that is
            missing (0.01 and 0.6 if left out).
        border: For irregular: whether holes may touch the border.
        seed: Of what is drawn.
        shapes: For crfill: a folder of outlines of objects, white on black.
    """
    height_width = _size(size)
    if n < 1:
        raise ValueError(f"--n is {n}; at least one mask is drawn")
    if not 0 <= seed < 2**32:
        raise ValueError(f"--seed is {seed}; it must be from 0 to {2**32 - 1}")
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise ValueError(f"{output} is taken; masks need a new or an empty folder")

    from PIL import Image

    from jaxinpaint.evaluation.mask_statistics import mask_statistics, picture, table

    sample = _sampler(sampler, ratio, border, shapes)
    drawn = _drawn(sample, seed, n, height_width)
    statistics = mask_statistics(_written(drawn, output))
    print(table(statistics))
    title = f"{sampler}: {n} holes of {height_width[0]}x{height_width[1]}"
    # Beside the folder, which holds masks alone and so can be trained on.
    beside = output.absolute().with_name(f"{output.absolute().name}.statistics.png")
    Image.fromarray(picture(statistics, title)).save(beside)
    print(beside)


def _size(told: str) -> tuple[int, int]:
    """Height and width.

    Raises:
        ValueError: if they are none.
    """
    sides = told.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() and int(side) for side in sides):
        raise ValueError(f"--size {told} is none; take 256, or HEIGHTxWIDTH such as 256x384")
    return int(sides[0]), int(sides[-1])


def _sampler(
    name: SamplerName, ratio: tuple[float, float] | None, border: bool, shapes: Path | None
) -> "Sampler":
    """What draws the holes.

    Raises:
        ValueError: for options that the sampler does not read, or shapes that can't be read.
    """
    import jax.numpy as jnp

    from jaxinpaint import masks
    from jaxinpaint.data.shapes import read_shapes

    told = {"ratio": ratio is not None, "border": not border, "shapes": shapes is not None}
    for option in masks.unread(name):
        if told[option]:
            dashed = "no-border" if option == "border" else option
            raise ValueError(f"--{dashed} says nothing where there is --sampler {name}")
    outlines = None if shapes is None else jnp.asarray(read_shapes(shapes))
    return masks.sampler(name, ratio=ratio or RATIO, border=border, shapes=outlines)


def _drawn(sample: "Sampler", seed: int, n: int, size: tuple[int, int]) -> "Iterator[Missing]":
    """The holes, one after the other.

    Raises:
        ValueError: if the sampler can't draw such holes.
    """
    import jax
    import jax.numpy as jnp
    import numpy as np

    from jaxinpaint import masks

    draw = jax.jit(lambda key, positions: masks.holes(sample, key, positions, size))
    for first in range(0, n, BATCH):
        batch = np.asarray(draw(jax.random.key(seed), first + jnp.arange(BATCH)))
        yield from batch[: n - first, ..., 0] > 0


def _written(holes: "Iterator[Missing]", folder: Path) -> "Iterator[Missing]":
    """The same holes, each of which has been written to its file."""
    import numpy as np
    from PIL import Image

    for number, hole in enumerate(holes):
        # Only now: what can't be drawn leaves no folder.
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.where(hole, np.uint8(255), np.uint8(0))).save(
            folder / f"{number:06d}.png"
        )
        yield hole
