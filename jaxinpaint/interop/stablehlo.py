"""Programs that paint as StableHLO, which JAX runs without this package."""

from pathlib import Path

import jax
import jax.numpy as jnp
from jax import export

from jaxinpaint.compiling import fast_jit
from jaxinpaint.interop.programs import Painting, Program, symbolic_shape
from jaxinpaint.interop.weight_files import UnreadableWeights

PLATFORMS = ("cpu", "cuda", "tpu")


def write(program: Program, path: Path) -> None:
    """Writes a program for any batch and, where its network takes such, any size of pictures."""
    shape = symbolic_shape(program.takes)
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
    return fast_jit(exported.call)
