"""Networks that others published, recognised by the keys of their state dicts."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxinpaint.array_typing import Variables
from jaxinpaint.interop import context_encoder, crfill, partial_conv
from jaxinpaint.interop.network_files import (
    NetworkFile,
    config_from_text,
    first_state,
    is_network_file,
    read,
)
from jaxinpaint.interop.state_dicts import (
    PublishedProgram,
    listed,
    to_state_dict,
    to_variables,
    unused_arrays,
)
from jaxinpaint.interop.weight_files import Arrays, UnreadableWeights, read_noted
from jaxinpaint.recipes import (
    ContextEncoderConfig,
    CRFillConfig,
    PANConfig,
    PartialConvConfig,
    RecipeConfig,
    network_options,
)
from jaxinpaint.recipes.fitting import shapes


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
            or an array has another shape or type than the network's.
    """
    if isinstance(told, CRFillConfig):
        attention = told.attention
    program = _program(arrays, attention)
    try:
        config = program.config(arrays) if told is None else told
    # What says how large the network is lies in the file, and may be anything.
    except (KeyError, IndexError, ValueError) as error:
        raise UnreadableWeights(f"a damaged network of {program.name}: {error}") from error
    variables = to_variables(program, config, arrays)
    wanted = _shapes(program, config)
    for key, (place, _) in program.entries(config).items():
        found = _at(variables, place).shape
        if found != wanted.get(place):
            raise UnreadableWeights(
                f"{key} is {found} (axes as here), where this network of {program.name} has "
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
        case PANConfig():
            raise ValueError(
                "there are no published weights of PAN, so no keys to give its arrays: export it "
                "as safetensors, which PyTorch reads too"
            )
    return program, to_state_dict(program, with_stages_of(config, variables), variables)


def departures(config: RecipeConfig, variables: Variables) -> dict[str, tuple[Any, Any]]:
    """In what a generator is another network than the program's whose names its arrays have.

    Returns:
        its own and the program's value of each option in which they differ.

    Raises:
        ValueError: as `as_published`.
    """
    program, arrays = as_published(config, variables)
    published = program.config(arrays)
    return {
        name: (own, getattr(published, name))
        for name, own in network_options(config).items()
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


def _shapes(
    program: PublishedProgram, config: RecipeConfig
) -> dict[tuple[str, ...], tuple[int, ...]]:
    """The shapes of a network's variables, by their places."""
    _, state = first_state(config)
    variables = state.players[program.player].variables
    if isinstance(config, CRFillConfig) and program.player == "discriminator":
        # Two of a kind: one for the fine picture, one for the branch's.
        variables = {kept: judges["fine"] for kept, judges in variables.items()}
    return shapes(variables)


def _at(variables: Variables, place: tuple[str, ...]) -> np.ndarray:
    node = variables
    for part in place:
        node = node[part]
    return node  # type: ignore[return-value]


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
    try:
        told = None if note is None else config_from_text(note)
        program, config, variables, unused = recognised(arrays, attention=attention, told=told)
    except UnreadableWeights as error:
        raise UnreadableWeights(f"{path}: {error}") from error
    return NetworkFile(config, {program.player: variables}, f"{path.name}, {program.name}", unused)


def with_discriminators(network: NetworkFile, judges: Mapping[str, NetworkFile]) -> NetworkFile:
    """A generator's file with the discriminators that it was trained with.

    Args:
        network: the generator's.
        judges: ``fine``, the discriminator; of CR-Fill also ``auxiliary``, the branch's.

    Raises:
        UnreadableWeights: if one is none, of another program, or not for this generator.
    """
    if not judges:
        return network
    for judge in judges.values():
        if judge.players.keys() != {"discriminator"} or type(judge.config) is not type(
            network.config
        ):
            raise UnreadableWeights(f"{judge.source} is no discriminator for {network.source}")
    if "generator" not in network.players or "fine" not in judges:
        raise UnreadableWeights("a discriminator goes with its generator, the branch's with both")
    variables = {name: judge.players["discriminator"] for name, judge in judges.items()}
    fine = judges["fine"].config
    match network.config, fine:
        case CRFillConfig() as config, CRFillConfig():
            width = fine.discriminator_width
            players = {
                kept: {name: own[kept] for name, own in variables.items()}
                for kept in ("params", "spectral_norm")
            }
        case ContextEncoderConfig() as config, ContextEncoderConfig() if len(judges) == 1:
            if fine.size != config.size:
                raise UnreadableWeights(f"{judges['fine'].source} judges pictures of another size")
            width, players = fine.discriminator_width, variables["fine"]
        case _:
            raise UnreadableWeights(f"{network.source} was not trained with such discriminators")
    return network._replace(
        config=replace(config, discriminator_width=width),
        players={**network.players, "discriminator": players},
        source=", ".join([network.source, *(judge.source for judge in judges.values())]),
    )
