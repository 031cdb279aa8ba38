import dataclasses
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest
from data.picture_files import damaged_folder, pictures_of
from PIL import Image

import jaxinpaint
from jaxinpaint.data import examples
from jaxinpaint.data.batches import crops
from jaxinpaint.data.config import DataConfig
from jaxinpaint.data.examples import Pair, Pictures, hole_pictures, training_pictures
from jaxinpaint.data.pictures import UnreadablePicture
from jaxinpaint.recipes.base import Crops

PICTURES = 5
HEIGHT, WIDTH = 12, 17


def coordinates(number: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A picture whose pixels say which one it is, and their row and column."""
    rows, columns = np.mgrid[:height, :width]
    return np.dstack([np.full_like(rows, number), rows, columns]).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(PICTURES):
        Image.fromarray(coordinates(number)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def pictures(folder: Path) -> Pictures:
    return pictures_of(sorted(folder.iterdir()))


def mirrored(pictures: np.ndarray, batch: Crops) -> np.ndarray:
    """As they are mirrored on the devices."""
    assert batch.mirrored is not None
    turned = pictures.copy()
    turned[batch.mirrored] = turned[batch.mirrored][:, :, ::-1]
    return turned


def taken(batches: Iterator[Crops], n: int) -> np.ndarray:
    """``[batch, example, H, W, 3]``."""
    return np.stack([mirrored(batch.image, batch) for batch in itertools.islice(batches, n)])


CONFIG = DataConfig(size=8, batch_size=4)


def test_the_same_seed_gives_the_same_batches_and_another_gives_others(
    pictures: Pictures,
) -> None:
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


@pytest.mark.parametrize("room", [0, 500, 2**20])
def test_how_much_is_kept_in_memory_does_not_change_the_batches(
    pictures: Pictures, folder: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(examples, "CACHE_BYTES", room)  # of 816 bytes a picture
    fresh = pictures_of(sorted(folder.iterdir()))
    np.testing.assert_array_equal(
        taken(crops(fresh, CONFIG, seed=0), 6), taken(crops(pictures, CONFIG, seed=0), 6)
    )


def test_crops_leave_the_host_as_they_lie_in_the_picture(pictures: Pictures) -> None:
    batch = next(crops(pictures, CONFIG, seed=0))
    assert np.all(batch.image[:, 0, 0, 2] < batch.image[:, 0, -1, 2])
    assert batch.mirrored is not None
    assert batch.mirrored.shape == (4,)
    assert batch.mirrored.dtype == bool


def test_a_crop_is_a_part_of_its_picture_mirrored_half_of_the_time(pictures: Pictures) -> None:
    turned, corners = 0, set()
    for crop in taken(crops(pictures, CONFIG, seed=0), 50).reshape(-1, 8, 8, 3):
        if crop[0, 0, 2] > crop[0, -1, 2]:
            turned, crop = turned + 1, crop[:, ::-1]
        number, top, left = (int(value) for value in crop[0, 0])
        np.testing.assert_array_equal(crop, coordinates(number)[top : top + 8, left : left + 8])
        corners.add((top, left))
    # 200 fair coins: 70 to 130 heads but once in 50 000 seeds, and the seed is fixed.
    assert 70 <= turned <= 130
    assert {top for top, _ in corners} == set(range(HEIGHT - 8 + 1))
    assert {left for _, left in corners} == set(range(WIDTH - 8 + 1))


def test_without_flip_nothing_is_mirrored_and_the_crops_are_the_same(
    pictures: Pictures,
) -> None:
    flipped = taken(crops(pictures, CONFIG, seed=0), 8)
    plain = taken(crops(pictures, DataConfig(size=8, batch_size=4, flip=False), seed=0), 8)
    turned = flipped[:, :, 0, 0, 2] > flipped[:, :, 0, -1, 2]
    assert turned.any()
    flipped[turned] = flipped[turned][:, :, ::-1]
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
    ("short_side", "random_scale", "spans"),
    # Rows of the file between the first and the last pixel of a crop of 4.
    [(6, False, [6, 6]), (6, True, [6, 10]), (24, False, [1, 2])],
)
def test_a_short_side_is_the_scale_that_crops_are_cut_at(
    folder: Path, short_side: int, random_scale: bool, spans: list[int]
) -> None:
    config = DataConfig(
        source=str(folder),
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
    return dataclasses.replace(CONFIG, source=str(folder / "images"), pairs=str(folder / "sources"))


def taken_pairs(config: DataConfig, n: int, *, first: int = 0) -> Pair:
    batches = crops(training_pictures(config), config, seed=0, first=first)
    images, sources = [], []
    for batch in itertools.islice(batches, n):
        assert batch.source is not None
        images.append(mirrored(batch.image, batch))
        sources.append(mirrored(batch.source, batch))
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


def test_pictures_alone_have_neither_sources_nor_holes(pictures: Pictures) -> None:
    batch = next(crops(pictures, CONFIG, seed=0))
    assert batch.source is None
    assert batch.hole is None


def test_pairs_go_on_at_a_step_and_spread_over_processes(
    pairs: DataConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = taken_pairs(pairs, 8)
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    part = taken_pairs(pairs, 3, first=5)
    for mine, everyones in zip(part, whole, strict=True):
        np.testing.assert_array_equal(mine, everyones[5:, 1::2])


@pytest.fixture(scope="module")
def masks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For each picture the mask of its second half of rows."""
    folder = tmp_path_factory.mktemp("masks")
    missing = np.broadcast_to(np.arange(HEIGHT)[:, None] >= HEIGHT // 2, (HEIGHT, WIDTH))
    for number in range(PICTURES):
        Image.fromarray(missing.astype(np.uint8) * 255).save(folder / f"{number}.png")
    return folder


def test_a_pictures_own_hole_is_cut_where_it_is(folder: Path, masks: Path) -> None:
    config = dataclasses.replace(CONFIG, source=str(folder), holes=str(masks))
    pictures = training_pictures(config, paired_holes=True)
    for batch in itertools.islice(crops(pictures, config, seed=0), 6):
        assert batch.hole is not None
        assert batch.hole.dtype == bool
        np.testing.assert_array_equal(batch.hole, batch.image[..., 1] >= HEIGHT // 2)


def test_any_masks_come_with_the_crops_that_there_are_without(
    pictures: Pictures, masks: Path
) -> None:
    holes = hole_pictures(str(masks))
    with_holes = crops(pictures, CONFIG, seed=0, holes=holes)
    again = crops(pictures, CONFIG, seed=0, first=2, holes=holes)
    batches = list(itertools.islice(with_holes, 5))
    for batch, plain in zip(batches, crops(pictures, CONFIG, seed=0), strict=False):
        np.testing.assert_array_equal(batch.image, plain.image)
    holes_of = [batch.hole for batch in batches if batch.hole is not None]
    assert len({hole.tobytes() for whole in holes_of for hole in whole}) > 10
    for hole, later in zip(holes_of[2:], again, strict=False):
        np.testing.assert_array_equal(hole, later.hole)


def test_of_a_damaged_folder_there_are_batches_and_each_bad_file_is_told(tmp_path: Path) -> None:
    bad = damaged_folder(tmp_path / "mixed")
    config = dataclasses.replace(CONFIG, source=str(tmp_path / "mixed"))
    told: list[str] = []
    batches = crops(training_pictures(config), config, seed=0, tell=told.append)
    seen = np.concatenate([next(batches).image for _ in range(8)])
    assert seen.shape == (32, 8, 8, 3)
    for name, reason in bad.items():
        of_it = {p for p in told if p.startswith(f"{tmp_path / 'mixed' / name}: ")}
        assert len(of_it) == 1
        assert reason in of_it.pop()
    assert len(set(told)) == len(bad)


def test_where_nothing_can_be_read_a_batch_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "0.png").touch()
    config = dataclasses.replace(CONFIG, source=str(tmp_path))
    with pytest.raises(UnreadablePicture, match="none of the 1 pictures can be read"):
        next(crops(training_pictures(config), config, seed=0))


# Spawned workers import the program that they are of.
WORKERS = """
import dataclasses, itertools, sys
from unittest import mock

import jax, numpy as np, psutil
from jaxinpaint.data.batches import crops
from jaxinpaint.data.config import DataConfig
from jaxinpaint.data.examples import hole_pictures, training_pictures


def taken(config, first, told):
    holes = hole_pictures(config.holes)
    batches = crops(
        training_pictures(config), config, seed=3, first=first, holes=holes, tell=told.append
    )
    seen = list(itertools.islice(batches, 5))
    workers = [
        child for child in psutil.Process().children(recursive=True)
        if "resource_tracker" not in " ".join(child.cmdline())  # Python's own: it stays
    ]
    assert len(workers) == config.workers, workers
    batches.close()
    _, left = psutil.wait_procs(workers, timeout=20)
    assert not left, left
    return seen


def main():
    source, masks = sys.argv[1:]
    threads = DataConfig(source=source, holes=masks, size=8, batch_size=4)
    workers = dataclasses.replace(threads, workers=2)
    told, told_by_workers = [], []
    # The second of two processes, from the middle of an epoch of 9 pictures on.
    with (
        mock.patch.object(jax, "process_count", lambda: 2),
        mock.patch.object(jax, "process_index", lambda: 1),
    ):
        expected, found = taken(threads, 4, told), taken(workers, 4, told_by_workers)
    for one, other in zip(expected, found, strict=True):
        assert one.image.shape == (2, 8, 8, 3)
        for part, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(part, same)
    assert told and told == told_by_workers
    print("the same")


if __name__ == "__main__":
    main()
"""


def test_worker_processes_make_the_same_batches_tell_the_same_and_end(
    tmp_path: Path, masks: Path
) -> None:
    damaged_folder(tmp_path / "mixed")
    (tmp_path / "program.py").write_text(WORKERS)
    root = Path(jaxinpaint.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "program.py", tmp_path / "mixed", masks],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "the same\n"), done.stderr
    assert "Traceback" not in done.stderr
