"""The network that comes along: how large it is, and that it is worth it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxinpaint import ready
from jaxinpaint.cli.evaluate import evaluate

CLASSICAL = ("telea", "navier-stokes", "biharmonic")
BUCKETS = ("0.1-0.2", "0.2-0.3", "0.3-0.4", "0.4-0.5", "0.5-0.6")


def test_it_is_small_and_its_card_says_what_it_may_be_used_for() -> None:
    assert ready.NETWORK.stat().st_size < 12_000_000
    assert "for research and education" in ready.NETWORK.with_name("MODEL_CARD.md").read_text()


def test_it_beats_classical_methods_on_photographs_it_has_not_seen(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    pytest.importorskip("skimage")
    evaluate((ready.NAME, *CLASSICAL), output=tmp_path, size=128)  # of those that come along

    def scores(method: str) -> dict[str, Any]:
        told = json.loads((tmp_path / method / "scores.json").read_text())
        return told["protocols"]["house"]

    ours = scores(ready.NAME)
    for method in CLASSICAL:
        theirs = scores(method)
        assert mean(ours, "l1_hole") < mean(theirs, "l1_hole")
        assert mean(ours, "ssim") > mean(theirs, "ssim")


def mean(scores: dict[str, Any], metric: str) -> float:
    """Of all holes above a tenth: a bucket has one in each of two photographs, too few to tell."""
    return float(np.mean([scores[bucket][f"composite/{metric}"]["mean"] for bucket in BUCKETS]))
