"""Programs that paint as TensorFlow's SavedModel."""

from pathlib import Path
from typing import Any

import numpy as np

from jaxinpaint.interop.programs import Painting, Program
from jaxinpaint.interop.weight_files import UnreadableWeights
from jaxinpaint.recipes.base import Window


def write(program: Program, path: Path) -> None:
    """Writes a program for any batch and, where its network takes such, any size of pictures.

    Raises:
        ModuleNotFoundError: without TensorFlow.
    """
    tf = _tensorflow("exporting to a SavedModel")
    from jax.experimental import jax2tf

    sides = ("h", "w")
    if isinstance(program.takes, Window):
        known, told = (program.takes.side,) * 2, ", ".join([str(program.takes.side)] * 2)
    else:
        known, told = (None, None), ", ".join(f"{program.takes.of}*{side}" for side in sides)
    converted = jax2tf.convert(
        program.call,
        polymorphic_shapes=[f"(n, {told}, {channels})" for channels in program.channels],
        with_gradient=False,
    )
    module: Any = tf.Module()
    signature = [
        tf.TensorSpec((None, *known, channels), tf.float32, name=name)
        for name, channels in program.inputs
    ]

    @tf.function(input_signature=signature, autograph=False)
    def paint(*arrays: Any) -> dict[str, Any]:
        return dict(zip(program.outputs, converted(*arrays), strict=True))

    module.paint = paint
    tf.saved_model.save(module, str(path), signatures={"serving_default": paint})


def read(path: Path, outputs: tuple[str, ...]) -> Painting:
    """The program of a SavedModel, run by TensorFlow.

    Args:
        path: its folder.
        outputs: their names, in the order of what is given back.

    Raises:
        UnreadableWeights: if it is damaged or none.
        ModuleNotFoundError: without TensorFlow.
    """
    tf = _tensorflow(f"{path} is run by TensorFlow, which")
    try:
        module = tf.saved_model.load(str(path))
    except (OSError, ValueError) as error:
        raise UnreadableWeights(f"{path} is damaged or no SavedModel: {error}") from error

    def painting(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        made = module.paint(*(tf.constant(np.asarray(array, np.float32)) for array in arrays))
        return tuple(made[name].numpy() for name in outputs)

    return painting


def _tensorflow(what: str) -> Any:
    try:
        import tensorflow  # pyright: ignore (an extra)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{what} needs it: pip install 'jaxinpaint[tf]'") from error
    return tensorflow
