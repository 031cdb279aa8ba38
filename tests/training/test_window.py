"""What is told of the steps between two reports."""

import time

import jax.numpy as jnp
import pytest

from jaxinpaint.recipes.base import Mean, Metrics
from jaxinpaint.training.window import Window


def metrics(**values: float) -> Metrics:
    return {name: Mean(jnp.float32(value), jnp.float32(1)) for name, value in values.items()}


def test_metrics_are_means_over_the_steps_that_tell_of_them() -> None:
    window = Window(10)
    window.add(metrics(loss=1.0, right=0.5), examples=4, flops=100)
    window.add(metrics(loss=3.0), examples=4, flops=300)
    told = window.close(6, 1e9)
    assert told.values["loss"] == 2
    assert told.values["right"] == 0.5
    assert told.values["model_flops_a_step"] == 200
    assert not told.broken


def test_time_is_told_but_for_what_is_left_out() -> None:
    window = Window(0)
    with window.left_out():
        time.sleep(0.5)
    with window.waiting():
        time.sleep(0.02)
    window.add(metrics(loss=1.0), examples=4, flops=10**6)
    told = window.close(5, 1e9).values
    seconds = 4 / told["examples_per_second"]
    assert 0.02 <= seconds < 0.5  # the half second left out would be in it
    assert told["milliseconds_waited_a_step"] == pytest.approx(
        1000 * told["waiting_for_data"] * seconds, rel=1e-6
    )
    assert told["waiting_for_data"] <= 1
    assert told["seconds_left"] == pytest.approx(5 * seconds, rel=1e-6)
    assert told["share_of_matrix_rate"] == pytest.approx(10**6 / seconds / 1e9, rel=1e-6)


def test_broken_steps_are_told_by_their_number_and_left_out_of_the_means() -> None:
    window = Window(7)
    window.add(metrics(loss=1.0), examples=1, flops=1)
    window.add(metrics(loss=float("nan"), style=2.0), examples=1, flops=1)
    window.add(metrics(loss=1.0, discriminator_update_norm=float("inf")), examples=1, flops=1)
    told = window.close(1, 1.0)
    assert [(broken.step, broken.what) for broken in told.broken] == [
        (9, "loss = nan"),
        (10, "the update of the discriminator is no number"),
    ]
    assert told.broken[0].metrics["style"] == 2
    assert told.values["loss"] == 1
    assert told.values["skipped"] == 2
    window.add(metrics(loss=float("inf")), examples=1, flops=1)
    again = window.close(1, 1.0)
    assert "loss" not in again.values
    assert [broken.step for broken in again.broken] == [11]
