"""State dicts of the published partial-convolution U-Nets, as this package's variables."""

import math
from collections.abc import Mapping

import numpy as np

from jaxinpaint.array_typing import Variables

StateDict = Mapping[str, np.ndarray]


def from_naoto0804(state_dict: StateDict) -> Variables:
    """Variables of `partial_conv_unet` from `naoto0804/pytorch-inpainting-with-partial-conv`.

    That program divides by ``sum(M)`` where the paper has ``sum(1) / sum(M)``, so each of its
    kernels is ``sum(1)`` times as large as the same function's here. It was trained on pictures
    normalised by ImageNet's mean and deviation, which its caller has to do.

    Raises:
        ValueError: if a key is not known, or an array has not four axes where a kernel is expected.
    """
    names = {
        "conv.input_conv.weight": ("params", "kernel"),
        "conv.input_conv.bias": ("params", "bias"),
        "bn.weight": ("params", "norm", "scale"),
        "bn.bias": ("params", "norm", "bias"),
        "bn.running_mean": ("batch_stats", "norm", "mean"),
        "bn.running_var": ("batch_stats", "norm", "var"),
    }
    variables = _renamed(
        state_dict, names, unused=("conv.mask_conv.weight", "bn.num_batches_tracked")
    )
    for name, block in variables["params"].items():
        if "kernel" not in block:
            raise ValueError(f"the state dict has no kernel for {name!r}")
        block["kernel"] = block["kernel"] / math.prod(block["kernel"].shape[:-1])
    return variables


def from_tanimutomo(state_dict: StateDict) -> Variables:
    """Variables of `partial_conv_unet` from `tanimutomo/partialconv`.

    For ``batch_norm=False, last_layer="rescaled-bias"``; pictures in [0, 1].

    Raises:
        ValueError: if a key is not known, or an array has not four axes where a kernel is expected.
    """
    names = {"conv.weight": ("params", "kernel"), "conv.bias": ("params", "bias")}
    return _renamed(state_dict, names, unused=("mask_conv.weight",))


def _renamed(
    state_dict: StateDict, names: Mapping[str, tuple[str, ...]], unused: tuple[str, ...]
) -> dict[str, dict]:
    """Nested variables: ``enc_2.<name>`` goes to ``[collection]["enc_2"][...]`` as names say."""
    variables: dict[str, dict] = {}
    for key, value in state_dict.items():
        block, _, name = key.partition(".")
        if name in unused:
            continue
        if name not in names:
            raise ValueError(f"unknown key {key!r} in the state dict; known are {sorted(names)}")
        collection, *path, leaf = names[name]
        node = variables.setdefault(collection, {}).setdefault(block, {})
        for part in path:
            node = node.setdefault(part, {})
        node[leaf] = _to_hwio(key, value) if leaf == "kernel" else np.asarray(value)
    return variables


def _to_hwio(key: str, weight: np.ndarray) -> np.ndarray:
    if weight.ndim != 4:
        raise ValueError(f"{key!r} has shape {weight.shape}; a kernel has four axes (OIHW)")
    return np.transpose(weight, (2, 3, 1, 0))
