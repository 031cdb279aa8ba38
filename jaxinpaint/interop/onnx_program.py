"""Programs that paint as ONNX, which onnxruntime and others run."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core
from jax.typing import ArrayLike
from jaxtyping import Array

from jaxinpaint.interop.programs import Painting, Program, symbolic_shape
from jaxinpaint.interop.weight_files import UnreadableWeights
from jaxinpaint.recipes.base import Multiple

OPSET = 21
# Primitives that only call what they hold under one of their parameters.
CALLS = {
    "jit": "jaxpr",
    "remat2": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
}


def write(program: Program, path: Path) -> None:
    """Writes a program for any batch and, where its network takes such, any size of pictures.

    Raises:
        ModuleNotFoundError: without jax2onnx.
    """
    try:
        import onnx  # pyright: ignore[reportMissingImports] (an extra)
        from jax2onnx import to_onnx  # pyright: ignore[reportMissingImports] (an extra)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"exporting to ONNX needs {error.name}: pip install 'jaxinpaint[onnx]'"
        ) from error
    shape = symbolic_shape(program.takes)
    arguments = [jax.ShapeDtypeStruct((*shape, n), jnp.float32) for n in program.channels]
    # Traced before jax2onnx does: that puts functions of its own in place of NumPy's, which
    # promote types otherwise.
    traced = jax.make_jaxpr(program.call)(*arguments)

    def evaluated(*arrays: Array) -> list[Array]:
        if isinstance(takes := program.takes, Multiple):
            # It looks for the symbols among the sides of arrays, where there are multiples only.
            lax.slice(arrays[0], (0,) * 4, arrays[0].shape, (1, takes.of, takes.of, 1))
        return _evaluated(traced.jaxpr, traced.consts, arrays)

    with _without_warnings("onnx_ir.serde"):  # of shapes that it leaves out
        model = to_onnx(
            evaluated,
            arguments,
            model_name="jaxinpaint",
            opset=OPSET,
            input_names=[name for name, _ in program.inputs],
            output_names=list(program.outputs),
        )
    for made in model.graph.output:  # it loses the names of some sides
        made.type.tensor_type.shape.CopyFrom(model.graph.input[0].type.tensor_type.shape)
    onnx.save_model(model, path)


def read(path: Path) -> Painting:
    """The program of a file, run by onnxruntime on the CPU.

    Raises:
        UnreadableWeights: if the file is damaged or of another kind.
        ModuleNotFoundError: without onnxruntime.
    """
    try:
        import onnxruntime  # pyright: ignore[reportMissingImports] (an extra)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path} is run by onnxruntime: pip install onnxruntime"
        ) from error
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    # It raises types of its own for whatever is wrong with a file.
    except Exception as error:
        raise UnreadableWeights(f"{path} is damaged or no ONNX: {error}") from error
    names = [given.name for given in session.get_inputs()]

    def painting(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        given = {name: np.asarray(a, np.float32) for name, a in zip(names, arrays, strict=True)}
        return tuple(np.asarray(made) for made in session.run(None, given))

    return painting


@contextmanager
def _without_warnings(name: str) -> Iterator[None]:
    """Keeps a logger from warning for a while."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _evaluated(jaxpr: core.Jaxpr, consts: Sequence[Any], arrays: Sequence[Any]) -> list[Any]:
    """What a jaxpr computes, with its padding as concatenations.

    jax2onnx 0.17.1 can't pad arrays with symbols for sides.
    """
    variables = [*jaxpr.constvars, *jaxpr.invars]
    values: dict[Any, Any] = dict(zip(variables, [*consts, *arrays], strict=True))

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, core.Literal) else values[atom]

    for equation in jaxpr.eqns:
        given, name = [read(atom) for atom in equation.invars], equation.primitive.name
        if equation.primitive is lax.pad_p:
            x, value = given
            made = [_padded(x, value, equation.params["padding_config"])]
        elif name in CALLS:
            made = _called(equation.params, CALLS[name], given)
        else:
            made = equation.primitive.bind(*given, **equation.params)
            made = made if equation.primitive.multiple_results else [made]
        values.update(zip(equation.outvars, made, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _called(params: Mapping[str, Any], name: str, given: Sequence[Any]) -> list[Any]:
    inner = params[name]
    return _evaluated(getattr(inner, "jaxpr", inner), getattr(inner, "consts", ()), given)


def _padded(x: Array, value: ArrayLike, config: Sequence[tuple[Any, ...]]) -> Array:
    for axis, (before, after, between) in enumerate(config):
        if between or before < 0 or after < 0:
            raise ValueError("only padding around arrays is written as concatenations")
        borders = [
            jnp.broadcast_to(value, (*x.shape[:axis], n, *x.shape[axis + 1 :])).astype(x.dtype)
            for n in (before, after)
        ]
        parts = [part for part in (borders[0], x, borders[1]) if part.shape[axis] != 0]
        x = lax.concatenate(parts, axis) if len(parts) > 1 else x
    return x
