"""What was judged at different times, side by side."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli.commands import Command, only_line

from jaxinpaint.cli.compare import compare
from jaxinpaint.evaluation import results
from jaxinpaint.evaluation.protocols import column
from jaxinpaint.evaluation.results import Evaluation

LAMA = column("lama", "composite", "ssim")
VGG = column("lama", "composite", "lpips_vgg")
CRFILL = column("crfill", "composite", "psnr")


def judged(folder: Path, method: str | None = None, psnr: float = 20, **fields: Any) -> Path:
    """A folder with scores of a method, of the folder's name if it isn't told."""
    noise = np.random.default_rng(0).random(6)
    scores = Evaluation(
        method=method or folder.name,
        manifest="3f9a" * 16,
        protocols=("lama", "crfill"),
        size=64,
        names=tuple("abcdef"),
        pictures=tuple("abcdef"),
        missing=np.tile([0.15, 0.35], 3),
        touches_border=np.zeros(6, bool),
        values={LAMA: noise, CRFILL: psnr + noise},
        overall={},
        left_out={},
        details={"versions": {"jaxinpaint": "1.0"}},
    )
    folder.mkdir(parents=True)
    results.write(scores._replace(**fields), folder)
    return folder


def heads(out: str) -> list[str]:
    """Names of methods in the first table."""
    return out.splitlines()[1].split()


def test_methods_with_other_metrics_are_compared_and_it_is_told_why(tmp_path, capsys) -> None:
    values = {LAMA: np.full(6, 0.5), VGG: np.full(6, 0.25)}
    none = {"lpips_vgg": "no weights", "fid": "no weights"}
    with_lpips = judged(tmp_path / "with", protocols=("lama",), values=values)
    without = judged(tmp_path / "without", left_out=none)
    for folders in ((with_lpips, without), (without, with_lpips)):
        compare(folders)
        out = capsys.readouterr().out
        assert sorted(heads(out)) == ["with", "without"]
        (line,) = (line for line in out.splitlines() if "lpips_vgg↓" in line and "0.2500" in line)
        assert sorted(line.split()[2:]) == ["0.2500", "–"]
        assert "not measured: lpips_vgg (without), fid (without): no weights\n" in out
    compare((without,), protocols=("crfill",))
    assert "not measured" not in capsys.readouterr().out


def test_methods_of_one_name_are_told_apart_by_their_folders(tmp_path, capsys) -> None:
    monday, tuesday = (judged(tmp_path / day / "telea") for day in ("monday", "tuesday"))
    other = judged(tmp_path / "monday" / "grey")
    compare((monday, tuesday, other))
    assert heads(capsys.readouterr().out) == ["monday/telea", "tuesday/telea", "grey"]
    # Each as short as may be, and nobody else's name.
    old, deeper = judged(tmp_path / "old", "telea"), judged(tmp_path / "x" / "grey", "telea")
    mine = judged(tmp_path / "mine", "old")
    compare((monday, old, deeper, other, mine))
    assert heads(capsys.readouterr().out) == [
        *("telea", f"{tmp_path.name}/old", "x/grey", "grey", "old")
    ]


def test_a_folder_is_compared_once_and_the_first_stays_first(tmp_path, capsys) -> None:
    for name in ("a", "b", "c"):
        judged(tmp_path / name)
    compare((tmp_path / "b", tmp_path, tmp_path / "a" / ".." / "b"))
    assert heads(capsys.readouterr().out) == ["b", "a", "c"]


def test_groups_are_told_if_asked_for(tmp_path, capsys) -> None:
    folder = judged(tmp_path / "a")
    compare((folder,))
    assert "missing" not in capsys.readouterr().out
    compare((folder,), groups=True)
    out = capsys.readouterr().out
    assert "lama, missing 0.1-0.2; 3 cases of 3 pictures" in out
    assert "lama, missing 0.3-0.4; 3 cases of 3 pictures" in out


def test_a_report_has_the_same_names_and_protocols(tmp_path, capsys) -> None:
    folders = tuple(judged(tmp_path / day / "telea") for day in ("monday", "tuesday"))
    report = tmp_path / "compared.html"
    compare(folders, protocols=("crfill",), report=report)
    assert capsys.readouterr().out.endswith(f"\n{report}\n")
    page = report.read_text(encoding="utf-8")
    assert "monday/telea" in page
    assert "tuesday/telea" in page
    assert "lama" not in page


def test_other_versions_are_warned_of_in_a_line(tmp_path, caplog) -> None:
    one, same = judged(tmp_path / "a"), judged(tmp_path / "b")
    compare((one, same, judged(tmp_path / "untold", details={})))
    assert not caplog.records
    other = judged(tmp_path / "c", details={"versions": {"jaxinpaint": "2.0"}})
    compare((one, other, same))
    (record,) = caplog.records
    assert record.getMessage() == "judged by different versions of jaxinpaint (1.0: a, b; 2.0: c)"


def test_a_protocol_that_looks_through_no_network_is_compared_whoever_judged(
    tmp_path, capsys
) -> None:
    values = {VGG: np.full(6, 0.25), CRFILL: np.full(6, 20.0)}
    folders = tuple(
        judged(tmp_path / name, values=values, details={"judges": {"lpips_vgg": name}})
        for name in "ab"
    )
    with pytest.raises(ValueError, match="a and b were judged through two networks for lpips_vgg"):
        compare(folders)
    assert capsys.readouterr().out == ""
    compare(folders, protocols=("crfill",))
    assert heads(capsys.readouterr().out) == ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name the folders of methods to compare"),
        (["a/scores.json"], "a/scores.json is a file: scores are read from a method's folder"),
        (["nowhere"], "nowhere has no scores"),
        (["a", "--protocols", "mat"], "not all were judged by mat, but by lama, crfill"),
        (["a", "mine"], "there is no protocol that all were judged by"),
        (["a", "damaged"], "damaged has scores that can't be read"),
    ],
)
def test_mistakes_are_told_in_one_line(
    arguments, message, call: Command, tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    judged(Path("a"))
    judged(Path("mine"), protocols=("mat",), values={})
    judged(Path("damaged"))
    os.truncate("damaged/pictures.csv", 100)
    assert call("compare", *arguments) == 2
    assert message in only_line(capsys)
