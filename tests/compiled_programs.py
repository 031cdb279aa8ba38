"""What compiled programs are made of, in numbers that no other work on the machine changes."""

import json
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jaxlib
import numpy as np
from golden import FOLDER
from jax.sharding import AxisType, Mesh

from jaxinpaint.cli.assembling import abstract_batch, abstract_state
from jaxinpaint.compiling import fast_jit
from jaxinpaint.data.config import DataConfig
from jaxinpaint.recipes import (
    ContextEncoderConfig,
    CRFillConfig,
    MembraneConfig,
    PANConfig,
    PartialConvConfig,
    Recipe,
    RecipeConfig,
    make,
)
from jaxinpaint.recipes.base import Step
from jaxinpaint.training.flops import model_flops
from jaxinpaint.training.guarding import Guarded, guarded
from jaxinpaint.training.parallel import AXIS, Compiled, Placement, compile_step

Counts = dict[str, int]

FILE = FOLDER / "compiled_programs.json"
ANEW = "if it is meant to be so, record anew: python tests/record_compiled_programs.py"
EXAMPLES = 2

# What a program is held to whatever compiled it, as it was recorded. (Directions of spectral norms
# that a step does not read, only writes, are not taken away.)
ALWAYS = {"model_flops": 0.0, "dilated_inputs": 0.0, "state_not_aliased": 0.0}
# How far each of the others may be from what was recorded, as a share of it, with the same jaxlib.
# They follow from what is fused with what, which differs a little between kinds of CPU; a pass too
# many through a network moves them by a fifth and more.
COMPILED = {"flops": 0.1, "bytes_accessed": 0.15, "temporary_bytes": 0.2}

PARTIAL_CONV = PartialConvConfig(layer_size=3, width=1 / 16, features="random")
CONTEXT = ContextEncoderConfig(size=64, width=4, discriminator_width=4, bottleneck=8)
PAN = PANConfig(task="center", size=64, width=4, discriminator_width=4, bottleneck=8)
MEMBRANE = MembraneConfig()
CRFILL = CRFillConfig(stages=("auxiliary",), width=8, discriminator_width=2)


class Program(NamedTuple):
    """A program by what it is of.

    Attributes:
        config: of its recipe.
        side: of its pictures.
        number: of the training step; None: what fills holes.
    """

    config: RecipeConfig
    side: int
    number: int | None


PROGRAMS = {
    "partial-conv step": Program(PARTIAL_CONV, 32, 0),
    "partial-conv filling": Program(PARTIAL_CONV, 32, None),
    "context-encoder step": Program(CONTEXT, 64, 0),
    "context-encoder filling": Program(CONTEXT, 64, None),
    "pan step of the discriminator": Program(PAN, 64, 0),
    "pan step of the generator": Program(PAN, 64, 1),
    "pan step of both": Program(PAN, 64, 2),
    "crfill step": Program(CRFILL, 32, 0),
    "crfill filling": Program(CRFILL, 32, None),
    "membrane step": Program(MEMBRANE, 32, 0),
    "membrane filling": Program(MEMBRANE, 32, None),
}


def one_device() -> Placement:
    """The placement of a machine with one device, whatever the number of those here."""
    mesh = Mesh(np.array(jax.devices()[:1]), (AXIS,), axis_types=(AxisType.Auto,))
    return Placement(mesh, "jit", shard_params=False, axis_name=None)


def data_of(side: int) -> DataConfig:
    return DataConfig(size=side, batch_size=EXAMPLES)


def counts(program: Program) -> Counts:
    """Of a program as training or filling compiles it."""
    recipe = make(program.config)
    if program.number is None:
        return counts_of_filling(recipe, program.side)
    return counts_of_step(recipe.step_at(program.number), recipe, program.side)


def counts_of_step(step: Step, recipe: Recipe, side: int) -> Counts:
    data = data_of(side)
    guard = Guarded(abstract_state(recipe, data), jax.ShapeDtypeStruct((), bool))
    step_in_a_run = guarded(step, "stop")
    return counts_of(compile_step(step_in_a_run, one_device(), guard, abstract_batch(data)), guard)


def counts_of_filling(recipe: Recipe, side: int) -> Counts:
    assert recipe.inpaint is not None
    variables = abstract_state(recipe, data_of(side)).generator
    image, hole = (jax.ShapeDtypeStruct((EXAMPLES, side, side, n), jnp.float32) for n in (3, 1))
    traced = fast_jit(recipe.inpaint).trace(variables, image, hole)
    return counts_of(Compiled(traced.lower().compile(), model_flops(traced.jaxpr), None), ())


def counts_of(program: Compiled, state: Any) -> Counts:
    """Of a program that takes this state's arrays away, or of one that has none."""
    compiled: Any = program.call
    cost, memory, text = compiled.cost_analysis(), compiled.memory_analysis(), compiled.as_text()
    state_bytes = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))
    return {
        "model_flops": program.flops,
        "dilated_inputs": text.count("lhs_dilate="),
        "state_not_aliased": max(0, state_bytes - memory.alias_size_in_bytes),
        "flops": int(cost["flops"]),
        "bytes_accessed": int(cost["bytes accessed"]),
        "temporary_bytes": memory.temp_size_in_bytes,
    }


def faults(found: Counts, recorded: Counts, *, same_compiler: bool) -> list[str]:
    """What is worse than recorded, or so much better that the record is no longer true."""
    told = []
    for name, share in (ALWAYS | (COMPILED if same_compiler else {})).items():
        change = found[name] - recorded[name]
        if abs(change) > share * recorded[name]:
            direction = "more" if change > 0 else "less"
            told.append(f"{name} is {found[name]}, {direction} than the {recorded[name]} recorded")
    return told


def recorded() -> dict[str, Any]:
    return json.loads(FILE.read_text())


def record() -> None:
    programs = {name: counts(program) for name, program in PROGRAMS.items()}
    whole = {"jaxlib": jaxlib.__version__, "programs": programs}
    FILE.write_text(json.dumps(whole, indent=2) + "\n")
