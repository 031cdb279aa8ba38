"""A smooth fill, corrected by a small network: for pictures of any size, on ordinary machines.

Of this house: holes are first filled by the membrane that the known pixels around them hold (Pérez
et al., Poisson Image Editing, SIGGRAPH 2003), and a U-Net learns what to add to it.

    python train.py membrane --data.source photos/      128², batch 8: about an hour on two cores

One is trained already and comes along: its scores are in ``jaxinpaint/ready/MODEL_CARD.md``.
"""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxinpaint.array_typing import Hole, Image, PerImage, RandomKey, Scalar, Variables
from jaxinpaint.nets.membrane_unet import membrane_unet
from jaxinpaint.nets.network import computed_in
from jaxinpaint.objectives.pixel import l1
from jaxinpaint.objectives.structure import dissimilarity
from jaxinpaint.ops.compositing import composite, from_bytes
from jaxinpaint.ops.membrane import depth, fill_smoothly
from jaxinpaint.recipes.base import (
    Batch,
    Inpainted,
    Metrics,
    Moves,
    Multiple,
    Player,
    Recipe,
    TrainState,
    weighted_sum,
)
from jaxinpaint.recipes.holes import HolesName, holes_of, sampler_of, unread
from jaxinpaint.recipes.optimisers import adam
from jaxinpaint.recipes.options import refuse_unread
from jaxinpaint.recipes.stepping import (
    PLAIN,
    Move,
    StepConfig,
    averaged_gradients,
    rate_factor,
    stepped_alone,
    whole_batch,
)


@dataclass(frozen=True)
class MembraneConfig:
    """A smooth fill, corrected by a small network (of this house)."""

    NETWORK: ClassVar = ("levels", "width")

    levels: int = 4
    """How often the network, and the smooth fill before it, halves the picture. Pictures need sides
    that are multiples of 2 to this power."""
    width: int = 24
    """Channels of the network's first layers; five times as many are the most."""
    holes: HolesName = "irregular"
    """What is cut out of the training pictures (docs/masks.md shows them)."""
    hole_ratio: tuple[float, float] = (0.05, 0.6)
    """Irregular, mat and random-region: least and greatest share of the picture that is missing;
    the others draw as they do."""
    hole_border: bool = True
    """Irregular: whether holes may touch the picture's border."""
    hole_weight: float = 1.0
    """Weight of the mean absolute error over the missing pixels, of which each picture has one."""
    structure_weight: float = 0.2
    """Weight of one minus the composite's structural similarity with the truth."""
    learning_rate: float = 1e-3
    """Of Adam."""

    def __post_init__(self) -> None:
        """Refuses what can't be."""
        for name in ("levels", "width"):
            if getattr(self, name) < 1:
                raise ValueError(f"--recipe.{name} is {getattr(self, name)}; it must be at least 1")
        for name in ("hole_weight", "structure_weight"):
            if getattr(self, name) < 0:
                option = name.replace("_", "-")
                raise ValueError(
                    f"--recipe.{option} is {getattr(self, name)}; it must be 0 or more"
                )
        refuse_unread(self, unread(self.holes), f"--recipe.holes {self.holes}")
        if not self.hole_weight and not self.structure_weight:
            raise ValueError(
                "--recipe.hole-weight and --recipe.structure-weight are both 0: nothing is learnt"
            )


class _Seen(NamedTuple):
    """What the network is shown: the smooth fill, the hole, and how deep a pixel lies in that."""

    filled: Image
    hole: Hole
    depth: Float[Array, "N H W 1"]


def membrane(
    config: MembraneConfig, how: StepConfig = PLAIN, *, axis_name: str | None = None
) -> Recipe:
    """The recipe: one player, ``generator``, trained by Adam on freshly drawn holes.

    ::

        output = filled + U-Net(filled, hole, depth)
        hole_weight · Σ hole · |output - truth| / (C · Σ hole)
            + structure_weight · (1 - SSIM(composite, truth))

    Args:
        config: every number of it.
        how: its steps are made.
        axis_name: the mapped axis over which gradients are averaged, where a step is written out
            for one of several devices; None is the global view.

    Raises:
        ValueError: for a config that no sampler can be made from.
    """
    generator = computed_in(membrane_unet(levels=config.levels, width=config.width), how.precision)
    sample_hole = sampler_of(config.holes, ratio=config.hole_ratio, border=config.hole_border)
    optimiser = adam(1.0)  # its rate comes with the step
    weights = {"hole": config.hole_weight, "structure": config.structure_weight}
    see = partial(_seen, levels=config.levels)

    def init(key: RandomKey, size: tuple[int, int]) -> TrainState:
        init_key, run_key = jax.random.split(key)
        one = jnp.zeros((1, *size, 1))
        variables = generator.init(init_key, jnp.zeros((1, *size, 3)), one, one)
        player = Player(variables, optimiser.init(variables["params"]))
        return TrainState(jnp.zeros((), jnp.int32), run_key, {"generator": player})

    def gradients_of(
        variables: Variables, part: tuple[Image, Hole]
    ) -> tuple[Variables, Variables, Metrics]:
        truth, hole = part
        seen = see(truth, hole)

        def objective(params: Variables) -> tuple[Scalar, tuple[Variables, Metrics]]:
            given = {**variables, "params": params}
            correction, updated = generator.apply(given, *seen, train=True)
            output = seen.filled + correction
            loss, metrics = weighted_sum(_terms(output, truth, hole), weights)
            return loss, (updated, metrics)

        gradients, (updated, metrics) = jax.grad(objective, has_aux=True)(variables["params"])
        return gradients, updated, metrics

    def step(state: TrainState, batch: Batch, may_move: Moves = True) -> tuple[TrainState, Metrics]:
        hole = holes_of(batch, sample_hole, jax.random.fold_in(state.key, state.step))
        gradients, variables, metrics = averaged_gradients(
            gradients_of,
            state.players["generator"].variables,
            (from_bytes(batch.image), hole),
            how.accumulate,
            axis_name,
        )
        rate = config.learning_rate * rate_factor(how, state.step, whole_batch(batch, axis_name))
        move = Move(variables, gradients, optimiser, how.clip, rate)
        return stepped_alone(state, move, metrics, may_move)

    def inpaint(variables: Variables, image: Image, hole: Hole) -> Inpainted:
        seen = see(image, hole)
        correction, _ = generator.apply(variables, *seen)
        output = jnp.clip(seen.filled + correction, 0, 1)
        return Inpainted(output, composite(output, image, hole))

    def show(variables: Variables, image: Image, hole: Hole) -> dict[str, Image]:
        return {"membrane": see(image, hole).filled}

    return Recipe(init, lambda number: step, Multiple(2**config.levels), inpaint, show=show)


def _seen(image: Image, hole: Hole, *, levels: int) -> _Seen:
    # As many levels as the network halves: a program for any size can have no other number.
    return _Seen(fill_smoothly(image, hole, levels=levels), hole, depth(hole, levels=levels))


def _terms(output: Image, truth: Image, hole: Hole) -> dict[str, PerImage]:
    """The losses by name; outside of holes the output has no part in them."""
    painted = composite(output, truth, hole)
    return {
        "hole": l1(output, truth, region=hole, denominator="region"),
        "structure": dissimilarity(painted, truth),
    }
