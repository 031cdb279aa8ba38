"""A run folder's config: everything that determines a run, as one frozen dataclass and one file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, get_args

import cattrs
import tyro
import yaml

from jaxinpaint import recipes
from jaxinpaint.array_typing import Variables
from jaxinpaint.data.config import BUILT_IN, DataConfig
from jaxinpaint.masks.shapes import Shapes
from jaxinpaint.recipes import (
    CRFillConfig,
    PartialConvConfig,
    Recipe,
    RecipeConfig,
    StepConfig,
)
from jaxinpaint.recipes.averages import with_average
from jaxinpaint.recipes.converting import NAME, converter
from jaxinpaint.training.loop import LoopConfig
from jaxinpaint.whole_files import replaced

FILE = "config.yaml"


@dataclass(frozen=True)
class RunConfig:
    """Everything that determines a run."""

    recipe: RecipeConfig = field(default_factory=PartialConvConfig)
    data: DataConfig = field(default_factory=DataConfig)
    step: Annotated[StepConfig, tyro.conf.arg(name="")] = field(default_factory=StepConfig)
    loop: Annotated[LoopConfig, tyro.conf.arg(name="")] = field(default_factory=LoopConfig)
    seed: int = 0
    """Of the weights, the order of the pictures, the crops and the holes."""
    average: float = 0.0
    """Decay of a running average of the generator's weights, with which holes are then filled, such
    as 0.999. 0: none is kept, as published."""
    start_from: Annotated[Path | None, tyro.conf.arg(aliases=["--init"])] = None
    """A run whose newest weights (those that it trains, not their average) this one starts from; or
    a file of a network, such as of a published program (docs/checkpoints.md). The options that say
    which network it is are taken from there. None: it starts from random ones."""
    published_weights: tyro.conf.Suppress[dict[str, str]] = field(default_factory=dict)
    """Digests of the published weights that the losses look through, by name. They are noted when
    the run starts, so that it can't go on with others."""
    pictures: tyro.conf.Suppress[dict[str, str]] = field(default_factory=dict)
    """Digests of the names of the training pictures and masks, and of the manifest that is scored
    while training, noted likewise."""


def recipe_of(
    config: RunConfig,
    *,
    vgg16: Variables | None = None,
    shapes: Shapes | None = None,
    axis_name: str | None = None,
) -> Recipe:
    """The recipe that a run trains.

    Args:
        config: of the run.
        vgg16: VGG-16's published weights, for training with losses that look through it.
        shapes: of objects, for training with holes that have such.
        axis_name: the mapped axis that it is trained over; None is the global view.

    Raises:
        ValueError: for a config that no recipe can be made from.
    """
    recipe = recipes.make(
        config.recipe, config.step, vgg16=vgg16, shapes=shapes, axis_name=axis_name
    )
    return with_average(recipe, config.average) if config.average else recipe


class NoRun(ValueError):
    """A folder that is no run, or whose config can't be read."""


def save_config(config: RunConfig, folder: Path) -> None:
    """Writes ``config.yaml`` into the run folder, which is made."""
    with replaced(folder / FILE) as unfinished:
        unfinished.write_text(as_text(config))


def as_text(config: RunConfig) -> str:
    """The config as ``config.yaml`` holds it."""
    return yaml.safe_dump(converter().unstructure(config), sort_keys=False)


def load_config(folder: Path) -> RunConfig:
    """The config of a run folder.

    Raises:
        NoRun: if there is no such folder, no config in it, or a config that does not fit.
    """
    path = folder / FILE
    if not folder.is_dir():
        raise NoRun(f"there is no run folder {folder}")
    if not path.exists():
        raise NoRun(f"{folder} is not a run folder: it has no {FILE}")
    try:
        content = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise NoRun(f"{path} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise NoRun(f"{path} holds no config")
    if isinstance(recipe := content.get("recipe"), dict):
        # From before there were others.
        name = recipe.setdefault(NAME, PartialConvConfig.__name__)
        if name not in {config.__name__ for config in get_args(RecipeConfig)}:
            raise NoRun(f"{path} is of a recipe that this version does not have: {name}")
        if name == CRFillConfig.__name__:
            # From before its gates were always computed again.
            recipe.pop("rematerialise", None)
    if isinstance(data := content.get("data"), dict) and "path" in data:
        # From before there were other sources than folders.
        data["source"] = data.pop("path") or BUILT_IN
    try:
        return converter().structure(content, RunConfig)
    except (cattrs.BaseValidationError, cattrs.ForbiddenExtraKeysError) as error:
        problems = "; ".join(cattrs.transform_error(error))
        raise NoRun(f"{path} does not fit this version: {problems}") from error
