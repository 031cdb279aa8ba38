"""The config of a run, as the command line chooses it: a preset, and options over it."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import tyro

from jaxinpaint.cli.presets import PRESETS
from jaxinpaint.data.config import DataConfig
from jaxinpaint.data.sources import absolute
from jaxinpaint.run_config import RunConfig


def chosen(arguments: Sequence[str], *, prog: str, description: str) -> tuple[str, RunConfig]:
    """The preset's name, and its config with options over it: ``[PRESET] [--OPTION ...]``.

    Raises:
        ValueError: if there is no such preset.
        SystemExit: after help, or a mistake in the options.
    """
    named = bool(arguments) and not arguments[0].startswith("-")
    preset = arguments[0] if named else "first-run"
    if preset not in PRESETS:
        raise ValueError(f"there is no preset {preset!r}; there are {', '.join(PRESETS)}")
    _, default = PRESETS[preset]
    options = arguments[1:] if named else arguments
    return preset, overridden(default, options, prog=prog, description=description)


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
