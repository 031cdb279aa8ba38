"""How much memory filling a picture takes, and how much of a picture fits into what there is."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import jax
import numpy as np
import psutil

from jaxinpaint.array_typing import Variables
from jaxinpaint.recipes.base import Multiple
from jaxinpaint.sizes import padded_sides, rounded_down

Shape: TypeAlias = tuple[int, int, int]  # pictures, height and width

# Bytes for each pixel of a picture beside what XLA plans: the picture on its way in and out, and
# what convolutions put aside on a CPU. Measured, of bytes: 13 to 41, and in tiles 60.
AROUND = 64
# Bytes for each pixel where there is no plan, of programs that others run: more than any network
# here takes, but for contextual attention.
UNPLANNED = 2_000
FAR_TOO_MUCH = 2**50  # bytes
LEAST_TILE = 64  # pixels: in less of a picture there is nothing to go by
LEAST = 500_000_000  # bytes: a machine that says it has less free makes room, or swaps


class Budget:
    """How much memory filling may take."""

    def __init__(self, limit: int, needs: Callable[[Variables, Shape], int]) -> None:
        """Of a network.

        Args:
            limit: in bytes.
            needs: how many it takes to fill pictures of a shape that the network takes.
        """
        self.limit = limit
        self._needs = needs
        self._known: dict[Shape, int] = {}

    def needed(self, variables: Variables, shape: Shape, takes: Multiple) -> int:
        """Bytes that it takes to fill pictures of any size at once."""
        return self._planned(variables, shape, takes) + AROUND * math.prod(shape)

    def fits(self, variables: Variables, shape: Shape, takes: Multiple) -> bool:
        """Whether that is within the limit."""
        return self.needed(variables, shape, takes) <= self.limit

    def tile(self, variables: Variables, shape: Shape, takes: Multiple) -> int:
        """The side of about the largest square of a picture that fits, where the whole does not.

        Raises:
            ValueError: if the least that makes sense does not fit either.
        """
        beside = AROUND * math.prod(shape)
        left = self.limit - beside
        least = rounded_down(max(LEAST_TILE, 2 * takes.of), takes)

        def planned(side: int) -> int:
            return self._planned(variables, (1, side, side), takes)

        side, pixels = max(shape), math.prod(shape)
        taken = max(self._planned(variables, shape, takes), left + 1, 1)
        while taken > left:
            # What does not grow with the picture, weights above all, is found to be too much next.
            fitting = math.isqrt(pixels * max(0, left) // taken)
            side = max(least, rounded_down(fitting, takes))
            pixels, taken = side**2, planned(side)
            if taken > left and side == least:
                raise ValueError(
                    f"this picture takes {in_words(beside + taken)} of memory even in tiles of "
                    f"{side}x{side}, more than the {in_words(self.limit)} that it may take "
                    "(--max-memory, max_memory)"
                )
        # What grows faster than the picture, as attention does, leaves much of it.
        while 2 * side < max(shape) and 4 * planned(side) <= left >= planned(2 * side):
            side *= 2
        return side

    def _planned(self, variables: Variables, shape: Shape, takes: Multiple) -> int:
        number, height, width = shape
        given = (number, *padded_sides(height, width, takes))
        if given not in self._known:
            self._known[given] = self._needs(variables, given)
        return self._known[given]


def planned(run: Any, *, takes_variables: bool = True) -> Callable[[Variables, Shape], int]:
    """What XLA plans for a compiled ``(variables, image, hole) -> …``: weights, pictures, features.

    Asking compiles the program, as calling it does later: it is compiled once.

    Args:
        run: what `jax.jit` gives; of anything else nothing is planned, and more is said than is
            likely to be needed.
        takes_variables: False is of ``(image, hole) -> …``, which has its weights inside.
    """

    def needs(variables: Variables, shape: Shape) -> int:
        if not hasattr(run, "lower"):
            return UNPLANNED * math.prod(shape)
        image, hole = (jax.ShapeDtypeStruct((*shape, n), np.float32) for n in (3, 1))
        arguments = (variables, image, hole) if takes_variables else (image, hole)
        try:
            plan = run.lower(*arguments).compile().memory_analysis()
        except jax.errors.JaxRuntimeError as error:
            # Some backends do not compile at all what can't fit.
            if "RESOURCE_EXHAUSTED" in str(error):
                return FAR_TOO_MUCH
            raise
        if plan is None:
            return UNPLANNED * math.prod(shape)
        parts = plan.argument_size_in_bytes, plan.output_size_in_bytes, plan.temp_size_in_bytes
        return sum(parts) - plan.alias_size_in_bytes

    return needs


def available() -> int:
    """Bytes that are free now: of a GPU or TPU its own, else the machine's or the container's."""
    stats = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" in stats:
        free = stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    else:
        free = min(psutil.virtual_memory().available, _left_to_group(Path("/sys/fs/cgroup")))
    return max(LEAST, int(free))


def in_words(n: int) -> str:
    """A number of bytes for people."""
    return f"{n / 1e9:.1f} GB" if n >= 1e9 else f"{max(1, round(n / 1e6))} MB"


def _left_to_group(folder: Path) -> float:
    """Bytes that a container, or another group that Linux keeps to a limit, has left."""
    try:
        limit, used = ((folder / f"memory.{name}").read_text() for name in ("max", "current"))
        told = (folder / "memory.stat").read_text().splitlines()
        files = next(int(line.split()[1]) for line in told if line.startswith("file "))
        return float(int(limit) - (int(used) - files))  # which make room when it is needed
    except (OSError, ValueError, StopIteration):  # no such group, or none with a limit ("max")
        return math.inf
