"""A new loss composed of the objectives, and how each of them rates what can be wrong.

    python examples/losses.py                          random features: needs no weights
    python examples/losses.py --features imagenet      after `jaxinpaint weights vgg19 ...`

One photograph is blurred, made noisy, shifted and tinted, each more and more. The curves are the
objectives' values against the undisturbed photograph, in units of their value for noise of 0.1.
Needs matplotlib.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image as Picture
from PIL import ImageFilter

from jaxinpaint.array_typing import Image, PerImage, Taps
from jaxinpaint.data.pictures import read_rgb
from jaxinpaint.data.sources import built_in
from jaxinpaint.interop import published_weights
from jaxinpaint.nets.vgg import random_variables, vgg_taps
from jaxinpaint.objectives.perceptual import content, perceptual
from jaxinpaint.objectives.pixel import l1, mse
from jaxinpaint.objectives.smoothness import total_variation
from jaxinpaint.objectives.taps import taps_in_one_pass
from jaxinpaint.objectives.texture import style, texture_matching

Objective = Callable[[Image, Image], PerImage]

FINE = ("relu1_1", "relu2_1", "relu3_1")
STRENGTHS = [i / 6 for i in range(7)]


def objectives(vgg: Callable[..., Taps]) -> dict[str, Objective]:
    """What rates a picture against the truth, by name."""

    def seen(estimate: Image, truth: Image, *taps: str) -> tuple[Taps, ...]:
        return taps_in_one_pass(partial(vgg, taps=taps), estimate, truth)

    def content_at(tap: str, estimate: Image, truth: Image) -> PerImage:
        x, y = seen(estimate, truth, tap)
        return content(x[tap], y[tap])

    # A new loss: right colours, no more wiggles than there were, textures where they belong.
    def textured(estimate: Image, truth: Image) -> PerImage:
        textures = seen(estimate, truth, *FINE)
        return (
            l1(estimate, truth)
            + jnp.abs(total_variation(estimate) - total_variation(truth))
            + 1e-3 * texture_matching(*textures, patch_size=16, normalised=True)
        )

    return {
        "pixel, L1": l1,
        "pixel, MSE": mse,
        "perceptual (pool2, pool5)": lambda x, y: perceptual(*seen(x, y, "pool2", "pool5")),
        "content (relu4_2)": partial(content_at, "relu4_2"),
        "texture, whole map": lambda x, y: texture_matching(*seen(x, y, *FINE)),
        "texture, 16×16 patches": lambda x, y: texture_matching(*seen(x, y, *FINE), patch_size=16),
        "style": lambda x, y: style(*seen(x, y, *FINE)),
        "new: L1 + variation + texture": textured,
    }


def disturbances() -> dict[str, Callable[[np.ndarray, float], np.ndarray]]:
    """What can be wrong with a picture in [0, 1], by name, from not at all (0) to much (1)."""
    noise = np.random.default_rng(0)

    def blur(photo: np.ndarray, strength: float) -> np.ndarray:
        picture = Picture.fromarray(np.round(photo * 255).astype(np.uint8))
        return np.asarray(picture.filter(ImageFilter.GaussianBlur(4 * strength))) / 255

    return {
        "blur of up to 4 pixels": blur,
        "noise of up to 0.1": lambda photo, strength: np.clip(
            photo + 0.1 * strength * noise.standard_normal(photo.shape), 0, 1
        ),
        "shift of up to 8 pixels": lambda photo, strength: np.roll(
            photo, round(8 * strength), axis=1
        ),
        "tint of up to 0.2": lambda photo, strength: np.clip(
            photo + 0.2 * strength * np.array([1, 0, -1]), 0, 1
        ),
    }


def main() -> None:
    """Draws the curves."""
    parser = argparse.ArgumentParser(description="How each objective rates what can be wrong.")
    parser.add_argument("--features", choices=["random", "imagenet"], default="random")
    parser.add_argument("--photo", type=Path, default=built_in("held_out") / "chelsea.png")
    parser.add_argument("-o", "--output", type=Path, default=Path("losses.png"))
    chosen = parser.parse_args()

    if chosen.features == "random":
        variables = random_variables(19)
    else:
        variables = published_weights.load("vgg19").variables
    photo = read_rgb(chosen.photo)[:192, :192] / np.float32(255)

    kinds = disturbances()
    rows = {
        kind: np.stack([disturb(photo, s) for s in STRENGTHS]).astype(np.float32)
        for kind, disturb in kinds.items()
    }
    figure, axes = plt.subplots(2, len(kinds), figsize=(14, 7), height_ratios=[1, 2], sharey="row")
    for (kind, pictures), axis in zip(rows.items(), axes[0], strict=True):
        axis.imshow(np.concatenate([pictures[0], pictures[-1]], axis=1))
        axis.set_title(kind)
        axis.axis("off")
    for name, objective in objectives(partial(vgg_taps, variables, depth=19)).items():
        rate = jax.jit(objective)
        truth = jnp.broadcast_to(photo, rows["noise of up to 0.1"].shape)
        unit = rate(jnp.asarray(rows["noise of up to 0.1"]), truth)[-1]
        for pictures, axis in zip(rows.values(), axes[1], strict=True):
            axis.plot(STRENGTHS, rate(jnp.asarray(pictures), truth) / unit, label=name)
    for axis in axes[1]:
        axis.set_yscale("symlog", linthresh=0.1)
        axis.set_xlabel("strength")
    axes[1][0].set_ylabel("value / value for noise of 0.1")
    figure.legend(*axes[1][0].get_legend_handles_labels(), loc="lower center", ncols=4)
    figure.suptitle(f"VGG-19 with {chosen.features} weights")
    figure.tight_layout(rect=(0, 0.08, 1, 1))
    figure.savefig(chosen.output, dpi=80)
    print(chosen.output)


if __name__ == "__main__":
    main()
