"""Squares cut from decoded pictures, and holes from masks, at random."""

from typing import NamedTuple

import grain
import numpy as np
from PIL import Image
from scipy import ndimage

from jaxinpaint.array_typing import RGB, Missing
from jaxinpaint.data.config import DataConfig
from jaxinpaint.data.examples import Found, Pictures
from jaxinpaint.data.pictures import scaled_size

GROWTH = 0.02  # of a mask from a folder, at most, to each side: a share of the crop
LEAST_CUT = 0.5  # of such a mask's shorter side that a crop shows, at least


class Cut(NamedTuple):
    """A crop, bytes on the host.

    Attributes:
        image, source, hole: as in `Example`, of the size of the crops.
        mirrored: whether it is to be mirrored, which is left to the device.
        skipped: what was skipped to find it.
    """

    image: RGB
    source: RGB | None
    hole: Missing | None
    mirrored: bool
    skipped: tuple[str, ...]


class Square(NamedTuple):
    """A square of a picture that is thought to be scaled.

    Attributes:
        top, left, side: of the square.
        height, width: of the scaled picture.
    """

    top: int
    left: int
    side: int
    height: int
    width: int


class RandomCrop(grain.transforms.RandomMap):
    """A square at a random place of an example, with the config's random changes.

    All parts of an example are cut, scaled and mirrored alike. Scaling is bicubic, antialiased
    where it shrinks (of masks, the nearest pixel), and done for the square alone: its pixels are
    those of the whole picture scaled.

    Args:
        config: how they are cut.
        holes: masks, any of which goes with any picture.
    """

    def __init__(self, config: DataConfig, holes: Pictures | None = None) -> None:
        self._config = config
        self._holes = holes

    def random_map(  # pyright: ignore[reportIncompatibleMethodOverride] Grain declares None
        self, element: Found, rng: np.random.Generator
    ) -> Cut:
        """The crop of an example."""
        config, example, skipped = self._config, element.example, element.skipped
        square = _random_square(example.image.size, config, rng)
        # All is drawn in any case, so that one choice does not move the crops of another.
        mirrored, inverted = (bool(drawn) for drawn in rng.random(2) < 0.5)
        channels = rng.permutation(3)
        image = cut(example.image, square, config.size)
        if config.random_colours:
            image = image[..., channels]
            image = 255 - image if inverted else image
        hole = None if example.hole is None else cut_hole(example.hole, square, config.size)
        if self._holes is not None:
            found = self._holes[int(rng.integers(len(self._holes)))]
            hole = random_hole(found.example.image, config.size, rng)
            skipped += found.skipped
        source = None if example.source is None else cut(example.source, square, config.size)
        return Cut(image, source, hole, config.flip and mirrored, skipped)


def _random_square(size: tuple[int, int], config: DataConfig, rng: np.random.Generator) -> Square:
    """Where to cut a picture of a width and height: it is never too small to be."""
    width, height = size
    short_side = max(config.short_side or min(size), config.size)
    height, width = scaled_size(height, width, short_side)
    any_side = int(rng.integers(config.size, min(height, width) + 1))
    side = any_side if config.random_scale else config.size
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    return Square(top, left, side, height, width)


def cut(image: Image.Image, square: Square, size: int) -> RGB:
    """The square of a picture, scaled to a size."""
    return np.asarray(_cut(image, square, size, Image.Resampling.BICUBIC).convert("RGB"))


def cut_hole(mask: Image.Image, square: Square, size: int) -> Missing:
    """The same of its mask."""
    return np.asarray(_cut(mask, square, size, Image.Resampling.NEAREST)) > 0


def _cut(
    image: Image.Image, square: Square, size: int, resampling: Image.Resampling
) -> Image.Image:
    top, left, side, height, width = square
    if (height, width) == (image.height, image.width) and side == size:
        return image.crop((left, top, left + side, top + side))
    down, across = image.height / height, image.width / width
    box = (
        left * across,
        top * down,
        min((left + side) * across, image.width),
        min((top + side) * down, image.height),
    )
    return image.resize((size, size), resampling, box=box)


def random_hole(mask: Image.Image, size: int, rng: np.random.Generator) -> Missing:
    """A hole from a mask: turned by any angle, turned over, cut out, scaled and grown at random.

    What shows no hole, or nothing else, gives way to the whole mask scaled. (Crops are mirrored
    with their pictures.)

    Args:
        mask: white where pixels are missing.
        size: side of the hole.
        rng: draws.
    """
    angle, turned_over, growth = rng.random(3)
    side = int(rng.integers(max(1, round(LEAST_CUT * min(mask.size))), min(mask.size) + 1))
    left, top = (int(rng.integers(length - side + 1)) for length in mask.size)
    turned = mask.rotate(360 * angle)
    if turned_over < 0.5:
        turned = turned.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    square = Square(top, left, side, mask.height, mask.width)
    hole = cut_hole(turned, square, size)
    if not hole.any() or hole.all():
        hole = _whole_mask(mask, size)
    grown = ndimage.maximum_filter(hole, size=2 * round(GROWTH * size * growth) + 1)
    return hole if grown.all() else grown


def _whole_mask(mask: Image.Image, size: int) -> Missing:
    """A mask of both colours scaled: however few its pixels of one are, one is left."""
    share = np.asarray(mask.convert("F").resize((size, size), Image.Resampling.BOX))
    hole = share >= 127.5
    if not hole.any():
        hole.flat[share.argmax()] = True
    elif hole.all():
        hole.flat[share.argmin()] = False
    return hole
