"""The trainer as users type it, killed and gone on with."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import closing
from itertools import islice
from pathlib import Path

import jax
import numpy as np
import pytest
from data.picture_files import NOT_TEXT, damaged_folder, folder_of
from PIL import Image
from safetensors.numpy import save_file
from trainer import ROOT, ended, started

from jaxinpaint import recipes
from jaxinpaint.cli import train
from jaxinpaint.cli.presets import PARTIAL_CONV
from jaxinpaint.cli.train import parse, run
from jaxinpaint.interop import published_weights
from jaxinpaint.interop.flat_variables import flattened
from jaxinpaint.interop.published_weights import NoWeights
from jaxinpaint.nets import vgg
from jaxinpaint.nets.vgg import random_variables
from jaxinpaint.recipes import PartialConvConfig
from jaxinpaint.recipes.base import Crops, Recipe
from jaxinpaint.run_config import load_config
from jaxinpaint.training.parallel import place_on_all_devices, to_devices


class Reached(Exception):
    """Training would begin."""


TINY = [
    *("--recipe.layer-size", "3", "--recipe.width", "0.0625", "--data.size", "32"),
    *("--data.batch-size", "2", "--log-every", "2", "--checkpoint-every", "4"),
    *("--sample-every", "8"),
]


def weights(folder: Path, step: int) -> str:
    """A digest of the generator's weights, read without the loop."""
    from jaxinpaint.inpainter import load

    variables = load(folder).variables
    assert (folder / "checkpoints" / str(step)).is_dir()
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(variables):
        digest.update(bytes(memoryview(jax.device_get(leaf)).cast("B")))
    return digest.hexdigest()


@pytest.mark.slow
def test_a_run_that_is_killed_and_resumed_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    # 5 batches of 2: checkpoints lie in the middle of epochs of four pictures.
    tiny = [*TINY, "--checkpoint-every", "5"]
    code, out, err = ended(started("--run", str(whole), "--steps", "16", *tiny))
    assert code == 0, err
    assert "PSNR inside the hole" in out
    assert (whole / "held_out.png").exists()

    command_line = ["--run", str(parts), "--steps", "16", *tiny]
    for lines in (3, 2):
        process = started(*command_line)
        assert process.stdout is not None
        told = 0
        while told < lines and process.poll() is None:
            told += process.stdout.readline().startswith("step ")
        time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert not (parts / "checkpoints" / "16").exists()
        command_line = ["--resume", str(parts)]
    # By how many processes pictures are read is no part of what is computed.
    code, out, err = ended(started("--resume", str(parts), "--data.workers", "2"))
    assert code == 0, err
    assert "Traceback" not in err
    assert weights(parts, 16) == weights(whole, 16)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resume", "nowhere"], "there is no run folder nowhere"),
        (["no-such-preset"], "there are first-run, partial-conv, context-encoder, pan"),
    ],
)
def test_what_can_be_mended_is_told(arguments: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(arguments)


def test_a_mistake_ends_with_one_line_and_no_run(tmp_path: Path) -> None:
    code, _, err = ended(started("--run", str(tmp_path / "run"), "--data.path", "nowhere"))
    assert code == 2
    assert err.strip() == f"error: {ROOT / 'nowhere'} is not a folder of pictures"
    assert not (tmp_path / "run").exists()


def test_presets_and_options_make_a_config(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    order = parse([])
    assert order.folder == Path("runs/first-run-1")
    order = parse(["partial-conv", "--data.path", "photos", "--steps", "7", "--seed", "3"])
    assert order.folder == Path("runs/partial-conv-1")
    assert order.config.data.source == str(tmp_path / "photos")
    sources = [parse([option, "photos"]).config.data for option in ("--data.source", "--data.path")]
    assert sources[0] == sources[1]
    named = parse(["--data.source", "tfds:mnist@test", "--data.held-out", "judged"]).config.data
    assert (named.source, named.held_out) == ("tfds:mnist@test", str(tmp_path / "judged"))
    assert order.config.loop.steps == 7
    assert order.config.recipe == PARTIAL_CONV.recipe


def test_the_next_free_folder_is_taken_and_none_overwritten(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    taken = tmp_path / "runs" / "first-run-1"
    taken.mkdir(parents=True)
    (taken / "config.yaml").write_text("")
    assert parse([]).folder == Path("runs/first-run-2")
    with pytest.raises(ValueError, match="is a run already"):
        parse(["--run", str(taken)])


def test_resuming_may_change_how_long_but_not_what(tmp_path: Path) -> None:
    from jaxinpaint.run_config import save_config

    order = parse(["--run", str(tmp_path / "run"), *TINY])
    save_config(order.config, tmp_path / "run")
    resume = ["--resume", str(tmp_path / "run")]
    again = parse([*resume, "--steps", "99"])
    assert again.resumes
    assert again.config.loop.steps == 99
    assert again.config.recipe == order.config.recipe
    telling = parse([*resume, "--recipe.gradient-norms"]).config.recipe
    assert isinstance(telling, PartialConvConfig)
    assert telling.gradient_norms
    for option in ("--data.path", "--data.source"):
        moved = parse([*resume, option, "moved"]).config.data
        assert moved.source == str(Path("moved").absolute())
    assert parse([*resume, "--data.workers", "3"]).config.data.workers == 3
    for other in (["--seed", "5"], ["--data.batch-size", "3"], ["--data.short-side", "99"]):
        with pytest.raises(ValueError, match="Start a new run"):
            parse([*resume, *other])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pan", "--data.size", "64"], r"made for 128: take --data\.size 128, or .*recipe\.size"),
        (["--data.size", "100"], "take 64 or 128"),
        (["pan-pairs", "--data.path", "."], r"--data\.pairs what they are made from"),
        (["pan", "--data.path", ".", "--data.pairs", "."], r"--data\.pairs is for recipes"),
        (["--average", "2"], "the decay of a running average is 2"),
        (["--recipe.holes", "folder"], r"holes folder takes masks from files: .* --data\.holes"),
        (["--recipe.holes", "paired"], r"holes paired takes masks from files: .* --data\.holes"),
        (
            ["--data.holes", "."],
            r"--data\.holes holds masks for --recipe\.holes folder .*or paired",
        ),
        (["context-encoder", "--data.holes", "."], r"--data\.holes holds masks for"),
        (["pan", "--data.holes", "."], r"--data\.holes holds masks for"),
        (["--recipe.holes", "folder", "--data.holes", "nowhere"], "nowhere is not a folder"),
        (["--recipe.holes", "paired", "--data.holes", "nowhere"], "nowhere is not a folder"),
    ],
)
def test_what_does_not_suit_the_recipe_takes_no_folder(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    order = parse([*arguments, "--run", str(tmp_path / "run")])
    with pytest.raises(ValueError, match=message):
        run(order)
    assert not (tmp_path / "run").exists()


TINY_PAN = [
    *("--recipe.width", "2", "--recipe.discriminator-width", "2", "--recipe.levels", "3"),
    *("--data.size", "16", "--data.short-side", "20", "--data.batch-size", "2"),
    *("--log-every", "1", "--checkpoint-every", "2", "--sample-every", "8"),
]


@pytest.mark.slow
def test_players_that_move_in_turn_go_on_where_they_were(tmp_path: Path) -> None:
    arguments = ["pan-holes", *TINY_PAN, "--average", "0.9"]
    for folder, stops in (("whole", [5]), ("parts", [2, 4, 5])):
        for i, steps in enumerate(stops):
            where = ["--resume"] if i else [*arguments, "--run"]
            code, _, err = ended(started(*where, str(tmp_path / folder), "--steps", str(steps)))
            assert code == 0, err
    assert weights(tmp_path / "whole", 5) == weights(tmp_path / "parts", 5)


@pytest.mark.slow
def test_a_run_on_pairs_learns_from_them_and_translates(tmp_path: Path) -> None:
    for name, colour in (("photos", (90, 160, 30)), ("labels", (0, 0, 255))):
        (tmp_path / name).mkdir()
        for i in range(3):
            Image.new("RGB", (30, 24), colour).save(tmp_path / name / f"{i}.png")
    photos, labels, folder = (str(tmp_path / name) for name in ("photos", "labels", "run"))
    data = ["--data.path", photos, "--data.pairs", labels]
    held_out = ["--data.held-out", photos, "--data.held-out-pairs", labels]
    code, out, err = ended(
        started("pan-pairs", *TINY_PAN, *data, *held_out, "--run", folder, "--steps", "30")
    )
    assert code == 0, err
    assert "PSNR, mean of 3 held-out pictures" in out
    made = tmp_path / "made.png"
    arguments = ["translate", folder, str(tmp_path / "labels" / "0.png"), "-o", str(made)]
    subprocess.run([sys.executable, "-m", "jaxinpaint", *arguments], check=True, cwd=ROOT)
    with Image.open(made) as picture:
        assert picture.size == (30, 24)


# A batch for the tests' eight devices.
THROUGH_VGG = [*TINY, "--recipe.perceptual-weight", "0.05", "--data.batch-size", "8"]


def test_without_published_weights_all_ways_out_are_told(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("JAXINPAINT_CACHE", str(tmp_path / "cache"))
    order = parse(["--run", str(tmp_path / "run"), *THROUGH_VGG])
    with pytest.raises(NoWeights, match=r"--download.*--from FILE.*--recipe\.features random"):
        run(order)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_run_says_what_it_looked_through_and_goes_on_with_nothing_else(
    tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("JAXINPAINT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(vgg, "CHANNELS", (2, 2, 2, 2, 2))
    for seed in (0, 1):
        save_file(flattened(random_variables(16, seed=seed)), tmp_path / f"{seed}.safetensors")
    taken = published_weights.take_from(tmp_path / "0.safetensors", "vgg16")
    folder = tmp_path / "run"
    run(parse(["--run", str(folder), *THROUGH_VGG, "--steps", "1"]))
    assert "features: VGG-16 from 0.safetensors" in capsys.readouterr().out
    assert load_config(folder).published_weights == {"vgg16": taken.digest}

    published_weights.take_from(tmp_path / "1.safetensors", "vgg16")
    resumed = parse(["--resume", str(folder), "--steps", "2"])
    with pytest.raises(ValueError, match="began with other weights of vgg16"):
        run(resumed)
    published_weights.take_from(tmp_path / "0.safetensors", "vgg16")
    assert run(resumed).state.step == 2


def test_random_features_are_chosen_recorded_and_told(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(vgg, "CHANNELS", (2, 2, 2, 2, 2))
    folder = tmp_path / "run"
    chosen = ["--recipe.features", "random", "--steps", "1"]
    run(parse(["--run", str(folder), *THROUGH_VGG, *chosen]))
    told = capsys.readouterr().out
    assert "features: VGG-16 with random weights" in told
    assert "the network was trained on features of VGG-16 with random weights" in told
    assert recipes.vgg16_weights(load_config(folder).recipe) == "random"
    assert load_config(folder).published_weights == {}


@pytest.mark.parametrize("holes", ["folder", "paired"])
def test_one_hole_for_all_is_refused_where_holes_come_from_files(holes: str, capsys) -> None:
    with pytest.raises(SystemExit):
        parse(["crfill", "--recipe.one-hole", "--recipe.holes", holes, "--data.holes", "masks"])
    told = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert f"--recipe.one-hole says nothing where there is --recipe.holes {holes}" in told


@pytest.mark.slow
def test_a_damaged_folder_is_trained_on_and_what_is_bad_is_told(tmp_path: Path) -> None:
    bad = damaged_folder(tmp_path / "mixed")
    folder = tmp_path / "run"
    code, out, err = ended(
        started(
            *("--run", str(folder), "--data.source", str(tmp_path / "mixed"), *TINY),
            # Of nine files: two batches of eight see all of them.
            *("--steps", "2", "--data.batch-size", "8"),
        )
    )
    assert code == 0, err
    assert "Traceback" not in err
    assert "9 pictures, none held out" in out
    assert f"{len(bad)} pictures could not be read:" in out
    for name, reason in bad.items():
        printed = os.fsencode(tmp_path / "mixed" / name).decode(errors="surrogateescape")
        printed = printed.replace("\udce9", "\\udce9")
        (line,) = [line for line in out.splitlines() if line.startswith(f"    {printed}: ")]
        assert reason in line
        assert err.count(f" {printed}: ") == 1  # the warning, when it came to light
    assert NOT_TEXT in bad
    assert weights(folder, 2)


@pytest.mark.slow
def test_a_prepared_dataset_is_trained_on_and_told_of_by_its_name(tmp_path: Path) -> None:
    folder_of(tmp_path / "photos", [10, 200, 90])
    prepare = ["prepare", "photos", "-o", "sets", "--short-side", "4"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-m", "jaxinpaint", *prepare], check=True, cwd=tmp_path, env=environment
    )
    folder, source = tmp_path / "run", f"tfds:{tmp_path / 'sets' / 'photos' / '1.0.0'}"
    arguments = ["--run", str(folder), "--data.source", f"{source}@train", "--data.held-out"]
    code, out, err = ended(started(*arguments, f"{source}@train[:2]", "--steps", "2", *TINY))
    assert code == 0, err
    assert "3 pictures, 2 held out" in out
    assert "Traceback" not in err
    assert load_config(folder).data.source == f"{source}@train"


@pytest.mark.parametrize("holes", ["folder", "paired"])
def test_holes_from_files_reach_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holes: str
) -> None:
    for number, path in enumerate(folder_of(tmp_path / "masks", [0, 0, 0])):
        mask = Image.new("L", (5, 4))
        mask.putpixel((number + 1, number), 255)  # in every crop
        mask.save(path)
    folder_of(tmp_path / "photos", [10, 20, 30])
    config = parse(
        [
            *("--run", str(tmp_path / "run"), "--data.source", str(tmp_path / "photos"), *TINY),
            *("--data.holes", str(tmp_path / "masks"), "--recipe.holes", holes),
            *("--data.batch-size", "8", "--steps", "2"),
        ]
    )
    seen = []

    def trained(recipe: Recipe, *args, crops_from: Callable[[int], Generator[Crops]], **kwargs):
        with closing(crops_from(0)) as crops:
            for batch in islice(crops, 2):
                placed = to_devices(batch, place_on_all_devices())
                seen.append(jax.device_get((placed.image, placed.hole)))
        raise Reached

    monkeypatch.setattr(train, "train", trained)
    with pytest.raises(Reached):
        run(config)
    for image, hole in seen:
        assert hole.shape == (8, 32, 32, 1)
        assert set(np.unique(hole)) <= {0, 1}
        assert all(0 < share < 1 for share in hole.mean(axis=(1, 2, 3)))
        # Pictures of 4x5 are enlarged to 32x40; in one of level 10 the pixel of its first row is
        # missing, in one of 20 that of its second, in one of 30 that of its third.
        rows = [np.flatnonzero(missing).tolist() for missing in hole.any(axis=(2, 3))]
        own = [list(range(8 * n, 8 * n + 8)) for n in image[:, 0, 0, 0] // 10 - 1]
        assert (rows == own) == (holes == "paired")
