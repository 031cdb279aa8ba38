"""What is written of scores and read again, and which scores are comparable."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxinpaint import whole_files
from jaxinpaint.evaluation import results
from jaxinpaint.evaluation.bootstrap import mean_with_interval
from jaxinpaint.evaluation.protocols import PROTOCOLS, column
from jaxinpaint.evaluation.results import (
    PICTURES,
    SCORES,
    Evaluation,
    Incomparable,
    difference,
    means,
    read,
    require_comparable,
    write,
)
from jaxinpaint.whole_files import replaced


def evaluation(
    method: str = "telea",
    *,
    pictures: int = 6,
    protocols: tuple[str, ...] = ("house", "partial-conv"),
    lpips: bool = False,
    **fields: Any,
) -> Evaluation:
    """Scores of two holes in each picture, a narrow and a wide one."""
    cases = 2 * pictures
    values = {
        column(name, picture, metric): np.random.default_rng(i).random(cases)
        for name in protocols
        for picture in PROTOCOLS[name].pictures
        for i, metric in enumerate(
            [
                *(one.name for one in PROTOCOLS[name].metrics),
                *(f"lpips_{network}" for network in PROTOCOLS[name].lpips if lpips),
            ]
        )
    }
    found = Evaluation(
        method=method,
        manifest="3f9a" * 16,
        protocols=protocols,
        size=64,
        names=tuple(f"{i // 2:06d}-{i % 2}" for i in range(cases)),
        pictures=tuple(f"{i // 2}.jpg" for i in range(cases)),
        missing=np.tile([0.15, 0.35], pictures),
        touches_border=np.tile([False, True], pictures),
        values=values,
        overall={},
        left_out={},
        details={},
    )
    return found._replace(**fields)


def changed(folder: Path, **told: Any) -> None:
    """Other entries in a folder's scores.json; None takes one out."""
    scores = json.loads((folder / SCORES).read_text()) | told
    kept = {name: value for name, value in scores.items() if value is not None}
    (folder / SCORES).write_text(json.dumps(kept))


def no_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def test_means_are_those_of_each_column_alone() -> None:
    found = evaluation()
    pictures = np.array(found.pictures)
    for name, members in results.groups(PROTOCOLS["partial-conv"], found):
        for key, mean in means("partial-conv", found)[name].items():
            alone = mean_with_interval(found.values[key][members], pictures[members])
            # Of float64, summed in another order.
            np.testing.assert_allclose(mean, alone, rtol=1e-12)
    assert means("lama", found) == {"all": {}, "0.1-0.2": {}, "0.3-0.4": {}}


def test_scores_json_is_json_where_there_are_no_intervals_and_no_numbers(tmp_path) -> None:
    key = column("house", "composite", "fid")
    found = evaluation(pictures=4, overall={key: math.nan}, details={"losses": (1.0, math.inf)})
    write(found, tmp_path)
    told = json.loads((tmp_path / SCORES).read_text(), parse_constant=no_constant)
    assert told["format"] == 1
    psnr = told["protocols"]["house"]["all"]["composite/psnr"]
    assert psnr == {
        "mean": found.values["house/composite/psnr"].mean(),
        "low": None,
        "high": None,
    }
    assert told["overall"] == {key: None}
    assert told["details"] == {"losses": [1.0, None]}
    assert math.isnan(read(tmp_path).overall[key])


def test_values_that_are_no_numbers_are_read_as_they_were(tmp_path) -> None:
    found = evaluation()
    found.values["house/composite/psnr"][3] = math.nan
    write(found, tmp_path)
    for key, values in read(tmp_path).values.items():
        np.testing.assert_array_equal(values, found.values[key], err_msg=key)


def test_names_may_have_any_letters_and_bytes(tmp_path) -> None:
    names = ["ä,\n.jpg", '"ß".jpg', b"\xff.jpg".decode(errors="surrogateescape"), *"abc"]
    pictures = tuple(np.repeat(names, 2).tolist())
    write(evaluation(pictures=6)._replace(pictures=pictures), tmp_path)
    assert read(tmp_path).pictures == pictures


def fill_the_disk(path: Path) -> None:
    with replaced(path) as unfinished:
        unfinished.write_text("ne")
        raise OSError("the disk is full")


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path) -> None:
    path = tmp_path / "scores.json"
    path.write_text("old")
    with pytest.raises(OSError, match="full"):
        fill_the_disk(path)
    assert path.read_text() == "old"
    with replaced(path) as unfinished:
        unfinished.write_text("new")
        assert path.read_text() == "old"
        assert unfinished.parent == path.parent
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_can_not_be_written_leaves_nothing(tmp_path, monkeypatch) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        write(evaluation(details={"of": object()}), tmp_path)
    assert list(tmp_path.iterdir()) == []

    def lines(found: Evaluation) -> Iterator[tuple[str, ...]]:
        yield found.names
        raise OSError("the disk is full")

    monkeypatch.setattr(results, "_lines", lines)
    with pytest.raises(OSError, match="full"):
        write(evaluation(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_scores_json_comes_last(tmp_path, monkeypatch) -> None:
    order = []
    replace = whole_files.os.replace

    def noted(source: Path, target: Path) -> None:
        order.append(Path(target).name)
        replace(source, target)

    monkeypatch.setattr(whole_files.os, "replace", noted)
    write(evaluation(), tmp_path)
    assert order == [PICTURES, SCORES]


def refused(folder: Path) -> str:
    """What is told of a folder that can't be read: a line that names it."""
    with pytest.raises(ValueError, match=r".") as refusal:
        read(folder)
    told = str(refusal.value)
    assert "\n" not in told
    assert str(folder) in told
    return told


def test_a_file_is_no_folder(tmp_path) -> None:
    write(evaluation(), tmp_path)
    assert f"is a file: scores are read from a method's folder, such as {tmp_path}" in refused(
        tmp_path / SCORES
    )


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"format": 2}, "of format 2, this version of jaxinpaint reads 1: judge again"),
        ({"format": 2, "details": 7}, "of format 2"),
        ({"protocols": {"mine": {}}}, "'mine' is nothing that this version of jaxinpaint measures"),
        ({"overall": {"house/composite/kid": 1.0}}, "'house/composite/kid' is nothing"),
        ({"overall": {"house/fid": 1.0}}, "'house/fid' is nothing"),
        ({"overall": [1.0]}, "can't be read"),
        ({"details": {"judges": [1]}}, "their judges are [1]"),
        ({"cases": 11}, "pictures.csv has 12 cases of 11"),
        ({"manifest": None}, "no 'manifest' is there"),
    ],
)
def test_scores_of_another_version_are_told(told, message, tmp_path) -> None:
    write(evaluation(), tmp_path)
    changed(tmp_path, **told)
    assert message in refused(tmp_path)


def test_the_version_that_wrote_the_scores_is_told(tmp_path) -> None:
    write(evaluation(details={"versions": {"jaxinpaint": "7.1"}}), tmp_path)
    changed(tmp_path, format=2)
    assert "the version that wrote them, 7.1" in refused(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("house/composite/psnr,", "mine/composite/psnr,", "'mine/composite/psnr' is nothing"),
        ("house/composite/psnr,", "house/input/psnr,", "'house/input/psnr' is nothing"),
        ("0.15", "0.15" + "1" * 140_000, "field larger than field limit"),
        ("0.15", "much", "can't be read"),
        ("name,picture", "picture,picture", "no 'name' is there"),
        ("000005-1,", "", "can't be read"),
    ],
)
def test_damaged_values_are_told(old, new, message, tmp_path) -> None:
    write(evaluation(), tmp_path)
    text = (tmp_path / PICTURES).read_text()
    assert old in text
    (tmp_path / PICTURES).write_text(text.replace(old, new, 1))
    assert message in refused(tmp_path)


def test_scores_without_a_format_are_of_the_first(tmp_path) -> None:
    write(evaluation(), tmp_path)
    changed(tmp_path, format=None)
    assert read(tmp_path).method == "telea"


def judged_by(method: str, *, overall: tuple[str, ...] = (), **digests: str) -> Evaluation:
    return evaluation(
        method,
        lpips=True,
        overall={column("house", "composite", name): 1.0 for name in overall},
        details={"judges": digests},
    )


def test_scores_through_networks_of_other_weights_are_not_comparable() -> None:
    one, other = judged_by("a", lpips_vgg="1", lpips_alex="2"), judged_by("b", lpips_vgg="3")
    with pytest.raises(Incomparable, match="a and b were judged through two networks for lpips_vg"):
        require_comparable([one, other])
    with pytest.raises(Incomparable, match="their lpips_vgg can't be compared"):
        difference(one, other, "house/composite/lpips_vgg")
    # Not those that look through others, or through none, or through what isn't known.
    for name in ("lpips_alex", "psnr"):
        assert difference(one, other, f"house/composite/{name}").mean == 0
    # Nor if the scores are of protocols that are left out.
    require_comparable([e._replace(protocols=("partial-conv",)) for e in (one, other)])
    # Of three methods the first may be of none.
    with pytest.raises(Incomparable, match="a and b"):
        require_comparable([evaluation("c"), one, other])


def test_chances_to_be_taken_for_true_look_through_the_network_of_fid() -> None:
    one, other = (judged_by(name, overall=("p_ids",), fid=name) for name in "ab")
    with pytest.raises(Incomparable, match="two networks for fid, of other weights: their p_ids"):
        require_comparable([one, other])
    require_comparable([one, one._replace(method="b")])
