"""Checkpoints of a run: written in the background, pruned, and restored past damaged ones."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils
from orbax.checkpoint.checkpoint_managers import LatestN

from jaxinpaint.array_typing import Variables
from jaxinpaint.recipes.base import Player, TrainState
from jaxinpaint.training.digests import differing, digests
from jaxinpaint.training.processes import everywhere, is_first

log = logging.getLogger(__name__)

AVERAGE = "_average"  # of a player, by its name
DIGESTS = "digests"


class NotWritten(OSError):
    """A checkpoint that could not be written."""


class Checkpoints:
    """The checkpoints of a run folder.

    Each has three parts: ``model``, the players' variables by name and their averages where there
    are any, which is all that inference reads; ``training``, the rest of the state; and
    ``digests`` of both, by which bytes that have changed on the disk are found out. The place in
    the data is the step. Several processes write and read one together.
    """

    def __init__(self, folder: Path, manager: ocp.CheckpointManager) -> None:
        self._folder = folder
        self._manager = manager

    def save(self, state: TrainState, step: int) -> None:
        """Starts to write the state, unless this step is saved already.

        Returns when the arrays are copied from the devices and their digests taken; donating them
        is then safe. They are written in the background.

        Raises:
            NotWritten: if this one or the one before can't be written.
        """
        if step in self._manager.all_steps():
            return
        model, training = _split(state)
        parts = ocp.args.Composite(
            model=ocp.args.StandardSave(model),
            training=ocp.args.StandardSave(training),
            digests=ocp.args.JsonSave({"model": digests(model), "training": digests(training)}),
        )
        with _telling_errors(self._folder):
            if not self._manager.save(step, args=parts, force=True):
                raise OSError(f"Orbax refused to write step {step}")

    def check(self) -> None:
        """Asks whether all is well with what is written in the background.

        Raises:
            NotWritten: if it is not.
        """
        with _telling_errors(self._folder):
            self._manager.check_for_errors()

    def restore_latest(self, abstract: TrainState) -> TrainState | None:
        """The newest state that can be read, or None if there is no checkpoint.

        Args:
            abstract: the state's shapes, dtypes and shardings.

        Raises:
            ValueError: if there are checkpoints and none can be read.
        """
        model, training = _split(abstract)
        parts = {
            "model": ocp.args.StandardRestore(model),
            "training": ocp.args.StandardRestore(training),
        }
        for step, found in self._readable(parts):
            self._set_aside([later for later in self._manager.all_steps() if later > step])
            return _joined(found["model"], found["training"])
        return None

    def restore_generator(self, abstract: TrainState) -> tuple[Variables, int]:
        """The newest variables that fill holes and can be read, and their step.

        Args:
            abstract: as for `restore_latest`.

        Raises:
            ValueError: if there is no checkpoint that can be read.
        """
        state, step = self._restore_model(abstract)
        return state.generator, step

    def restore_players(self, abstract: TrainState) -> dict[str, Variables]:
        """The newest variables of all players that can be read, by name.

        Args:
            abstract: as for `restore_latest`.

        Raises:
            ValueError: if there is no checkpoint that can be read.
        """
        state, _ = self._restore_model(abstract)
        return {name: player.variables for name, player in state.players.items()}

    def _restore_model(self, abstract: TrainState) -> tuple[TrainState, int]:
        """A state of which only the model is read, and its step."""
        model, training = _split(abstract)
        parts = {"model": ocp.args.StandardRestore(model)}
        for step, found in self._readable(parts):
            return _joined(found["model"], training), step
        raise ValueError(f"no checkpoint in {self._folder}; the run has not saved one yet")

    def _set_aside(self, steps: list[int]) -> None:
        """Renames damaged checkpoints: Orbax would neither overwrite them nor forget them."""
        if not steps:
            return
        for step in steps if is_first() else ():
            aside = self._folder / f"{step}.unreadable"
            while aside.exists():
                aside = aside.with_name(f"{aside.name}-again")
            (self._folder / str(step)).rename(aside)
            log.warning("checkpoint %s/%d is set aside as %s", self._folder, step, aside.name)
        multihost_utils.sync_global_devices("damaged checkpoints are set aside")
        self._manager.reload()

    def _readable(self, parts: dict[str, Any]) -> Iterator[tuple[int, Any]]:
        """Checkpoints that can be read and are what was saved, the newest first."""
        steps = sorted(self._manager.all_steps(), reverse=True)
        problem: Exception | None = None
        for step in steps:
            found, damage = None, None
            try:
                found = self._restored(step, parts)
            # Orbax raises bare exceptions for files that are cut short or missing.
            except Exception as error:
                damage = error
            # All of several processes go on with the same one.
            if everywhere(found is not None) and found is not None:
                damage = self._changed(step, found)
            elif damage is None:
                damage = OSError("another process can't read it")
            if damage is None:
                yield step, found
            else:
                log.warning("checkpoint %s/%d can't be read: %s", self._folder, step, damage)
                problem = damage
        if problem is not None:
            raise ValueError(
                f"none of the checkpoints {steps} in {self._folder} fits or can be read: {problem}"
            ) from problem

    def _changed(self, step: int, found: dict[str, Any]) -> ValueError | None:
        """What is wrong with parts of a checkpoint: bytes that are not those that were saved."""
        saved = found.pop(DIGESTS, None)
        if saved is None:
            log.warning(
                "checkpoint %s/%d has no digests, as before there were such: it can't be known "
                "whether it is what was saved",
                self._folder,
                step,
            )
            return None
        for name, part in found.items():
            others = list(differing(saved[name], digests(part)))
            if others:
                return ValueError(
                    f"its bytes are not those that were saved: {len(others)} arrays of its {name} "
                    f"have changed, such as {others[0]}"
                )
        return None

    def _restored(self, step: int, parts: dict[str, Any]) -> dict[str, Any]:
        if (self._folder / str(step) / DIGESTS).exists():
            parts = parts | {DIGESTS: ocp.args.JsonRestore()}
        found = self._manager.restore(step, args=ocp.args.Composite(**parts))
        missing = [name for name in parts if found[name] is None]
        if missing:
            raise ValueError(f"it has no {' and no '.join(missing)}")
        return dict(found.items())


@contextmanager
def _telling_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    # Orbax raises what the file system raised, or what its threads made of that.
    except Exception as error:
        raise NotWritten(
            f"a checkpoint can't be written to {folder}: {error}. Those before it are whole: mend "
            "this (a full disk?) and --resume the run"
        ) from error


@contextmanager
def open_checkpoints(folder: Path, *, keep: int | None = None) -> Iterator[Checkpoints]:
    """The checkpoints of a folder; leaving waits until all are written.

    Raises NotWritten on leaving if one can't be.

    Args:
        folder: of the checkpoints.
        keep: how many of the latest are kept while writing. None opens them for reading only.
    """
    if keep is None:
        options = ocp.CheckpointManagerOptions(create=False, read_only=True)
    else:
        options = ocp.CheckpointManagerOptions(
            preservation_policy=LatestN(keep), cleanup_tmp_directories=True
        )
    manager = ocp.CheckpointManager(folder.absolute(), options=options)
    try:
        yield Checkpoints(folder, manager)
    except BaseException:
        # What went wrong first is told, not what comes of it.
        with suppress(Exception):
            manager.close()
        raise
    with _telling_errors(folder):
        manager.close()


def _split(state: TrainState) -> tuple[dict[str, Variables], dict[str, Any]]:
    model = {name: player.variables for name, player in state.players.items()}
    model |= {f"{name}{AVERAGE}": variables for name, variables in state.averages.items()}
    optimisers = {name: player.opt_state for name, player in state.players.items()}
    return model, {"step": state.step, "key": state.key, "optimisers": optimisers}


def _joined(model: dict[str, Variables], training: dict[str, Any]) -> TrainState:
    players = {
        name: Player(model[name], opt_state) for name, opt_state in training["optimisers"].items()
    }
    averages = {name: model[name + AVERAGE] for name in players if name + AVERAGE in model}
    return TrainState(training["step"], training["key"], players, averages)


def abstract_like(tree: Any, sharding: jax.sharding.Sharding) -> Any:
    """Shapes and dtypes of a tree of arrays, to be restored with a sharding."""
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), tree
    )
