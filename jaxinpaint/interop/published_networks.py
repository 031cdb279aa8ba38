"""Networks that others published, recognised by the keys of their state dicts."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxinpaint.array_typing import Variables
from jaxinpaint.interop import context_encoder, crfill, partial_conv
from jaxinpaint.interop.network_files import NetworkFile, is_network_file, read
from jaxinpaint.interop.state_dicts import (
    PublishedProgram,
    listed,
    to_state_dict,
    to_variables,
    unused_arrays,
)
from jaxinpaint.interop.weight_files import Arrays, UnreadableWeights, blaming, read_noted
from jaxinpaint.recipes import (
    ContextEncoderConfig,
    CRFillConfig,
    MembraneConfig,
    PANConfig,
    PartialConvConfig,
    RecipeConfig,
    network_options,
)
from jaxinpaint.recipes.converting import config_from_text
from jaxinpaint.recipes.fitting import described, first_state

log = logging.getLogger(__name__)


class PublishedNetwork(NamedTuple):
    """A network from a state dict.

    Attributes:
        program: whose it is.
        config: a recipe that it is part of.
        variables: of the network.
        unused: what else the state dict holds, by its keys: no network reads it.
    """

    program: PublishedProgram
    config: RecipeConfig
    variables: Variables
    unused: Arrays


def recognised(
    arrays: Arrays, *, attention: bool = False, told: RecipeConfig | None = None
) -> PublishedNetwork:
    """The network that a state dict is of.

    Args:
        arrays: the state dict.
        attention: whether a generator of CR-Fill's program is the variant with attention
            (DeepFill), which has the same keys and shapes.
        told: the config of its recipe, where that is known; else it is the published one's.

    Raises:
        UnreadableWeights: if it is of no program that is known, lacks arrays or has unknown ones,
            or an array has another shape or type than the network's. Anything else may be raised
            where it makes no sense.
    """
    if isinstance(told, CRFillConfig):
        attention = told.attention
    program = _program(arrays, attention)
    config = program.config(arrays) if told is None else told
    variables = to_variables(program, config, arrays)
    found, wanted = described(variables), _described(program, config)
    for key, (place, _) in program.entries(config).items():
        if found[place] != wanted.get(place):
            raise UnreadableWeights(
                f"{key} is {found[place]} (axes as here), where this network of {program.name} has "
                f"{wanted.get(place, 'nothing')}"
            )
    return PublishedNetwork(program, config, variables, unused_arrays(program, arrays))


def as_published(
    config: RecipeConfig, variables: Variables
) -> tuple[PublishedProgram, dict[str, np.ndarray]]:
    """A generator's state dict with the keys of a published program, and whose they are.

    Raises:
        ValueError: for a network that no program with published weights has.
    """
    match config:
        case PartialConvConfig(batch_norm=False):
            program = partial_conv.TANIMUTOMO
        case PartialConvConfig():
            program = partial_conv.NAOTO0804
        case ContextEncoderConfig():
            program = context_encoder.GENERATOR
        case CRFillConfig():
            program = crfill.generator(attention=config.attention)
        case PANConfig() | MembraneConfig():
            raise ValueError(
                "no program has published weights of this network, so there are no keys to give "
                "its arrays: export it as safetensors, which PyTorch reads too"
            )
    return program, to_state_dict(program, with_stages_of(config, variables), variables)


def departures(network: NetworkFile) -> dict[str, tuple[Any, Any]]:
    """In what a generator is another network than the program's whose names its arrays have.

    Returns:
        its own and the program's value of each option in which they differ.

    Raises:
        ValueError: as `as_published`.
    """
    program, arrays = as_published(network.config, network.players["generator"])
    published = program.config(arrays)
    return {
        name: (own, getattr(published, name))
        for name, own in network_options(network.config).items()
        # A width is what makes the arrays as large as they are.
        if name != "width" and own != getattr(published, name)
    }


def with_stages_of(config: RecipeConfig, variables: Variables) -> RecipeConfig:
    """The config with a stage that trains what there is of its generator, and all of that."""
    if not isinstance(config, CRFillConfig):
        return config
    branch = "auxiliary" in variables["params"]
    return replace(config, stages=("auxiliary",) if branch else ("all",))


def _program(arrays: Arrays, attention: bool) -> PublishedProgram:
    programs = (
        partial_conv.NAOTO0804,
        partial_conv.TANIMUTOMO,
        context_encoder.GENERATOR,
        crfill.generator(attention=attention),
        crfill.DISCRIMINATOR,
    )
    for program in programs:
        if any(program.mark.fullmatch(key) for key in arrays):
            break
    else:
        raise UnreadableWeights(
            f"it holds {listed(arrays) or 'nothing'}, which is no network of "
            f"{', '.join(dict.fromkeys(program.name for program in programs))}"
        )
    if program is context_encoder.GENERATOR and context_encoder.judges(arrays):
        program = context_encoder.DISCRIMINATOR
    if attention and program.name != crfill.NAME:
        raise UnreadableWeights(f"there is no variant with attention of {program.name}")
    return program


def _described(program: PublishedProgram, config: RecipeConfig) -> dict[tuple[str, ...], str]:
    """The shapes and types of a network's variables, by their places."""
    _, state = first_state(config)
    variables = state.players[program.player].variables
    if isinstance(config, CRFillConfig) and program.player == "discriminator":
        # Two of a kind: one for the fine picture, one for the branch's.
        variables = {kept: judges["fine"] for kept, judges in variables.items()}
    return described(variables)


def read_network(path: Path, *, attention: bool = False) -> NetworkFile:
    """The network in a file of ours, or in one that a published program wrote.

    Args:
        path: a network file, or a state dict in a PyTorch or safetensors file.
        attention: as for `recognised`.

    Raises:
        UnreadableWeights: if it is neither, damaged, or not what it says.
        OSError: if the file can't be read.
    """
    if is_network_file(path):
        if attention:
            raise UnreadableWeights(f"{path} says itself whether its network has attention")
        return read(path)
    arrays, note = read_noted(path)
    with blaming(path):
        told = None if note is None else config_from_text(note)
        program, config, variables, unused = recognised(arrays, attention=attention, told=told)
    untold = frozenset() if told or attention else _untold(config)
    source = f"{path.name}, {program.name}"
    return NetworkFile(config, {program.player: variables}, source, unused, untold)


def _untold(config: RecipeConfig) -> frozenset[str]:
    """The options that a state dict does not tell: CR-Fill's without the branch may be DeepFill."""
    alike = isinstance(config, CRFillConfig) and "auxiliary" not in config.stages
    return frozenset({"attention"}) if alike else frozenset()


def read_painting(path: Path) -> NetworkFile:
    """The network in a file, as `read_network`, which has to be one that paints.

    It is told of if the file does not tell which function its network is.

    Raises:
        UnreadableWeights: also if it is a discriminator.
        OSError: if the file can't be read.
    """
    network = read_network(path)
    if "generator" not in network.players:
        raise UnreadableWeights(f"{path} holds no network that paints: {network.source}")
    warn_of_untold(network, path)
    return network


def warn_of_untold(network: NetworkFile, path: Path) -> None:
    """Tells that a network is taken for CR-Fill's where its file may be DeepFill's."""
    if network.untold:
        log.warning(
            "%s may be DeepFill's, which has the same names: jaxinpaint import %s --attention",
            *(path, path),
        )


def with_discriminators(network: NetworkFile, judges: Mapping[str, NetworkFile]) -> NetworkFile:
    """A generator's file with the discriminators that it was trained with.

    Args:
        network: the generator's.
        judges: ``fine``, the discriminator; of CR-Fill also ``auxiliary``, the branch's.

    Raises:
        UnreadableWeights: if one is none, of another program, or not for this generator.
    """
    _require_together(network, judges)
    if not judges:
        return network
    match network.config, judges["fine"].config:
        case CRFillConfig() as config, CRFillConfig(discriminator_width=width):
            if config.attention and "auxiliary" in judges:
                raise UnreadableWeights("with attention there is no branch to be judged")
        case ContextEncoderConfig(size=size) as config, ContextEncoderConfig(
            discriminator_width=width
        ) as judged if len(judges) == 1:
            if judged.size != size:
                raise UnreadableWeights(f"{judges['fine'].source} judges pictures of another size")
        case _:
            raise UnreadableWeights(f"{network.source} was not trained with such discriminators")
    return network._replace(
        config=replace(config, discriminator_width=width),
        players={**network.players, "discriminator": _discriminator(config, judges)},
        source=", ".join([network.source, *(judge.source for judge in judges.values())]),
    )


def _require_together(network: NetworkFile, judges: Mapping[str, NetworkFile]) -> None:
    """Raises UnreadableWeights unless these are a generator and discriminators of one program."""
    for judge in judges.values():
        if judge.players.keys() != {"discriminator"} or type(judge.config) is not type(
            network.config
        ):
            raise UnreadableWeights(f"{judge.source} is no discriminator for {network.source}")
    if "generator" not in network.players or (judges and "fine" not in judges):
        raise UnreadableWeights("a discriminator goes with its generator, the branch's with both")


def _discriminator(config: RecipeConfig, judges: Mapping[str, NetworkFile]) -> Variables:
    """The variables as a recipe has them: CR-Fill's are of two discriminators, by name."""
    variables = {name: judge.players["discriminator"] for name, judge in judges.items()}
    if not isinstance(config, CRFillConfig):
        return variables["fine"]
    return {
        kept: {name: own[kept] for name, own in variables.items()}
        for kept in ("params", "spectral_norm")
    }
