"""The trainer's command line, and the run it starts: pictures, recipe, loop, closing comparison."""

import argparse
import dataclasses
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import jax

from jaxinpaint.array_typing import Variables
from jaxinpaint.cli import choosing, told_plainly
from jaxinpaint.cli.assembling import Assembly, Skipped, abstract_state, assemble, check_steps
from jaxinpaint.cli.scoring import keeping
from jaxinpaint.cli.showing import Show, show_held_out
from jaxinpaint.keeping_compiled import keep_compiled
from jaxinpaint.nets.network import dtype_of
from jaxinpaint.recipes import PartialConvConfig, RecipeConfig, network_options
from jaxinpaint.recipes.base import Recipe
from jaxinpaint.run_config import FILE, RunConfig, as_text, load_config, save_config
from jaxinpaint.trained import Start, read_players
from jaxinpaint.training import processes, run_lock
from jaxinpaint.training.beginning import require_fitting
from jaxinpaint.training.loop import Trained, train

MOST_TOLD = 50  # pictures that could not be read, at the end of a run

PROG = "train.py"
DESCRIPTION = (
    "Train an inpainting network.\n\n"
    "--run FOLDER: where the run goes (default: a new folder under runs/).\n"
    "--resume RUN: go on with an interrupted run, as if it had never stopped.\n"
    "--coordinator HOST:PORT --processes N --process I: be one of several processes that "
    "train together; --coordinator auto finds these out (docs/scaling.md)."
)


class Order(NamedTuple):
    """What the command line asks for.

    Attributes:
        config: of the run.
        folder: of the run.
        resumes: whether it goes on.
        start: what it starts from, if it is new and does.
    """

    config: RunConfig
    folder: Path
    resumes: bool
    start: Start | None = None


def main() -> None:
    """Trains as the command line of ``train.py`` says."""
    train_by(sys.argv[1:], prog=PROG, program=(sys.argv[0],))


def train_by(arguments: Sequence[str], *, prog: str, program: Sequence[str]) -> None:
    """Trains as arguments say.

    Args:
        arguments: of the command line.
        prog: what help calls the program.
        program: what Python is given to run it.
    """
    with _ending_all(), told_plainly():
        order = parse(arguments, prog=prog)
        with _quiet_but_first():
            trained = run(order)
            if trained.stopped:
                print(f"\nstopped at step {int(trained.state.step)} and saved. Go on with:")
                print(f"    {_command(*program, '--resume', order.folder)}")


@contextmanager
def _ending_all() -> Iterator[None]:
    """Ends one of several processes at once if it fails.

    In an orderly end it would wait for the others, and they wait for it to go on.
    """
    try:
        yield
    except SystemExit as end:
        if end.code and jax.distributed.is_initialized():
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(end.code if isinstance(end.code, int) else 1)
        raise


def parse(arguments: Sequence[str], *, prog: str = PROG) -> Order:
    """The run that the arguments ask for; help calls the program ``prog``.

    Raises:
        ValueError: if a run can't be resumed, or its folder is taken.
        SystemExit: after help, or a mistake in the arguments.
    """
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--run", type=Path)
    first.add_argument("--resume", type=Path)
    first.add_argument("--coordinator")
    first.add_argument("--processes", type=int)
    first.add_argument("--process", type=int)
    where, rest = first.parse_known_args(arguments)
    if where.coordinator is not None:
        processes.join(where.coordinator, processes=where.processes, process=where.process)
    elif where.processes is not None or where.process is not None:
        raise ValueError("--processes and --process need --coordinator HOST:PORT")
    if where.resume is not None:
        if where.run is not None:
            raise ValueError("--resume goes on in its own folder; leave out --run")
        return _resumed(where.resume, rest, prog)
    preset, config, start = choosing.chosen(rest, prog=prog, description=DESCRIPTION)
    # Of all processes: another may find that the first one has made its folder.
    folder = Path(processes.from_first(str(where.run or _new_folder(preset))))
    _require_new(folder)
    return Order(config, folder, resumes=False, start=start)


def _require_new(folder: Path) -> None:
    # A run that was killed before it had a config has left nothing to go on with.
    if (folder / FILE).exists():
        raise ValueError(f"{folder} is a run already: --resume {folder}, or choose another")


def run(order: Order) -> Trained:
    """Trains, and compares on the held-out pictures at the end.

    Raises:
        ValueError: for a config that can't be run, or pictures that are not there.
        NotFinite: if a loss term or an update becomes infinite or no number.
    """
    folder = order.folder
    keep_compiled(order.config.loop.compile_cache)
    parts = assemble(order.config)
    config, recipe, skipped = parts.config, parts.recipe, parts.skipped
    processes.require_alike(as_text(config), "the config")
    show = show_held_out(recipe, config.data, skipped.tell)
    check_steps(recipe, config, parts.placement)
    if order.start is not None:
        _require_same_network(config.recipe, order.start)
        state = abstract_state(recipe, config.data)
        require_fitting(order.start.players(), state, recipe.dispensable)
    with run_lock.locked(folder):
        if not order.resumes:
            _require_new(folder)  # still: another may have taken it since
        if processes.is_first():
            save_config(config, folder)
        _tell_beginning(order, parts, show)
        trained = train(
            recipe,
            config.loop,
            parts.placement,
            folder=folder,
            size=(config.data.size, config.data.size),
            seed=config.seed,
            crops_from=parts.crops_from,
            sample=show and show.sample,
            judge=show and _judge(show, order),
            weights=_weights(order),
            dtype=dtype_of(config.step.precision),
        )
        _tell_skipped(skipped)
        if show and not trained.stopped:
            variables = parts.placement.here(trained.state.generator)
            if processes.is_first():
                show.compare(variables, folder)
    if not trained.stopped:
        _tell_end(folder, parts, show)
    return trained


def _weights(order: Order) -> Callable[[], Mapping[str, Variables]] | None:
    """Reads what a run starts from; one that goes on need not, if it has saved anything."""
    if order.start is not None:
        return order.start.players
    start_from = order.config.start_from
    return None if start_from is None else partial(read_players, start_from)


def _judge(show: Show, order: Order) -> Callable[[int, Variables], Mapping[str, float]]:
    """What scores a network of the run; the first of several processes keeps the best one."""
    if processes.is_first():
        return keeping(show.judge, order.folder, order.config.recipe, order.config.loop.best)
    return lambda step, variables: show.judge(variables)


def _require_same_network(recipe: RecipeConfig, start: Start) -> None:
    """Raises ValueError if a recipe's network is another function than the one to start from."""
    if type(recipe) is not type(start.config):
        raise ValueError("--start-from is a network of another recipe")
    own = network_options(recipe)
    for name, there in start.network_options.items():
        if own[name] != there:
            option = name.replace("_", "-")
            raise ValueError(
                f"--recipe.{option} is {own[name]}, and {there} in the network to start from: "
                "leave it out, and it is taken from there"
            )


@contextmanager
def _quiet_but_first() -> Iterator[None]:
    """Only the first of several processes prints; warnings and errors are told by all."""
    if processes.is_first():
        yield
        return
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        yield


def _tell_beginning(order: Order, parts: Assembly, show: Show | None) -> None:
    config = parts.config
    kept = f"{show.pictures} held out" if show else "none held out (--data.held-out)"
    begun = "going on with" if order.resumes else "run"
    print(f"{begun} {order.folder}: {len(parts.pictures)} pictures, {kept}")
    print(_devices(parts))
    if parts.features:
        print(f"features: {parts.features}")
    _tell_stages(parts.recipe, config.loop.steps)


def _devices(parts: Assembly) -> str:
    """What is trained on, how a batch is spread over it, and what that does to learning rates."""
    config, devices = parts.config, parts.placement.mesh.size
    step, batch = config.step, config.data.batch_size
    told = f"{devices} {jax.devices()[0].device_kind} ({config.loop.parallel})"
    if jax.process_count() > 1:
        told += f" of {jax.process_count()} processes"
    told += f": batch {batch}, {batch // devices} on each"
    if step.accumulate > 1:
        told += f" in {step.accumulate} parts"
    if not step.base_batch:
        return f"{told}; learning rates as told"
    factor = batch / step.base_batch
    return f"{told}; learning rates × {factor:g}, told for a batch of {step.base_batch}"


def _tell_end(folder: Path, parts: Assembly, show: Show | None) -> None:
    if show and parts.features:
        print(f"the network was trained on features of {parts.features}")
    if parts.recipe.translate is None:
        print(f"the run is in {folder}; fill a hole with it:")
        print(f"    {_command('-m', 'jaxinpaint', 'inpaint', folder)} PHOTO --hole MASK -o FILLED")
    else:
        print(f"the run is in {folder}; make pictures with it:")
        print(f"    {_command('-m', 'jaxinpaint', 'translate', folder)} INPUT -o MADE")


def _command(*arguments: object) -> str:
    """A command line that works as it stands, in the environment of this program."""
    return shlex.join([sys.executable, *map(str, arguments)])


def _resumed(folder: Path, arguments: Sequence[str], prog: str) -> Order:
    """A run that goes on; only how long it goes and what it tells may change.

    Raises:
        ValueError: if the folder is no run, or an option would make it another run.
    """
    earlier = load_config(folder)
    config = choosing.overridden(earlier, arguments, prog=prog, description=DESCRIPTION)
    as_here = choosing.places(config.data) | {"workers": config.data.workers}
    same_data = dataclasses.replace(earlier.data, **as_here)
    same_recipe = _told_alike(earlier.recipe, config.recipe)
    allowed = dataclasses.replace(earlier, recipe=same_recipe, data=same_data, loop=config.loop)
    if config != allowed:
        raise ValueError(
            f"--resume {folder} goes on with that run's recipe, data and seed; only what has no "
            "part in its result can change: --steps, --log-every, --sample-every, "
            "--checkpoint-every, --keep, --best, --parallel, --shard-params, --on-nan, "
            "--profile and --compile-cache, where the pictures lie and by how many --data.workers "
            "they are read, and --recipe.gradient-norms of partial convolutions. Start a new run "
            "for anything else"
        )
    return Order(config, folder, resumes=True)


def _told_alike(earlier: RecipeConfig, config: RecipeConfig) -> RecipeConfig:
    """The earlier recipe, as far as the other only tells more."""
    if isinstance(earlier, PartialConvConfig) and isinstance(config, PartialConvConfig):
        return dataclasses.replace(earlier, gradient_norms=config.gradient_norms)
    return earlier


def _new_folder(preset: str) -> Path:
    """The first of runs/PRESET-1, runs/PRESET-2, … that does not exist."""
    number = 1
    while (folder := Path("runs") / f"{preset}-{number}").exists():
        number += 1
    return folder


def _tell_stages(recipe: Recipe, steps: int) -> None:
    if recipe.stages:
        print("stages: " + ", ".join(f"{name} from step {first}" for name, first in recipe.stages))
    late = [name for name, first in recipe.stages if first >= steps]
    if late:
        print(f"the run ends at step {steps}, before {', '.join(late)} (--recipe.stages, --steps)")


def _tell_skipped(skipped: Skipped) -> None:
    if skipped.problems:
        print(f"{len(skipped.problems)} pictures could not be read:")
        for problem in islice(skipped.problems, MOST_TOLD):
            print(f"    {problem}")
        if len(skipped.problems) > MOST_TOLD:
            print("    … all of them were told as they were met")
