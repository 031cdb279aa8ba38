"""Whole configs by name: what `train.py NAME` starts from."""

from jaxinpaint.data.config import DataConfig
from jaxinpaint.recipes import (
    ContextEncoderConfig,
    CRFillConfig,
    MembraneConfig,
    PANConfig,
    PartialConvConfig,
    StepConfig,
)
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

CONTEXT_ENCODER = RunConfig(
    recipe=ContextEncoderConfig(),
    data=DataConfig(short_side=350, size=128, batch_size=64),
    loop=LoopConfig(steps=100_000),
)

PAN = RunConfig(
    recipe=PANConfig(task="center"),
    data=DataConfig(short_side=143, size=128, batch_size=4),
    loop=LoopConfig(steps=200_000),
)

PAN_HOLES = RunConfig(
    recipe=PANConfig(task="holes"),
    data=DataConfig(short_side=286, size=256, batch_size=4),
    loop=LoopConfig(steps=200_000),
)

PAN_PAIRS = RunConfig(
    recipe=PANConfig(task="pairs"),
    data=DataConfig(short_side=286, size=256, batch_size=4),
    loop=LoopConfig(steps=200_000),
)

CRFILL = RunConfig(
    recipe=CRFillConfig(),
    data=DataConfig(short_side=640, size=256, batch_size=48),
    loop=LoopConfig(steps=850_000),
)

DEEPFILL = RunConfig(
    recipe=CRFillConfig(attention=True, stages=("coarse:50000", "fine:100000", "all")),
    data=DataConfig(short_side=640, size=256, batch_size=48),
    loop=LoopConfig(steps=350_000),
)

MEMBRANE = RunConfig(
    recipe=MembraneConfig(),
    data=DataConfig(size=128, batch_size=8, random_scale=True),
    step=StepConfig(clip=1.0, warm_up=100, decay="cosine", decay_steps=7900, decay_to=0.01),
    loop=LoopConfig(steps=8000, log_every=50, sample_every=500, checkpoint_every=250),
    average=0.998,
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
    "context-encoder": (
        "Context Encoders at the paper's size: the middle of 128x128 pictures, or random regions "
        "of them (--recipe.holes random-region); batch 64.",
        CONTEXT_ENCODER,
    ),
    "pan": ("PAN for the middle of 128x128 pictures; batch 4.", PAN),
    "pan-holes": ("PAN for holes anywhere, through its U-Net: 256x256, batch 4.", PAN_HOLES),
    "pan-pairs": (
        "PAN from one picture to another, such as labels to photographs (--data.pairs): 256x256, "
        "batch 4.",
        PAN_PAIRS,
    ),
    "crfill": (
        "CR-Fill for holes anywhere, in four stages: 256x256, batch 48; days on a GPU.",
        CRFILL,
    ),
    "membrane": (
        "A smooth fill that a small network corrects, for irregular holes and pictures of any "
        "size: 128x128, batch 8; about an hour on two CPU cores.",
        MEMBRANE,
    ),
    "deepfill": ("DeepFill v2, with attention in its network, in three stages.", DEEPFILL),
}
