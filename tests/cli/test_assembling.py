"""What a run is made of."""

import dataclasses
import itertools
import logging
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from data.picture_files import folder_of

from jaxinpaint import recipes
from jaxinpaint.cli import assembling
from jaxinpaint.cli.assembling import Skipped, abstract_batch, assemble, check_steps
from jaxinpaint.data.config import DataConfig
from jaxinpaint.recipes import CRFillConfig, PANConfig, PartialConvConfig, RecipeConfig
from jaxinpaint.recipes.base import Batch
from jaxinpaint.recipes.holes import holes_of, sampler_of
from jaxinpaint.run_config import RunConfig
from jaxinpaint.training.loop import LoopConfig
from jaxinpaint.training.parallel import place_on_all_devices

PIXELWISE = PartialConvConfig(
    layer_size=2,
    width=0.06,
    holes="paired",
    perceptual_weight=0.0,
    style_output_weight=0.0,
    style_composite_weight=0.0,
)
FROM_FILES: dict[str, RecipeConfig] = {
    "partial convolutions": PIXELWISE,
    "PAN": PANConfig(task="holes", holes="paired", levels=2, width=2, discriminator_width=2),
    "CR-Fill": CRFillConfig(holes="folder", width=16, discriminator_width=2),
}
DATA = DataConfig(holes="masks", size=16, batch_size=8)


def test_what_is_skipped_is_warned_of_once_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    skipped = Skipped()
    with caplog.at_level(logging.WARNING, assembling.__name__):
        for problem in ("a: broken", "b: gone", "a: broken", "b: gone"):
            skipped.tell(problem)
    assert caplog.messages == ["skipped (1 so far) a: broken", "skipped (2 so far) b: gone"]
    assert list(skipped.problems) == ["a: broken", "b: gone"]


def test_crops_of_a_run_tell_what_they_skip(tmp_path: Path) -> None:
    files = folder_of(tmp_path / "photos", [1, None, 3])
    data = DataConfig(source=str(tmp_path / "photos"), size=4, batch_size=4)
    parts = assemble(RunConfig(dataclasses.replace(PIXELWISE, holes="center"), data))
    assert not parts.skipped.problems
    batches = list(itertools.islice(parts.crops_from(0), 3))
    assert len(batches) == 3
    assert list(parts.skipped.problems) == [f"{files[1]}: not a picture that Pillow can read"]


@pytest.mark.parametrize("config", FROM_FILES.values(), ids=FROM_FILES)
def test_recipes_take_the_holes_of_a_batch_and_ask_for_them(config: RecipeConfig) -> None:
    recipe = recipes.make(config)
    run = RunConfig(config, DATA, loop=LoopConfig(steps=1))
    placement = place_on_all_devices()._replace(axis_name=None)
    check_steps(recipe, run, placement)
    without = dataclasses.replace(run, data=dataclasses.replace(DATA, holes=None))
    with pytest.raises(ValueError, match=r"holes come from files: say where, --data\.holes"):
        check_steps(recipe, without, placement)


def test_the_hole_of_a_batch_is_the_one_that_is_filled() -> None:
    recipe = recipes.make(PIXELWISE)
    state = recipe.init(jax.random.key(0), (16, 16))
    step = jax.jit(recipe.step_at(0))
    image = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)

    def terms(hole: np.ndarray) -> tuple[float, float]:
        batch = Batch(jnp.asarray(image), jnp.arange(2), hole=jnp.asarray(hole, jnp.float32))
        _, metrics = step(state, batch)
        return float(metrics["hole"].total), float(metrics["valid"].total)

    missing = np.zeros((2, 16, 16, 1))
    in_hole, known = terms(missing)
    assert in_hole == 0
    assert known > 0
    missing[:, 4:9, 4:9] = 1
    in_hole, known = terms(missing)
    assert in_hole > 0
    assert known > 0
    in_hole, known = terms(np.ones_like(missing))
    assert in_hole > 0
    assert known == 0


def test_holes_of_a_batch_are_taken_as_they_are_or_drawn() -> None:
    hole = jnp.asarray(np.random.default_rng(0).random((2, 8, 8, 1)) < 0.5, jnp.float32)
    image = jnp.zeros((2, 8, 8, 3), jnp.uint8)
    batch = Batch(image, jnp.arange(2), hole=hole)
    options = {"ratio": (0.1, 0.2), "border": True}
    for name in ("folder", "paired"):
        assert sampler_of(name, **options) is None
    np.testing.assert_array_equal(holes_of(batch, None, jax.random.key(0)), hole)
    center = sampler_of("center", **options)
    drawn = np.asarray(holes_of(batch, center, jax.random.key(0)))
    np.testing.assert_array_equal(drawn[:, 2:6, 2:6], 1)
    assert drawn.sum() == 2 * 16


def test_a_batch_without_its_values_has_what_the_data_has() -> None:
    plain = abstract_batch(dataclasses.replace(DATA, holes=None))
    assert plain.image.shape == (8, 16, 16, 3)
    assert plain.source is None
    assert plain.hole is None
    whole = abstract_batch(dataclasses.replace(DATA, source="photos", pairs="labels"))
    assert whole.source is not None
    assert whole.hole is not None
    assert (whole.source.shape, whole.hole.shape) == ((8, 16, 16, 3), (8, 16, 16, 1))
    assert (whole.source.dtype, whole.hole.dtype) == (jnp.uint8, jnp.float32)


def test_a_run_does_not_go_on_with_other_pictures(tmp_path: Path) -> None:
    folder_of(tmp_path / "photos", [1, 2])
    data = DataConfig(source=str(tmp_path / "photos"), size=4, batch_size=4)
    config = RunConfig(dataclasses.replace(PIXELWISE, holes="center"), data)
    begun = assemble(config).config
    assert assemble(begun).config == begun
    (tmp_path / "photos").rename(tmp_path / "moved")
    moved = dataclasses.replace(data, source=str(tmp_path / "moved"))
    assemble(dataclasses.replace(begun, data=moved))
    (tmp_path / "moved" / "0.png").rename(tmp_path / "moved" / "9.png")
    with pytest.raises(ValueError, match="began with other pictures"):
        assemble(dataclasses.replace(begun, data=moved))
