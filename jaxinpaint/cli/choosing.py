"""The config of a run, as the command line chooses it: a preset, and options over it."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tyro

from jaxinpaint.cli.presets import PRESETS
from jaxinpaint.data.config import DataConfig
from jaxinpaint.data.sources import absolute
from jaxinpaint.recipes import RecipeConfig, network_options
from jaxinpaint.run_config import RunConfig
from jaxinpaint.trained import read_config


def chosen(arguments: Sequence[str], *, prog: str, description: str) -> tuple[str, RunConfig]:
    """The preset's name, and its config with options over it: ``[PRESET] [--OPTION ...]``.

    Raises:
        ValueError: if there is no such preset.
        SystemExit: after help, or a mistake in the options.
    """
    named = bool(arguments) and not arguments[0].startswith("-")
    preset = arguments[0].replace("_", "-") if named else "first-run"
    if preset not in PRESETS:
        raise ValueError(f"there is no preset {preset!r}; there are {', '.join(PRESETS)}")
    _, default = PRESETS[preset]
    options = arguments[1:] if named else arguments
    if (start_from := _start_from(options)) is not None:
        recipe = _with_network_of(default.recipe, start_from)
        default = dataclasses.replace(default, recipe=recipe)
    return preset, overridden(default, options, prog=prog, description=description)


def _start_from(options: Sequence[str]) -> Path | None:
    """What the options name to start from; they are looked at once more after that."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--start-from", "--start_from", "--init", type=Path)
    return first.parse_known_args(options)[0].start_from


def _with_network_of(recipe: RecipeConfig, path: Path) -> RecipeConfig:
    """The recipe with the network that a run or a file has.

    Raises:
        ValueError: if there is none, or it is of another recipe.
    """
    found = read_config(path)
    if type(found) is not type(recipe):
        of = [name for name, (_, preset) in PRESETS.items() if type(preset.recipe) is type(found)]
        raise ValueError(f"{path} is a network of another recipe: start with {' or '.join(of)}")
    return dataclasses.replace(recipe, **network_options(found))


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
    }
