import pytest

from jaxinpaint.recipes.base import Multiple
from jaxinpaint.sizes import padded_sides, rounded_down, rounded_up

TAKES = [Multiple(1), Multiple(4), Multiple(8, least=16), Multiple(64), Multiple(12)]


@pytest.mark.parametrize("takes", TAKES)
def test_sides_are_padded_to_what_the_network_takes_and_not_far(takes: Multiple) -> None:
    for side in range(1, 3000):
        wanted = rounded_up(side, takes)
        assert wanted % takes.of == 0
        assert wanted >= max(side, takes.least)
        assert wanted < max(side * 9 / 8, side, takes.least) + takes.of
        assert rounded_up(wanted, takes) == wanted or takes.of == 12  # of no power of two


@pytest.mark.parametrize("takes", TAKES)
def test_there_are_eight_lengths_an_octave(takes: Multiple) -> None:
    for octave in (256, 512, 1024, 2048):
        assert len({rounded_up(side, takes) for side in range(octave + 1, 2 * octave + 1)}) <= 9


@pytest.mark.parametrize("takes", TAKES)
def test_the_greatest_length_below_is_one_that_is_padded_to(takes: Multiple) -> None:
    for side in range(1, 3000):
        below = rounded_down(side, takes)
        assert below % takes.of == 0
        assert below <= max(side, takes.least, takes.of)


def test_a_picture_that_a_network_takes_is_not_padded() -> None:
    takes = Multiple(8, least=16)
    assert padded_sides(1080, 1928, takes) == (1080, 1928)
    assert padded_sides(1080, 1929, takes) == (1152, 2048)
    assert padded_sides(8, 16, takes) == (16, 16)
    assert padded_sides(1, 1, takes) == (16, 16)
