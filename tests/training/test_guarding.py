"""Steps that break: what stays, what is told, and what is kept of them."""

import json
from collections.abc import Generator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxinpaint.recipes.base import (
    Batch,
    Crops,
    Mean,
    Metrics,
    Moves,
    Multiple,
    Player,
    Recipe,
    TrainState,
    finite,
    new_if,
)
from jaxinpaint.training import loop
from jaxinpaint.training.checkpoints import open_checkpoints
from jaxinpaint.training.guarding import NotFinite
from jaxinpaint.training.loop import MOST_SKIPPED, LoopConfig, Trained, train
from jaxinpaint.training.parallel import place_on_all_devices

PLACEMENT = place_on_all_devices()


def counting_recipe(breaks_at: range) -> Recipe:
    """Its weight counts the steps that were made; some of them break it."""

    def init(key: jax.Array, size: tuple[int, int]) -> TrainState:
        player = Player({"params": {"w": jnp.zeros(())}}, ())
        return TrainState(jnp.zeros((), jnp.int32), key, {"generator": player})

    def step(state: TrainState, batch: Batch, may_move: Moves = True) -> tuple[TrainState, Metrics]:
        w = state.players["generator"].variables["params"]["w"]
        breaks = (state.step >= breaks_at.start) & (state.step < breaks_at.stop)
        moved = jnp.where(breaks, jnp.nan, w + 1)
        one = jnp.ones(())
        metrics = {
            "loss": Mean(w, one),
            "style": Mean(jnp.where(breaks, jnp.inf, w), one),
            "generator_update_norm": Mean(moved - w, one),
        }
        players = {"generator": Player({"params": {"w": moved}}, ())}
        players = new_if(may_move & finite(metrics), players, state.players)
        return TrainState(state.step + 1, state.key, players), metrics

    return Recipe(init, lambda number: step, Multiple(1))


def crops_from(first: int) -> Generator[Crops]:
    while True:
        yield Crops(np.full((8, 4, 4, 3), first, np.uint8))
        first += 1


def run(folder: Path, breaks_at: range, steps: int = 9, **options) -> Trained:
    every = {"log_every": 4, "checkpoint_every": 8, "sample_every": 99}
    config = LoopConfig(**{"steps": steps, **every, **options})
    return train(
        counting_recipe(breaks_at),
        config,
        PLACEMENT,
        folder=folder,
        size=(4, 4),
        seed=0,
        crops_from=crops_from,
    )


def weight(state: TrainState) -> float:
    return float(state.players["generator"].variables["params"]["w"])


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_broken_step_stops_the_run_and_leaves_what_led_to_it(tmp_path: Path) -> None:
    with pytest.raises(NotFinite, match="step 6: style = inf, the update of the generator is no"):
        run(tmp_path, range(5, 6))
    failed = tmp_path / "failed" / "step_00000006"
    assert json.loads((failed / "metrics.json").read_text())["loss"] == 5
    with np.load(failed / "batch-0.npz") as batch:
        assert set(batch) == {"image"}
        assert (batch["image"] == 5).all()
    assert len(list((failed / "pictures-0").iterdir())) == 8
    # The steps that followed before anybody looked have changed nothing.
    shapes = jax.eval_shape(counting_recipe(range(0)).init, jax.random.key(0), (4, 4))
    for folder in (failed / "state", tmp_path / "checkpoints"):
        with open_checkpoints(folder) as checkpoints:
            state = checkpoints.restore_latest(PLACEMENT.abstract(shapes))
        assert state is not None
        assert (int(state.step), weight(state)) == (5, 5)


def test_a_run_that_stopped_goes_on_without_the_broken_step(tmp_path: Path, caplog) -> None:
    with pytest.raises(NotFinite):
        run(tmp_path, range(5, 6))
    trained = run(tmp_path, range(5, 6), on_nan="skip")
    assert (int(trained.state.step), weight(trained.state)) == (9, 8)
    assert "step 6 was skipped: style = inf" in caplog.text


def test_skipped_steps_are_counted_and_have_no_part_in_what_is_told(tmp_path: Path) -> None:
    trained = run(tmp_path, range(1, 3), on_nan="skip")
    assert weight(trained.state) == 7
    told = lines(tmp_path)
    assert [line["skipped"] for line in told] == [2, 0, 0]
    assert told[0]["style"] == 0.5  # of steps 1 and 4, before which 0 and 1 had been made
    assert all(np.isfinite(list(line.values())).all() for line in told)


@pytest.mark.parametrize("log_every", [4, 1000])
def test_a_run_whose_every_step_breaks_is_stopped_all_the_same(tmp_path, log_every: int) -> None:
    with pytest.raises(NotFinite, match="step 3: style = inf"):
        run(tmp_path, range(2, 999), steps=999, on_nan="skip", log_every=log_every)
    shapes = jax.eval_shape(counting_recipe(range(0)).init, jax.random.key(0), (4, 4))
    with open_checkpoints(tmp_path / "checkpoints") as checkpoints:
        state = checkpoints.restore_latest(PLACEMENT.abstract(shapes))
    assert state is not None
    assert weight(state) == 2
    assert int(state.step) <= MOST_SKIPPED + 8
    # What the first of them drew follows from its number: the state that is kept has it.
    with open_checkpoints(tmp_path / "failed" / "step_00000003" / "state") as checkpoints:
        before = checkpoints.restore_latest(PLACEMENT.abstract(shapes))
    assert before is not None
    assert (int(before.step), weight(before)) == (2, 2)


def test_steps_that_break_now_and_then_do_not_end_a_run(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(loop, "MOST_SKIPPED", 3)
    trained = run(tmp_path / "two", range(2, 4), steps=16, on_nan="skip")
    assert weight(trained.state) == 14
    with pytest.raises(NotFinite, match="step 3"):
        run(tmp_path / "three", range(2, 5), steps=16, on_nan="skip")


def test_the_broken_step_is_told_where_its_batch_can_not_be_kept(tmp_path, monkeypatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(loop, "write_failure", full)
    with pytest.raises(NotFinite, match=r"step 6: style = inf.*could not be kept \(No space"):
        run(tmp_path, range(5, 6))
