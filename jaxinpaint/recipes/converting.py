"""Configs of recipes as plain dictionaries, such as YAML holds, and back."""

from pathlib import Path
from typing import Any, cast

import cattrs
import yaml
from cattrs.preconf.pyyaml import make_converter
from cattrs.strategies import configure_tagged_union

from jaxinpaint.recipes import RecipeConfig

NAME = "config"  # what stands for the class of the recipe's config


def converter() -> cattrs.Converter:
    """What converts a `RecipeConfig`, and dataclasses that hold one; it refuses unknown names."""
    converting = make_converter(forbid_extra_keys=True)
    configure_tagged_union(RecipeConfig, converting, tag_name=NAME)
    converting.register_unstructure_hook(Path, str)
    converting.register_structure_hook(Path, lambda value, _: Path(value))
    return converting


def config_as_text(config: RecipeConfig) -> str:
    """A recipe's config as files of networks keep it."""
    return yaml.safe_dump(converter().unstructure(config, RecipeConfig), sort_keys=False)


def config_from_text(text: str) -> RecipeConfig:
    """The inverse of `config_as_text`.

    Raises:
        ValueError: if it is none, or of another version.
    """
    try:
        # It takes unions too, of which the types of Python 3.11 know nothing.
        return converter().structure(yaml.safe_load(text), cast(Any, RecipeConfig))
    # What stands there may be anything, and so may what is raised about it.
    except Exception as error:
        raise ValueError("it has a config that this version can't read") from error
