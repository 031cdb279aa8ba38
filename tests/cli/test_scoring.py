"""Scores while a network trains, what is kept by them, and manifests that they are of."""

import dataclasses
import json
import logging
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pytest
from cli.commands import saved
from cli.test_showing import data, folders, painting, shown, translating, variables
from PIL import Image

from jaxinpaint.cli import scoring
from jaxinpaint.cli.assembling import assemble
from jaxinpaint.cli.choosing import places
from jaxinpaint.cli.manifest import manifest
from jaxinpaint.cli.scoring import keeping
from jaxinpaint.data.config import DataConfig
from jaxinpaint.interop.published_networks import read_network
from jaxinpaint.recipes import PartialConvConfig
from jaxinpaint.recipes.base import Multiple, Window
from jaxinpaint.recipes.fitting import first_state
from jaxinpaint.run_config import RunConfig, load_config, save_config
from jaxinpaint.training.loop import Best, LoopConfig

CONFIG = PartialConvConfig(layer_size=2, width=0.06)

__all__ = ["folders"]  # a fixture


def test_scores_are_of_the_holes_in_all_held_out_pictures(folders: Path) -> None:
    show = shown(painting(Multiple(8)), data(folders))
    assert show is not None
    scores = show.judge(variables(110 / 255))
    assert scores.keys() == {f"held_out_{name}" for name in ("psnr", "l1", "ssim", "seam")}
    # All held-out pixels are 100. 1e-3: float32.
    assert scores["held_out_psnr"] == pytest.approx(-20 * np.log10(10 / 255), abs=1e-3)
    assert scores["held_out_l1"] == pytest.approx(10 / 255, rel=1e-4)
    assert scores["held_out_seam"] == pytest.approx(10 / 255, rel=1e-4)
    perfect = show.judge(variables(100 / 255))
    assert perfect["held_out_ssim"] == pytest.approx(1, abs=1e-6)
    assert scores["held_out_ssim"] < 1


def test_pairs_are_scored_whole(folders: Path) -> None:
    show = shown(translating(), data(folders, pairs=folders / "inputs"))
    assert show is not None
    assert show.judge(variables(0))["held_out_psnr"] == 60


def test_a_manifest_says_what_is_scored(folders: Path) -> None:
    ramp = np.broadcast_to(np.arange(40, dtype=np.uint8)[None, :, None], (24, 40, 3))
    Image.fromarray(np.ascontiguousarray(ramp)).save(folders / "held_out" / "0.png")
    path = folders / "test.jsonl"
    manifest(data=folders / "held_out", output=path, size=24, sampler="center")
    config = dataclasses.replace(data(folders), manifest=path)
    show = shown(painting(Multiple(8)), config)
    assert show is not None
    # In the middle half: columns 14 to 25 of one picture, 100 of the other.
    errors = [np.abs(np.arange(14, 26) - 50).mean(), 50]
    score = show.judge(variables(50 / 255))["held_out_l1"]
    assert score == pytest.approx(np.mean(errors) / 255, rel=1e-4)
    for takes, message in (
        (Multiple(16), "squares of 24 pixels; this network takes"),
        (Window(16, 4), "squares of 24 pixels; this network takes"),
        (Window(24, 8), "within 8 pixels of the border"),
    ):
        with pytest.raises(ValueError, match=message):
            shown(painting(takes), config)
    Image.new("RGB", (40, 24)).save(folders / "held_out" / "1.png")
    with pytest.raises(ValueError, match="is not the file that the manifest tells of"):
        shown(painting(Multiple(8)), config)


def test_holes_of_a_manifest_may_be_files(folders: Path, monkeypatch) -> None:
    masks, path = folders / "masks", folders / "test.jsonl"
    hole = np.zeros((24, 40), np.uint8)
    hole[8:12, 10:30] = 255
    saved(masks / "0.png", hole)
    saved(masks / "1.png", hole)
    manifest(data=folders / "held_out", output=path, size=24, masks=masks)
    config = dataclasses.replace(data(folders), manifest=path)
    with pytest.raises(ValueError, match=r"mask files: say where, --data\.manifest-masks"):
        shown(painting(Multiple(8)), config)
    monkeypatch.chdir(folders)
    config = dataclasses.replace(config, manifest_masks=Path("masks"))
    assert places(config)["manifest_masks"] == masks
    show = shown(painting(Multiple(8)), config)
    assert show is not None
    assert show.judge(variables(110 / 255))["held_out_l1"] == pytest.approx(10 / 255, rel=1e-4)
    with pytest.raises(ValueError, match=r"--data\.manifest-masks holds the masks of a manifest"):
        DataConfig(manifest_masks=masks)


def test_holes_are_kept_as_bits_and_large_manifests_are_warned_of(
    folders: Path, monkeypatch, caplog
) -> None:
    path = folders / "test.jsonl"
    manifest(data=folders / "held_out", output=path, size=24, sampler="center")
    config = dataclasses.replace(data(folders), manifest=path)
    with caplog.at_level(logging.WARNING, scoring.__name__):
        assert scoring._of_manifest(path, config, Multiple(8)).hole.dtype == bool
        assert not caplog.messages
        monkeypatch.setattr(scoring, "MANY", 1)
        scoring._of_manifest(path, config, Multiple(8))
    (message,) = caplog.messages
    assert "has 2 cases: scoring all of them takes long" in message


PIXELWISE = dataclasses.replace(
    CONFIG, perceptual_weight=0.0, style_output_weight=0.0, style_composite_weight=0.0
)


def test_a_run_does_not_go_on_with_another_manifest(folders: Path) -> None:
    for seed in range(2):
        manifest(data=folders / "held_out", output=folders / f"{seed}.jsonl", size=24, seed=seed)
    with_manifest = dataclasses.replace(
        data(folders), size=8, batch_size=8, manifest=folders / "0.jsonl"
    )
    save_config(assemble(RunConfig(PIXELWISE, with_manifest)).config, folders / "run")
    begun = load_config(folders / "run")
    (folders / "0.jsonl").rename(folders / "moved.jsonl")

    def going_on(manifest: Path | None) -> RunConfig:
        return dataclasses.replace(
            begun, data=dataclasses.replace(with_manifest, manifest=manifest)
        )

    assert assemble(going_on(folders / "moved.jsonl")).config.pictures == begun.pictures
    for other in (folders / "1.jsonl", None):
        with pytest.raises(ValueError, match="began with other held-out cases"):
            assemble(going_on(other))


def test_a_score_that_squares_are_too_small_for_is_refused_at_the_start(folders: Path) -> None:
    small = dataclasses.replace(data(folders), size=8, batch_size=8)
    show = shown(painting(Multiple(8)), small)
    assert show is not None
    assert "held_out_ssim" not in show.judge(variables(0))
    by_ssim = RunConfig(PIXELWISE, small, loop=LoopConfig(best="ssim"))
    with pytest.raises(ValueError, match=r"--best ssim is of windows of 11 pixels, .*size is 8"):
        assemble(by_ssim)
    assemble(dataclasses.replace(by_ssim, data=dataclasses.replace(small, size=12)))
    assemble(dataclasses.replace(by_ssim, loop=LoopConfig(best="l1")))


def judging(folder: Path, scores: dict[str, list[float]], best: Best) -> Callable[[int], None]:
    """Judges as a run does at a step, the steps being 10, 20 and so on."""
    _, state = first_state(CONFIG)
    shapes = state.players["generator"].variables
    given = [dict(zip(scores, told, strict=True)) for told in zip(*scores.values(), strict=True)]

    def at(step: int) -> None:
        network = jax.tree.map(lambda leaf: np.full(leaf.shape, step, leaf.dtype), shapes)
        judge = keeping(lambda variables: given[step // 10 - 1], folder, CONFIG, best)
        told = judge(step, network)
        with (folder / "metrics.jsonl").open("a") as lines:
            lines.write(json.dumps({"step": step, "loss": 1.0}) + "\n")
            lines.write(json.dumps({"step": step, **told}) + "\n")

    return at


def kept(folder: Path) -> float:
    """The step whose network was kept, by its weights."""
    network = read_network(folder / "best.safetensors")
    return float(jax.tree.leaves(network.players["generator"])[0].ravel()[0])


SCORES = {
    "held_out_psnr": [20.0, 22.0, 21.0, float("nan"), 22.0, 23.0],
    "held_out_l1": [0.2, 0.3, 0.1, float("nan"), 0.1, 0.2],
}


@pytest.mark.parametrize(
    ("best", "steps"), [("psnr", [10, 20, 20, 20, 20, 60]), ("l1", [10, 10, 30, 30, 30, 30])]
)
def test_the_best_network_so_far_is_kept(best: Best, steps: list[int], tmp_path: Path) -> None:
    at = judging(tmp_path, SCORES, best)
    for i, step in enumerate(steps, start=1):
        at(10 * i)
        assert kept(tmp_path) == step
    assert (
        f"step {steps[-1]}, held_out_{best}" in read_network(tmp_path / "best.safetensors").source
    )
    with Image.open(tmp_path / "scores.png") as plots:
        assert min(plots.size) > 300


def test_a_run_that_goes_on_from_before_its_best_ends_with_the_same(tmp_path: Path) -> None:
    at = judging(tmp_path, SCORES, "psnr")
    for step in (10, 20):
        at(step)
    # As if it had been killed, and had its last checkpoint at 10.
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    (tmp_path / "metrics.jsonl").write_text("".join(f"{line}\n" for line in lines[:2]))
    assert kept(tmp_path) == 20
    for step in (20, 30):
        at(step)
        assert kept(tmp_path) == 20


def test_a_score_that_is_not_told_keeps_nothing(tmp_path: Path) -> None:
    judging(tmp_path, SCORES, "ssim")(10)
    assert not (tmp_path / "best.safetensors").exists()
    assert (tmp_path / "scores.png").exists()
