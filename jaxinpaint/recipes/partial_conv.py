"""Partial convolutions on irregular holes.

Liu et al., Image Inpainting for Irregular Holes Using Partial Convolutions, ECCV 2018.

    python train.py                                     a small one, on the built-in photographs
    python train.py partial-conv --data.path photos/    512², batch 6, Adam 2e-4

Of the paper's loss it has the pixel terms and the total variation; the perceptual and the style
term, which need VGG-16, are not in it yet. The published scores are not yet reproduced.
"""

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import optax

from jaxinpaint import masks
from jaxinpaint.array_typing import Hole, Image, PerImage, RandomKey, Variables
from jaxinpaint.nets.partial_conv_unet import LastLayer, partial_conv_unet
from jaxinpaint.objectives.pixel import l1
from jaxinpaint.objectives.smoothness import total_variation
from jaxinpaint.ops.compositing import composite, from_bytes
from jaxinpaint.recipes.base import (
    Batch,
    Inpainted,
    Mean,
    Metrics,
    Player,
    Recipe,
    TrainState,
    averaged_over,
    weighted_sum,
)


@dataclass(frozen=True)
class PartialConvConfig:
    """Partial convolutions (Liu et al., ECCV 2018)."""

    layer_size: int = 7
    """How often the U-Net halves the picture: 7 or 8 in the paper. Pictures need sides that are
    multiples of 2 to this power."""
    width: float = 1.0
    """Multiplies every inner number of channels; 1 is the paper's 64 to 512."""
    batch_norm: bool = True
    """Off reproduces tanimutomo/partialconv."""
    last_layer: LastLayer = "paper"
    """How the last layer adds its bias; rescaled-bias reproduces tanimutomo/partialconv."""
    holes: masks.SamplerName = "irregular"
    """What is cut out of the training pictures."""
    hole_ratio: tuple[float, float] = (0.01, 0.6)
    """Irregular holes: least and greatest share of the picture that is missing."""
    hole_border: bool = True
    """Irregular holes: whether they may touch the picture's border."""
    valid_weight: float = 1.0
    """Weight of the mean absolute error over the known pixels."""
    hole_weight: float = 6.0
    """Weight of the mean absolute error over the missing pixels."""
    tv_weight: float = 0.1
    """Weight of the composite's total variation."""
    tv_region: Literal["hole", "picture"] = "hole"
    """Where the total variation counts: in the hole dilated by one pixel, as in the paper, or over
    the whole picture, as in a published program."""
    learning_rate: float = 2e-4
    """Of Adam."""
    finetune_from: int | None = None
    """The step at which fine-tuning starts: the encoder's batch norms use their running averages
    from there on. None: it never does."""
    finetune_learning_rate: float = 5e-5
    """Of Adam, while fine-tuning."""


def partial_conv(config: PartialConvConfig, *, axis_name: str | None = None) -> Recipe:
    """The recipe: one player, ``generator``, trained by Adam on freshly drawn holes.

    Minimises ``valid_weight · L_valid + hole_weight · L_hole + tv_weight · L_tv`` (the paper's
    eq. 7 without its perceptual and style terms), where L_valid and L_hole compare the raw output
    with the truth and L_tv is of the composite.

    Args:
        config: every number of it.
        axis_name: the mapped axis over which gradients and batch statistics are averaged, under
            ``pmap``; None is the global view, under ``jit``.

    Raises:
        ValueError: for a config that no network or sampler can be made from.
    """
    generator = partial_conv_unet(
        layer_size=config.layer_size,
        width=config.width,
        batch_norm=config.batch_norm,
        last_layer=config.last_layer,
        axis_name=axis_name,
    )
    sample_hole = masks.sampler(config.holes, ratio=config.hole_ratio, border=config.hole_border)
    optimiser = optax.adam(_learning_rate(config))
    weights = {
        "valid": config.valid_weight,
        "hole": config.hole_weight,
        "tv": config.tv_weight,
    }

    def init(key: RandomKey, size: tuple[int, int]) -> TrainState:
        init_key, run_key = jax.random.split(key)
        variables = generator.init(init_key, jnp.zeros((1, *size, 3)), jnp.ones((1, *size, 1)))
        player = Player(variables, optimiser.init(variables["params"]))
        return TrainState(jnp.zeros((), jnp.int32), run_key, {"generator": player})

    def losses(output: Image, truth: Image, hole: Hole) -> dict[str, PerImage]:
        completed = composite(output, truth, hole)
        return {
            "valid": l1(output, truth, region=1 - hole),
            "hole": l1(output, truth, region=hole),
            "tv": total_variation(completed, hole=hole if config.tv_region == "hole" else None),
        }

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        truth = from_bytes(batch.image)
        _, height, width, _ = truth.shape
        key = jax.random.fold_in(state.key, state.step)
        hole = masks.holes(sample_hole, key, batch.position, (height, width))
        variables, opt_state = state.players["generator"]
        fine_tuning = config.finetune_from is not None and state.step >= config.finetune_from

        def objective(params: Variables) -> tuple[jax.Array, tuple[Variables, Metrics]]:
            output, updated = generator.apply(
                {**variables, "params": params},
                truth * (1 - hole),
                1 - hole,
                train=True,
                freeze_encoder=fine_tuning,
            )
            loss, metrics = weighted_sum(losses(output, truth, hole), weights)
            return loss, (updated, metrics)

        grads, (variables, metrics) = jax.grad(objective, has_aux=True)(variables["params"])
        grads, metrics = averaged_over(axis_name, (grads, metrics))
        metrics |= {"gradient_norm": Mean(optax.tree.norm(grads), jnp.ones(()))}
        updates, opt_state = optimiser.update(grads, opt_state)
        variables = {**variables, "params": optax.apply_updates(variables["params"], updates)}
        players = {"generator": Player(variables, opt_state)}
        return TrainState(state.step + 1, state.key, players), metrics

    def inpaint(variables: Variables, image: Image, hole: Hole) -> Inpainted:
        known = composite(jnp.zeros_like(image), image, hole)
        output, _ = generator.apply(variables, known, 1 - hole)
        output = jnp.clip(output, 0, 1)
        return Inpainted(output, composite(output, image, hole))

    return Recipe(init, step, inpaint, size_multiple=2**config.layer_size)


def _learning_rate(config: PartialConvConfig) -> optax.Schedule:
    published = optax.constant_schedule(config.learning_rate)
    if config.finetune_from is None:
        return published
    fine_tuning = optax.constant_schedule(config.finetune_learning_rate)
    return optax.join_schedules([published, fine_tuning], [config.finetune_from])
