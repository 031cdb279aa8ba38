"""Checkpoints written by some devices, gone on with by others."""

import shutil
from collections.abc import Generator
from itertools import product
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
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
    averaged_over,
)
from jaxinpaint.recipes.optimisers import from_optax
from jaxinpaint.recipes.stepping import Move, stepped_alone
from jaxinpaint.training.loop import LoopConfig, train
from jaxinpaint.training.parallel import Parallel, Placement, place_on_all_devices

# How many devices, how a step is compiled for them, and whether parameters are split over them.
PLACES: dict[str, tuple[int, Parallel, bool]] = {
    "1 jit": (1, "jit", False),
    "4 jit": (4, "jit", False),
    "8 jit": (8, "jit", False),
    "8 jit split": (8, "jit", True),
    "4 pmap": (4, "pmap", False),
    "8 pmap": (8, "pmap", False),
}
OPTIMISER = from_optax(optax.sgd(2.0**-6, momentum=0.5))


def place(name: str, monkeypatch: pytest.MonkeyPatch) -> Placement:
    number, parallel, split = PLACES[name]
    devices = jax.devices()[:number]
    with monkeypatch.context() as only:
        only.setattr(jax, "devices", lambda: devices)
        return place_on_all_devices(parallel, shard_params=split)


def exact_recipe(axis_name: str | None) -> Recipe:
    """All that it adds up fits into a float32 without rounding: the order makes no difference."""

    def init(key: jax.Array, size: tuple[int, int]) -> TrainState:
        params = {"w": jnp.zeros((8, 1024)), "b": jnp.zeros(3)}
        player = Player({"params": params}, OPTIMISER.init(params))
        return TrainState(jnp.zeros((), jnp.int32), key, {"generator": player})

    def step(state: TrainState, batch: Batch, may_move: Moves = True) -> tuple[TrainState, Metrics]:
        drawn = jax.random.randint(jax.random.fold_in(state.key, state.step), (8, 1024), -4, 4)
        seen = jnp.mean(batch.image[:, 0, 0].astype(jnp.float32), axis=0)
        gradients = averaged_over(axis_name, {"w": drawn.astype(jnp.float32), "b": seen})
        told = {"loss": Mean(optax.tree.norm(gradients), jnp.ones(()))}
        variables = state.players["generator"].variables
        return stepped_alone(state, Move(variables, gradients, OPTIMISER), told, may_move)

    return Recipe(init, lambda number: step, Multiple(1))


def crops_from(first: int) -> Generator[Crops]:
    while True:
        rng = np.random.default_rng(first)
        yield Crops(rng.integers(0, 256, (8, 2, 2, 3), np.uint8))
        first += 1


def run(folder: Path, placement: Placement, steps: int) -> list[np.ndarray]:
    trained = train(
        exact_recipe(placement.axis_name),
        LoopConfig(
            steps=steps,
            parallel=placement.parallel,
            shard_params=placement.shard_params,
        ),
        placement,
        folder=folder,
        size=(2, 2),
        seed=0,
        crops_from=crops_from,
    )
    return [np.asarray(leaf) for leaf in jax.tree.leaves(trained.state.players)]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of runs of two steps, by where these were made."""
    folders = {name: tmp_path_factory.mktemp("saved") for name in PLACES}
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, folder in folders.items():
            run(folder, place(name, monkeypatch), 2)
    return folders


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[np.ndarray]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return run(tmp_path_factory.mktemp("whole"), place("1 jit", monkeypatch), 4)


@pytest.mark.parametrize(("saved_on", "resumed_on"), [*product(PLACES, PLACES)])
def test_a_run_goes_on_on_any_devices_with_the_same_bits(
    saved_on: str,
    resumed_on: str,
    saved: dict[str, Path],
    whole: list[np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = shutil.copytree(saved[saved_on], tmp_path / "run")
    resumed = run(folder, place(resumed_on, monkeypatch), 4)
    for leaf, same in zip(resumed, whole, strict=True):
        np.testing.assert_array_equal(leaf, same)


def test_split_parameters_lie_in_parts_on_the_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    placement = place("8 jit split", monkeypatch)
    state = jax.eval_shape(lambda key: exact_recipe(None).init(key, (2, 2)), jax.random.key(0))
    where = placement.of_state(state).players["generator"].variables["params"]
    assert where["w"].shard_shape((8, 1024)) == (8, 128)
    assert where["b"].is_fully_replicated  # too small to be worth it


def test_replicas_have_all_parameters() -> None:
    with pytest.raises(ValueError, match="--shard-params needs --parallel jit"):
        place_on_all_devices("pmap", shard_params=True)
