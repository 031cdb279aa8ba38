import dataclasses
import itertools
from collections.abc import Iterator

import jax
import numpy as np
import pytest
from PIL import Image

from jaxinpaint.data.batches import Crops, crops, scaled
from jaxinpaint.data.sources import DataConfig, Pictures

PICTURES = 5
HEIGHT, WIDTH = 12, 17


def coordinates(number: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A picture whose pixels say which one it is, and their row and column."""
    rows, columns = np.mgrid[:height, :width]
    return np.dstack([np.full_like(rows, number), rows, columns]).astype(np.uint8)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / f"{number}.png" for number in range(PICTURES)]
    for number, path in enumerate(paths):
        Image.fromarray(coordinates(number)).save(path)
    return Pictures(paths)


def taken(batches: Iterator[Crops], n: int) -> np.ndarray:
    """``[batch, example, H, W, 3]``."""
    return np.stack([next(batches) for _ in range(n)])


CONFIG = DataConfig(size=8, batch_size=4)


def test_the_same_seed_gives_the_same_batches_and_another_gives_others(pictures: Pictures) -> None:
    first, again, other = (taken(crops(pictures, CONFIG, seed=s), 6) for s in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.shape == (6, 4, 8, 8, 3)
    assert first.dtype == np.uint8


def test_every_epoch_has_each_picture_once_in_a_new_order(pictures: Pictures) -> None:
    numbers = taken(crops(pictures, CONFIG, seed=0), 10)[..., 0, 0, 0].reshape(-1, PICTURES)
    assert all(sorted(epoch) == list(range(PICTURES)) for epoch in numbers)
    assert len({tuple(epoch) for epoch in numbers}) > 1


def test_a_picture_is_cut_elsewhere_in_every_epoch(pictures: Pictures) -> None:
    batches = taken(crops(pictures, CONFIG, seed=0), 10).reshape(-1, 8, 8, 3)
    corners = [tuple(crop[0, 0, 1:]) for crop in batches if crop[0, 0, 0] == 0]
    assert len(set(corners)) > len(corners) // 2


@pytest.mark.parametrize("first", [1, 2, 5, 9, 40])
def test_a_later_start_goes_on_as_if_from_the_beginning(pictures: Pictures, first: int) -> None:
    # An epoch has 5 pictures, a batch 4: starts lie on both sides of borders of epochs.
    whole = taken(crops(pictures, CONFIG, seed=1), first + 3)
    np.testing.assert_array_equal(
        taken(crops(pictures, CONFIG, seed=1, first=first), 3), whole[first:]
    )


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_hold_every_nth_example_of_the_one_batch(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    whole = taken(crops(pictures, CONFIG, seed=2, first=3), 8)
    monkeypatch.setattr(jax, "process_count", lambda: processes)
    for process in range(processes):
        monkeypatch.setattr(jax, "process_index", lambda process=process: process)
        part = taken(crops(pictures, CONFIG, seed=2, first=3), 8)
        np.testing.assert_array_equal(part, whole[:, process::processes])


def test_a_batch_that_does_not_divide_among_processes_is_an_error(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jax, "process_count", lambda: 3)
    with pytest.raises(ValueError, match="batch of 4 does not divide among 3"):
        crops(pictures, CONFIG, seed=0)


def test_a_crop_is_a_part_of_its_picture_mirrored_half_of_the_time(pictures: Pictures) -> None:
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


def test_without_flip_nothing_is_mirrored_and_the_crops_are_the_same(pictures: Pictures) -> None:
    flipped = taken(crops(pictures, CONFIG, seed=0), 8)
    plain = taken(crops(pictures, DataConfig(size=8, batch_size=4, flip=False), seed=0), 8)
    mirrored = flipped[:, :, 0, 0, 2] > flipped[:, :, 0, -1, 2]
    assert mirrored.any()
    flipped[mirrored] = flipped[mirrored][:, :, ::-1]
    np.testing.assert_array_equal(plain, flipped)


def test_random_colours_shuffle_and_invert_the_channels_of_the_same_crops(
    pictures: Pictures,
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


def test_random_scale_shows_larger_parts_scaled_down(pictures: Pictures) -> None:
    config = DataConfig(size=4, batch_size=4, random_scale=True, flip=False)
    batches = taken(crops(pictures, config, seed=0), 50).reshape(-1, 4, 4, 3).astype(int)
    # Rows between the first and the last pixel of a crop: 3 at scale 1, 9 where all 12 are seen.
    spans = batches[:, -1, 0, 1] - batches[:, 0, 0, 1]
    assert spans.min() == 3
    assert spans.max() >= 8
    assert len(set(spans)) >= 5
    # 1 level: bicubic scaling keeps a gradient straight but at the borders, and rounds.
    np.testing.assert_allclose(spans, batches[:, 0, -1, 2] - batches[:, 0, 0, 2], atol=1)


def test_a_smaller_picture_is_enlarged(pictures: Pictures) -> None:
    config = DataConfig(size=24, batch_size=4, flip=False)
    batches = taken(crops(pictures, config, seed=0), 5).reshape(-1, 24, 24, 3)
    # The 12 rows become 24: from the first row to the last.
    np.testing.assert_array_equal(batches[:, 0, :, 1], 0)
    np.testing.assert_array_equal(batches[:, -1, :, 1], HEIGHT - 1)


@pytest.mark.parametrize(
    ("before", "short_side", "after"),
    [
        ((12, 17), 12, (12, 17)),
        ((12, 17), 6, (6, 8)),
        ((17, 12), 24, (34, 24)),
        ((1, 100), 3, (3, 300)),
        ((999, 1000), 7, (7, 7)),
    ],
)
def test_scaling_keeps_the_proportions(
    before: tuple[int, int], short_side: int, after: tuple[int, int]
) -> None:
    picture = np.full((*before, 3), 99, np.uint8)
    result = scaled(picture, short_side)
    assert result.shape == (*after, 3)
    assert np.all(result == 99)


def test_shrinking_averages_so_that_no_pattern_appears() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    # 8 levels: a filter of finite width. Without antialiasing this is all black or white.
    np.testing.assert_allclose(scaled(stripes, 16)[:, 2:-2], 127.5, atol=8)
