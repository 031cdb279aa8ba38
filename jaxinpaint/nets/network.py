"""`Network`: what the rest of the package sees of a neural network."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn

from jaxinpaint.array_typing import RandomKey, Variables


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
