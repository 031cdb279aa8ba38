"""What a run is made of, from its config: a recipe, pictures and holes that go together."""

import dataclasses
import logging
from collections.abc import Generator
from typing import NamedTuple, get_args

import jax
import jax.numpy as jnp

from jaxinpaint import recipes
from jaxinpaint.cli.scoring import require_measured
from jaxinpaint.data.batches import crops
from jaxinpaint.data.config import DataConfig
from jaxinpaint.data.examples import HoleFiles, Pictures, hole_pictures, training_pictures
from jaxinpaint.data.shapes import read_shapes
from jaxinpaint.evaluation import manifests
from jaxinpaint.interop import published_weights
from jaxinpaint.interop.published_weights import PublishedWeights
from jaxinpaint.masks.shapes import Shapes
from jaxinpaint.recipes import CRFillConfig, RecipeConfig
from jaxinpaint.recipes.base import Batch, Crops, Multiple, Recipe, Takes, TrainState, Window
from jaxinpaint.run_config import RunConfig, recipe_of
from jaxinpaint.training.parallel import Placement, place_on_all_devices, spread

log = logging.getLogger(__name__)


class Skipped:
    """What could not be read, each told once."""

    def __init__(self) -> None:
        self.problems: dict[str, None] = {}  # in their order

    def tell(self, problem: str) -> None:
        """Warns of a picture that is skipped, the first time."""
        if problem not in self.problems:
            self.problems[problem] = None
            log.warning("skipped (%d so far) %s", len(self.problems), problem)


class Assembly(NamedTuple):
    """What a run is made of.

    Attributes:
        config: of the run, with the digests of the weights that its losses look through.
        recipe: what is trained.
        placement: on which devices.
        pictures: what it is trained on.
        holes: masks for these, any for any.
        features: what to say of what the losses look through, if they do.
        skipped: what can't be read, as it comes to light.
    """

    config: RunConfig
    recipe: Recipe
    placement: Placement
    pictures: Pictures
    holes: Pictures | None
    features: str | None
    skipped: Skipped

    def crops_from(self, first: int) -> Generator[Crops]:
        """The batches of crops from a step on."""
        return crops(
            self.pictures,
            self.config.data,
            seed=self.config.seed,
            first=first,
            holes=self.holes,
            tell=self.skipped.tell,
        )


def assemble(config: RunConfig) -> Assembly:
    """What a run is made of.

    Raises:
        ValueError: for a config that can't be run, or pictures that are not there.
        NoWeights, UnreadableWeights: if the losses look through published weights that are not in
            the cache, or damaged.
    """
    vgg16, features = _looked_through(config.recipe)
    if vgg16 is not None:
        config = _with_digest(config, "vgg16", vgg16.digest)
    placement = place_on_all_devices(config.loop.parallel, shard_params=config.loop.shard_params)
    recipe = recipe_of(
        config,
        vgg16=vgg16.variables if vgg16 else None,
        shapes=_shapes(config),
        axis_name=placement.axis_name,
    )
    _check_size(config.data.size, recipe.takes)
    _check_pairs(recipe, config.data)
    kind = _check_holes(config)
    pictures = training_pictures(config.data, paired_holes=kind == "paired")
    holes = hole_pictures(config.data.holes) if config.data.holes and kind == "folder" else None
    seen = {"pictures": pictures.digest} | ({"masks": holes.digest} if holes else {})
    require_measured(config.loop.best, config.data)
    if config.data.manifest is not None:
        seen["held-out cases"] = manifests.read(config.data.manifest).sha256
    config = _with_pictures(config, seen)
    return Assembly(config, recipe, placement, pictures, holes, features, Skipped())


def abstract_batch(data: DataConfig) -> Batch:
    """What a step is given, without its values."""

    def begin() -> Batch:
        image = jnp.zeros((data.batch_size, data.size, data.size, 3), jnp.uint8)
        hole = jnp.zeros((*image.shape[:3], 1)) if data.holes else None
        position = jnp.arange(data.batch_size)
        return Batch(image, position, image if data.pairs else None, hole)

    return jax.eval_shape(begin)


def abstract_state(recipe: Recipe, data: DataConfig) -> TrainState:
    """The first state, without its values."""
    size = (data.size, data.size)
    return jax.eval_shape(lambda key: recipe.init(key, size), jax.random.key(0))


def check_steps(recipe: Recipe, config: RunConfig, placement: Placement) -> None:
    """Goes through a step of each kind without computing it.

    So a config that can't be run takes no folder.

    Raises:
        ValueError: for whatever the network, the sampler or the devices refuse.
    """
    devices = placement.mesh.size
    if config.data.batch_size % (devices * config.step.accumulate):
        among = f"{devices} devices"
        if config.step.accumulate > 1:
            among += f" and {config.step.accumulate} parts (--accumulate)"
        raise ValueError(
            f"--data.batch-size {config.data.batch_size} does not divide among {among}"
        )
    state, batch = abstract_state(recipe, config.data), abstract_batch(config.data)
    for step in dict.fromkeys(map(recipe.step_at, range(config.loop.steps))):
        jax.eval_shape(spread(step, placement), state, batch)


def _looked_through(config: RecipeConfig) -> tuple[PublishedWeights | None, str | None]:
    """VGG-16's published weights if the losses look through them, and what to say of the features.

    Raises:
        NoWeights: if they are needed and not in the cache.
        UnreadableWeights: if they are damaged.
    """
    match recipes.vgg16_weights(config):
        case "imagenet":
            try:
                found = published_weights.load("vgg16")
            except published_weights.NoWeights as error:
                ways_out = "or train with --recipe.features random"
                raise published_weights.NoWeights(f"{error}; {ways_out}") from error
            return found, f"VGG-16 from {found.source}"
        case "random":
            return None, "VGG-16 with random weights"
        case None:
            return None, None


def _with_digest(config: RunConfig, name: str, digest: str) -> RunConfig:
    """The config with the weights' digest noted.

    Raises:
        ValueError: if the run began with other weights.
    """
    noted = config.published_weights.get(name, digest)
    if noted != digest:
        raise ValueError(
            f"this run began with other weights of {name} (numbers {noted[:12]}) than those in the "
            f"cache ({digest[:12]}); put the same ones back with `jaxinpaint weights {name} ...`"
        )
    return dataclasses.replace(config, published_weights={name: digest})


def _with_pictures(config: RunConfig, digests: dict[str, str]) -> RunConfig:
    """The config with the digests of what is trained on, and of a manifest, noted.

    Raises:
        ValueError: if the run began with others, with more or with fewer.
    """
    noted = config.pictures or digests
    for noun in noted | digests:
        if noted.get(noun) != digests.get(noun):
            raise ValueError(
                f"this run began with other {noun}: their names or number have changed, and it "
                "would not end as it would have. Bring them back, or --start-from this run in a "
                "new one"
            )
    return dataclasses.replace(config, pictures=digests)


def _shapes(config: RunConfig) -> Shapes | None:
    """Outlines of objects that are cut out, if there are any.

    Raises:
        ValueError: if the recipe cuts out none, or they can't be read.
    """
    if config.data.shapes is None:
        return None
    if not isinstance(config.recipe, CRFillConfig) or config.recipe.holes != "crfill":
        raise ValueError("--data.shapes is for CR-Fill's holes: crfill, deepfill")
    return jnp.asarray(read_shapes(config.data.shapes))


def _check_size(size: int, takes: Takes) -> None:
    match takes:
        case Multiple(least=least) if size < least:
            raise ValueError(f"--data.size {size} does not suit this network: take {least} or more")
        case Multiple(of=n) if size % n:
            below = size // n * n
            fitting = f"{below} or {below + n}" if below else str(n)
            raise ValueError(
                f"--data.size {size} does not suit this network, which halves pictures until "
                f"{n} pixels are one: take {fitting}"
            )
        case Window(side=side) if size != side:
            raise ValueError(
                f"--data.size {size} does not suit this network, which is made for {side}: take "
                f"--data.size {side}, or make the network for other pictures (--recipe.size)"
            )


def _check_pairs(recipe: Recipe, data: DataConfig) -> None:
    if recipe.translate is None and data.pairs:
        raise ValueError("--data.pairs is for recipes that make pictures from others: pan-pairs")
    if recipe.translate is not None and not data.pairs:
        raise ValueError(
            "this recipe makes pictures from others: --data.source needs the pictures to be made, "
            "--data.pairs what they are made from"
        )


def _check_holes(config: RunConfig) -> HoleFiles | None:
    """How holes come from files, if they do.

    Raises:
        ValueError: if they should and there are none, or the other way round.
    """
    name = getattr(config.recipe, "holes", None)
    if name in get_args(HoleFiles):
        if config.data.holes is None:
            raise ValueError(
                f"--recipe.holes {name} takes masks from files: say where, --data.holes"
            )
        return name
    if config.data.holes is not None:
        raise ValueError(
            "--data.holes holds masks for --recipe.holes folder (any for any picture) or paired "
            "(for each its own)"
        )
    return None
