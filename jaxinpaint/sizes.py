"""How far pictures are padded: to few sizes, so that few programs are compiled."""

from jaxinpaint.recipes.base import Multiple

AN_OCTAVE = 8  # sizes between a length and twice that


def padded_sides(height: int, width: int, takes: Multiple) -> tuple[int, int]:
    """The sides of what a network is given for a picture.

    A picture that it takes as it is stays so. Of any other both sides are rounded up to one of
    eight lengths an octave, such as 512, 576, 640, …, 1024, 1152, as far as these are multiples of
    what the network takes: to an eighth more, at most, or to the next multiple.

    A network does not see quite the same in a picture that is padded, however little that is, for
    what is beyond a border is not what is beyond a picture that goes on, with a hole. How much more
    it is padded makes little of a difference to that (docs/filling.md).

    Args:
        height, width: at least 1.
        takes: what pictures the network takes.
    """
    if all(side % takes.of == 0 and side >= takes.least for side in (height, width)):
        return height, width
    return rounded_up(height, takes), rounded_up(width, takes)


def rounded_up(side: int, takes: Multiple) -> int:
    """The least of the lengths that is no less than a side."""
    step = _step(side, takes)
    return max(takes.least, -(-side // step) * step)


def rounded_down(side: int, takes: Multiple) -> int:
    """The greatest of the lengths that is no more than a side; or the least that there is."""
    step = _step(side, takes)
    return max(takes.least, takes.of, side // step * step)


def _step(side: int, takes: Multiple) -> int:
    """How far lengths are apart where a side is, above a power of two and up to the next one."""
    octave = 1 << max(0, (side - 1).bit_length() - 1)
    return -(-octave // (AN_OCTAVE * takes.of)) * takes.of
