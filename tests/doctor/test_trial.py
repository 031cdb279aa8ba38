import math
from collections.abc import Iterator

import numpy as np
import pytest

from jaxinpaint.doctor.findings import Finding
from jaxinpaint.doctor.trial import Trial, judge, prepare, reading_speed, try_out
from jaxinpaint.recipes import ContextEncoderConfig, PANConfig, PartialConvConfig, make
from jaxinpaint.recipes.base import Crops
from jaxinpaint.training.parallel import place_on_all_devices


def found(tried: Trial, seconds: float = 60.0) -> dict[str, Finding]:
    return {finding.subject: finding for finding in judge(tried, seconds)}


LEARNS = Trial(read=100.0, trained=10.0, steps=200, losses=(3.0, 1.0), error=(0.3, 0.1))


@pytest.mark.parametrize(("read", "level"), [(100, "ok"), (12, "warn"), (9, "fail")])
def test_reading_must_be_faster_than_training(read: float, level: str) -> None:
    assert found(LEARNS._replace(read=float(read)))["reading"].level == level


@pytest.mark.parametrize(
    ("tried", "level", "words"),
    [
        (LEARNS, "ok", "from 0.300 to 0.100"),
        (LEARNS._replace(error=(0.3, 0.25)), "warn", "learned by heart"),
        (LEARNS._replace(error=(0.3, 0.31)), "fail", "learned by heart"),
        (LEARNS._replace(error=(0.3, math.nan)), "fail", "learning-rate"),
        (LEARNS._replace(losses=(1.0, math.inf)), "fail", "learning-rate"),
        (LEARNS._replace(steps=4, error=(0.3, 0.31)), "warn", "--seconds 900"),
    ],
)
def test_one_batch_must_be_learned(tried: Trial, level: str, words: str) -> None:
    finding = found(tried)["one batch"]
    assert finding.level == level
    assert words in f"{finding.found} {finding.remedy}"


def crops(*, size: int, paired: bool = False) -> Iterator[Crops]:
    image = np.tile(np.arange(size, dtype=np.uint8)[:, None, None] * 3, (8, 1, size, 3))
    while True:
        yield Crops(image, 255 - image if paired else None)


@pytest.mark.parametrize(
    ("config", "size"),
    [
        (
            PartialConvConfig(
                layer_size=2,
                width=0.06,
                learning_rate=1e-2,
                perceptual_weight=0.0,
                style_output_weight=0.0,
                style_composite_weight=0.0,
            ),
            16,
        ),
        (ContextEncoderConfig(size=64, width=2, discriminator_width=2, bottleneck=4), 64),
        (PANConfig(task="pairs", levels=2, width=2, discriminator_width=2), 16),
    ],
    ids=["holes", "middle", "pairs"],
)
def test_a_trial_reads_trains_and_measures(config, size: int) -> None:
    paired = isinstance(config, PANConfig)
    batches = crops(size=size, paired=paired)
    read = reading_speed(batches, seconds=0.01)
    placement = place_on_all_devices()
    recipe = make(config, axis_name=placement.axis_name)
    ready = prepare(recipe, next(batches), placement, size=(size, size), seed=0, last=9)
    assert ready.step_bytes is None or ready.step_bytes > ready.batch.image.nbytes / 8
    tried = try_out(ready, read=read, seconds=0.0)
    assert tried.steps == 2
    assert tried.read > 0
    assert tried.trained > 0
    assert 1 <= len(tried.losses) <= 2
    assert all(0 < error < 1 for error in tried.error)
