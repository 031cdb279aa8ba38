"""The config of a run, as the command line chooses it: a preset, and options over it."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tyro

from jaxinpaint.cli.presets import PRESETS
from jaxinpaint.data.config import DataConfig
from jaxinpaint.data.sources import absolute
from jaxinpaint.recipes import RecipeConfig
from jaxinpaint.run_config import RunConfig
from jaxinpaint.trained import Start, start


class Chosen(NamedTuple):
    """What a command line chooses.

    Attributes:
        preset: its name.
        config: of the preset, with options over it.
        start: what the run starts from, if it does.
    """

    preset: str
    config: RunConfig
    start: Start | None


def chosen(arguments: Sequence[str], *, prog: str, description: str) -> Chosen:
    """What ``[PRESET] [--OPTION ...]`` chooses.

    Raises:
        ValueError: if there is no such preset, or nothing to start from where it is said to be.
        SystemExit: after help, or a mistake in the options.
    """
    named = bool(arguments) and not arguments[0].startswith("-")
    preset = arguments[0].replace("_", "-") if named else "first-run"
    if preset not in PRESETS:
        raise ValueError(f"there is no preset {preset!r}; there are {', '.join(PRESETS)}")
    _, default = PRESETS[preset]
    options = arguments[1:] if named else arguments
    started = (path := _start_from(options)) and start(path)
    if path and started:
        recipe = _with_network_of(default.recipe, started, path)
        default = dataclasses.replace(default, recipe=recipe)
    config = overridden(default, options, prog=prog, description=description)
    return Chosen(preset, config, started)


def _start_from(options: Sequence[str]) -> Path | None:
    """What the options name to start from; they are looked at once more after that."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--start-from", "--start_from", "--init", type=Path)
    return first.parse_known_args(options)[0].start_from


def _with_network_of(recipe: RecipeConfig, start: Start, path: Path) -> RecipeConfig:
    """The recipe with the network to start from, as far as that is told.

    Raises:
        ValueError: if it is of another recipe.
    """
    found = start.config
    if type(found) is not type(recipe):
        of = [name for name, (_, preset) in PRESETS.items() if type(preset.recipe) is type(found)]
        raise ValueError(f"{path} is a network of another recipe: start with {' or '.join(of)}")
    return dataclasses.replace(recipe, **start.network_options)


def overridden(
    default: RunConfig, options: Sequence[str], *, prog: str, description: str
) -> RunConfig:
    """A config with options over it, and the places in it told so that they hold anywhere.

    Raises:
        SystemExit: after help, or a mistake in the options.
    """
    presets = "\n".join(f"  {name}: {about}" for name, (about, _) in PRESETS.items())
    config = tyro.cli(
        RunConfig,
        prog=f"{prog} [PRESET]",
        description=(f"{description}\n\nPRESET is what the defaults below are, one of:\n{presets}"),
        args=options,
        default=default,
        config=(tyro.conf.AvoidSubcommands,),
    )
    data = dataclasses.replace(config.data, **places(config.data))
    start_from = config.start_from and config.start_from.absolute()
    return dataclasses.replace(config, data=data, start_from=start_from)


def places(data: DataConfig) -> dict[str, Any]:
    """Where the pictures lie, by the config's names, as holds in any folder."""
    sources = ("source", "held_out", "pairs", "held_out_pairs", "holes")
    named = {name: getattr(data, name) for name in sources}
    return {
        **{name: source and absolute(source) for name, source in named.items()},
        "shapes": data.shapes and data.shapes.absolute(),
        "manifest": data.manifest and data.manifest.absolute(),
        "manifest_masks": data.manifest_masks and data.manifest_masks.absolute(),
    }
