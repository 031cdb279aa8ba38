"""A loss of one's own, in a training of the partial-convolution net.

    python examples/new_loss.py                     200 steps: a minute on two CPU cores
    python examples/new_loss.py --steps 5000 --run runs/charbonnier

Two objectives take the place of the paper's terms: Charbonnier's, a smooth L1, where the hole is;
and how far differences between neighbouring pixels are off, in all of the picture. Out comes a run
folder like any other: metrics.jsonl tells each term, samples/ shows held-out pictures, and

    jaxinpaint inpaint runs/new-loss photo.jpg --hole hole.png -o filled.png

fills holes with it.
"""

import argparse
from pathlib import Path

import jax.numpy as jnp

from jaxinpaint import recipes
from jaxinpaint.array_typing import Hole, Image, PerImage
from jaxinpaint.cli.showing import show_held_out
from jaxinpaint.data.batches import crops
from jaxinpaint.data.config import DataConfig
from jaxinpaint.data.examples import training_pictures
from jaxinpaint.objectives.pixel import l1
from jaxinpaint.objectives.reduction import difference, mean_per_image
from jaxinpaint.recipes.partial_conv import PartialConvConfig, Term
from jaxinpaint.run_config import RunConfig, save_config
from jaxinpaint.training.loop import LoopConfig, train
from jaxinpaint.training.parallel import place_on_all_devices


def charbonnier(output: Image, truth: Image, hole: Hole, *, epsilon: float = 1e-3) -> PerImage:
    """Mean of √((x - y)² + ε²) in the hole: L1 that is round at 0."""
    errors = jnp.sqrt(jnp.square(difference(output, truth)) + epsilon**2)
    return mean_per_image(errors, region=hole, denominator="region")


def gradient_difference(output: Image, truth: Image, hole: Hole) -> PerImage:
    """Mean |∂x - ∂y| along both axes: edges belong where they were."""

    def along(picture: Image) -> tuple[Image, Image]:
        return picture[:, 1:] - picture[:, :-1], picture[:, :, 1:] - picture[:, :, :-1]

    (x_down, x_right), (y_down, y_right) = along(output), along(truth)
    return l1(x_down, y_down) + l1(x_right, y_right)


OWN_TERMS = {
    "charbonnier": Term(6.0, charbonnier),
    "gradient_difference": Term(1.0, gradient_difference),
}


def main() -> None:
    """Trains, and shows held-out pictures."""
    parser = argparse.ArgumentParser(description="Train with a loss of one's own.")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--run", type=Path, default=Path("runs/new-loss"))
    chosen = parser.parse_args()

    network = PartialConvConfig(
        layer_size=5,
        width=chosen.width,
        hole_ratio=(0.01, 0.4),
        learning_rate=1e-3,
        # Of the paper's terms one stays: the known pixels.
        hole_weight=0.0,
        tv_weight=0.0,
        perceptual_weight=0.0,
        style_output_weight=0.0,
        style_composite_weight=0.0,
    )
    data = DataConfig(size=chosen.size, batch_size=chosen.batch_size, random_scale=True)
    loop = LoopConfig(
        steps=chosen.steps, log_every=20, sample_every=100, checkpoint_every=chosen.steps
    )
    placement = place_on_all_devices(loop.parallel)
    recipe = recipes.partial_conv(network, more_terms=OWN_TERMS, axis_name=placement.axis_name)
    shown = show_held_out(recipe, data, print)
    assert shown is not None  # the photographs that come along
    # By its config others know the network; the terms are no part of it.
    save_config(RunConfig(network, data, loop=loop), chosen.run)
    trained = train(
        recipe,
        loop,
        placement,
        folder=chosen.run,
        size=(data.size, data.size),
        seed=0,
        crops_from=lambda first: crops(training_pictures(data), data, seed=0, first=first),
        sample=shown.sample,
        judge=lambda step, variables: shown.judge(variables),
    )
    shown.compare(placement.here(trained.state.generator), chosen.run)
    print(chosen.run)


if __name__ == "__main__":
    main()
