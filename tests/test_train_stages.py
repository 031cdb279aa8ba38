"""Training in stages, from the command line: gone on with anywhere, started from another run."""

from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image, ImageDraw
from safetensors.numpy import save_file

from jaxinpaint import trained
from jaxinpaint.cli import train
from jaxinpaint.cli.train import parse, run
from jaxinpaint.interop.published_networks import as_published
from jaxinpaint.recipes import CRFillConfig
from jaxinpaint.recipes.fitting import first_state
from jaxinpaint.trained import read_players

TINY = [
    *("--recipe.width", "4", "--recipe.discriminator-width", "2", "--data.size", "16"),
    *("--data.short-side", "20", "--data.batch-size", "8", "--log-every", "1"),
]
STAGES = ["--recipe.stages", "coarse:2", "fine:2", "all:2", "auxiliary"]


def assert_same(these: Path, those: Path) -> None:
    players = [read_players(folder) for folder in (these, those)]
    jax.tree.map(np.testing.assert_array_equal, *players)


@pytest.mark.slow
def test_a_run_gone_on_with_in_the_middle_of_each_stage_ends_with_the_same_bits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    options = [*TINY, *STAGES]
    run(parse(["crfill", "--run", str(whole), "--steps", "8", *options]))
    told = capsys.readouterr().out
    assert "coarse from step 0, fine from step 2, all from step 4, auxiliary from step 6" in told
    assert "PSNR inside the hole" in told
    run(parse(["crfill", "--run", str(parts), "--steps", "1", *options]))
    assert "the run ends at step 1, before fine, all, auxiliary" in capsys.readouterr().out
    for steps in ("3", "5", "7", "8"):
        run(parse(["--resume", str(parts), "--steps", steps]))
    assert_same(parts, whole)


@pytest.mark.slow
def test_a_stage_alone_starts_from_another_run_and_cuts_out_objects(tmp_path: Path) -> None:
    shapes = tmp_path / "shapes"
    shapes.mkdir()
    outline = Image.new("L", (40, 40))
    ImageDraw.Draw(outline).ellipse((5, 10, 35, 30), fill=255)
    outline.save(shapes / "ellipse.png")
    whole, first, second = (tmp_path / name for name in ("whole", "first", "second"))
    still = [*TINY, "--recipe.learning-rate", "0", "--recipe.discriminator-learning-rate", "0"]
    run(parse(["crfill", "--run", str(whole), "--steps", "1", *TINY, "--recipe.stages", "coarse"]))
    start = ["--start-from", str(whole), "--data.shapes", str(shapes), "--steps", "1"]
    run(parse(["crfill", "--run", str(first), *start, *still, "--recipe.stages", "fine"]))
    generators = [read_players(folder)["generator"] for folder in (whole, first)]
    jax.tree.map(np.testing.assert_array_equal, *generators)
    other = ["--recipe.width", "8", "--recipe.stages", "all"]
    order = parse(["crfill", "--run", str(second), *start, *TINY, *other])
    with pytest.raises(ValueError, match=r"--recipe.width is 8, and 4 in the network to start"):
        run(order)
    assert not second.exists()


def test_what_a_stage_starts_from_and_cuts_out_is_checked_before_anything_is_made(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "run"
    new = ["crfill", "--run", str(folder), *TINY]
    cases = [
        (["--start-from", "nowhere"], "there is no run folder and no file .*nowhere"),
        (["--data.shapes", str(tmp_path)], "no pictures in"),
    ]
    for options, message in cases:
        with pytest.raises(ValueError, match=message):
            run(parse([*new, *options]))
    with pytest.raises(ValueError, match=r"--data\.shapes is for CR-Fill's holes"):
        run(parse(["--run", str(folder), "--data.shapes", str(tmp_path)]))
    assert not folder.exists()


class Reached(Exception):
    """Training would begin."""


def state_dict(path: Path) -> Path:
    """A file of CR-Fill's filling generator, or DeepFill's: they have the same names."""
    config = CRFillConfig(("all",), width=4)
    _, state = first_state(config)
    params = {**state.players["generator"].variables["params"]}
    del params["auxiliary"]
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), params)
    _, arrays = as_published(config, {"params": zeros})
    save_file(arrays, path)
    return path


@pytest.mark.parametrize(
    ("preset", "attention"),
    [("deepfill", True), pytest.param("crfill", False, marks=pytest.mark.slow)],
)
def test_what_a_file_does_not_tell_is_the_presets_and_files_are_read_once(
    preset: str, attention: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, reads, read_network = state_dict(tmp_path / "file"), [], trained.read_network
    monkeypatch.setattr(
        trained, "read_network", lambda path: reads.append(path) or read_network(path)
    )

    def reached(*given, weights, **more) -> None:
        weights()
        raise Reached

    monkeypatch.setattr(train, "train", reached)
    small = [option for option in TINY if option not in ("--recipe.width", "4")]
    order = parse([preset, "--init", str(path), "--run", str(tmp_path / "run"), *small])
    recipe = order.config.recipe
    assert isinstance(recipe, CRFillConfig)
    assert (recipe.attention, recipe.width) == (attention, 4)
    with pytest.raises(Reached):
        run(order)
    assert reads == [path]
