from dataclasses import replace

import jaxlib
import pytest
from compiled_programs import (
    ANEW,
    CRFILL,
    PROGRAMS,
    counts,
    counts_of,
    counts_of_step,
    data_of,
    faults,
    recorded,
)

from jaxinpaint.cli.assembling import abstract_batch, abstract_state
from jaxinpaint.compiling import fast_jit
from jaxinpaint.recipes import make
from jaxinpaint.recipes.base import Batch, Metrics, Moves, TrainState
from jaxinpaint.training.flops import model_flops
from jaxinpaint.training.parallel import Compiled

RECORD = recorded()
SAME = RECORD["jaxlib"] == jaxlib.__version__


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_does_no_more_than_was_recorded(name: str) -> None:
    told = faults(counts(PROGRAMS[name]), RECORD["programs"][name], same_compiler=SAME)
    assert not told, f"{name}: {'; '.join(told)} ({ANEW})"
    if not SAME:
        pytest.skip(
            f"recorded with jaxlib {RECORD['jaxlib']}: only what all versions share is held"
        )


def test_the_record_is_of_these_programs() -> None:
    assert set(RECORD["programs"]) == set(PROGRAMS)


@pytest.mark.slow
def test_work_that_is_done_twice_is_found() -> None:
    recipe = make(CRFILL)
    step = recipe.step_at(0)

    def twice(
        state: TrainState, batch: Batch, may_move: Moves = True
    ) -> tuple[TrainState, Metrics]:
        return step(step(state, batch, may_move)[0], batch, may_move)

    told = faults(
        counts_of_step(twice, recipe, 32),
        RECORD["programs"]["crfill step"],
        same_compiler=SAME,
    )
    assert any("model_flops" in fault for fault in told)


def test_a_state_that_is_kept_is_found() -> None:
    recipe = make(CRFILL)

    def renewed(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        return replace(state, step=state.step + 1), {}

    data = data_of(32)
    state, batch = abstract_state(recipe, data), abstract_batch(data)
    traced = fast_jit(renewed).trace(state, batch)
    kept = counts_of(Compiled(traced.lower().compile(), model_flops(traced.jaxpr), None), state)
    told = faults(kept, RECORD["programs"]["crfill step"], same_compiler=SAME)
    assert any("state_not_aliased" in fault for fault in told)


def test_no_convolution_has_zeros_between_its_pixels() -> None:
    assert not any(record["dilated_inputs"] for record in RECORD["programs"].values())


def test_less_is_told_too() -> None:
    record = RECORD["programs"]["crfill step"]
    less = record | {"bytes_accessed": record["bytes_accessed"] // 2}
    assert faults(record, record, same_compiler=True) == []
    assert "less" in faults(less, record, same_compiler=True)[0]
    assert faults(less, record, same_compiler=False) == []
