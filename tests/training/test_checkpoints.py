import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxinpaint.recipes.base import Player, TrainState
from jaxinpaint.training.checkpoints import abstract_like, open_checkpoints

HERE = jax.sharding.SingleDeviceSharding(jax.devices()[0])


def state_at(step: int, width: int = 3) -> TrainState:
    params = {"kernel": jnp.full((2, width), float(step))}
    variables = {"params": params, "batch_stats": {"mean": jnp.full(width, step / 2)}}
    player = Player(variables, optax.adam(1e-3).init(params))
    return TrainState(jnp.int32(step), jax.random.key(step), {"generator": player})


def abstract(width: int = 3) -> TrainState:
    return abstract_like(state_at(0, width), HERE)


def write(folder: Path, *steps: int, keep: int = 10) -> None:
    with open_checkpoints(folder, keep=keep) as checkpoints:
        for step in steps:
            checkpoints.save(state_at(step), step)


def restored_step(folder: Path) -> int | None:
    with open_checkpoints(folder, keep=10) as checkpoints:
        state = checkpoints.restore_latest(abstract())
    return None if state is None else int(state.step)


def test_a_state_comes_back_bit_for_bit(tmp_path: Path) -> None:
    write(tmp_path, 7)
    with open_checkpoints(tmp_path, keep=1) as checkpoints:
        state = checkpoints.restore_latest(abstract())
    assert state is not None
    data = jax.tree.map(
        lambda x: jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x,
        (state, state_at(7)),
    )
    jax.tree.map(np.testing.assert_array_equal, *data)


def test_only_the_latest_stay(tmp_path: Path) -> None:
    write(tmp_path, 1, 2, 3, 4, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.isdigit()) == ["3", "4"]


def test_an_empty_folder_has_no_state(tmp_path: Path) -> None:
    assert restored_step(tmp_path) is None


def test_saving_a_step_again_is_harmless(tmp_path: Path) -> None:
    write(tmp_path, 5, 5)
    assert restored_step(tmp_path) == 5


def damage_arrays(checkpoint: Path) -> None:
    for file in checkpoint.rglob("d/*"):
        file.write_bytes(b"")


def empty(checkpoint: Path) -> None:
    (checkpoint).rename(checkpoint.with_name("moved"))
    checkpoint.mkdir()


# Orbax leaves an event loop behind when a damaged checkpoint can't be read.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("damage", [damage_arrays, empty])
def test_a_damaged_checkpoint_is_told_and_passed_over(tmp_path, caplog, damage) -> None:
    write(tmp_path, 2, 4)
    damage(tmp_path / "4")
    assert restored_step(tmp_path) == 2
    assert "can't be read" in caplog.text
    # It does not stand in the way of the step being saved again, and nothing is deleted.
    write(tmp_path, 4)
    assert restored_step(tmp_path) == 4
    assert (tmp_path / "4.unreadable").exists()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_when_none_can_be_read_it_is_an_error_and_nothing_is_touched(tmp_path: Path) -> None:
    write(tmp_path, 2)
    with (
        open_checkpoints(tmp_path, keep=3) as checkpoints,
        pytest.raises(ValueError, match="fits or can be read"),
    ):
        checkpoints.restore_latest(abstract(width=5))
    assert restored_step(tmp_path) == 2


def test_variables_are_restored_without_the_optimiser(tmp_path: Path) -> None:
    write(tmp_path, 3)
    without = dataclasses.replace(
        abstract(), players={"generator": abstract().players["generator"]._replace(opt_state=())}
    )
    with open_checkpoints(tmp_path) as checkpoints:
        restored, step = checkpoints.restore_generator(without)
    assert step == 3
    np.testing.assert_array_equal(restored["params"]["kernel"], np.full((2, 3), 3.0))
