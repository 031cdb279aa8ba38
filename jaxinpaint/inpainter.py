"""`Inpainter`: a trained network that fills holes in pictures of any size."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jaxinpaint import recipes
from jaxinpaint.array_typing import Variables
from jaxinpaint.recipes.base import Inpainted, Recipe
from jaxinpaint.run_config import load_config
from jaxinpaint.training.checkpoints import abstract_like, open_checkpoints


class Filled(NamedTuple):
    """A filled picture, or a batch of them, in the shape and dtype of the pictures given.

    Attributes:
        output: the network's picture, every pixel of it.
        composite: the output inside the hole; outside, the known pixels bit for bit.
    """

    output: np.ndarray
    composite: np.ndarray


@dataclass(frozen=True)
class Inpainter:
    """Fills holes in pictures of any size.

    Attributes:
        run: the compiled ``(variables, image, hole) -> Inpainted``; it compiles once for each size
            rounded up to the network's multiple.
        variables: of the generator.
        size_multiple: what the network needs sides to be multiples of.
    """

    run: Callable[..., Inpainted]
    variables: Variables
    size_multiple: int

    def __call__(self, photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """The photo with its hole filled; known pixels come back bit for bit.

        Args:
            photo: ``[H, W, 3]`` or a batch ``[N, H, W, 3]``, RGB: uint8, or float in [0, 1].
            hole: the missing pixels, ``[H, W]``, ``[H, W, 1]`` or batches of them: bool, 0 and 1,
                or, as uint8, 0 and 255.

        Returns:
            a picture of the same shape and dtype.

        Raises:
            ValueError: for pictures or holes of other shapes, dtypes or values.
        """
        return self.fill(photo, hole).composite

    def fill(self, photo: np.ndarray, hole: np.ndarray) -> Filled:
        """As calling it, and gives the network's whole output too."""
        photo = np.asarray(photo)
        batch, missing = _as_batch(photo, np.asarray(hole))
        height, width = batch.shape[1:3]
        pads = [(0, -side % self.size_multiple) for side in (height, width)]
        # Beyond the picture nothing is known: so it is a hole, as the network's own padding is.
        image = np.pad(_to_unit(batch), [(0, 0), *pads, (0, 0)])
        unknown = np.pad(missing, [(0, 0), *pads, (0, 0)], constant_values=True)
        output, _ = self.run(self.variables, image, unknown.astype(np.float32))
        output = _like(np.asarray(output)[:, :height, :width], photo.dtype)
        composite = np.where(missing, output, batch)
        return Filled(output.reshape(photo.shape), composite.reshape(photo.shape))


def of(recipe: Recipe, variables: Variables) -> Inpainter:
    """An inpainter of a recipe's generator."""
    return Inpainter(jax.jit(recipe.inpaint), variables, recipe.size_multiple)


def load(run: Path | str) -> Inpainter:
    """An inpainter of a run folder's newest checkpoint.

    Raises:
        NoRun: if the folder is no run.
        ValueError: if it has no checkpoint that can be read.
    """
    folder = Path(run)
    config = load_config(folder)
    recipe = recipes.make(config.recipe)
    size = (config.data.size, config.data.size)
    state = jax.eval_shape(lambda key: recipe.init(key, size), jax.random.key(0))
    on_one_device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    abstract = {name: player.variables for name, player in state.players.items()}
    with open_checkpoints(folder / "checkpoints") as checkpoints:
        variables, _ = checkpoints.restore_variables(abstract_like(abstract, on_one_device))
    return of(recipe, variables["generator"])


def _as_batch(photo: np.ndarray, hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pictures as ``[N, H, W, 3]`` and the holes as bool ``[N, H, W, 1]``."""
    if photo.ndim not in (3, 4) or photo.shape[-1] != 3:
        raise ValueError(f"a photo is [H, W, 3] or [N, H, W, 3], not {list(photo.shape)}")
    if 0 in photo.shape:
        raise ValueError(f"a photo needs pixels; this one is {list(photo.shape)}")
    if photo.dtype != np.uint8 and not np.issubdtype(photo.dtype, np.floating):
        raise ValueError(f"a photo is uint8, or float in [0, 1], not {photo.dtype}")
    missing = _to_bool(hole)
    if missing.shape in (photo.shape[:-1], (*photo.shape[:-1], 1)):
        missing = missing.reshape(*photo.shape[:-1], 1)
    else:
        raise ValueError(
            f"the hole is {list(hole.shape)}, the photo {list(photo.shape)}: "
            f"a hole needs the photo's size, {list(photo.shape[:-1])}"
        )
    if photo.ndim == 3:
        photo, missing = photo[None], missing[None]
    if np.issubdtype(photo.dtype, np.floating):
        known = photo[~missing[..., 0]]
        if not np.all((known >= 0) & (known <= 1)):
            raise ValueError("a float photo needs its known pixels in [0, 1]")
    return photo, missing


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


def _to_unit(photo: np.ndarray) -> np.ndarray:
    unit = photo.astype(np.float32)
    return unit / 255 if photo.dtype == np.uint8 else unit


def _like(output: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if dtype == np.uint8:
        return np.round(output * 255).astype(np.uint8)
    return output.astype(dtype)
