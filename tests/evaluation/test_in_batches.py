import jax.numpy as jnp
import numpy as np
import pytest

from jaxinpaint.array_typing import Hole, Image, Variables
from jaxinpaint.evaluation import metrics
from jaxinpaint.evaluation.in_batches import Squares, filled_batches, mean_scores


@pytest.mark.parametrize("number", [1, 3, 4, 5, 8])
def test_every_example_counts_once_and_all_batches_are_of_one_size(number: int) -> None:
    examples = np.arange(number) + 10
    batches = list(filled_batches([examples, -examples], 4))
    assert all(len(part) == 4 for batch in batches for part in batch)
    counted = np.concatenate([batch[0][batch[2] == 1] for batch in batches])
    np.testing.assert_array_equal(counted, examples)
    for some, negative, counts in batches:
        np.testing.assert_array_equal(some, -negative)
        assert set(counts) <= {0, 1}


@pytest.mark.parametrize("batch_size", [1, 2, 5, 8])
def test_the_mean_does_not_depend_on_the_batch_size(batch_size: int) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 256, (5, 4, 6, 3), np.uint8)
    hole = np.zeros((5, 4, 6, 1), bool)
    hole[:, :2] = True
    traced = []

    def brighter(variables: Variables, image: Image, hole: Hole) -> Image:
        traced.append(image.shape)
        return image + variables["by"] * (hole + 5 * (1 - hole))

    measures = {
        "psnr": lambda x, y, hole: metrics.psnr(x, y, region=hole),
        "l1": lambda x, y, hole: metrics.l1(x, y),
    }
    score = mean_scores(brighter, Squares(truth, truth, hole), batch_size, measures)
    # In the hole alone all is off by 0.1: -20 log10(0.1) dB. Rounding of float32 takes 1e-4 of it.
    assert score({"by": jnp.float32(0.1)})["psnr"] == pytest.approx(20, abs=1e-3)
    assert score({"by": jnp.float32(0.01)})["psnr"] == pytest.approx(40, abs=1e-2)
    # Half of the pixels by 0.1, half by 0.5.
    assert score({"by": jnp.float32(0.1)})["l1"] == pytest.approx(0.3, abs=1e-5)
    assert traced == [(batch_size, 4, 6, 3)], "compiled once"
