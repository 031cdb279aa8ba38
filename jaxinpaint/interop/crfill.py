"""State dicts of the published CR-Fill program, as this package's variables."""

import re
from collections.abc import Mapping

import numpy as np

from jaxinpaint.array_typing import Variables

StateDict = Mapping[str, np.ndarray]
Place = tuple[str, ...]

BRANCH = "baseg."  # in front of the generator's names where it was trained with the branch
UNUSED = ("sconv1", "sconv2")  # stored by the program, and used by nothing
# What the program adds to some names, which says nothing more.
SUFFIX = re.compile(r"_(downsample|upsample_conv|atrous)$")


def _stack(place: Place, prefix: str, numbers: range) -> dict[str, Place]:
    return {f"{prefix}{n}": (*place, f"conv_{i}") for i, n in enumerate(numbers, start=1)}


# Where each layer of the program is here.
GENERATOR: dict[str, Place] = {
    **_stack(("coarse", "stack"), "conv", range(1, 17)),
    "conv17": ("coarse", "picture"),
    **_stack(("hallucination",), "xconv", range(1, 11)),
    **_stack(("matching",), "pmconv", range(1, 6)),
    "pmconv6": ("features",),
    **_stack(("matched",), "pmconv", range(9, 11)),
    **_stack(("fine", "stack"), "allconv", range(11, 17)),
    "allconv17": ("fine", "picture"),
}
AUXILIARY: dict[str, Place] = {
    "bconv1": ("auxiliary", "enc_1"),
    "bconv2": ("auxiliary", "enc_2"),
    "bconv3": ("auxiliary", "enc_3"),
    "bconv4": ("auxiliary", "enc_4"),
    "conv13": ("auxiliary", "dec_1"),
    "conv14": ("auxiliary", "dec_2"),
    "conv15": ("auxiliary", "dec_3"),
    "conv16": ("auxiliary", "dec_4"),
    "conv16_2": ("auxiliary", "dec_5"),
    "conv17": ("auxiliary", "picture"),
}
DISCRIMINATOR: dict[str, Place] = {f"conv{i}": (f"conv_{i}",) for i in range(1, 7)}


def generator_from_zengxianyu(state_dict: StateDict) -> Variables:
    """Variables of `crfill_generator` from `zengxianyu/crfill`.

    For both variants of the generator. Where the state dict is of one that was trained with the
    auxiliary branch, the variables of `crfill_auxiliary` come under ``params/auxiliary``.

    Raises:
        ValueError: if layers are missing or unknown, or an array has not the axes of its kind.
    """
    with_branch = any(key.startswith(BRANCH) for key in state_dict)
    names = {BRANCH + name: path for name, path in GENERATOR.items()} | AUXILIARY
    leaves = {"weight": "kernel", "bias": "bias"}
    return {"params": _renamed(state_dict, names if with_branch else GENERATOR, leaves)}


def discriminator_from_zengxianyu(state_dict: StateDict) -> Variables:
    """Variables of `deepfill_discriminator` from the same program.

    Raises:
        ValueError: if layers are missing or unknown, or an array has not the axes of its kind.
    """
    leaves = {"weight_orig": "kernel", "bias": "bias", "weight_u": "u", "weight_v": "v"}
    layers = _renamed(state_dict, DISCRIMINATOR, leaves)
    variables: dict[str, dict] = {"params": {}, "spectral_norm": {}}
    for name, layer in layers.items():
        height, width, inputs, _ = layer["kernel"].shape
        # One entry an input and tap, in the kernel's order here: taps first.
        v = layer.pop("v").reshape(inputs, height, width).transpose(1, 2, 0).ravel()
        variables["spectral_norm"][name] = {"u": layer.pop("u"), "v": v}
        variables["params"][name] = layer
    return variables


def _renamed(state_dict: StateDict, names: Mapping[str, Place], leaves: Mapping[str, str]) -> dict:
    """The arrays of the program's layers, nested by the places of their layers.

    Args:
        state_dict: of the program.
        names: where each of its layers is here.
        leaves: what each of a layer's arrays is called here.
    """
    nested: dict = {}
    missing = {f"{name}.{leaf}" for name in names for leaf in leaves}
    for key, array in state_dict.items():
        layer, _, leaf = key.rpartition(".")
        name = SUFFIX.sub("", layer)
        if name in UNUSED:
            continue
        if name not in names or leaf not in leaves:
            raise ValueError(f"unknown key {key!r} in the state dict; known are {sorted(names)}")
        node = nested
        for part in names[name]:
            node = node.setdefault(part, {})
        node[leaves[leaf]] = _to_hwio(key, array) if leaves[leaf] == "kernel" else np.asarray(array)
        missing.discard(f"{name}.{leaf}")
    if missing:
        raise ValueError(f"the state dict lacks {', '.join(sorted(missing))}")
    return nested


def _to_hwio(key: str, weight: np.ndarray) -> np.ndarray:
    if weight.ndim != 4:
        raise ValueError(f"{key!r} has shape {weight.shape}; a kernel has four axes (OIHW)")
    return np.transpose(weight, (2, 3, 1, 0))
