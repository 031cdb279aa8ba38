from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import psutil
import pytest

from jaxinpaint.doctor import machine
from jaxinpaint.recipes.base import Player, TrainState


def state(megabytes: int) -> TrainState:
    weights = {"params": jax.ShapeDtypeStruct((megabytes, 2**18), jnp.float32)}
    key = jax.eval_shape(lambda: jax.random.key(0))
    step = jax.ShapeDtypeStruct((), jnp.int32)
    return TrainState(step, key, {"generator": Player(weights, ())})


def test_a_state_has_the_bytes_of_its_arrays() -> None:
    assert machine.nbytes(state(3)) == 3 * 2**20 + 4 + 8  # weights, the step, the key


def test_the_devices_and_their_precision_are_told() -> None:
    devices, precision = machine.examine_devices()
    assert "8 x cpu" in devices.found
    assert precision.level == "ok"


@pytest.mark.parametrize(("free", "level"), [(9, "fail"), (15, "warn"), (25, "ok")])
def test_checkpoints_must_fit_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: str
) -> None:
    usage = SimpleNamespace(free=free * 2**20)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: usage)
    # Two that stay and one that is being written: nine megabytes and a few bytes.
    assert machine.examine_disk(tmp_path / "not" / "there", state(3), keep=2).level == level


@pytest.mark.parametrize(("free", "level"), [(0.9, "fail"), (1.1, "warn"), (4, "ok")])
def test_pictures_of_all_workers_must_fit_into_memory(
    monkeypatch: pytest.MonkeyPatch, free: float, level: str
) -> None:
    memory = SimpleNamespace(available=free * 2**30)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    # Two processes keep half a gigabyte each.
    (finding,) = machine.examine_memory(None, workers=2)
    assert finding.level == level


@pytest.mark.parametrize(("step", "level"), [(5, "ok"), (20, "fail")])
def test_a_step_must_fit_into_a_device(
    monkeypatch: pytest.MonkeyPatch, step: int, level: str
) -> None:
    device = SimpleNamespace(platform="gpu", memory_stats=lambda: {"bytes_limit": 10 * 2**30})
    monkeypatch.setattr(jax, "local_devices", lambda: [device])
    _, finding = machine.examine_memory(step * 2**30, workers=0)
    assert finding.subject == "device memory"
    assert finding.level == level
