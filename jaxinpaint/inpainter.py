"""`Inpainter`: a trained network that fills holes in pictures of any size."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jaxinpaint import trained
from jaxinpaint.array_typing import Variables
from jaxinpaint.compiling import fast_jit
from jaxinpaint.exported import read_program
from jaxinpaint.interop.export_folders import is_program
from jaxinpaint.interop.programs import INPAINT, Program
from jaxinpaint.memory import Budget, available, in_words, planned
from jaxinpaint.photos import as_batch, check_range, in_dtype, to_unit
from jaxinpaint.ready import NETWORK
from jaxinpaint.recipes.base import Inpainted, Multiple, Recipe, Takes, Window
from jaxinpaint.sizes import padded_sides
from jaxinpaint.tiles import around, fill_by_tiles
from jaxinpaint.windows import Square, inside, mirrored, plan, resized, resized_hole

log = logging.getLogger(__name__)

NOT_HOLES = (
    "this network fills no holes: it makes pictures from others (jaxinpaint translate, "
    "jaxinpaint.translator.load)"
)


class FillsNoHoles(ValueError):
    """Of a network that does something else."""


class Filled(NamedTuple):
    """A filled picture, or a batch of them, in the shape and dtype of the pictures given.

    Attributes:
        output: the network's picture, every pixel of it; where it saw squares of the picture, the
            photo with these squares as the network gave them back; where it saw tiles, the photo
            with its hole filled.
        composite: the output inside the hole; outside, the known pixels bit for bit.
    """

    output: np.ndarray
    composite: np.ndarray


@dataclass(frozen=True)
class Inpainter:
    """Fills holes in pictures of any size.

    Attributes:
        run: the compiled ``(variables, image, hole) -> Inpainted``; it compiles once for each size
            that pictures are padded to (`sizes.padded_sides`), and once for a window.
        variables: of the generator.
        takes: what pictures the network takes. Others are padded, or filled square by square
            through a window (`windows.plan`).
        budget: how much memory filling may take. Pictures that would take more are filled tile by
            tile (`tiles.fill_by_tiles`); None is for those that never do.
    """

    run: Callable[..., Inpainted]
    variables: Variables
    takes: Takes
    budget: Budget | None = None

    def __call__(self, photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """The photo with its hole filled; known pixels come back bit for bit.

        Args:
            photo: ``[H, W, 3]`` or a batch ``[N, H, W, 3]``, RGB: uint8, or float in [0, 1].
            hole: the missing pixels, ``[H, W]``, ``[H, W, 1]`` or batches of them: bool, 0 and 1,
                or, as uint8, 0 and 255.

        Returns:
            a picture of the same shape and dtype.

        Raises:
            ValueError: for pictures or holes of other shapes, dtypes or values; and for holes that
                the network can't fill, if it paints only the middle of its window, or if its
                memory is too little.
        """
        return self.fill(photo, hole).composite

    def fill(self, photo: np.ndarray, hole: np.ndarray) -> Filled:
        """As calling it, and gives the network's whole output too."""
        photo = np.asarray(photo)
        batch, missing = as_batch(photo), _missing(np.asarray(hole), photo)
        check_range(batch[~missing[..., 0]])
        # What stands in the hole may be anything, and is nothing to the network.
        known = np.where(missing, 0, batch)
        match self.takes:
            case Multiple() as takes:
                output = self._fill_whole(known, missing, takes)
            case Window() as window:
                output = self._fill_squares(known, missing, window)
        composite = np.where(missing, output, batch)
        return Filled(output.reshape(photo.shape), composite.reshape(photo.shape))

    def _fill_whole(self, photos: np.ndarray, missing: np.ndarray, takes: Multiple) -> np.ndarray:
        """All at once, or one by one if that is too much; in tiles those too large even so."""
        number, height, width, _ = photos.shape
        budget = self.budget
        if budget is None or budget.fits(self.variables, (number, height, width), takes):
            return self._fill_padded(photos, missing, takes)
        if number > 1:
            pairs = zip(photos, missing, strict=True)
            alone = [self._fill_whole(photo[None], hole[None], takes) for photo, hole in pairs]
            return np.concatenate(alone)
        return self._fill_tiles(photos[0], missing[0, ..., 0], takes, budget)[None]

    def _fill_padded(self, photos: np.ndarray, missing: np.ndarray, takes: Multiple) -> np.ndarray:
        height, width = photos.shape[1:3]
        output, _ = self.run(self.variables, *padded(photos, missing, takes))
        return in_dtype(np.asarray(output)[:, :height, :width], photos.dtype)

    def _fill_tiles(
        self, photo: np.ndarray, hole: np.ndarray, takes: Multiple, budget: Budget
    ) -> np.ndarray:
        if not hole.any():
            return photo
        height, width = hole.shape
        side = budget.tile(self.variables, (1, height, width), takes)
        log.warning(
            "%dx%d pixels at once would take %s of memory, and %s is what there is: they are "
            "filled in tiles of %dx%d (--max-memory, max_memory)",
            *(width, height, in_words(budget.needed(self.variables, (1, height, width), takes))),
            *(in_words(budget.limit), side, side),
        )

        def paint(picture: np.ndarray, unknown: np.ndarray) -> np.ndarray:
            return self._fill_padded(picture[None], unknown[None, ..., None], takes)[0]

        part = around(hole, side, takes.of)
        filled = fill_by_tiles(to_unit(photo[part]), hole[part], paint, side=side, of=takes.of)
        output = photo.copy()
        output[part][hole[part]] = in_dtype(filled[hole[part]], photo.dtype)
        return output

    def _fill_squares(self, photos: np.ndarray, missing: np.ndarray, window: Window) -> np.ndarray:
        holes = missing[..., 0]
        plans = [plan(hole, window) for hole in holes]  # all of them first: it may refuse a hole
        output = photos.copy()
        for picture, hole, patches in zip(output, holes, plans, strict=True):
            image, unknown = to_unit(picture), hole.copy()
            for square, filled in patches:
                covered = inside(square, hole.shape)
                painted = self._paint(image, unknown, square, window.side)
                picture[covered] = in_dtype(painted, picture.dtype)
                image[covered] = np.where(filled[..., None], painted, image[covered])
                unknown[covered] &= ~filled
            # Squares may overlap: what was filled first stays.
            picture[hole] = in_dtype(image[hole], picture.dtype)
        return output

    def _paint(
        self, image: np.ndarray, unknown: np.ndarray, square: Square, side: int
    ) -> np.ndarray:
        """The network's picture of the part of a square that is in the picture."""
        shown = mirrored(square, unknown)
        seen, hole = resized(image[shown], side), resized_hole(unknown[shown], side)
        output, _ = self.run(self.variables, seen[None], hole[None, ..., None].astype(np.float32))
        painted = resized(np.asarray(output)[0], square.size)
        rows, columns = inside(square, unknown.shape)
        return painted[
            rows.start - square.top : rows.stop - square.top,
            columns.start - square.left : columns.stop - square.left,
        ]


def of(recipe: Recipe, variables: Variables, *, max_memory: int | None = None) -> Inpainter:
    """An inpainter of a recipe's generator.

    Args:
        recipe: any that fills holes.
        variables: of its generator.
        max_memory: bytes that filling a picture may take, if there is a limit.

    Raises:
        FillsNoHoles: if the recipe makes pictures from others instead.
    """
    if recipe.inpaint is None:
        raise FillsNoHoles(NOT_HOLES)
    run = fast_jit(recipe.inpaint)
    budget = None if max_memory is None else Budget(max_memory, planned(run))
    # Once, not with every picture: weights come from files as arrays of the host.
    return Inpainter(run, jax.device_put(variables), recipe.takes, budget)


def load(path: Path | str = NETWORK, *, max_memory: int | None = None) -> Inpainter:
    """An inpainter of a run, or of a network in a file.

    Args:
        path: a run's folder, of which the newest checkpoint is taken; what ``jaxinpaint import``
            or ``export`` wrote; or a published program's checkpoint. By default the network that
            comes along.
        max_memory: bytes that filling a picture may take, on the device that fills it; larger
            pictures are filled tile by tile. By default what is free now.

    Raises:
        NoRun: if a folder is no run.
        UnreadableWeights: if a file is damaged, or of no network that is known.
        FillsNoHoles: if the network makes pictures from others instead.
        ValueError: if a run has no checkpoint that can be read.
    """
    path = Path(path)
    limit = available() if max_memory is None else max_memory
    try:
        if is_program(path):
            return of_program(read_program(path), max_memory=limit)
        return of(*trained.read(path), max_memory=limit)
    except FillsNoHoles as error:  # of several that were named, which
        raise FillsNoHoles(f"{path}: {error}") from None


def of_program(program: Program, *, max_memory: int | None = None) -> Inpainter:
    """An inpainter of an exported program.

    Args:
        program: any that fills holes.
        max_memory: as for `of`.

    Raises:
        FillsNoHoles: if it makes pictures from others instead.
    """
    if program.inputs != INPAINT:
        raise FillsNoHoles(NOT_HOLES)

    def run(variables: Variables, image: np.ndarray, hole: np.ndarray) -> Inpainted:
        composite, output = program.call(image, hole)
        return Inpainted(output, composite)

    needs = planned(program.call, takes_variables=False)
    budget = None if max_memory is None else Budget(max_memory, needs)
    return Inpainter(run, {}, program.takes, budget)


def padded(
    photos: np.ndarray, missing: np.ndarray, takes: Multiple
) -> tuple[np.ndarray, np.ndarray]:
    """Pictures in [0, 1] and holes, with sides that a network takes (`sizes.padded_sides`).

    Beyond the picture nothing is known: so it is a hole, as a network's own padding is.
    """
    sides = photos.shape[1:3]
    wanted = padded_sides(sides[0], sides[1], takes)
    pads = [(0, 0), *((0, n - side) for n, side in zip(wanted, sides, strict=True)), (0, 0)]
    unknown = np.pad(missing, pads, constant_values=True)
    return np.pad(to_unit(photos), pads), unknown.astype(np.float32)


def _missing(hole: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """The holes of a photo, or a batch of them, as bool ``[N, H, W, 1]``."""
    missing = _to_bool(hole)
    if missing.shape not in (photo.shape[:-1], (*photo.shape[:-1], 1)):
        raise ValueError(
            f"the hole is {list(hole.shape)}, the photo {list(photo.shape)}: "
            f"a hole needs the photo's size, {list(photo.shape[:-1])}"
        )
    return missing.reshape(-1, *photo.shape[-3:-1], 1)


def _to_bool(hole: np.ndarray) -> np.ndarray:
    if hole.dtype == bool:
        return hole
    values = np.unique(hole)
    if np.isin(values, (0, 1)).all() or (
        hole.dtype == np.uint8 and np.isin(values, (0, 255)).all()
    ):
        return hole > 0
    raise ValueError(
        "a hole is bool, 0 and 1, or (as uint8) 0 and 255, with ones where the picture is missing; "
        f"this one has other values, such as {values[~np.isin(values, (0, 1))][0]}"
    )
