"""Looks at holes: mask files that are swapped, grey or JPEGs; and how much is missing."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxinpaint import masks
from jaxinpaint.data.pictures import (
    File,
    UnreadablePicture,
    content_of,
    open_upright,
    read_hole,
    to_rgb,
)
from jaxinpaint.data.sources import Source, spread
from jaxinpaint.doctor.findings import Finding, judged, some
from jaxinpaint.recipes import ContextEncoderConfig, RecipeConfig
from jaxinpaint.recipes.holes import sampler_of

SWAPPED = 0.7  # of a picture missing, from which its mask may be swapped
GREY = 0.01  # of a mask's pixels that are neither black nor white, from which its edge is soft
BLACK, WHITE = 8, 247  # levels up to which and from which a pixel is meant to be black or white
DRAWN = 64
JPEG = b"\xff\xd8"  # how such files begin


class SeenMask(NamedTuple):
    """What was seen of a mask file: its format, the share of grey pixels and of missing ones."""

    name: str
    jpeg: bool
    grey: float
    missing: float


def examine_files(source: Source, most: int) -> Iterator[Finding]:
    """Findings about mask files, ``most`` of them from all over the source."""
    numbers = spread(len(source.files), most)
    with ThreadPoolExecutor() as pool:
        looked = list(pool.map(lambda number: _look_at(source.files[number]), numbers))
    problems = [each for each in looked if isinstance(each, str)]
    seen = [each for each in looked if isinstance(each, SeenMask)]
    yield judged(
        "masks",
        f"{len(source.files)} files, {len(numbers)} of them looked at, {len(problems)} can't be "
        "read" + (f": {some(problems)}" if problems else ""),
        warn="mend or remove these files" if problems else "",
        fail="" if seen else "a mask is a picture: white where pixels are missing",
    )
    if seen:
        yield _polarity(seen)
        yield _soft(seen)
        yield _ratios([each.missing for each in seen])


def examine_drawn(recipe: RecipeConfig, size: tuple[int, int], seed: int) -> Iterator[Finding]:
    """A finding about the holes that a recipe draws anywhere; none of the middle of pictures."""
    if isinstance(recipe, ContextEncoderConfig) or getattr(recipe, "task", "holes") != "holes":
        return
    sample = sampler_of(recipe.holes, ratio=recipe.hole_ratio, border=recipe.hole_border)
    if sample is None:
        raise ValueError(f"--recipe.holes {recipe.holes} takes masks: say where, --data.holes")
    draw = jax.jit(lambda positions: masks.holes(sample, jax.random.key(seed), positions, size))
    yield _ratios(np.asarray(draw(jnp.arange(DRAWN))).mean(axis=(1, 2, 3)).tolist())


def _look_at(file: File) -> SeenMask | str:
    """What was seen of a mask, or why it can't be read."""
    try:
        levels = to_rgb(open_upright(file)).mean(axis=-1)
        missing = float(read_hole(file).mean())
        jpeg = content_of(file).startswith(JPEG)
    except (UnreadablePicture, OSError) as error:
        return str(error)
    return SeenMask(str(file), jpeg, float(np.mean((levels > BLACK) & (levels < WHITE))), missing)


def _polarity(seen: Sequence[SeenMask]) -> Finding:
    swapped = [each.name for each in seen if each.missing > SWAPPED]
    found = f"{len(swapped)} of {len(seen)} masks are more than {SWAPPED:.0%} white"
    found += f": {some(swapped)}" if swapped else ""
    remedy = "white is missing, black is known: if it is the other way round there, invert them"
    return judged("polarity", found, warn=remedy if swapped else "")


def _soft(seen: Sequence[SeenMask]) -> Finding:
    grey = [each.name for each in seen if each.grey > GREY]
    jpegs = [each.name for each in seen if each.jpeg]
    found = f"{len(grey)} of {len(seen)} masks have grey pixels" + (
        f" ({some(grey)})" if grey else ""
    )
    found += f", {len(jpegs)} are JPEGs" + (f" ({some(jpegs)})" if jpegs else "")
    remedy = (
        "what is at least half white counts as missing; save masks as PNG, black and white: JPEG "
        "blurs their edges"
    )
    return judged("edges", found, warn=remedy if grey or jpegs else "")


def _ratios(missing: Sequence[float]) -> Finding:
    low, middle, high = np.quantile(missing, (0.05, 0.5, 0.95))
    empty, full = missing.count(0.0), missing.count(1.0)
    found = f"{low:.0%} to {high:.0%} of a picture are missing in 9 of 10 holes, "
    found += f"{middle:.0%} in the median one"
    if empty or full:
        found += f"; {empty} of {len(missing)} have no hole, {full} nothing else"
    remedy = "what shows no hole, or nothing else, teaches nothing: leave these masks out"
    return judged("hole ratio", found, warn=remedy if empty or full else "")
