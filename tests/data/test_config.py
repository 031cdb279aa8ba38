import pytest

from jaxinpaint.data.config import DataConfig

HERE = "here"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"size": 0}, "size is 0"),
        ({"batch_size": 0}, "batch-size is 0"),
        ({"workers": -1}, "workers is -1; it must be at least 0"),
        ({"short_side": 255, "size": 256}, "short-side is 255; crops of --data.size 256"),
        ({"pairs": HERE}, "data.source: give both"),
        ({"held_out_pairs": HERE}, "data.held-out: give both"),
        ({"source": HERE, "pairs": HERE, "held_out_pairs": HERE}, "data.held-out: give both"),
        ({"source": HERE, "pairs": HERE, "held_out": HERE}, "go together"),
        ({"source": HERE, "held_out": HERE, "held_out_pairs": HERE}, "go together"),
        ({"source": HERE, "pairs": HERE, "random_colours": True}, "random-colours does not go"),
    ],
    ids=str,
)
def test_options_that_do_not_go_together_are_refused(options, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        DataConfig(**options)
