"""Configs of recipes as plain dictionaries, such as YAML holds, and back."""

from pathlib import Path

import cattrs
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
