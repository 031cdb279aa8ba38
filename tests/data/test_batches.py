import dataclasses
import itertools
from collections.abc import Iterator

import jax
import numpy as np
import pytest
from PIL import Image

from jaxinpaint.array_typing import RGB
from jaxinpaint.data.batches import crops
from jaxinpaint.data.pictures import read_rgb
from jaxinpaint.data.sources import DataConfig, Pair, Pictures, training_pictures
from jaxinpaint.recipes.base import Crops

PICTURES = 5
HEIGHT, WIDTH = 12, 17


def coordinates(number: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A picture whose pixels say which one it is, and their row and column."""
    rows, columns = np.mgrid[:height, :width]
    return np.dstack([np.full_like(rows, number), rows, columns]).astype(np.uint8)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures[RGB]:
    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / f"{number}.png" for number in range(PICTURES)]
    for number, path in enumerate(paths):
        Image.fromarray(coordinates(number)).save(path)
    return Pictures(paths, read_rgb)


def taken(batches: Iterator[Crops], n: int) -> np.ndarray:
    """``[batch, example, H, W, 3]``."""
    return np.stack([next(batches).image for _ in range(n)])


CONFIG = DataConfig(size=8, batch_size=4)


def test_the_same_seed_gives_the_same_batches_and_another_gives_others(
    pictures: Pictures[RGB],
) -> None:
    first, again, other = (taken(crops(pictures, CONFIG, seed=s), 6) for s in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.shape == (6, 4, 8, 8, 3)
    assert first.dtype == np.uint8


def test_every_epoch_has_each_picture_once_in_a_new_order(pictures: Pictures[RGB]) -> None:
    numbers = taken(crops(pictures, CONFIG, seed=0), 10)[..., 0, 0, 0].reshape(-1, PICTURES)
    assert all(sorted(epoch) == list(range(PICTURES)) for epoch in numbers)
    assert len({tuple(epoch) for epoch in numbers}) > 1


def test_a_picture_is_cut_elsewhere_in_every_epoch(pictures: Pictures[RGB]) -> None:
    batches = taken(crops(pictures, CONFIG, seed=0), 10).reshape(-1, 8, 8, 3)
    corners = [tuple(crop[0, 0, 1:]) for crop in batches if crop[0, 0, 0] == 0]
    assert len(set(corners)) > len(corners) // 2


@pytest.mark.parametrize("first", [1, 2, 5, 9, 40])
def test_a_later_start_goes_on_as_if_from_the_beginning(
    pictures: Pictures[RGB], first: int
) -> None:
    # An epoch has 5 pictures, a batch 4: starts lie on both sides of borders of epochs.
    whole = taken(crops(pictures, CONFIG, seed=1), first + 3)
    np.testing.assert_array_equal(
        taken(crops(pictures, CONFIG, seed=1, first=first), 3), whole[first:]
    )


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_hold_every_nth_example_of_the_one_batch(
    pictures: Pictures[RGB], monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    whole = taken(crops(pictures, CONFIG, seed=2, first=3), 8)
    monkeypatch.setattr(jax, "process_count", lambda: processes)
    for process in range(processes):
        monkeypatch.setattr(jax, "process_index", lambda process=process: process)
        part = taken(crops(pictures, CONFIG, seed=2, first=3), 8)
        np.testing.assert_array_equal(part, whole[:, process::processes])


def test_a_batch_that_does_not_divide_among_processes_is_an_error(
    pictures: Pictures[RGB], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jax, "process_count", lambda: 3)
    with pytest.raises(ValueError, match="batch of 4 does not divide among 3"):
        crops(pictures, CONFIG, seed=0)


def test_a_crop_is_a_part_of_its_picture_mirrored_half_of_the_time(pictures: Pictures[RGB]) -> None:
    mirrored, corners = 0, set()
    for crop in taken(crops(pictures, CONFIG, seed=0), 50).reshape(-1, 8, 8, 3):
        if crop[0, 0, 2] > crop[0, -1, 2]:
            mirrored, crop = mirrored + 1, crop[:, ::-1]
        number, top, left = (int(value) for value in crop[0, 0])
        np.testing.assert_array_equal(crop, coordinates(number)[top : top + 8, left : left + 8])
        corners.add((top, left))
    # 200 fair coins: 70 to 130 heads but once in 50 000 seeds, and the seed is fixed.
    assert 70 <= mirrored <= 130
    assert {top for top, _ in corners} == set(range(HEIGHT - 8 + 1))
    assert {left for _, left in corners} == set(range(WIDTH - 8 + 1))


def test_without_flip_nothing_is_mirrored_and_the_crops_are_the_same(
    pictures: Pictures[RGB],
) -> None:
    flipped = taken(crops(pictures, CONFIG, seed=0), 8)
    plain = taken(crops(pictures, DataConfig(size=8, batch_size=4, flip=False), seed=0), 8)
    mirrored = flipped[:, :, 0, 0, 2] > flipped[:, :, 0, -1, 2]
    assert mirrored.any()
    flipped[mirrored] = flipped[mirrored][:, :, ::-1]
    np.testing.assert_array_equal(plain, flipped)


def test_random_colours_shuffle_and_invert_the_channels_of_the_same_crops(
    pictures: Pictures[RGB],
) -> None:
    plain = taken(crops(pictures, CONFIG, seed=0), 15).reshape(-1, 8, 8, 3)
    config = dataclasses.replace(CONFIG, random_colours=True)
    coloured = taken(crops(pictures, config, seed=0), 15).reshape(-1, 8, 8, 3)
    seen = set()
    for before, after in zip(plain, coloured, strict=True):
        inverted = bool(after[0, 0, 0] > 127)  # coordinates are small numbers
        after = 255 - after if inverted else after
        orders = [
            order
            for order in itertools.permutations(range(3))
            if np.array_equal(after, before[..., list(order)])
        ]
        assert len(orders) == 1
        seen.add((orders[0], inverted))
    assert len(seen) == 12, "six orders, and the negative of each"


def test_random_scale_shows_larger_parts_scaled_down(pictures: Pictures[RGB]) -> None:
    config = DataConfig(size=4, batch_size=4, random_scale=True, flip=False)
    batches = taken(crops(pictures, config, seed=0), 50).reshape(-1, 4, 4, 3).astype(int)
    # Rows between the first and the last pixel of a crop: 3 at scale 1, 9 where all 12 are seen.
    spans = batches[:, -1, 0, 1] - batches[:, 0, 0, 1]
    assert spans.min() == 3
    assert spans.max() >= 8
    assert len(set(spans)) >= 5
    # 1 level: bicubic scaling keeps a gradient straight but at the borders, and rounds.
    np.testing.assert_allclose(spans, batches[:, 0, -1, 2] - batches[:, 0, 0, 2], atol=1)


def test_a_smaller_picture_is_enlarged(pictures: Pictures[RGB]) -> None:
    config = DataConfig(size=24, batch_size=4, flip=False)
    batches = taken(crops(pictures, config, seed=0), 5).reshape(-1, 24, 24, 3)
    # The 12 rows become 24: from the first row to the last.
    np.testing.assert_array_equal(batches[:, 0, :, 1], 0)
    np.testing.assert_array_equal(batches[:, -1, :, 1], HEIGHT - 1)


@pytest.mark.parametrize(
    ("short_side", "random_scale", "spans"),
    # Rows of the file between the first and the last pixel of a crop of 4.
    [(6, False, [6, 6]), (6, True, [6, 10]), (24, False, [1, 2])],
)
def test_a_short_side_is_the_scale_that_crops_are_cut_at(
    pictures: Pictures[RGB], short_side: int, random_scale: bool, spans: list[int]
) -> None:
    config = DataConfig(
        path=pictures.paths[0].parent,
        size=4,
        batch_size=4,
        short_side=short_side,
        random_scale=random_scale,
    )
    batches = taken(crops(training_pictures(config), config, seed=0), 20).astype(int)
    rows = batches[..., -1, 0, 1] - batches[..., 0, 0, 1]
    # 1 level: as above.
    np.testing.assert_allclose([rows.min(), rows.max()], spans, atol=1)


# Far enough apart for the next pixel to be told from what scaling rounds.
STEPS = np.array([40, 20, 14], np.uint8)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> DataConfig:
    """Of pictures and their negatives."""
    folder = tmp_path_factory.mktemp("pairs")
    for name in ("images", "sources"):
        (folder / name).mkdir()
    for number in range(PICTURES):
        image = coordinates(number) * STEPS
        Image.fromarray(image).save(folder / "images" / f"{number}.png")
        Image.fromarray(255 - image).save(folder / "sources" / f"{number}.bmp")
    return dataclasses.replace(CONFIG, path=folder / "images", pairs=folder / "sources")


def taken_pairs(config: DataConfig, n: int, *, first: int = 0) -> Pair:
    batches = crops(training_pictures(config), config, seed=0, first=first)
    images, sources = zip(*(next(batches) for _ in range(n)), strict=True)
    return Pair(np.stack(images), np.stack(sources))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"random_scale": True},
        {"size": 24},
        {"short_side": 10},
        {"short_side": 24, "random_scale": True},
    ],
    ids=str,
)
def test_both_of_a_pair_are_cut_scaled_and_mirrored_alike(pairs: DataConfig, changes) -> None:
    image, source = taken_pairs(dataclasses.replace(pairs, **changes), 10)
    # 2 levels: the picture is rounded when it is scaled, and the crop once more.
    np.testing.assert_allclose(source.astype(int), 255 - image.astype(int), atol=2)
    left, right = image[..., 0, 0, 2], image[..., 0, -1, 2]
    assert (left > right).any()
    assert (left < right).any()


def test_inputs_do_not_change_what_is_cut_from_the_pictures(pairs: DataConfig) -> None:
    alone = dataclasses.replace(pairs, pairs=None)
    np.testing.assert_array_equal(
        taken_pairs(pairs, 6).image, taken(crops(training_pictures(alone), alone, seed=0), 6)
    )


def test_pictures_without_inputs_have_no_sources(pictures: Pictures[RGB]) -> None:
    assert next(crops(pictures, CONFIG, seed=0)).source is None


def test_pairs_go_on_at_a_step_and_spread_over_processes(
    pairs: DataConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = taken_pairs(pairs, 8)
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    part = taken_pairs(pairs, 3, first=5)
    for mine, everyones in zip(part, whole, strict=True):
        np.testing.assert_array_equal(mine, everyones[5:, 1::2])
