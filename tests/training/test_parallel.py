"""Batches put on eight devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxinpaint.recipes.base import Crops
from jaxinpaint.training.parallel import Placement, place_on_all_devices, to_devices

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (16, 4, 6, 3), dtype=np.uint8)
SOURCE = 255 - IMAGE
HOLE = RNG.random((16, 4, 6)) < 0.5
MIRRORED = np.arange(16) % 3 == 0


@pytest.fixture(scope="module")
def placement() -> Placement:
    return place_on_all_devices()


def test_the_source_of_a_picture_lies_on_the_same_device(placement: Placement) -> None:
    batch = to_devices(Crops(IMAGE, SOURCE), placement)
    assert batch.source is not None
    assert batch.source.sharding == batch.image.sharding == placement.split
    np.testing.assert_array_equal(batch.image, IMAGE)
    np.testing.assert_array_equal(batch.source, SOURCE)
    np.testing.assert_array_equal(batch.position, np.arange(16))
    assert to_devices(Crops(IMAGE), placement).source is None


def test_the_flags_mirror_image_source_and_hole_alike(placement: Placement) -> None:
    assert placement.split.mesh.size == 8
    assert {bool(flag) for flag in MIRRORED[:2]} == {False, True}  # both on one device
    batch = to_devices(Crops(IMAGE, SOURCE, HOLE, MIRRORED), placement)
    assert batch.source is not None
    assert batch.hole is not None
    for part in (batch.image, batch.source, batch.hole, batch.position):
        assert part.sharding.is_equivalent_to(placement.split, part.ndim)
    for i in range(16):
        order = slice(None, None, -1 if MIRRORED[i] else 1)
        np.testing.assert_array_equal(batch.image[i], IMAGE[i][:, order])
        np.testing.assert_array_equal(batch.source[i], SOURCE[i][:, order])
        np.testing.assert_array_equal(batch.hole[i, ..., 0], HOLE[i][:, order])
    assert batch.image.dtype == batch.source.dtype == jnp.uint8


def test_a_hole_is_ones_where_pixels_are_missing(placement: Placement) -> None:
    batch = to_devices(Crops(IMAGE, hole=HOLE), placement)
    assert batch.source is None
    assert batch.hole is not None
    assert batch.hole.dtype == jnp.float32
    np.testing.assert_array_equal(batch.hole, HOLE[..., None].astype(np.float32))


def test_without_flags_nothing_is_mirrored(placement: Placement) -> None:
    for mirrored in (None, np.zeros(16, bool)):
        batch = to_devices(Crops(IMAGE, mirrored=mirrored), placement)
        np.testing.assert_array_equal(batch.image, IMAGE)
    batch = to_devices(Crops(IMAGE, mirrored=np.ones(16, bool)), placement)
    np.testing.assert_array_equal(batch.image, IMAGE[:, :, ::-1])


def test_one_device_holds_what_eight_hold(placement: Placement, monkeypatch) -> None:
    eight = to_devices(Crops(IMAGE, SOURCE, HOLE, MIRRORED), placement)
    first = jax.devices()[:1]
    monkeypatch.setattr(jax, "devices", lambda: first)
    one = to_devices(Crops(IMAGE, SOURCE, HOLE, MIRRORED), place_on_all_devices())
    for part, same in zip(one, eight, strict=True):
        assert part is not None
        assert len(part.sharding.device_set) == 1
        np.testing.assert_array_equal(part, same)
