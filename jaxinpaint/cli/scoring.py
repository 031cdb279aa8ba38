"""Scores of held-out pictures while a network trains; the best network is kept, and curves."""

import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import jax
import numpy as np
from PIL import Image as Pillow

from jaxinpaint.array_typing import RGB, Hole, Image, Variables
from jaxinpaint.data.config import DataConfig
from jaxinpaint.data.examples import Pair
from jaxinpaint.data.pictures import middle
from jaxinpaint.evaluation import held_out, manifests, metrics
from jaxinpaint.evaluation.curves import curves
from jaxinpaint.evaluation.in_batches import Measure, Squares, mean_scores
from jaxinpaint.evaluation.ssim import GAUSSIAN, ssim
from jaxinpaint.interop import network_files
from jaxinpaint.interop.network_files import NetworkFile
from jaxinpaint.recipes import RecipeConfig
from jaxinpaint.recipes.base import Recipe, Takes, Window
from jaxinpaint.training.loop import Best

log = logging.getLogger(__name__)

Judge = Callable[[Variables], dict[str, float]]

BEST, CURVES = "best.safetensors", "scores.png"
PREFIX = "held_out_"
MEASURES: Mapping[str, Measure] = {
    "psnr": lambda made, truth, hole: metrics.psnr(made, truth, region=hole),
    "l1": lambda made, truth, hole: metrics.l1(made, truth, region=hole),
    "ssim": lambda made, truth, hole: ssim(made, truth),
    "seam": metrics.seam_error,
}
HIGHER = {"psnr", "ssim"}  # are better; of the others the lower are
LEAST = {"ssim": len(GAUSSIAN.weights)}  # sides of squares that have a score
MANY = 2000  # cases, all of which are filled and kept in memory


def of_holes(recipe: Recipe, pictures: Sequence[RGB], data: DataConfig) -> Judge:
    """Scores how holes are filled: those of a manifest, or fixed ones in squares of pictures.

    Raises:
        ValueError: for a manifest that can't be read, has changed, or does not suit the network.
    """

    def fill(variables: Variables, image: Image, hole: Hole) -> Image:
        assert recipe.inpaint is not None
        return recipe.inpaint(variables, image, hole).composite

    margin = recipe.takes.margin if isinstance(recipe.takes, Window) else 0
    if data.manifest is not None:
        squares = _of_manifest(data.manifest, data, recipe.takes)
    else:
        truth = np.stack([middle(picture, data.size) for picture in pictures])
        hole = held_out.fixed_holes(truth.shape[:3], margin=margin) > 0
        squares = Squares(truth, truth, hole)
    return _judge(fill, squares, data)


def of_pairs(recipe: Recipe, pairs: Sequence[Pair], data: DataConfig) -> Judge:
    """Scores pictures that are made from others, all of them."""

    def make(variables: Variables, shown: Image, hole: Hole) -> Image:
        assert recipe.translate is not None
        return recipe.translate(variables, shown)

    truth, shown = (
        np.stack([middle(part, data.size) for part in parts]) for parts in zip(*pairs, strict=True)
    )
    whole = np.ones((*truth.shape[:3], 1), bool)
    return _judge(make, Squares(truth, shown, whole), data)


def require_measured(best: Best, data: DataConfig) -> None:
    """Raises ValueError if the squares of a run are too small for the score it is to keep."""
    # Those of manifests are never that small.
    if best == "ssim" and data.manifest is None and data.size < LEAST["ssim"]:
        raise ValueError(
            f"--best ssim is of windows of {LEAST['ssim']} pixels, and --data.size is {data.size}: "
            "choose another score"
        )


def keeping(
    judge: Judge, folder: Path, config: RecipeConfig, best: Best
) -> Callable[[int, Variables], dict[str, float]]:
    """The same, and what it is for: the best network so far in a file, and curves of all scores.

    Where a run goes on by another score, the file stays as it is until a network is better by that
    score than all before.

    Args:
        judge: scores a network.
        folder: of the run: ``best.safetensors`` and ``scores.png`` are written there, of what its
            ``metrics.jsonl`` tells of earlier steps and of this one.
        config: of the recipe.
        best: by which score.
    """

    def judged(step: int, variables: Variables) -> dict[str, float]:
        scores = judge(variables)
        past = _past(folder)
        history = {name: [*past.get(name, []), (step, scores[name])] for name in scores}
        Pillow.fromarray(curves(history)).save(folder / CURVES)
        name = f"{PREFIX}{best}"
        if name in history and _is_best([score for _, score in history[name]], best in HIGHER):
            source = f"{folder.name}, step {step}, {name} {scores[name]:.6g}"
            network_files.write(
                NetworkFile(config, {"generator": jax.device_get(variables)}, source), folder / BEST
            )
        return scores

    return judged


def _judge(make: Callable[[Variables, Image, Hole], Image], of: Squares, data: DataConfig) -> Judge:
    # All of it on one device: a step's batch may be spread over many.
    batch_size = max(1, data.batch_size // jax.device_count())
    side = min(of.truth.shape[1:3])
    measures = {PREFIX + name: of for name, of in MEASURES.items() if side >= LEAST.get(name, 0)}
    return mean_scores(make, of, batch_size, measures)


def _of_manifest(path: Path, data: DataConfig, takes: Takes) -> Squares:
    rows = manifests.read(path).rows
    if data.manifest_masks is None and any(isinstance(r.hole, manifests.Stored) for r in rows):
        raise ValueError(f"{path} has holes from mask files: say where, --data.manifest-masks")
    sizes = sorted({row.size for row in rows})
    if len(sizes) > 1 or not _takes(takes, sizes[0]):
        told = ", ".join(map(str, sizes))
        raise ValueError(f"{path} has squares of {told} pixels; this network takes {takes}")
    if len(rows) > MANY:
        log.warning("%s has %d cases: scoring all of them takes long each time", path, len(rows))
    side = sizes[0]
    truth = np.empty((len(rows), side, side, 3), np.uint8)
    hole = np.empty((len(rows), side, side, 1), bool)
    where = Path(str(data.held_out)), data.manifest_masks
    for i, row in enumerate(rows):
        _, truth[i], hole[i, ..., 0] = manifests.case(row, *where)
    margin = takes.margin if isinstance(takes, Window) else 0
    inner = hole[:, margin : side - margin, margin : side - margin]
    if inner.sum() < hole.sum():
        raise ValueError(
            f"{path} has holes within {margin} pixels of the border, which this network can't fill"
        )
    return Squares(truth, truth, hole)


def _takes(takes: Takes, side: int) -> bool:
    if isinstance(takes, Window):
        return side == takes.side
    return side % takes.of == 0 and side >= takes.least


def _past(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The steps and scores that a run has told, by their names."""
    path = folder / "metrics.jsonl"
    past: dict[str, list[tuple[int, float]]] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        told = json.loads(line)
        for name in told.keys() & {PREFIX + measure for measure in MEASURES}:
            past.setdefault(name, []).append((told["step"], told[name]))
    return past


def _is_best(scores: Sequence[float], higher: bool) -> bool:
    """Whether the last score is better than all before; one that is no number is no score."""
    *before, last = scores
    rivals = [score for score in before if math.isfinite(score)]
    return math.isfinite(last) and all(last > s if higher else last < s for s in rivals)
