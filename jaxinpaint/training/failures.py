"""What is kept of a step that broke, for whoever looks into it."""

import json
from collections.abc import Mapping
from pathlib import Path

import jax
import numpy as np
from PIL import Image

from jaxinpaint.recipes.base import Crops, TrainState
from jaxinpaint.training.checkpoints import open_checkpoints


def write_failure(
    folder: Path, crops: Crops, metrics: Mapping[str, float], state: TrainState
) -> None:
    """Writes a step that broke: what it was given, what it said, and the state before it.

    ``metrics.json``; ``state/``, a checkpoint; and of each process, by its number, ``batch-0.npz``
    with the arrays of `Crops`, and the pictures of these, ``pictures-0/00.png`` and so on.

    Args:
        folder: is made.
        crops: this process's part of the batch.
        metrics: of the step.
        state: before the step.
    """
    process = jax.process_index()
    pictures = folder / f"pictures-{process}"
    pictures.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(crops.image):
        Image.fromarray(image).save(pictures / f"{i:02d}.png")
    arrays = {name: part for name, part in crops._asdict().items() if part is not None}
    np.savez_compressed(folder / f"batch-{process}.npz", **arrays)
    if process == 0:
        (folder / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    with open_checkpoints(folder / "state", keep=1) as checkpoints:
        checkpoints.save(state, int(state.step))
