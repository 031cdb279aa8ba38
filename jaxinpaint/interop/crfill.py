"""The published CR-Fill program: what its state dicts say of its nets, and hold."""

import re
from functools import partial

from jaxinpaint.interop.state_dicts import Entries, Entry, PublishedProgram
from jaxinpaint.interop.weight_files import Arrays, UnreadableWeights
from jaxinpaint.recipes import CRFillConfig
from jaxinpaint.recipes.crfill import schedule

NAME = "zengxianyu/crfill"
Place = tuple[str, ...]

BRANCH = "baseg."  # in front of the generator's names where it was trained with the branch
DOWN, UP, ATROUS = "_downsample", "_upsample_conv", "_atrous"
# What the program adds to the names of layers with these numbers.
SUFFIXES = {2: DOWN, 4: DOWN, 7: ATROUS, 8: ATROUS, 9: ATROUS, 10: ATROUS, 13: UP, 15: UP}


def _stack(place: Place, prefix: str, numbers: range) -> dict[str, Place]:
    return {
        prefix + str(n) + _suffix(prefix, n): (*place, f"conv_{i}")
        for i, n in enumerate(numbers, start=1)
    }


def _suffix(prefix: str, number: int) -> str:
    # The matching branch goes on after its features with plain layers 9 and 10.
    plain = prefix == "pmconv" and number > 6
    return "" if plain else SUFFIXES.get(number, "")


# Where each layer of the program is here.
LAYERS: dict[str, Place] = {
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
    f"bconv2{DOWN}": ("auxiliary", "enc_2"),
    "bconv3": ("auxiliary", "enc_3"),
    f"bconv4{DOWN}": ("auxiliary", "enc_4"),
    f"conv13{UP}": ("auxiliary", "dec_1"),
    "conv14": ("auxiliary", "dec_2"),
    f"conv15{UP}": ("auxiliary", "dec_3"),
    "conv16": ("auxiliary", "dec_4"),
    "conv16_2": ("auxiliary", "dec_5"),
    "conv17": ("auxiliary", "picture"),
}
JUDGE: dict[str, Place] = {f"conv{i}": (f"conv_{i}",) for i in range(1, 7)}


def _generator(config: CRFillConfig) -> Entries:
    entries, layers = {}, LAYERS
    if "auxiliary" in (stage for stage, _ in schedule(config.stages)):
        layers = {BRANCH + name: place for name, place in LAYERS.items()} | AUXILIARY
    for name, place in layers.items():
        entries[f"{name}.weight"] = Entry(("params", *place, "kernel"), "OIHW")
        entries[f"{name}.bias"] = Entry(("params", *place, "bias"))
    return entries


def _discriminator(config: CRFillConfig) -> Entries:
    del config
    entries = {}
    for name, place in JUDGE.items():
        entries[f"{name}.weight_orig"] = Entry(("params", *place, "kernel"), "OIHW")
        entries[f"{name}.bias"] = Entry(("params", *place, "bias"))
        entries[f"{name}.weight_u"] = Entry(("spectral_norm", *place, "u"))
        entries[f"{name}.weight_v"] = Entry(("spectral_norm", *place, "v"), "I-taps")
    return entries


def _outputs(key: str, arrays: Arrays) -> int:
    if key not in arrays:
        raise UnreadableWeights(f"a network of {NAME} has also {key}")
    return arrays[key].shape[0]


def _config(attention: bool, arrays: Arrays) -> CRFillConfig:
    branch = any(key.startswith(BRANCH) for key in arrays)
    if branch and attention:
        raise UnreadableWeights("a network with an auxiliary branch has no attention")
    width = _outputs(BRANCH * branch + "conv1.weight", arrays)
    return CRFillConfig(("auxiliary",) if branch else ("all",), attention=attention, width=width)


def _of_discriminator(arrays: Arrays) -> CRFillConfig:
    width = _outputs("conv1.weight_orig", arrays)
    return CRFillConfig(stages=("auxiliary",), discriminator_width=width)


UNUSED = re.compile(r"sconv\d\.(weight|bias)")  # stored by the program, and used by nothing


def generator(*, attention: bool) -> PublishedProgram:
    """The generator. The variant with attention has the same keys and shapes."""
    mark = re.compile(r"(baseg\.)?allconv17\.weight")
    return PublishedProgram(
        NAME, "generator", mark, partial(_config, attention), _generator, UNUSED
    )


DISCRIMINATOR = PublishedProgram(
    NAME,
    "discriminator",
    re.compile(r"conv1\.weight_orig"),
    _of_discriminator,
    _discriminator,
    UNUSED,
)
