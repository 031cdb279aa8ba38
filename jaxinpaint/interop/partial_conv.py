"""Published partial-convolution U-Nets: what their state dicts say of the net, and hold."""

import re
from dataclasses import replace
from functools import partial

import numpy as np

from jaxinpaint.interop.state_dicts import Entries, Entry, PublishedProgram
from jaxinpaint.interop.weight_files import Arrays, UnreadableWeights
from jaxinpaint.recipes import PartialConvConfig

NORM = {
    "bn.weight": ("params", "scale"),
    "bn.bias": ("params", "bias"),
    "bn.running_mean": ("batch_stats", "mean"),
    "bn.running_var": ("batch_stats", "var"),
}


def _layer_size(arrays: Arrays) -> int:
    levels = {int(found[1]) for key in arrays if (found := re.match(r"enc_(\d+)\.", key))}
    if levels != set(range(1, len(levels) + 1)):
        raise UnreadableWeights(f"its encoder has the levels {sorted(levels)}, not all from 1 on")
    return len(levels)


def _config(conv: str, published: PartialConvConfig, arrays: Arrays) -> PartialConvConfig:
    channels = arrays[f"enc_1.{conv}.weight"].shape[0]
    return replace(published, layer_size=_layer_size(arrays), width=channels / 64)


def _entries(conv: str, config: PartialConvConfig) -> Entries:
    levels = range(1, config.layer_size + 1)
    blocks = [f"enc_{i}" for i in levels] + [f"dec_{i}" for i in reversed(levels)]
    entries = {}
    for block in blocks:
        entries[f"{block}.{conv}.weight"] = Entry(("params", block, "kernel"), "OIHW")
        if config.batch_norm and block not in ("enc_1", "dec_1"):
            for key, (kept, leaf) in NORM.items():
                entries[f"{block}.{key}"] = Entry((kept, block, "norm", leaf))
    entries[f"dec_1.{conv}.bias"] = Entry(("params", "dec_1", "bias"))
    return entries


def _masks(conv: str, mask: str, arrays: Arrays) -> Arrays:
    """Kernels of ones, by which the program counts known pixels."""
    suffix = f".{conv}.weight"
    return {
        key.removesuffix(suffix) + f".{mask}.weight": np.ones(array.shape, np.float32)
        for key, array in arrays.items()
        if key.endswith(suffix)
    }


def _program(name: str, conv: str, mask: str, published: PartialConvConfig) -> PublishedProgram:
    return PublishedProgram(
        name,
        "generator",
        mark=re.compile(rf"enc_1\.{re.escape(conv)}\.weight"),
        config=partial(_config, conv, published),
        entries=partial(_entries, conv),
        constants=partial(_masks, conv, mask),
    )


NAOTO0804 = _program(
    "naoto0804/pytorch-inpainting-with-partial-conv",
    "conv.input_conv",
    "conv.mask_conv",
    PartialConvConfig(ratio="inverse-coverage", normalised=True),
)
# Its batch norms are never registered.
TANIMUTOMO = _program(
    "tanimutomo/partialconv",
    "conv",
    "mask_conv",
    PartialConvConfig(batch_norm=False, last_layer="rescaled-bias"),
)
