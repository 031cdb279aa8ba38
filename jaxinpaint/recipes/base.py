"""What a recipe is, and what it is made of: plain tuples and dataclasses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Int

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
    """

    step: Leaf
    key: Leaf
    players: dict[str, Player]


class Batch(NamedTuple):
    """Training pictures: what crosses from host to device.

    Attributes:
        image: as bytes.
        position: the place of each example in the whole batch. What is drawn for an example depends
            on the step and this number, never on how the batch is spread over devices.
    """

    image: Bytes
    position: Int[Array, " N"]


class Mean(NamedTuple):
    """A mean that is not yet taken: sums and counts add up over steps and devices."""

    total: Scalar
    n: Scalar


Metrics = dict[str, Mean]


class Inpainted(NamedTuple):
    """What filling a hole gives.

    Attributes:
        output: the network's picture, every pixel of it, in [0, 1].
        composite: the output inside the hole, the known pixels untouched outside.
    """

    output: Image
    composite: Image


class Recipe(NamedTuple):
    """A way to train one kind of inpainting system, as pure functions.

    Attributes:
        init: ``(key, (height, width)) -> state`` before the first step, for such pictures.
        step: ``(state, batch) -> (state, metrics)``: draws holes, runs all forward passes, losses,
            gradients and updates of every player. The metrics hold ``loss``, and every player's
            ``NAME_gradient_norm`` and ``NAME_update_norm``: a loss is of the weights before the
            update, so the norms are what tells a broken update.
        inpaint: ``(generator's variables, image, hole) -> Inpainted``, in [0, 1].
        size_multiple: the sides of a picture given to ``inpaint`` must be multiples of it.
    """

    init: Callable[[RandomKey, tuple[int, int]], TrainState]
    step: Callable[[TrainState, Batch], tuple[TrainState, Metrics]]
    inpaint: Callable[[Variables, Image, Hole], Inpainted]
    size_multiple: int


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


def stepped(
    name: str,
    player: Player,
    variables: Variables,
    gradients: Variables,
    optimiser: optax.GradientTransformation,
) -> tuple[Player, Metrics]:
    """A player after a step of its optimiser, and how long its gradient and its update were.

    Args:
        name: of the player.
        player: as it was.
        variables: what its forward pass gave back: new running averages, the same parameters.
        gradients: of its parameters, averaged over the devices.
        optimiser: its own.
    """
    updates, opt_state = optimiser.update(gradients, player.opt_state, variables["params"])
    params = optax.apply_updates(variables["params"], updates)
    one = jnp.ones(())
    metrics = {
        f"{name}_gradient_norm": Mean(optax.tree.norm(gradients), one),
        f"{name}_update_norm": Mean(optax.tree.norm(updates), one),
    }
    return Player({**variables, "params": params}, opt_state), metrics


def averaged_over(axis_name: str | None, tree: Tree) -> Tree:
    """The mean over a mapped axis; without one, the tree itself."""
    return tree if axis_name is None else lax.pmean(tree, axis_name)
