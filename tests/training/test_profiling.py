"""Which steps a profiler's trace is of, and that it is written."""

from pathlib import Path

import jax.numpy as jnp
import pytest

from jaxinpaint.training.profiling import profiler, steps_of


def test_steps_are_two_numbers_in_their_order() -> None:
    assert steps_of("10:15") == (10, 15)
    assert steps_of("3:3") == (3, 3)
    for told in ("10", "15:10", "0:3", "a:b", "1:2:3", "-1:2"):
        with pytest.raises(ValueError, match="FIRST:LAST"):
            steps_of(told)


def test_the_trace_is_written_after_its_last_step(tmp_path: Path) -> None:
    written = []
    with profiler("2:3", tmp_path) as profile:
        for step in range(1, 5):
            profile.before(step)
            written.append(profile.after(step, jnp.ones(3) * step))
    assert written == [False, False, True, False]
    assert list(tmp_path.rglob("*.xplane.pb"))


def test_a_run_that_ends_within_its_trace_writes_it_too(tmp_path: Path) -> None:
    with profiler("1:9", tmp_path) as profile:
        profile.before(1)
    assert list(tmp_path.rglob("*.xplane.pb"))


def test_nothing_is_traced_unasked(tmp_path: Path) -> None:
    with profiler("", tmp_path) as profile:
        profile.before(1)
        assert not profile.after(1, ())
    assert not list(tmp_path.iterdir())
