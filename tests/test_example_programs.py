"""The examples run, and what they say comes out does."""

import os
import subprocess
import sys
from pathlib import Path

import ablation
import exported_model
import jax
import jax.numpy as jnp
import new_loss
import new_recipe
import numpy as np
import pytest
from PIL import Image
from tiny_run import SIZE_MULTIPLE, tiny_run

from jaxinpaint import recipes, trained
from jaxinpaint.inpainter import load
from jaxinpaint.interop import stablehlo
from jaxinpaint.interop.programs import program_of
from jaxinpaint.recipes import PartialConvConfig
from jaxinpaint.recipes.base import Batch, Recipe
from jaxinpaint.recipes.partial_conv import Term

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"


def ran(name: str, *words: str | Path, cwd: Path) -> str:
    """What an example prints, run as a user does."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *map(str, words)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT), "XLA_FLAGS": "", "NPROC": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def step_of(recipe: Recipe, *, side: int = 16) -> dict[str, float]:
    """The metrics of a recipe's first step."""
    image = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), np.uint8)
    state = recipe.init(jax.random.key(0), (side, side))
    step = jax.jit(recipe.step_at(0))
    moved, metrics = step(state, Batch(jnp.asarray(image), jnp.arange(2)))
    assert moved.step == 1
    return {name: float(mean.total / mean.n) for name, mean in metrics.items()}


def test_objectives_of_ones_own_are_zero_for_the_truth_and_tell_what_is_off() -> None:
    truth = jax.random.uniform(jax.random.key(0), (2, 8, 8, 3))
    hole = jnp.zeros((2, 8, 8, 1)).at[:, 2:5, 2:5].set(1)
    for objective, least in ((new_loss.charbonnier, 1e-3), (new_loss.gradient_difference, 0)):
        # A thousandth is Charbonnier's ε; rounding is of float32.
        np.testing.assert_allclose(objective(truth, truth, hole), least, atol=1e-6)
        assert all(objective(truth + 0.1 * truth, truth, hole) > least + 1e-3)
    # A tint has the right edges.
    np.testing.assert_allclose(new_loss.gradient_difference(truth + 0.1, truth, hole), 0, atol=1e-6)


def test_terms_of_ones_own_are_part_of_the_loss() -> None:
    config = PartialConvConfig(
        layer_size=2,
        width=0.06,
        perceptual_weight=0.0,
        style_output_weight=0.0,
        style_composite_weight=0.0,
    )
    told = step_of(recipes.partial_conv(config, more_terms=new_loss.OWN_TERMS))
    names = ("valid", "hole", "tv", *new_loss.OWN_TERMS)
    for name, term in new_loss.OWN_TERMS.items():
        # Sums of float32 in another order.
        assert told[f"{name}_weighted"] == pytest.approx(term.weight * told[name], rel=1e-5)
    total = sum(told[f"{name}_weighted"] for name in names)
    assert told["loss"] == pytest.approx(total, rel=1e-5)


def test_a_term_with_a_name_of_the_papers_is_refused() -> None:
    own = {"tv": Term(1.0, new_loss.charbonnier)}
    with pytest.raises(ValueError, match="the paper has terms of these names: tv"):
        recipes.partial_conv(PartialConvConfig(), more_terms=own)


def test_the_recipe_of_ones_own_makes_steps_and_fills() -> None:
    recipe = new_recipe.dilated()
    told = step_of(recipe)
    assert told["loss"] == pytest.approx(6 * told["hole"] + told["picture"], rel=1e-5)
    variables = recipe.init(jax.random.key(0), (16, 16)).generator
    image, hole = jnp.full((1, 16, 16, 3), 0.5), jnp.zeros((1, 16, 16, 1)).at[:, :4].set(1)
    assert recipe.inpaint is not None
    composite = recipe.inpaint(variables, image, hole).composite
    assert (composite[:, 4:] == image[:, 4:]).all()
    assert not (composite[:, :4] == image[:, :4]).all()


def test_the_recipe_of_ones_own_is_short() -> None:
    lines = (EXAMPLES / "new_recipe.py").read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("class "))
    last = next(number for number, line in enumerate(lines) if line.startswith("def main"))
    assert last - first < 60


def test_every_example_is_in_the_table() -> None:
    page = (EXAMPLES / "README.md").read_text()
    assert [path.name for path in EXAMPLES.glob("*.py") if f"({path.name})" not in page] == []


def test_the_ablation_draws_what_runs_noted(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text(
        '{"step": 1, "loss": 2.0}\n{"step": 2, "held_out_psnr": 14.5}\n'
        '{"step": 4, "held_out_psnr": 15.5}\n'
    )
    curve = ablation.scores(tmp_path)
    assert curve == {2: 14.5, 4: 15.5}
    ablation.draw({"one": [curve, {2: 14.0, 4: 15.0}], "other": [curve]}, tmp_path / "drawn.png")
    with Image.open(tmp_path / "drawn.png") as drawn:
        assert drawn.size == (800, 320)


def test_an_exported_network_fills_without_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, program = tiny_run(tmp_path / "run"), tmp_path / "program.stablehlo"
    stablehlo.write(program_of(*trained.read(folder)), program)
    photo = np.random.default_rng(0).integers(0, 256, (21, 30, 3), np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    hole = np.zeros((21, 30), bool)
    hole[5:9, 6:20] = True
    Image.fromarray(hole).save(tmp_path / "hole.png")
    source = (EXAMPLES / "exported_model.py").read_text()
    assert "import jaxinpaint" not in source
    assert "from jaxinpaint" not in source
    monkeypatch.chdir(tmp_path)
    words = ["--photo", "photo.png", "--hole", "hole.png", "--multiple", str(SIZE_MULTIPLE)]
    monkeypatch.setattr(sys, "argv", ["exported_model.py", str(program), *words])
    exported_model.main()
    with Image.open(tmp_path / "filled.png") as picture:
        pixels = np.asarray(picture)
    assert (pixels[~hole] == photo[~hole]).all()
    # Programs compiled differently may round to the next byte.
    own = load(folder)(photo, hole)
    assert np.abs(pixels[hole].astype(int) - own[hole]).max() <= 1


def test_pictures_are_enlarged_to_what_a_network_takes() -> None:
    seen = []

    def paint(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
        seen.append((image.shape, hole.shape, image.dtype, hole.dtype))
        return hole * 1.0 + (1 - hole) * image

    hole = np.arange(35).reshape(5, 7) == 9
    filled = exported_model.fill(paint, np.zeros((5, 7, 3), np.uint8), hole, multiple=4)
    assert seen == [((1, 8, 8, 3), (1, 8, 8, 1), np.float32, np.float32)]
    assert (filled == np.where(hole[..., None], 255, 0)).all()


@pytest.mark.slow
def test_training_with_a_loss_of_ones_own(tmp_path: Path) -> None:
    tiny = ("--steps", "4", "--size", "32", "--width", "0.0625", "--batch-size", "2")
    told = ran("new_loss.py", *tiny, "--run", "run", cwd=tmp_path)
    assert "PSNR inside the hole" in told
    assert '"charbonnier_weighted"' in (tmp_path / "run" / "metrics.jsonl").read_text()
    photo = np.full((40, 40, 3), 90, np.uint8)
    filled = load(tmp_path / "run")(photo, np.eye(40, dtype=bool))
    assert filled.shape == photo.shape


@pytest.mark.slow
def test_training_by_a_recipe_of_ones_own(tmp_path: Path) -> None:
    told = ran("new_recipe.py", "--steps", "4", "--size", "32", "--run", "run", cwd=tmp_path)
    assert "PSNR inside the hole" in told
    assert (tmp_path / "run" / "held_out.png").exists()


@pytest.mark.slow
def test_an_ablation(tmp_path: Path) -> None:
    tiny = ("--steps", "6", "--size", "32", "--width", "0.0625")
    only = ("--only", "all terms", "hole alone")
    ran("ablation.py", *tiny, *only, "-o", "out", cwd=tmp_path)
    rows = (tmp_path / "out" / "ablation.csv").read_text().splitlines()
    assert rows[0] == "variant,seed,step,held_out_psnr"
    assert {row.partition(",")[0] for row in rows[1:]} == {"all terms", "hole alone"}
    with Image.open(tmp_path / "out" / "ablation.png") as drawn:
        assert drawn.size == (800, 320)
