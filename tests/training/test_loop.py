"""The loop on a recipe of one number: what it saves, tells and survives."""

import json
import os
import re
import signal
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest

from jaxinpaint.array_typing import Variables
from jaxinpaint.recipes.averages import with_average
from jaxinpaint.recipes.base import (
    Batch,
    Crops,
    Inpainted,
    Mean,
    Metrics,
    Moves,
    Multiple,
    Player,
    Recipe,
    Step,
    TrainState,
    averaged_over,
    finite,
    new_if,
)
from jaxinpaint.training.checkpoints import open_checkpoints
from jaxinpaint.training.guarding import NotFinite
from jaxinpaint.training.loop import LoopConfig, Trained, train
from jaxinpaint.training.parallel import place_on_all_devices

EVERY: dict[str, Any] = {"log_every": 2, "sample_every": 4, "checkpoint_every": 3}


def adding_recipe(*, breaks_at: int = -1) -> Recipe:
    """Its weight adds up what it sees and draws: any step missed or made twice shows."""

    def init(key: jax.Array, size: tuple[int, int]) -> TrainState:
        player = Player({"params": {"w": jnp.zeros(())}}, ())
        return TrainState(jnp.zeros((), jnp.int32), key, {"generator": player})

    def step(state: TrainState, batch: Batch, may_move: Moves = True) -> tuple[TrainState, Metrics]:
        drawn = jax.random.normal(jax.random.fold_in(state.key, state.step))
        seen = averaged_over("data", jnp.mean(batch.image.astype(jnp.float32)))
        w = 0.9 * state.players["generator"].variables["params"]["w"] + drawn + seen
        loss = jnp.where(state.step == breaks_at, jnp.nan, jnp.abs(w))
        players = {"generator": Player({"params": {"w": w}}, ())}
        metrics = {"loss": Mean(loss, jnp.ones(()))}
        players = new_if(may_move & finite(metrics), players, state.players)
        return TrainState(state.step + 1, state.key, players), metrics

    def inpaint(variables: object, image: jax.Array, hole: jax.Array) -> Inpainted:
        return Inpainted(image, image)

    return Recipe(init, lambda number: step, Multiple(1), inpaint)


def crops_from(first: int) -> Generator[Crops]:
    while True:
        yield Crops(np.full((8, 4, 4, 3), first % 251, np.uint8))
        first += 1


def run(
    folder: Path,
    steps: int,
    recipe: Recipe | None = None,
    crops=crops_from,
    sample=None,
    weights=None,
) -> Trained:
    return train(
        recipe or adding_recipe(),
        LoopConfig(steps=steps, **EVERY),
        place_on_all_devices(),
        folder=folder,
        size=(4, 4),
        seed=0,
        crops_from=crops,
        sample=sample,
        weights=weights,
    )


def weight(trained: Trained) -> bytes:
    return np.asarray(trained.state.players["generator"].variables["params"]["w"]).tobytes()


def told_steps(folder: Path) -> list[int]:
    return [
        json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()
    ]


def test_saves_tells_and_draws_when_asked_and_at_the_end(tmp_path: Path) -> None:
    drawn = []
    run(
        tmp_path,
        7,
        sample=lambda variables: drawn.append(True) or np.zeros((2, 2, 3), np.uint8),
    )
    assert len(drawn) == 2
    assert {path.name for path in (tmp_path / "samples").iterdir()} == {
        "step_00000004.png",
        "step_00000007.png",
    }
    assert told_steps(tmp_path) == [2, 3, 4, 6, 7]
    with open_checkpoints(tmp_path / "checkpoints"):
        saved = {p.name for p in (tmp_path / "checkpoints").iterdir() if p.name.isdigit()}
    assert saved == {"3", "6", "7"}


@pytest.mark.parametrize("first_part", [1, 3, 5])
def test_a_run_in_parts_ends_with_the_bits_of_a_run_in_one(tmp_path, first_part: int) -> None:
    whole = run(tmp_path / "whole", 8)
    run(tmp_path / "parts", first_part)
    assert weight(run(tmp_path / "parts", 8)) == weight(whole)


def test_a_run_may_start_from_weights_that_are_read_once(tmp_path: Path) -> None:
    read = []

    def weights() -> dict[str, dict]:
        read.append(True)
        return {"generator": {"params": {"w": jnp.float32(100)}}, "unknown": {}}

    averaged = with_average(adding_recipe(), 0.5)
    given = run(tmp_path / "given", 1, averaged, weights=weights)
    fresh = run(tmp_path / "fresh", 1, averaged)
    difference = given.state.generator["params"]["w"] - fresh.state.generator["params"]["w"]
    # The average starts from them too, and of the weight 0.9 is left: 100 (0.1 + 0.9 · 0.9).
    assert difference == pytest.approx(91, rel=1e-5)
    assert len(read) == 1
    whole = run(tmp_path / "whole", 5, averaged, weights=weights)
    parts = run(tmp_path / "given", 5, averaged, weights=weights)  # from its own, not these again
    assert weight(parts) == weight(whole)
    assert len(read) == 2
    assert (tmp_path / "whole" / "checkpoints" / "0").is_dir()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"discriminator": {}}, "have no generator"),
        ({"generator": {"params": {"v": np.zeros(())}}}, "another generator: params/v is"),
        (
            {"generator": {"params": {"w": np.zeros(2)}}},
            r"params/w is \(2,\) float64 there, \(\) float32",
        ),
    ],
)
def test_weights_of_other_networks_are_refused(tmp_path: Path, weights, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(tmp_path, 1, weights=lambda: weights)


def test_steps_of_several_kinds_are_compiled_once_each_and_told_of_apart(tmp_path: Path) -> None:
    traced = []

    def kind(name: str) -> Step:
        def step(
            state: TrainState, batch: Batch, may_move: Moves = True
        ) -> tuple[TrainState, Metrics]:
            traced.append(name)
            return replace(state, step=state.step + 1), {name: Mean(jnp.ones(()), jnp.ones(()))}

        return step

    kinds = [kind("first"), kind("second"), kind("third")]
    run(tmp_path, 7, adding_recipe()._replace(step_at=lambda number: kinds[number % 3]))
    assert traced == ["first", "second", "third"]
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    names = {"first", "second", "third"}
    told = {line["step"]: names & line.keys() for line in lines}
    assert told == {
        2: {"first", "second"},
        3: {"third"},
        4: {"first"},
        6: {"second", "third"},
        7: {"first"},
    }
    assert all(line[name] == 1 for line in lines for name in names & line.keys())


def test_a_signal_stops_after_the_step_and_saves(tmp_path: Path) -> None:
    def interrupted(first: int) -> Generator[Crops]:
        for number, crops in enumerate(crops_from(first), first):
            if number == 6:  # drawn two ahead: step 5 comes next
                os.kill(os.getpid(), signal.SIGTERM)
            yield crops

    stopped = run(tmp_path / "parts", 20, crops=interrupted)
    assert stopped.stopped
    step = int(stopped.state.step)
    assert 0 < step < 20
    assert (tmp_path / "parts" / "checkpoints" / str(step)).is_dir()
    rest = run(tmp_path / "parts", 20)
    assert not rest.stopped
    assert weight(rest) == weight(run(tmp_path / "whole", 20))


def test_a_signal_while_a_sample_is_drawn_saves_too(tmp_path: Path) -> None:
    def sample(variables: Variables) -> np.ndarray:
        os.kill(os.getpid(), signal.SIGTERM)
        return np.zeros((2, 2, 3), np.uint8)

    stopped = run(tmp_path, 20, sample=sample)  # drawn after step 4
    assert stopped.stopped
    assert (tmp_path / "checkpoints" / str(int(stopped.state.step))).is_dir()


def test_a_second_signal_while_the_last_checkpoint_is_written_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = ocp.CheckpointManager.close

    def closing(manager: ocp.CheckpointManager) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        close(manager)

    monkeypatch.setattr(ocp.CheckpointManager, "close", closing)
    assert int(run(tmp_path, 4).state.step) == 4
    assert (tmp_path / "checkpoints" / "4").is_dir()


def test_a_picture_that_can_not_be_made_does_not_end_a_run(tmp_path: Path, caplog) -> None:
    def sample(variables: Variables) -> np.ndarray:
        raise jax.errors.JaxRuntimeError("out of memory")

    assert int(run(tmp_path, 4, sample=sample).state.step) == 4
    assert "nothing is shown of step 4: out of memory" in caplog.text


def test_a_run_tells_what_a_step_is_and_traces_those_it_is_told_to(tmp_path, capsys) -> None:
    def traced(steps: int, profile: str) -> str:
        train(
            adding_recipe(),
            LoopConfig(steps=steps, profile=profile, **EVERY),
            place_on_all_devices(),
            folder=tmp_path,
            size=(4, 4),
            seed=0,
            crops_from=crops_from,
        )
        return capsys.readouterr().out

    told = traced(4, "2:3")
    assert re.search(r"compiled in \d+\.\d s: a step of 0 Gflop for 8 pictures", told)
    assert f"the trace of steps 2:3: {tmp_path / 'profile'}" in told
    assert list((tmp_path / "profile").rglob("*.xplane.pb"))
    assert "no trace: steps 2:3 do not come between 4 and the last one" in traced(6, "2:3")
    assert "no trace: steps 9:9" in traced(7, "9:9")


def test_a_run_is_never_without_checkpoints_or_reports() -> None:
    none: dict[str, Any]
    for name in ("steps", "log_every", "sample_every", "checkpoint_every", "keep"):
        none = {name: 0}
        with pytest.raises(ValueError, match="must be at least 1"):
            LoopConfig(**none)


def test_going_on_after_the_last_step_changes_nothing(tmp_path: Path) -> None:
    first = run(tmp_path, 4)
    again = run(tmp_path, 4)
    assert weight(again) == weight(first)
    assert told_steps(tmp_path) == [2, 3, 4]


def test_a_loss_that_is_no_number_stops_the_run_names_it_and_is_never_saved(tmp_path) -> None:
    with pytest.raises(NotFinite, match="step 5: loss = nan"):
        run(tmp_path, 10, adding_recipe(breaks_at=4))
    saved = {p.name for p in (tmp_path / "checkpoints").iterdir() if p.name.isdigit()}
    # The last before the broken one: from it the run can go on.
    assert saved == {"3", "4"}


def test_a_batch_that_does_not_divide_among_the_devices_is_refused(tmp_path: Path) -> None:
    def odd(first: int) -> Generator[Crops]:
        yield Crops(np.zeros((9, 4, 4, 3), np.uint8))

    with pytest.raises(ValueError, match="batch of 9 does not divide among 8 devices"):
        run(tmp_path, 2, crops=odd)


def test_sources_reach_the_step(tmp_path: Path) -> None:
    def inpainted_from_sources(
        state: TrainState, batch: Batch, may_move: Moves = True
    ) -> tuple[TrainState, Metrics]:
        assert batch.source is not None
        return adding_recipe().step_at(0)(state, batch._replace(image=batch.source), may_move)

    def paired(first: int) -> Generator[Crops]:
        for crops in crops_from(first):
            yield Crops(np.zeros_like(crops.image), crops.image)

    recipe = adding_recipe()._replace(step_at=lambda number: inpainted_from_sources)
    assert weight(run(tmp_path / "pairs", 4, recipe, paired)) == weight(run(tmp_path / "plain", 4))


def test_holes_reach_the_step(tmp_path: Path) -> None:
    def adding_holes(
        state: TrainState, batch: Batch, may_move: Moves = True
    ) -> tuple[TrainState, Metrics]:
        assert batch.hole is not None
        assert batch.hole.shape == (1, 4, 4, 1)  # of each device
        seen = batch._replace(image=batch.image * batch.hole)
        return adding_recipe().step_at(0)(state, seen, may_move)

    def holed(first: int) -> Generator[Crops]:
        for crops in crops_from(first):
            missing = np.zeros((8, 4, 4), bool)
            missing[:4] = True
            yield Crops(2 * crops.image, hole=missing)

    recipe = adding_recipe()._replace(step_at=lambda number: adding_holes)
    # Half is missing, of pictures twice as bright.
    assert weight(run(tmp_path / "holes", 4, recipe, holed)) == weight(run(tmp_path / "plain", 4))


@pytest.mark.parametrize("breaks_at", [-1, 1])
def test_the_crops_are_closed_when_training_ends(tmp_path: Path, breaks_at: int) -> None:
    closed = []

    def closing(first: int) -> Generator[Crops]:
        try:
            yield from crops_from(first)
        finally:
            closed.append(first)

    try:
        run(tmp_path, 2, adding_recipe(breaks_at=breaks_at), closing)
    except NotFinite:
        assert breaks_at == 1
    # And those that a broken step is given once more, to be written down.
    assert closed == ([0] if breaks_at < 0 else [breaks_at, 0])
