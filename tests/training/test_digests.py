"""Digests of arrays: the same for the same values, wherever they lie."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxinpaint.training.digests import differing, digests


def tree() -> dict:
    return {"key": jax.random.key(3), "layers": [jnp.arange(16.0), np.ones((2, 3), np.int32)]}


def test_digests_are_told_by_place_and_depend_on_the_values_alone() -> None:
    mesh = Mesh(np.array(jax.devices()), ("data",))
    split = NamedSharding(mesh, PartitionSpec("data"))
    spread = tree() | {"layers": [jax.device_put(jnp.arange(16.0), split), tree()["layers"][1]]}
    assert digests(tree()) == digests(spread)
    assert digests(tree()).keys() == {"['key']", "['layers'][0]", "['layers'][1]"}


def test_one_bit_another_type_or_shape_is_another_digest() -> None:
    one = np.zeros((2, 2), np.float32)
    flipped = one.copy()
    flipped.view(np.uint32)[1, 1] ^= 1
    others = [flipped, one.reshape(4), one.view(np.int32), one.astype(np.float64)]
    assert len({digests({"x": array})["['x']"] for array in [one, *others]}) == 5


def test_what_differs_is_named() -> None:
    saved, found = digests(tree()), digests(tree() | {"key": jax.random.key(4)})
    assert list(differing(saved, found)) == ["['key']"]
    assert not list(differing(saved, saved))
    assert list(differing({}, {"a": "1"})) == ["a"]
