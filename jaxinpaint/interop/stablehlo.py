"""Programs that paint as StableHLO, which JAX runs without this package."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import export

from jaxinpaint.interop.programs import Painting, Program
from jaxinpaint.interop.weight_files import UnreadableWeights
from jaxinpaint.recipes.base import Multiple, Window

SUFFIX = ".stablehlo"
PLATFORMS = ("cpu", "cuda", "tpu")


def write(program: Program, path: Path) -> None:
    """Writes a program for any batch and, where its network takes such, any size of pictures."""
    shape = _shape(program.takes)
    arguments = [jax.ShapeDtypeStruct((*shape, n), jnp.float32) for n in program.channels]
    exported = export.export(jax.jit(program.call), platforms=PLATFORMS)(*arguments)
    path.write_bytes(exported.serialize())


def read(path: Path) -> Painting:
    """The program of a file, compiled for the devices here when it is called.

    Raises:
        UnreadableWeights: if the file is damaged or of another kind.
    """
    try:
        exported = export.deserialize(bytearray(path.read_bytes()))
    # The reader of such files raises whatever their bytes make of it.
    except Exception as error:
        raise UnreadableWeights(f"{path} is damaged or no StableHLO of JAX: {error}") from error
    return jax.jit(exported.call)


def _shape(takes: Multiple | Window) -> tuple[Any, ...]:
    match takes:
        case Window(side=side):
            return (*export.symbolic_shape("n"), side, side)
        case Multiple(of=of, least=least):
            fewest = -(-least // of)
            constraints = [f"h >= {fewest}", f"w >= {fewest}"]
            return tuple(export.symbolic_shape(f"n, {of}*h, {of}*w", constraints=constraints))
