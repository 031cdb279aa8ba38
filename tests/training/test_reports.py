import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from tensorboardX import SummaryWriter

from jaxinpaint.training.checkpoints import NotWritten
from jaxinpaint.training.reports import open_reports

RATES = {
    "skipped": 0.0,
    "examples_per_second": 10.0,
    "waiting_for_data": 0.25,
    "seconds_left": 120.0,
    "share_of_matrix_rate": 0.4,
}


def steps_in(folder: Path) -> list[int]:
    return [
        json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()
    ]


def test_numbers_are_told_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_reports(tmp_path, first=0, last=4) as reports:
        reports.scalars(2, {"loss": 0.5, **RATES})
    told = capsys.readouterr().out
    told_rates = "10.0 examples/s, 25% waiting for data, 40% of matrix rate"
    assert f"step 2: loss 0.5000, {told_rates}, 2.0 minutes left" in told
    assert json.loads((tmp_path / "metrics.jsonl").read_text()) == {"step": 2, "loss": 0.5, **RATES}
    assert list((tmp_path / "events").iterdir())


def test_every_step_is_told_once_after_a_kill(tmp_path: Path) -> None:
    with open_reports(tmp_path, first=0, last=9) as reports:
        for step in (2, 4, 6):
            reports.scalars(step, {"loss": 1.0, **RATES})
    with (tmp_path / "metrics.jsonl").open("a") as lines:
        lines.write('{"step": 8, "lo')
    with open_reports(tmp_path, first=4, last=9) as reports:
        reports.scalars(6, {"loss": 1.0, **RATES})
    assert steps_in(tmp_path) == [2, 4, 6]


def test_pictures_are_written_by_step(tmp_path: Path) -> None:
    with open_reports(tmp_path, first=0, last=9) as reports:
        path = reports.picture(3, np.zeros((4, 6, 3), np.uint8))
    assert path == tmp_path / "samples" / "step_00000003.png"
    assert path.exists()


def test_a_disk_that_is_full_only_as_reports_are_closed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def close(_: SummaryWriter) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(SummaryWriter, "close", close)
    with (
        pytest.raises(NotWritten, match="can't be written to: No space left on device"),
        open_reports(tmp_path, first=0, last=9),
    ):
        pass
