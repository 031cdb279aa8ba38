"""What a recipe is, and what it is made of: plain tuples and dataclasses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, Protocol, TypeAlias, TypeVar, runtime_checkable

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Int, UInt8
from numpy import ndarray

from jaxinpaint.array_typing import (
    Bytes,
    Hole,
    Image,
    Leaf,
    PerImage,
    RandomKey,
    Scalar,
    Variables,
)
from jaxinpaint.objectives.reduction import weighted

Tree = TypeVar("Tree")


class Player(NamedTuple):
    """One network under training: its variables and its optimiser's state."""

    variables: Variables
    opt_state: optax.OptState


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TrainState:
    """All that a training step reads and writes.

    Attributes:
        step: how many steps have been made, an int32 scalar.
        key: the run's random key; a step draws from ``fold_in(key, step)``.
        players: the networks by name; the one that fills holes is ``generator``.
        averages: running averages of players' variables, by player, where they are kept.
    """

    step: Leaf
    key: Leaf
    players: dict[str, Player]
    averages: dict[str, Variables] = field(default_factory=dict)

    @property
    def generator(self) -> Variables:
        """The variables that fill holes: the generator's average, if one is kept."""
        return self.averages.get("generator", self.players["generator"].variables)


class Crops(NamedTuple):
    """Training pictures on the host, as bytes.

    Attributes:
        image: what a network is to make.
        source: what it is to make that from, of the same size, where pictures come in pairs.
        hole: what is missing, where holes come from files.
        mirrored: which of the examples are to be mirrored, all parts of them; None: they are.
    """

    image: UInt8[ndarray, "N H W 3"]
    source: UInt8[ndarray, "N H W 3"] | None = None
    hole: Bool[ndarray, "N H W"] | None = None
    mirrored: Bool[ndarray, " N"] | None = None


class Batch(NamedTuple):
    """Training pictures on the devices, as bytes.

    Attributes:
        image, source: as in `Crops`.
        position: the place of each example in the whole batch. What is drawn for an example depends
            on the step and this number, never on how the batch is spread over devices.
        hole: 1 where a pixel is missing, where holes come from files.
    """

    image: Bytes
    position: Int[Array, " N"]
    source: Bytes | None = None
    hole: Hole | None = None


class Mean(NamedTuple):
    """A mean that is not yet taken: sums and counts add up over steps and devices."""

    total: Scalar
    n: Scalar


Metrics = dict[str, Mean]


def finite(metrics: Metrics) -> Bool[Array, ""]:
    """Whether all that a step tells is finite."""
    return jnp.all(jnp.isfinite(jnp.array([mean.total for mean in metrics.values()])))


# Whether players move: known when a step is compiled, or only in it.
Moves: TypeAlias = bool | Bool[Array, ""]


def new_if(moves: Moves, new: Tree, old: Tree) -> Tree:
    """What is new where players move, else what was."""
    return jax.tree.map(partial(jnp.where, moves), new, old)


class Inpainted(NamedTuple):
    """What filling a hole gives.

    Attributes:
        output: the network's picture, every pixel of it, in [0, 1].
        composite: the output inside the hole, the known pixels untouched outside.
    """

    output: Image
    composite: Image


@runtime_checkable
class Step(Protocol):
    """What makes a step: the next state, and what there is to tell (`Recipe.step_at`)."""

    def __call__(
        self, state: TrainState, batch: Batch, may_move: Moves = True
    ) -> tuple[TrainState, Metrics]:
        """The state after the step, and its metrics."""
        ...


class Multiple(NamedTuple):
    """Pictures of any size; holes may be anywhere in them.

    Attributes:
        of: what the sides are multiples of.
        least: what they are at least, such a multiple too.
    """

    of: int
    least: int = 1


class Window(NamedTuple):
    """Square pictures of one size, with their holes at least a margin off the border."""

    side: int
    margin: int = 0


Takes: TypeAlias = Multiple | Window


class Recipe(NamedTuple):
    """A way to train one kind of system, as pure functions.

    Attributes:
        init: ``(key, (height, width)) -> state`` before the first step, for such pictures.
        step_at: ``number -> step``, what makes the step of a number, ``(state, batch, may_move) ->
            (state, metrics)``: draws holes, runs all forward passes, losses, gradients and updates
            of the players whose turn it is. It is one and the same function for all steps of a
            kind, so that each kind is compiled once. The metrics hold ``loss``, the generator's, if
            it moves, and ``NAME_gradient_norm`` and ``NAME_update_norm`` of each player that moves:
            a loss is of the weights before the update, so the norms tell a broken update. Where one
            of all these is not finite, or ``may_move`` is false, players and averages stay as they
            were (`stepping.stepped` sees to that for a player): nobody else looks after it.
        takes: what pictures the generator can be given.
        inpaint: ``(generator's variables, image, hole) -> Inpainted``, in [0, 1].
        translate: ``(generator's variables, image) -> image``, in [0, 1], of a recipe that makes
            pictures from others. Such a one has no ``inpaint``.
        show: ``(generator's variables, image, hole) -> pictures by name``, in [0, 1]: what else
            there is to see of how a hole is filled, by a recipe that takes pictures of any size.
        stages: names and first steps of the parts that training has, if it has several.
        dispensable: parts of players, ``(player, part of its variables)``, that filling holes does
            without. Weights to start from may lack them; they begin anew then.
    """

    init: Callable[[RandomKey, tuple[int, int]], TrainState]
    step_at: Callable[[int], Step]
    takes: Takes
    inpaint: Callable[[Variables, Image, Hole], Inpainted] | None = None
    translate: Callable[[Variables, Image], Image] | None = None
    show: Callable[[Variables, Image, Hole], dict[str, Image]] | None = None
    stages: tuple[tuple[str, int], ...] = ()
    dispensable: frozenset[tuple[str, str]] = frozenset()


def weighted_sum(
    terms: Mapping[str, PerImage], weights: Mapping[str, float]
) -> tuple[Scalar, Metrics]:
    """The loss that is minimised, ``Σ weight · mean over images``, and each term's report.

    Returns:
        the loss; and by name the mean of the loss, of every term, and of every term times its
        weight (``NAME_weighted``).

    Raises:
        ValueError: if terms and weights do not have the same names.
    """
    metrics: Metrics = {}
    loss = jnp.zeros(())
    for name, values in weighted(terms, weights).items():
        n = jnp.float32(values.size)
        metrics[name] = Mean(jnp.sum(terms[name]), n)
        metrics[f"{name}_weighted"] = Mean(jnp.sum(values), n)
        loss += jnp.mean(values)
    return loss, {"loss": Mean(loss, jnp.ones(())), **metrics}


def gradient_norms(
    terms: Callable[[Image], Mapping[str, PerImage]], output: Image, weights: Mapping[str, float]
) -> Metrics:
    """How hard each term pulls at the network: the gradient it sends into it, by term.

    ::

        ‖∂(weight · term) / ∂output‖₂, the mean over images

    Costs one backward pass a term, as far as the output.

    Returns:
        the norms by name (``NAME_gradient``).
    """

    def norms(name: str) -> PerImage:
        gradient = jax.grad(lambda x: weights[name] * jnp.sum(terms(x)[name]))(output)
        return jnp.sqrt(jnp.sum(jnp.square(gradient), axis=(1, 2, 3)))

    n = jnp.float32(output.shape[0])
    return {f"{name}_gradient": Mean(jnp.sum(norms(name)), n) for name in weights}


def averaged_over(axis_name: str | None, tree: Tree) -> Tree:
    """The mean over a mapped axis; without one, the tree itself.

    All of the tree goes as one vector, for devices wait for each other at every exchange. Left to
    the compiler, the gradients between two batch norms make an exchange of their own.
    """
    if axis_name is None:
        return tree
    vector, unravel = ravel_pytree(tree)
    return unravel(lax.pmean(vector, axis_name))
