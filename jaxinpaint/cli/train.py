"""The trainer's command line, and the run it starts: pictures, recipe, loop, closing comparison."""

import argparse
import dataclasses
import shlex
import sys
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import tyro

from jaxinpaint import recipes
from jaxinpaint.array_typing import Variables
from jaxinpaint.cli import told_plainly
from jaxinpaint.cli.presets import PRESETS
from jaxinpaint.cli.showing import show_held_out
from jaxinpaint.data.batches import crops
from jaxinpaint.data.shapes import read_shapes
from jaxinpaint.data.sources import DataConfig, Pictures, training_pictures
from jaxinpaint.interop import published_weights
from jaxinpaint.interop.published_weights import PublishedWeights
from jaxinpaint.masks.shapes import Shapes
from jaxinpaint.recipes import CRFillConfig, PartialConvConfig, RecipeConfig
from jaxinpaint.recipes.base import Batch, Multiple, Recipe, TrainState, Window
from jaxinpaint.run_config import FILE, RunConfig, load_config, recipe_of, save_config
from jaxinpaint.trained import read_players
from jaxinpaint.training.loop import Trained, require_fitting, train


class Order(NamedTuple):
    """What the command line asks for."""

    config: RunConfig
    folder: Path
    resumes: bool


def main() -> None:
    """Trains as the command line says."""
    with told_plainly():
        order = parse(sys.argv[1:])
        trained = run(order)
        if trained.stopped:
            print(f"\nstopped at step {int(trained.state.step)} and saved. Go on with:")
            print(f"    {_command(sys.argv[0], '--resume', order.folder)}")


def parse(arguments: Sequence[str]) -> Order:
    """The run that the arguments ask for.

    Raises:
        ValueError: if a run can't be resumed, or its folder is taken.
        SystemExit: after help, or a mistake in the arguments.
    """
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--run", type=Path)
    first.add_argument("--resume", type=Path)
    chosen, rest = first.parse_known_args(arguments)
    if chosen.resume is not None:
        if chosen.run is not None:
            raise ValueError("--resume goes on in its own folder; leave out --run")
        return _resumed(chosen.resume, rest)
    named = bool(rest) and not rest[0].startswith("-")
    preset = rest[0] if named else "first-run"
    if preset not in PRESETS:
        raise ValueError(f"there is no preset {preset!r}; there are {', '.join(PRESETS)}")
    config = _found_from_anywhere(_overridden(PRESETS[preset][1], rest[1:] if named else rest))
    folder = chosen.run or _new_folder(preset)
    # A run that was killed before it had a config has left nothing to go on with.
    if (folder / FILE).exists():
        raise ValueError(f"{folder} is a run already: --resume {folder}, or choose another")
    return Order(config, folder, resumes=False)


def run(order: Order) -> Trained:
    """Trains, and compares on the held-out pictures at the end.

    Raises:
        ValueError: for a config that can't be run, or pictures that are not there.
        NotFinite: if a loss term becomes infinite or no number.
    """
    config, folder, resumes = order
    vgg16, features = _looked_through(config.recipe)
    if vgg16 is not None:
        config = _with_digest(config, "vgg16", vgg16.digest)
    recipe = recipe_of(config, vgg16=vgg16.variables if vgg16 else None, shapes=_shapes(config))
    _check_size(config.data.size, recipe.takes)
    _check_pairs(recipe, config.data)
    pictures = training_pictures(config.data)
    show = show_held_out(recipe, config.data)
    _check_steps(recipe, config.data, config.loop.steps)
    weights = config.start_from and cache(partial(read_players, config.start_from))
    if weights and not resumes:
        _check_start(recipe, config.data, weights())
    save_config(config, folder)
    kept = f"{show.pictures} held out" if show else "none held out (--data.held-out)"
    print(f"{'going on with' if resumes else 'run'} {folder}: {len(pictures)} pictures, {kept}")
    if features:
        print(f"features: {features}")
    _tell_stages(recipe, config.loop.steps)

    trained = train(
        recipe,
        config.loop,
        folder=folder,
        size=(config.data.size, config.data.size),
        seed=config.seed,
        crops_from=lambda first: crops(pictures, config.data, seed=config.seed, first=first),
        sample=show and show.sample,
        weights=weights,
    )
    _tell_unreadable(pictures)
    if trained.stopped:
        return trained
    if show:
        show.compare(trained.state, folder)
        if features:
            print(f"the network was trained on features of {features}")
    if recipe.translate is None:
        print(f"the run is in {folder}; fill a hole with it:")
        print(f"    {_command('-m', 'jaxinpaint', 'inpaint', folder)} PHOTO --hole MASK -o FILLED")
    else:
        print(f"the run is in {folder}; make pictures with it:")
        print(f"    {_command('-m', 'jaxinpaint', 'translate', folder)} INPUT -o MADE")
    return trained


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


def _command(*arguments: object) -> str:
    """A command line that works as it stands, in the environment of this program."""
    return shlex.join([sys.executable, *map(str, arguments)])


def _resumed(folder: Path, arguments: Sequence[str]) -> Order:
    """A run that goes on; only how long it goes and what it tells may change.

    Raises:
        ValueError: if the folder is no run, or an option would make it another run.
    """
    earlier = load_config(folder)
    config = _found_from_anywhere(_overridden(earlier, arguments))
    same_data = dataclasses.replace(earlier.data, **_places(config.data))
    same_recipe = _told_alike(earlier.recipe, config.recipe)
    allowed = dataclasses.replace(earlier, recipe=same_recipe, data=same_data, loop=config.loop)
    if config != allowed:
        raise ValueError(
            f"--resume {folder} goes on with that run's recipe, data and seed; only --steps, "
            "--log-every, --sample-every, --checkpoint-every and --keep can change, where the "
            "pictures lie, and --recipe.gradient-norms of partial convolutions. Start a new run "
            "for anything else"
        )
    return Order(config, folder, resumes=True)


def _told_alike(earlier: RecipeConfig, config: RecipeConfig) -> RecipeConfig:
    """The earlier recipe, telling what the other tells."""
    if isinstance(earlier, PartialConvConfig) and isinstance(config, PartialConvConfig):
        return dataclasses.replace(earlier, gradient_norms=config.gradient_norms)
    return earlier


def _places(data: DataConfig) -> dict[str, Path | None]:
    """Where the pictures lie, by the config's names."""
    names = ("path", "pairs", "held_out", "held_out_pairs", "shapes")
    return {name: getattr(data, name) for name in names}


def _found_from_anywhere(config: RunConfig) -> RunConfig:
    """The config with absolute paths, so that the run goes on from another folder too."""
    absolute = {name: path and path.absolute() for name, path in _places(config.data).items()}
    return dataclasses.replace(
        config,
        data=dataclasses.replace(config.data, **absolute),
        start_from=config.start_from and config.start_from.absolute(),
    )


def _overridden(default: RunConfig, arguments: Sequence[str]) -> RunConfig:
    presets = "\n".join(f"  {name}: {about}" for name, (about, _) in PRESETS.items())
    return tyro.cli(
        RunConfig,
        prog="train.py [PRESET]",
        description=(
            "Train an inpainting network.\n\n"
            f"PRESET is what the defaults below are, one of:\n{presets}\n\n"
            "--run FOLDER: where the run goes (default: a new folder under runs/).\n"
            "--resume RUN: go on with an interrupted run, as if it had never stopped."
        ),
        args=arguments,
        default=default,
        config=(tyro.conf.AvoidSubcommands,),
    )


def _new_folder(preset: str) -> Path:
    """The first of runs/PRESET-1, runs/PRESET-2, … that does not exist."""
    number = 1
    while (folder := Path("runs") / f"{preset}-{number}").exists():
        number += 1
    return folder


def _check_size(size: int, takes: Multiple | Window) -> None:
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
            "this recipe makes pictures from others: --data.path needs the pictures to be made, "
            "--data.pairs what they are made from"
        )


def _check_steps(recipe: Recipe, data: DataConfig, steps: int) -> None:
    """Goes through a step of each kind without computing it.

    So a config that can't be run takes no folder.

    Raises:
        ValueError: for whatever the network, the sampler or the devices refuse.
    """
    if data.batch_size % jax.device_count():
        raise ValueError(
            f"--data.batch-size {data.batch_size} does not divide among the "
            f"{jax.device_count()} devices"
        )
    size = (data.size, data.size)

    def begin(key: jax.Array) -> tuple[TrainState, Batch]:
        image = jnp.zeros((data.batch_size, *size, 3), jnp.uint8)
        position = jnp.arange(data.batch_size)
        return recipe.init(key, size), Batch(image, position, image if data.pairs else None)

    state, batch = jax.eval_shape(begin, jax.random.key(0))
    for step in dict.fromkeys(map(recipe.step_at, range(steps))):
        jax.eval_shape(step, state, batch)


def _check_start(recipe: Recipe, data: DataConfig, weights: Mapping[str, Variables]) -> None:
    """Raises ValueError if the weights to start from are not those of the recipe's networks."""
    size = (data.size, data.size)
    require_fitting(weights, jax.eval_shape(lambda key: recipe.init(key, size), jax.random.key(0)))


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


def _tell_stages(recipe: Recipe, steps: int) -> None:
    if recipe.stages:
        print("stages: " + ", ".join(f"{name} from step {first}" for name, first in recipe.stages))
    late = [name for name, first in recipe.stages if first >= steps]
    if late:
        print(f"the run ends at step {steps}, before {', '.join(late)} (--recipe.stages, --steps)")


def _tell_unreadable(pictures: Pictures) -> None:
    if pictures.unreadable:
        print(f"{len(pictures.unreadable)} of {len(pictures)} pictures could not be read:")
        for problem in pictures.unreadable.values():
            print(f"    {problem}")
