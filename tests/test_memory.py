import math
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxinpaint import memory
from jaxinpaint.memory import AROUND, Budget, available, in_words, planned
from jaxinpaint.recipes.base import Multiple

TAKES = Multiple(8)


def budget(limit: int, *, weights: int = 0, a_pixel: int = 0, a_pair: int = 0) -> Budget:
    """Of a network of so many bytes in all, for each pixel, and for each pair of pixels."""

    def needs(variables: object, shape: tuple[int, int, int]) -> int:
        pixels = math.prod(shape)
        return weights + a_pixel * pixels + a_pair * pixels**2

    return Budget(limit, needs)


@pytest.mark.parametrize(
    "costs",
    [
        {"a_pixel": 500},
        {"a_pixel": 500, "weights": 60_000_000},
        {"a_pixel": 500, "weights": 300_000_000},
        {"a_pixel": 100, "a_pair": 1},
    ],
    ids=["features", "weights", "large weights", "attention"],
)
def test_a_tile_is_large_and_fits(costs: dict[str, int]) -> None:
    within = budget(10**9, **costs)
    shape = (1, 2160, 3840)
    assert not within.fits({}, shape, TAKES)
    side = within.tile({}, shape, TAKES)
    beside = AROUND * 2160 * 3840
    assert within.needed({}, (1, side, side), TAKES) - AROUND * side**2 + beside <= within.limit
    larger = (1, 2 * side + 64, 2 * side + 64)
    assert within.needed({}, larger, TAKES) + beside > within.limit


def test_nothing_is_compiled_twice_to_ask() -> None:
    asked = []

    def needs(variables: object, shape: tuple[int, int, int]) -> int:
        asked.append(shape)
        return 0

    within = Budget(10**9, needs)
    for height in (97, 100, 104):
        assert within.fits({}, (2, height, 50), TAKES)
    assert asked == [(2, 104, 56)]


def test_too_little_memory_is_an_error_that_says_how_much_is_needed() -> None:
    with pytest.raises(ValueError, match=r"takes 67 MB of memory even in tiles of 64x64, .* 50 MB"):
        budget(50_000_000, weights=66_000_000).tile({}, (1, 100, 100), TAKES)
    with pytest.raises(ValueError, match="even in tiles of 64x64"):
        budget(1).tile({}, (1, 100, 100), TAKES)


def test_what_xla_plans_is_weights_pictures_and_features() -> None:
    def network(variables, image, hole):
        return image * hole * variables["w"].sum(), image

    variables = {"w": np.ones(1000, np.float32)}
    pixels = 2 * 64 * 32
    # The pictures and the hole on the way in, the pictures on the way out.
    least = 4000 + pixels * 4 * (4 + 3)
    assert least <= planned(jax.jit(network))(variables, (2, 64, 32)) < 4 * least


def test_a_program_that_tells_nothing_of_its_memory_is_taken_for_a_large_one() -> None:
    assert planned(lambda image, hole: image)({}, (1, 10, 20)) == memory.UNPLANNED * 200


def test_there_is_memory_here() -> None:
    assert available() >= memory.LEAST


def test_a_container_has_what_its_limit_leaves(tmp_path: Path) -> None:
    assert memory._left_to_group(tmp_path) == math.inf
    for name, text in {"max": "max\n", "current": "700\n", "stat": "anon 300\nfile 400\n"}.items():
        (tmp_path / f"memory.{name}").write_text(text)
    assert memory._left_to_group(tmp_path) == math.inf
    (tmp_path / "memory.max").write_text("1000\n")
    assert memory._left_to_group(tmp_path) == 700


def test_bytes_are_told_in_words() -> None:
    assert [in_words(n) for n in (1, 640_000_000, 2_160_000_000)] == ["1 MB", "640 MB", "2.2 GB"]
