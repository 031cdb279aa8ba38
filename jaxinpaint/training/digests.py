"""Digests of arrays, by which a checkpoint is known to hold what was saved."""

import hashlib
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils


def digests(tree: Any) -> dict[str, str]:
    """SHA-256 of each leaf's type, shape and bytes, by its place in the tree.

    They depend on the values alone, not on the devices and processes over which a leaf is spread.
    Several processes call this together.
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path): _digest(leaf) for path, leaf in leaves}


def differing(saved: dict[str, str], found: dict[str, str]) -> Iterator[str]:
    """The places at which what was found is not what was saved."""
    return (place for place, digest in found.items() if saved.get(place) != digest)


def _digest(leaf: Any) -> str:
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    if isinstance(leaf, jax.Array) and not (leaf.is_fully_addressable or leaf.is_fully_replicated):
        leaf = multihost_utils.process_allgather(leaf, tiled=True)
    array = np.asarray(leaf, order="C")
    content = hashlib.sha256(f"{array.dtype} {array.shape} ".encode())
    content.update(array.data)
    return content.hexdigest()
