import jax
import jax.numpy as jnp
import numpy as np
import pytest
from masks.drawing_many import SIZE, drawn, parts
from scipy import ndimage

from jaxinpaint import masks
from jaxinpaint.masks.brush import Lines, series
from jaxinpaint.masks.drawing import covered
from jaxinpaint.masks.strokes import zigzags

EXTENT = np.array(SIZE)


@pytest.fixture(scope="module")
def lines() -> Lines:
    """Two hundred strokes."""
    key, count = jax.random.key(0), jnp.float32(200)
    made = zigzags(key, SIZE, count, most=200, lines=(4, 11), width=(12, 40))
    return jax.tree.map(np.asarray, made)


def test_strokes_have_every_number_of_lines_and_go_on_where_they_ended(lines: Lines) -> None:
    assert set(lines.there.sum(axis=1)) == set(range(4, 12))
    assert np.all(np.diff(lines.there.astype(int), axis=1) <= 0)  # the first ones
    np.testing.assert_array_equal(lines.starts[:, 1:], lines.ends[:, :-1])
    assert np.all((lines.starts >= 0) & (lines.ends >= 0))
    assert np.all((lines.starts <= EXTENT) & (lines.ends <= EXTENT))


def test_a_stroke_has_one_width(lines: Lines) -> None:
    widths = 2 * lines.radii
    assert np.all(widths == widths[:, :1])
    # 12 to 40 of 256, of 48: uniform, so 200 reach to within a twentieth of both bounds.
    least, greatest = 12 * 48 / 256, 40 * 48 / 256
    assert least <= widths.min() < least + 0.3
    assert greatest - 0.3 < widths.max() <= greatest


def test_lines_go_up_and_down_in_turn_and_are_as_long_as_they_should_be(lines: Lines) -> None:
    ways = lines.ends - lines.starts
    lengths = np.linalg.norm(ways, axis=-1)
    mean = np.hypot(*SIZE) / 8
    assert lengths.max() <= 2 * mean + 1e-3  # rounding
    stopped = ((lines.ends == 0) | (lines.ends == EXTENT)).any(axis=-1)
    free = ~stopped & (lengths > 1)
    angles = np.degrees(np.arctan2(np.abs(ways[..., 0]), np.abs(ways[..., 1])))[free]
    # Up to 24° to either side of 72°: what is past the upright goes on at its other side.
    assert angles.min() > 48 - 0.1
    both = free[:, 1:] & free[:, :-1]
    assert np.all((ways[:, 1:, 0] * ways[:, :-1, 0] < 0)[both])
    # Cut at nothing and twice the mean, a normal number keeps its mean; of about 1000 lines the
    # mean deviates by 0.02 means. Those that stop are left out, which are longer ones.
    assert 0.8 * mean < lengths[free].mean() < 1.1 * mean


def test_mirroring_is_as_often_to_either_side(lines: Lines) -> None:
    to_the_right = (lines.ends - lines.starts)[..., 1].sum(axis=1) > 0
    # 200 tosses deviate by 0.035; five of these are 0.18.
    assert abs(to_the_right.mean() - 0.5) < 0.18


def test_a_stroke_is_connected(lines: Lines) -> None:
    draw = jax.jit(jax.vmap(lambda stroke: covered(series(stroke), SIZE)))
    holes = np.asarray(draw(jax.tree.map(jnp.asarray, lines)))
    assert np.all(parts(holes) == 1)


def test_every_hole_has_its_box_and_up_to_three_strokes() -> None:
    holes = drawn(masks.strokes, 200)
    # The box is half of 48 high and wide, less up to 3 at both ends.
    assert holes.sum(axis=(1, 2)).min() >= 18**2
    boxes = [ndimage.binary_opening(hole, np.ones((18, 18))).any() for hole in holes]
    assert all(boxes)
    assert {1, 2, 3} <= set(parts(holes)) <= {1, 2, 3, 4}
    # More than the box, a ninth of the picture on average; and no more than box and three strokes
    # of eight lines of ten pixels, five wide, half of it each.
    assert 1 / 9 < holes.mean() < 0.6
