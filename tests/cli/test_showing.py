"""What a run shows of held-out pictures, with recipes that compute next to nothing."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxinpaint.cli.showing import Show, show_held_out
from jaxinpaint.data.config import DataConfig
from jaxinpaint.evaluation.held_out import BUCKETS
from jaxinpaint.recipes.base import Inpainted, Multiple, Player, Recipe, Takes, TrainState, Window


def variables(brightness: float) -> dict:
    return {"params": {"brightness": jnp.float32(brightness)}}


def begin(key: jax.Array, size: tuple[int, int]) -> TrainState:
    players = {"generator": Player(variables(0), ())}
    return TrainState(jnp.zeros((), jnp.int32), key, players)


def painting(takes: Takes) -> Recipe:
    """Fills holes with a grey."""

    def inpaint(variables, image: jax.Array, hole: jax.Array) -> Inpainted:
        grey = jnp.full_like(image, variables["params"]["brightness"])
        return Inpainted(grey, jnp.where(hole > 0, grey, image))

    return Recipe(begin, lambda number: NotImplemented, takes, inpaint)


def translating() -> Recipe:
    """Turns pictures into their negatives."""
    return Recipe(
        begin,
        lambda number: NotImplemented,
        Multiple(8),
        translate=lambda variables, image: 1 - image,
    )


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Two grey held-out pictures of 100, and their negatives."""
    for name, level in (("held_out", 100), ("inputs", 155)):
        (tmp_path / name).mkdir()
        for i in range(2):
            Image.new("RGB", (40, 24), (level, level, level)).save(tmp_path / name / f"{i}.png")
    return tmp_path


def data(folder: Path, pairs: Path | None = None) -> DataConfig:
    inputs = pairs and str(pairs)
    return DataConfig(
        str(folder), str(folder / "held_out"), pairs=inputs, held_out_pairs=inputs, size=16
    )


def shown(recipe: Recipe, config: DataConfig) -> Show | None:
    """What there is to show of pictures that can all be read."""
    told: list[str] = []
    show = show_held_out(recipe, config, told.append)
    assert not told
    return show


@pytest.mark.parametrize("takes", [Multiple(8), Window(16, 4)])
def test_holes_are_those_that_the_network_is_for(folders: Path, takes, capsys) -> None:
    show = shown(painting(takes), data(folders))
    assert show is not None
    assert show.pictures == 2
    show.compare(variables(100 / 255), folders)
    told = capsys.readouterr().out
    holes = 2 if isinstance(takes, Window) else 2 * len(BUCKETS)
    kind = "square" if isinstance(takes, Window) else "irregular"
    assert f"mean of {holes} {kind} holes in held-out pictures (short side 16)" in told
    assert "network      60.00 dB" in told  # perfect: all is of this grey
    assert (folders / "held_out.png").exists()


def test_samples_are_of_the_state_that_is_shown(folders: Path) -> None:
    show = shown(painting(Window(16, 4)), data(folders))
    assert show is not None
    dark, bright = (show.sample(variables(brightness)) for brightness in (0.0, 1.0))
    assert dark.shape == bright.shape
    assert dark.mean() < bright.mean()


def test_pictures_are_shown_at_the_scale_of_training(folders: Path) -> None:
    seen = []

    def inpaint(variables, image: jax.Array, hole: jax.Array) -> Inpainted:
        jax.debug.callback(lambda image: seen.append(np.asarray(image)), image)
        return Inpainted(image, image)

    ramp = np.broadcast_to(np.arange(40, dtype=np.uint8)[None, :, None], (24, 40, 3))
    for i in range(2):
        Image.fromarray(np.ascontiguousarray(ramp)).save(folders / "held_out" / f"{i}.png")
    recipe = painting(Window(16, 4))._replace(inpaint=inpaint)
    config = dataclasses.replace(data(folders), short_side=24)
    show = shown(recipe, config)
    assert show is not None
    show.sample(variables(0))
    jax.effects_barrier()
    # At its own scale: the middle 16 of 40 columns, where they are known.
    np.testing.assert_array_equal(seen[0][0, 0, :, 0] * 255, np.arange(12, 28))


def test_pairs_show_what_is_made_of_their_sources(folders: Path, capsys) -> None:
    show = shown(translating(), data(folders, pairs=folders / "inputs"))
    assert show is not None
    assert show.pictures == 2
    show.compare(variables(0), folders)
    assert "PSNR, mean of 2 held-out pictures: 60.00 dB" in capsys.readouterr().out
    assert (folders / "held_out.png").exists()


def test_without_held_out_pictures_there_is_nothing_to_show(folders: Path) -> None:
    assert shown(painting(Multiple(8)), DataConfig(str(folders), size=16)) is None
    pairs = DataConfig(str(folders), pairs=str(folders), size=16)
    assert shown(translating(), pairs) is None


@pytest.mark.parametrize("pairs", [False, True])
def test_held_out_pictures_that_can_not_be_read_are_left_out_and_told(
    folders: Path, pairs: bool
) -> None:
    (folders / "held_out" / "0.png").write_text("no picture")
    told: list[str] = []
    recipe, inputs = (translating(), folders / "inputs") if pairs else (painting(Multiple(8)), None)
    show = show_held_out(recipe, data(folders, inputs), told.append)
    assert show is not None
    assert show.pictures == 1
    assert told == [f"{folders / 'held_out' / '0.png'}: not a picture that Pillow can read"]


def test_what_else_a_recipe_shows_is_shown_in_the_pictures_size(folders: Path) -> None:
    sizes = []

    def show_also(variables, image: jax.Array, hole: jax.Array) -> dict[str, jax.Array]:
        sizes.append(image.shape)
        return {"light": jnp.ones_like(image)}

    plain = shown(painting(Multiple(32)), data(folders))
    more = shown(painting(Multiple(32))._replace(show=show_also), data(folders))
    assert plain is not None
    assert more is not None
    without, wider = (show.sample(variables(0.0)) for show in (plain, more))
    assert set(sizes) == {(1, 32, 32, 3)}  # of pictures of 16x27, padded
    assert wider.shape[0] == without.shape[0]
    assert wider.shape[1] > 1.2 * without.shape[1]
    assert wider.mean() > without.mean()
