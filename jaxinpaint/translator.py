"""`Translator`: a trained network that makes one picture from another, of any size."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np

from jaxinpaint import trained
from jaxinpaint.array_typing import Variables
from jaxinpaint.compiling import fast_jit
from jaxinpaint.exported import read_program
from jaxinpaint.interop.export_folders import is_program
from jaxinpaint.interop.programs import TRANSLATE
from jaxinpaint.photos import as_batch, check_range, in_dtype, to_unit
from jaxinpaint.recipes.base import Multiple, Recipe, Window
from jaxinpaint.sizes import padded_sides

HOLES = (
    "this network makes no pictures from others: it fills holes (jaxinpaint inpaint, "
    "jaxinpaint.load)"
)


@dataclass(frozen=True)
class Translator:
    """Makes pictures from others.

    Attributes:
        run: the compiled ``(variables, image) -> image``; it compiles once for each size that
            pictures are padded to (`sizes.padded_sides`).
        variables: of the generator.
        multiple: what the network needs sides to be multiples of.
    """

    run: Callable[..., jax.Array]
    variables: Variables
    multiple: int

    def __call__(self, photo: np.ndarray) -> np.ndarray:
        """The picture that the network makes of one.

        Args:
            photo: ``[H, W, 3]`` or a batch ``[N, H, W, 3]``, RGB: uint8, or float in [0, 1].

        Returns:
            a picture of the same shape and dtype.

        Raises:
            ValueError: for pictures of other shapes, dtypes or values.
        """
        batch = as_batch(photo)
        check_range(batch)
        height, width = batch.shape[1:3]
        rows, columns = padded_sides(height, width, Multiple(self.multiple))
        pads = [(0, 0), (0, rows - height), (0, columns - width), (0, 0)]
        # Beyond the picture its last pixels go on: black would be a thing to be seen.
        image = np.pad(to_unit(batch), pads, mode="edge")
        made = np.asarray(self.run(self.variables, image))[:, :height, :width]
        return in_dtype(made, batch.dtype).reshape(np.shape(photo))


def of(recipe: Recipe, variables: Variables) -> Translator:
    """A translator of a recipe's generator.

    Raises:
        ValueError: if the recipe fills holes instead.
    """
    match recipe.takes:
        case Multiple(of=n) if recipe.translate is not None:
            return Translator(fast_jit(recipe.translate), jax.device_put(variables), n)
        case Multiple() | Window():
            raise ValueError(HOLES)


def load(run: Path | str) -> Translator:
    """A translator of a run folder's newest checkpoint, or of an export.

    Raises:
        NoRun: if the folder is no run.
        ValueError: if it has no checkpoint that can be read, or its network fills holes.
    """
    path = Path(run)
    if not is_program(path):
        return of(*trained.read(path))
    program = read_program(path)
    match program.takes:
        case Multiple(of=n) if program.inputs == TRANSLATE:
            return Translator(lambda variables, image: program.call(image)[0], {}, n)
        case Multiple() | Window():
            raise ValueError(HOLES)
