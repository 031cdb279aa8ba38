"""Running averages of the generator's weights, on a recipe of one number."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxinpaint.recipes.averages import with_average
from jaxinpaint.recipes.base import (
    Batch,
    Metrics,
    Moves,
    Multiple,
    Player,
    Recipe,
    Step,
    TrainState,
)
from jaxinpaint.training.checkpoints import abstract_like, open_checkpoints

BATCH = Batch(jnp.zeros((1, 1, 1, 3), jnp.uint8), jnp.arange(1))


def counting(*, kinds: int = 1) -> Recipe:
    """Its weight is the number of steps made."""

    def init(key: jax.Array, size: tuple[int, int]) -> TrainState:
        player = Player({"params": {"w": jnp.zeros(())}}, ())
        return TrainState(jnp.zeros((), jnp.int32), key, {"generator": player})

    def kind() -> Step:
        def step(
            state: TrainState, batch: Batch, may_move: Moves = True
        ) -> tuple[TrainState, Metrics]:
            made = state.step + 1
            player = Player({"params": {"w": made.astype(jnp.float32)}}, ())
            return TrainState(made, state.key, {"generator": player}), {}

        return step

    steps = [kind() for _ in range(kinds)]
    return Recipe(init, lambda number: steps[number % kinds], Multiple(1))


def test_the_average_follows_the_weights_by_hand() -> None:
    recipe = with_average(counting(), 0.4)
    state = recipe.init(jax.random.key(0), (1, 1))
    expected = 0.0
    for number, decay in enumerate((1 / 10, 2 / 11, 3 / 12, 4 / 13, 5 / 14, 0.4, 0.4)):
        state, _ = recipe.step_at(number)(state, BATCH)
        expected = decay * expected + (1 - decay) * (number + 1)
        assert state.generator["params"]["w"] == pytest.approx(expected)
        assert state.players["generator"].variables["params"]["w"] == number + 1


def test_each_kind_of_step_stays_one_function() -> None:
    recipe = with_average(counting(kinds=2), 0.5)
    assert recipe.step_at(0) is recipe.step_at(2)
    assert recipe.step_at(0) is not recipe.step_at(1)


def test_a_state_with_an_average_can_be_donated() -> None:
    recipe = with_average(counting(), 0.5)
    step = jax.jit(recipe.step_at(0), donate_argnums=0)
    for init in (recipe.init, jax.jit(recipe.init, static_argnums=1)):
        state, _ = step(init(jax.random.key(0), (1, 1)), BATCH)
        assert state.step == 1


def test_without_an_average_the_weights_themselves_fill_holes() -> None:
    state = counting().init(jax.random.key(0), (1, 1))
    assert state.generator is state.players["generator"].variables


@pytest.mark.parametrize("decay", [0.0, 1.0, -1.0])
def test_a_decay_that_forgets_nothing_or_all_is_refused(decay: float) -> None:
    with pytest.raises(ValueError, match="decay"):
        with_average(counting(), decay)


def test_averages_are_saved_and_are_what_inference_reads(tmp_path: Path) -> None:
    recipe = with_average(counting(), 0.5)
    state, _ = recipe.step_at(0)(recipe.init(jax.random.key(0), (1, 1)), BATCH)
    here = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    with open_checkpoints(tmp_path, keep=1) as checkpoints:
        checkpoints.save(state, 1)
    with open_checkpoints(tmp_path, keep=1) as checkpoints:
        restored = checkpoints.restore_latest(abstract_like(state, here))
        variables, _ = checkpoints.restore_generator(abstract_like(state, here))
    assert restored is not None
    jax.tree.map(np.testing.assert_array_equal, restored.players, state.players)
    jax.tree.map(np.testing.assert_array_equal, restored.averages, state.averages)
    jax.tree.map(np.testing.assert_array_equal, variables, state.averages["generator"])
