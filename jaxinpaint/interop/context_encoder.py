"""State dicts of the published PyTorch Context Encoder, as this package's variables."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from jaxinpaint.array_typing import Variables

StateDict = Mapping[str, np.ndarray]

ENCODER = ("enc_1", "enc_2", "enc_3", "enc_4", "enc_5", "bottleneck")
DECODER = ("dec_1", "dec_2", "dec_3", "dec_4", "dec_5")
DISCRIMINATOR = ("1", "2", "3", "4", "logit")


def generator_from_boyuanjiang(state_dict: StateDict) -> Variables:
    """Variables of `context_encoder` from `BoyuanJiang/context_encoder_pytorch`, for the centre.

    Raises:
        ValueError: if layers are missing or unknown, or an array has not the axes of its kind.
    """
    layers = _layers(state_dict, (*ENCODER, *DECODER))
    variables: dict[str, dict] = {"params": {}, "batch_stats": {}}
    for name, (weight, norm) in layers.items():
        # Transposed convolutions have their input channels first.
        axes = (2, 3, 0, 1) if name in DECODER else (2, 3, 1, 0)
        variables["params"][f"{name}_kernel"] = np.transpose(weight, axes)
        if norm:
            _add_norm(variables, f"{name}_norm", norm)
    return variables


def discriminator_from_boyuanjiang(state_dict: StateDict) -> Variables:
    """Variables of `dcgan_discriminator` from the same program: of the 64² centre.

    Raises:
        ValueError: if layers are missing or unknown, or an array has not the axes of its kind.
    """
    variables: dict[str, dict] = {"params": {}, "batch_stats": {}}
    for name, (weight, norm) in _layers(state_dict, DISCRIMINATOR).items():
        kernel = name if name == "logit" else f"conv_{name}"
        variables["params"][kernel] = np.transpose(weight, (2, 3, 1, 0))
        if norm:
            _add_norm(variables, f"norm_{name}", norm)
    return variables


def _layers(
    state_dict: StateDict, names: Sequence[str]
) -> dict[str, tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Each convolution's weight and the arrays of its norm, in the order of ``main.N``."""
    places: dict[int, dict[str, np.ndarray]] = {}
    for key, array in state_dict.items():
        match = re.fullmatch(
            r"main\.(\d+)\.(weight|bias|running_mean|running_var|num_batches_tracked)", key
        )
        if match is None:
            raise ValueError(f"unknown key {key!r} in the state dict; known are main.N.weight, …")
        places.setdefault(int(match[1]), {})[match[2]] = np.asarray(array)
    weights = [n for n in sorted(places) if places[n].keys() == {"weight"}]
    if len(weights) != len(names) or any(places[n]["weight"].ndim != 4 for n in weights):
        raise ValueError(
            f"the state dict has {len(weights)} layers without a norm's arrays; {len(names)} "
            "convolutions with four axes each are expected"
        )
    return {
        name: (places[n]["weight"], places.get(n + 1, {}))
        for name, n in zip(names, weights, strict=True)
    }


def _add_norm(variables: dict[str, dict], name: str, norm: Mapping[str, np.ndarray]) -> None:
    variables["params"][name] = {"scale": norm["weight"], "bias": norm["bias"]}
    variables["batch_stats"][name] = {"mean": norm["running_mean"], "var": norm["running_var"]}
