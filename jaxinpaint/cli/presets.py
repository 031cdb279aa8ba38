"""Whole configs by name: what `train.py NAME` starts from."""

from jaxinpaint.data.sources import DataConfig
from jaxinpaint.recipes import PartialConvConfig
from jaxinpaint.run_config import RunConfig
from jaxinpaint.training.loop import LoopConfig

FIRST_RUN = RunConfig(
    recipe=PartialConvConfig(
        layer_size=6,
        width=0.25,
        hole_ratio=(0.01, 0.4),
        perceptual_weight=0.0,
        style_output_weight=0.0,
        style_composite_weight=0.0,
        learning_rate=1e-3,
        finetune_from=850,
        finetune_learning_rate=2e-4,
    ),
    data=DataConfig(size=128, batch_size=8, random_scale=True),
    loop=LoopConfig(steps=1200, log_every=50, sample_every=400, checkpoint_every=200),
)

PARTIAL_CONV = RunConfig(
    recipe=PartialConvConfig(finetune_from=450_000),
    data=DataConfig(size=512, batch_size=6),
    loop=LoopConfig(steps=500_000),
)

PRESETS = {
    "first-run": (
        "A small partial-convolution net on the photographs that come along: minutes on two CPU "
        "cores. What you get if you name none.",
        FIRST_RUN,
    ),
    "partial-conv": (
        "Partial convolutions at the paper's size: 512x512, batch 6, all channels; days on a GPU.",
        PARTIAL_CONV,
    ),
}
