"""Checkpoints of a run: written in the background, pruned, and restored past damaged ones."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import LatestN

from jaxinpaint.array_typing import Variables
from jaxinpaint.recipes.base import Player, TrainState

log = logging.getLogger(__name__)

AVERAGE = "_average"  # of a player, by its name


class Checkpoints:
    """The checkpoints of a run folder.

    Each has two parts: ``model``, the players' variables by name and their averages where there are
    any, which is all that inference reads; and ``training``, the rest of the state. The place in
    the data is the step.
    """

    def __init__(self, folder: Path, manager: ocp.CheckpointManager) -> None:
        self._folder = folder
        self._manager = manager

    def save(self, state: TrainState, step: int) -> None:
        """Starts to write the state, unless this step is saved already.

        Returns as soon as the arrays are copied from the devices; donating them is then safe.
        """
        if step in self._manager.all_steps():
            return
        model, training = _split(state)
        parts = ocp.args.Composite(
            model=ocp.args.StandardSave(model), training=ocp.args.StandardSave(training)
        )
        if not self._manager.save(step, args=parts, force=True):
            raise RuntimeError(f"the checkpoint of step {step} was not written to {self._folder}")

    def restore_latest(self, abstract: TrainState) -> TrainState | None:
        """The newest state that can be read, or None if there is no checkpoint.

        Args:
            abstract: the state's shapes, dtypes and shardings.

        Raises:
            ValueError: if there are checkpoints and none can be read.
        """
        model, training = _split(abstract)
        parts = ocp.args.Composite(
            model=ocp.args.StandardRestore(model), training=ocp.args.StandardRestore(training)
        )
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
        parts = ocp.args.Composite(model=ocp.args.StandardRestore(model))
        for step, found in self._readable(parts):
            return _joined(found["model"], training), step
        raise ValueError(f"no checkpoint in {self._folder}; the run has not saved one yet")

    def _set_aside(self, steps: list[int]) -> None:
        """Renames damaged checkpoints: Orbax would neither overwrite them nor forget them."""
        for step in steps:
            aside = self._folder / f"{step}.unreadable"
            while aside.exists():
                aside = aside.with_name(f"{aside.name}-again")
            (self._folder / str(step)).rename(aside)
        if steps:
            self._manager.reload()

    def _readable(self, parts: ocp.args.Composite) -> Iterator[tuple[int, Any]]:
        steps = sorted(self._manager.all_steps(), reverse=True)
        problem: Exception | None = None
        for step in steps:
            try:
                found = self._manager.restore(step, args=parts)
            # Orbax raises bare exceptions for files that are cut short or missing.
            except Exception as error:
                log.warning("checkpoint %s/%d can't be read: %s", self._folder, step, error)
                problem = error
            else:
                yield step, found
        if problem is not None:
            raise ValueError(
                f"none of the checkpoints {steps} in {self._folder} fits or can be read: {problem}"
            ) from problem


@contextmanager
def open_checkpoints(folder: Path, *, keep: int | None = None) -> Iterator[Checkpoints]:
    """The checkpoints of a folder; leaving waits until all are written.

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
    with ocp.CheckpointManager(folder.absolute(), options=options) as manager:
        yield Checkpoints(folder, manager)


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
