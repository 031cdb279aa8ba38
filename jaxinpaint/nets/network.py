"""`Network`: what the rest of the package sees of a neural network."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxinpaint.array_typing import RandomKey, Variables

Precision: TypeAlias = Literal["float32", "bf16"]
Tree = TypeVar("Tree")


class Network(NamedTuple):
    """A network as a pair of pure functions.

    Attributes:
        init: ``(key, *arrays) -> variables``; only the arrays' shapes matter.
        apply: ``(variables, *arrays, train=False, **options) -> (output, variables)``. The
            variables that come back differ from those given only in what a network keeps beside its
            parameters (running averages, directions of spectral norms), and only with
            ``train=True``.
    """

    init: Callable[..., Variables]
    apply: Callable[..., tuple[Any, Variables]]


# What a pass in training may change.
KEPT = ["batch_stats", "spectral_norm"]


def network(module: nn.Module) -> Network:
    """The pure functions of a Flax module."""

    def init(key: RandomKey, *arrays: Any) -> Variables:
        return module.init(key, *arrays, train=False)

    def apply(
        variables: Variables, *arrays: Any, train: bool = False, **options: Any
    ) -> tuple[Any, Variables]:
        if not train:
            return module.apply(variables, *arrays, train=False, **options), variables
        output, updated = module.apply(variables, *arrays, train=True, mutable=KEPT, **options)
        return output, {**variables, **updated}

    return Network(init, apply)


def computed_in(network: Network, precision: Precision) -> Network:
    """The network with its passes in training computed in a precision.

    Under ``bf16`` pictures and features are bfloat16 from layer to layer. What a network says comes
    back as float32, and what it keeps (parameters, running averages) stays so; so do statistics,
    ratios, singular values and softmax inside it. Without ``train=True`` nothing changes.

    Args:
        network: any.
        precision: of convolutions and of what is between them.
    """
    if precision == "float32":
        return network

    def apply(
        variables: Variables, *arrays: Any, train: bool = False, **options: Any
    ) -> tuple[Any, Variables]:
        if not train:
            return network.apply(variables, *arrays, **options)
        narrow = floats_as(arrays, dtype_of(precision))
        output, variables = network.apply(variables, *narrow, train=True, **options)
        return floats_as(output, jnp.float32), variables

    return network._replace(apply=apply)


def dtype_of(precision: Precision) -> DTypeLike:
    """What numbers are in a precision."""
    return jnp.bfloat16 if precision == "bf16" else jnp.float32


def floats_as(tree: Tree, dtype: DTypeLike) -> Tree:
    """A tree of arrays with all floats in it as those of a dtype."""

    def cast(leaf: Any) -> Any:
        return leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(cast, tree)
