"""What a run shows of held-out pictures: sample grids while it trains, a comparison at its end."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image as Pillow

from jaxinpaint import inpainter, translator
from jaxinpaint.array_typing import RGB, Missing, Variables
from jaxinpaint.cli import scoring
from jaxinpaint.compiling import fast_jit
from jaxinpaint.data.config import DataConfig
from jaxinpaint.data.examples import Pair, held_out_pairs, held_out_pictures
from jaxinpaint.data.pictures import middle, scaled
from jaxinpaint.evaluation import held_out
from jaxinpaint.evaluation.baselines import BASELINES, Fill, with_version
from jaxinpaint.evaluation.grids import grid, holed
from jaxinpaint.inpainter import padded
from jaxinpaint.photos import in_dtype
from jaxinpaint.recipes.base import Multiple, Recipe, Window

SHOWN = 8  # rows of a grid


class Show(NamedTuple):
    """What can be shown of the variables that fill holes.

    Attributes:
        pictures: how many there are.
        sample: draws some of them.
        judge: scores squares of all, by name.
        compare: prints how well all are made, and draws some into the run folder.
    """

    pictures: int
    sample: Callable[[Variables], RGB]
    judge: Callable[[Variables], dict[str, float]]
    compare: Callable[[Variables, Path], None]


def show_held_out(recipe: Recipe, data: DataConfig, tell: Callable[[str], None]) -> Show | None:
    """What to show of a recipe; None without held-out pictures.

    Args:
        recipe: what is trained.
        data: where held-out pictures are.
        tell: is given a line for each that can't be read.

    Raises:
        ValueError: if there should be pictures and are none, or none that suit the recipe.
    """
    if recipe.translate is not None:
        pairs = [Pair(*(_as_trained(p, data) for p in pair)) for pair in held_out_pairs(data, tell)]
        return _show_pairs(recipe, pairs, data) if pairs else None
    pictures = [_as_trained(picture, data) for picture in held_out_pictures(data, tell)]
    return _show_holes(recipe, pictures, data) if pictures else None


def _as_trained(picture: RGB, data: DataConfig) -> RGB:
    """The picture at the scale of training: its middle, if training sees cuts of one scale."""
    if data.short_side is None:
        return scaled(picture, data.size)
    return middle(scaled(picture, data.short_side), data.size)


def _show_holes(recipe: Recipe, pictures: Sequence[RGB], data: DataConfig) -> Show:
    fill = inpainter.of(recipe, {})
    margin = recipe.takes.margin if isinstance(recipe.takes, Window) else 0
    if margin:
        squares = [middle(picture, data.size) for picture in pictures]
        kind, cases = "square", held_out.center_cases(squares, margin=margin)
    else:
        kind, cases = "irregular", held_out.cases(pictures)

    def filler(variables: Variables) -> inpainter.Inpainter:
        return dataclasses.replace(fill, variables=variables)

    further = _further(recipe)

    def sample(variables: Variables) -> RGB:
        rows, named = [], {}
        for truth, hole in cases[:SHOWN]:
            filled = filler(variables).fill(truth, hole)
            named = further(variables, truth, hole)
            pictures = (holed(truth, hole), filled.output, filled.composite, *named.values(), truth)
            rows.append(pictures)
        return grid(rows, ["input", "output", "composite", *named, "truth"])

    def compare(variables: Variables, folder: Path) -> None:
        fills = _methods() | {"network": filler(variables)}
        scores = held_out.psnr_in_holes(fills, cases)
        print(
            f"\nPSNR inside the hole, mean of {len(cases)} {kind} holes in held-out pictures "
            f"(short side {min(cases[0].hole.shape)}):"
        )
        for name, score in scores.items():
            print(f"    {name:12s} {score:5.2f} dB")
        rows = [
            [holed(truth, hole), *(method(truth, hole) for method in fills.values()), truth]
            for truth, hole in cases[:SHOWN]
        ]
        _save(grid(rows, ["input", *fills, "truth"]), folder)

    judge = scoring.of_holes(recipe, pictures, data)
    return Show(len(pictures), sample, judge, compare)


def _further(recipe: Recipe) -> Callable[[Variables, RGB, Missing], dict[str, RGB]]:
    """What else a recipe shows of how it fills a hole."""
    if recipe.show is None or not isinstance(recipe.takes, Multiple):
        return lambda variables, photo, missing: {}
    show, takes = fast_jit(recipe.show), recipe.takes

    def further(variables: Variables, photo: RGB, missing: Missing) -> dict[str, RGB]:
        height, width, _ = photo.shape
        shown = show(variables, *padded(photo[None], missing[None, ..., None], takes))
        return {
            name: in_dtype(np.asarray(picture)[0, :height, :width], photo.dtype)
            for name, picture in shown.items()
        }

    return further


def _show_pairs(recipe: Recipe, pairs: Sequence[Pair], data: DataConfig) -> Show:
    make = translator.of(recipe, {})

    def maker(variables: Variables) -> translator.Translator:
        return dataclasses.replace(make, variables=variables)

    def sample(variables: Variables) -> RGB:
        rows = [[source, maker(variables)(source), image] for image, source in pairs[:SHOWN]]
        return grid(rows, ["input", "output", "truth"])

    def compare(variables: Variables, folder: Path) -> None:
        scores = [held_out.psnr(maker(variables)(source), image) for image, source in pairs]
        print(f"\nPSNR, mean of {len(pairs)} held-out pictures: {np.mean(scores):5.2f} dB")
        _save(sample(variables), folder)

    return Show(len(pairs), sample, scoring.of_pairs(recipe, pairs, data), compare)


def _methods() -> dict[str, Fill]:
    """What anybody can fill a hole with."""
    methods = {"mean colour": BASELINES["mean-colour"], "Telea": BASELINES["telea"]}
    try:
        with_version("telea")
    except ModuleNotFoundError as error:
        print(f"no Telea: {error}")
        del methods["Telea"]
    return methods


def _save(pictures: RGB, folder: Path) -> None:
    path = folder / "held_out.png"
    Pillow.fromarray(pictures).save(path)
    print(f"the pictures: {path}")
