import dataclasses
import gc
import shutil
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxinpaint.recipes.base import Player, TrainState
from jaxinpaint.training.checkpoints import Checkpoints, abstract_like, open_checkpoints

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


def arrays_of(checkpoint: Path) -> list[Path]:
    return list((checkpoint / "model").rglob("d/*"))


def cut_short(checkpoint: Path) -> None:
    for file in arrays_of(checkpoint):
        file.write_bytes(b"")


def lost(checkpoint: Path) -> None:
    for file in arrays_of(checkpoint):
        file.unlink()


def empty(checkpoint: Path) -> None:
    checkpoint.rename(checkpoint.with_name("moved"))
    checkpoint.mkdir()


@pytest.fixture
def swept() -> Iterator[None]:
    """Leaves nothing behind for later tests to be warned of."""
    yield
    gc.collect()


# Orbax leaves an event loop behind when a damaged checkpoint can't be read.
@pytest.mark.usefixtures("swept")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("damage", [cut_short, lost, empty])
def test_a_damaged_checkpoint_is_told_and_passed_over(tmp_path, caplog, damage) -> None:
    write(tmp_path, 2, 4)
    damage(tmp_path / "4")
    assert restored_step(tmp_path) == 2
    assert "can't be read" in caplog.text
    # It does not stand in the way of the step being saved again, and nothing is deleted.
    write(tmp_path, 4)
    assert restored_step(tmp_path) == 4
    assert (tmp_path / "4.unreadable").exists()


def numbers(state: TrainState) -> list[np.ndarray]:
    leaves = jax.tree.leaves(dataclasses.replace(state, key=jax.random.key_data(state.key)))
    return [np.asarray(leaf) for leaf in leaves]


def halved(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.usefixtures("swept")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("damage", [halved, flipped])
def test_whichever_file_is_damaged_what_comes_back_is_what_was_saved(tmp_path, damage) -> None:
    write(tmp_path / "whole", 2, 4)
    files = [
        file.relative_to(tmp_path / "whole")
        for file in sorted((tmp_path / "whole" / "4").rglob("*"))
        if file.is_file() and file.stat().st_size
    ]
    steps = []
    for number, file in enumerate(files):
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "whole", folder)
        (folder / file).write_bytes(damage((folder / file).read_bytes()))
        with open_checkpoints(folder, keep=10) as checkpoints:
            state = checkpoints.restore_latest(abstract())
        assert state is not None
        step = int(state.step)
        for leaf, saved in zip(numbers(state), numbers(state_at(step)), strict=True):
            np.testing.assert_array_equal(leaf, saved, err_msg=str(file))
        steps.append(step)
    assert {*steps} == {2, 4}  # some files are not needed, others are


def test_a_bit_that_has_changed_on_the_disk_is_found_out(tmp_path, caplog, monkeypatch) -> None:
    write(tmp_path, 2, 4)
    found = Checkpoints._restored

    def changed(self, step, parts):  # as Orbax, which checks nothing, gives it
        read = found(self, step, parts)
        if step == 4:
            kernel = read["model"]["generator"]["params"]["kernel"]
            read["model"]["generator"]["params"]["kernel"] = kernel.at[1, 2].add(2**-20)
        return read

    monkeypatch.setattr(Checkpoints, "_restored", changed)
    assert restored_step(tmp_path) == 2
    assert "1 arrays of its model have changed" in caplog.text
    assert "'params']['kernel']" in caplog.text


@pytest.mark.usefixtures("swept")
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
