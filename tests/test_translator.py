from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_run import CENTER, CONFIG, PAIRS, SIZE_MULTIPLE, tiny_run

from jaxinpaint import recipes
from jaxinpaint.array_typing import Variables
from jaxinpaint.recipes.base import Multiple, Recipe
from jaxinpaint.run_config import NoRun, RunConfig
from jaxinpaint.translator import Translator, load, of


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("run"), PAIRS)


@pytest.fixture(scope="module")
def make(run: Path) -> Translator:
    return load(run)


def photo_of(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


PHOTO = photo_of(7, 5)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 5), (1, 6), (3, 1), (1, 1)])
def test_a_picture_of_any_size_gives_one_of_its_size(
    make: Translator, height: int, width: int
) -> None:
    photo = photo_of(height, width)
    made = make(photo)
    assert made.shape == photo.shape
    assert made.dtype == np.uint8
    assert np.any(made != photo)


def test_it_is_the_picture_that_the_recipe_makes(make: Translator) -> None:
    translate = recipes.make(PAIRS.recipe).translate
    assert translate is not None
    photo = np.random.default_rng(0).random((8, 8, 3), np.float32)
    expected = translate(make.variables, jnp.asarray(photo[None]))[0]
    # The order of float32 sums, compiled and not.
    np.testing.assert_allclose(make(photo), expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_come_back_in_their_dtype(make: Translator, dtype: type) -> None:
    made = make(np.random.default_rng(1).random((7, 5, 3)).astype(dtype))
    assert made.dtype == dtype
    assert made.min() >= 0
    assert made.max() <= 1


def test_bytes_are_translated_as_the_same_floats_are(make: Translator) -> None:
    floats = make(PHOTO.astype(np.float32) / 255)
    np.testing.assert_array_equal(make(PHOTO), np.round(floats * 255))


def test_a_picture_of_a_batch_is_translated_as_alone(make: Translator) -> None:
    photos = np.stack([photo_of(7, 5, seed) for seed in (1, 2)])
    together = make(photos)
    assert together.shape == photos.shape
    for photo, made in zip(photos, together, strict=True):
        # 1 level: the order of sums may depend on the batch's size, and so which way rounding goes.
        np.testing.assert_allclose(make(photo).astype(int), made, atol=1)


def test_beyond_the_picture_its_last_pixels_go_on(make: Translator) -> None:
    continued = np.pad(PHOTO, [(0, 1), (0, 3), (0, 0)], mode="edge")
    np.testing.assert_array_equal(make(PHOTO), make(continued)[:7, :5])


def test_an_even_picture_stays_even_to_its_border() -> None:
    def blocks(variables: Variables, image: jax.Array) -> jax.Array:
        """Each pixel is the mean of the 4x4 block that it lies in."""
        n, height, width, channels = image.shape
        means = image.reshape(n, height // 4, 4, width // 4, 4, channels).mean(axis=(2, 4))
        return means.repeat(4, axis=1).repeat(4, axis=2)

    even = np.broadcast_to(np.array([40, 180, 250], np.uint8), (7, 5, 3))
    np.testing.assert_array_equal(Translator(blocks, {}, 4)(even), even)


def test_the_network_of_these_tests_is_not_saturated(make: Translator) -> None:
    made = make(PHOTO)
    assert np.mean((made > 0) & (made < 255)) > 0.5


def test_every_pixel_is_made_from_the_picture(make: Translator) -> None:
    assert np.all(np.any(make(255 - PHOTO) != make(PHOTO), axis=-1))


def test_the_array_given_is_not_changed(make: Translator) -> None:
    photo = PHOTO.copy()
    make(photo)
    np.testing.assert_array_equal(photo, PHOTO)


@pytest.mark.parametrize(
    ("photo", "message"),
    [
        (PHOTO[..., 0], r"not \[7, 5\]"),
        (PHOTO[..., :2], r"not \[7, 5, 2\]"),
        (PHOTO[None, None], r"not \[1, 1, 7, 5, 3\]"),
        (PHOTO[:0], r"needs pixels; this one is \[0, 5, 3\]"),
        (PHOTO.astype(np.int32), "not int32"),
        (PHOTO > 3, "not bool"),
        (PHOTO.astype(np.float32), r"in \[0, 1\]"),
        (np.full((7, 5, 3), np.nan), r"in \[0, 1\]"),
        (np.full((7, 5, 3), -0.001), r"in \[0, 1\]"),
    ],
)
def test_what_cannot_be_translated_is_an_error_that_says_why(
    make: Translator, photo: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make(photo)


def test_it_is_compiled_once_for_sizes_that_round_up_to_one() -> None:
    traced = []

    def translate(variables: Variables, image: jax.Array) -> jax.Array:
        traced.append(image.shape)
        return 1 - image

    def unused(*_: object) -> Any:
        raise AssertionError

    make = of(Recipe(unused, unused, Multiple(8), translate=translate), {})
    for height, width in ((8, 16), (7, 9), (1, 15)):
        photo = photo_of(height, width)
        np.testing.assert_array_equal(make(photo), 255 - photo)
    assert traced == [(1, 8, 16, 3)]


def test_loading_takes_a_string_too_and_gives_the_same(run: Path, make: Translator) -> None:
    again = load(str(run))
    chosen: Any = jax.tree.map(np.array_equal, again.variables, make.variables)
    assert jax.tree.all(chosen)
    assert again.multiple == SIZE_MULTIPLE


@pytest.mark.parametrize("config", [CONFIG, CENTER], ids=["anywhere", "center"])
def test_a_network_that_fills_holes_is_an_error_that_says_what_runs_it(config: RunConfig) -> None:
    with pytest.raises(ValueError, match=r"no pictures from others: .*jaxinpaint inpaint"):
        of(recipes.make(config.recipe), {})


def test_a_folder_that_is_no_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoRun, match="there is no run folder"):
        load(tmp_path / "gone")
