"""Scores as text."""

import math

import numpy as np
import pytest

from jaxinpaint.evaluation.protocols import column
from jaxinpaint.evaluation.results import Evaluation, Incomparable
from jaxinpaint.evaluation.tables import differences, left_out, table, tables_of_groups

VGG, FID = column("lama", "composite", "lpips_vgg"), column("lama", "composite", "fid")
SSIM, PSNR = column("lama", "composite", "ssim"), column("crfill", "composite", "psnr")


def evaluation(
    method: str,
    values: dict[str, float],
    *,
    overall: dict[str, float] | None = None,
    left_out: dict[str, str] | None = None,
    pictures: int = 6,
    **digests: str,
) -> Evaluation:
    """Scores of two holes in each picture, a wide one and a narrow one, of these means."""
    cases = 2 * pictures
    off = np.tile([0.25, -0.25], pictures)
    return Evaluation(
        method=method,
        manifest="3f9a" * 16,
        protocols=("lama", "crfill"),
        size=64,
        names=tuple(f"{i // 2:06d}-{i % 2}" for i in range(cases)),
        pictures=tuple(f"{i // 2}.jpg" for i in range(cases)),
        missing=np.tile([0.15, 0.35], pictures),
        touches_border=np.tile([False, True], pictures),
        values={key: mean + off for key, mean in values.items()},
        overall=overall or {},
        left_out=left_out or {},
        details={"judges": digests},
    )


def rows(text: str) -> list[list[str]]:
    """What is below the heading, without the names of methods."""
    return [line.split() for line in text.splitlines()[2:]]


def test_a_table_tells_cases_pictures_and_which_way_is_better() -> None:
    one = evaluation("telea", {SSIM: 0.5, VGG: 0.25}, overall={FID: 12.0})
    lines = table("lama", [one]).splitlines()
    assert lines[0].startswith("lama (Suvorov et al., 2022")
    assert lines[0].endswith("; 12 cases of 6 pictures")
    assert [line.split() for line in lines[1:]] == [
        ["telea"],
        ["composite", "ssim↑", "0.5000"],
        ["composite", "lpips_vgg↓", "0.2500"],
        ["composite", "fid↓", "12.00"],
    ]
    assert rows(table("crfill", [evaluation("telea", {PSNR: 20})])) == [
        ["composite", "psnr,", "dB↑", "20.00"]
    ]
    # Shares of pictures that are taken for true ones, the only networks' scores to be high.
    ids = {column("mat", "composite", name): 0.125 for name in ("p_ids", "u_ids")}
    assert [row[1] for row in rows(table("mat", [evaluation("a", {}, overall=ids)]))] == [
        "p_ids↑",
        "u_ids↑",
    ]
    alone = evaluation("a", {SSIM: 0.5})._replace(names=("x",), pictures=("x.jpg",))
    alone = alone._replace(values={SSIM: np.array([0.5])})
    assert table("lama", [alone]).splitlines()[0].endswith("; 1 case of 1 picture")


def test_methods_with_and_without_a_metric_stand_side_by_side_in_either_order() -> None:
    judged = evaluation("judged", {SSIM: 0.5, VGG: 0.25}, overall={FID: 12.0})
    plain = evaluation("plain", {SSIM: 0.75})
    assert rows(table("lama", [judged, plain])) == [
        ["composite", "ssim↑", "0.5000", "0.7500"],
        ["composite", "lpips_vgg↓", "0.2500", "–"],
        ["composite", "fid↓", "12.00", "–"],
    ]
    assert rows(table("lama", [plain, judged])) == [
        ["composite", "ssim↑", "0.7500", "0.5000"],
        ["composite", "lpips_vgg↓", "–", "0.2500"],
        ["composite", "fid↓", "–", "12.00"],
    ]
    assert rows(tables_of_groups("lama", [plain, judged])[0])[1] == [
        *("composite", "lpips_vgg↓", "–", "0.5000")
    ]


def test_a_metric_that_only_later_methods_have_stands_with_its_picture() -> None:
    keys = [column("house", "composite", "psnr"), column("house", "output", "psnr")]
    more = column("house", "composite", "lpips_vgg")
    one = evaluation("a", dict.fromkeys(keys, 20.0))
    other = evaluation("b", {**dict.fromkeys(keys, 20.0), more: 0.5})
    assert [" ".join(row[:2]) for row in rows(table("house", [one, other]))] == [
        "composite psnr,",
        "composite lpips_vgg↓",
        "output psnr,",
    ]


def test_differences_are_of_what_both_sides_have() -> None:
    judged, plain = evaluation("judged", {SSIM: 0.5, VGG: 0.25}), evaluation("plain", {SSIM: 0.75})
    same = ["0.0000", "[0.0000,", "0.0000]"]
    assert rows(differences("lama", [judged, plain, judged])) == [
        ["composite", "ssim↑", "0.2500", "[0.2500,", "0.2500]", "+", *same],
        ["composite", "lpips_vgg↓", "–", *same],
    ]
    assert [row[1] for row in rows(differences("lama", [plain, judged]))] == ["ssim↑"]


def test_differences_without_zero_are_marked_as_better_or_worse() -> None:
    first = evaluation("first", {SSIM: 0.5, VGG: 0.25})
    more = evaluation("more", {SSIM: 0.75, VGG: 0.5})
    noise = np.array([1.0, -1.0]).repeat(6)
    unsure = first._replace(values={key: first.values[key] + noise for key in first.values})
    text = differences("lama", [first, more])
    assert "95 % intervals; + better and - worse mark those without zero" in text
    assert text.splitlines()[0].endswith("; 12 cases of 6 pictures")
    assert [(row[1], row[-1]) for row in rows(text)] == [("ssim↑", "+"), ("lpips_vgg↓", "-")]
    text = differences("lama", [more, first])
    assert [(row[1], row[-1]) for row in rows(text)] == [("ssim↑", "-"), ("lpips_vgg↓", "+")]
    assert all(row[-1].endswith("]") for row in rows(differences("lama", [first, unsure])))


def test_of_few_pictures_differences_have_no_intervals() -> None:
    few = [evaluation(name, {SSIM: mean}, pictures=4) for name, mean in (("a", 0.5), ("b", 0.75))]
    text = differences("lama", few)
    assert "(no intervals of fewer than 5 pictures); 8 cases of 4 pictures" in text
    assert rows(text) == [["composite", "ssim↑", "0.2500"]]


def test_numbers_that_are_none_are_dashes() -> None:
    one = evaluation("a", {SSIM: math.nan}, overall={FID: math.nan})
    assert [row[-1] for row in rows(table("lama", [one]))] == ["–", "–"]
    assert [row[-1] for row in rows(differences("lama", [one, one]))] == ["–"]


def test_groups_have_tables_of_their_own() -> None:
    one = evaluation("a", {SSIM: 0.5, PSNR: 20, VGG: 0.5}, overall={FID: 12.0})
    narrow, wide = tables_of_groups("lama", [one])
    assert narrow.splitlines()[0] == "lama, missing 0.1-0.2; 6 cases of 6 pictures"
    assert wide.splitlines()[0] == "lama, missing 0.3-0.4; 6 cases of 6 pictures"
    assert rows(narrow)[0] == ["composite", "ssim↑", "0.7500"]
    assert rows(wide)[0] == ["composite", "ssim↑", "0.2500"]
    assert "fid" not in narrow  # which is of all cases
    assert tables_of_groups("crfill", [one]) == []
    headings = [text.splitlines()[0] for text in tables_of_groups("partial-conv", [one])]
    assert "partial-conv, at the border; 6 cases of 6 pictures" in headings
    assert "partial-conv, missing 0.3-0.4, at the border; 6 cases of 6 pictures" in headings


def test_what_was_left_out_is_told_by_reason_and_of_whom() -> None:
    none, small = "no weights", "too small"
    one = evaluation("a", {}, left_out={"lpips_vgg": none, "fid": none, "ssim": small})
    assert left_out([one]) == {none: ["lpips_vgg", "fid"], small: ["ssim"]}
    other = evaluation("b", {}, left_out={"fid": none, "lpips_vgg": small})
    assert left_out([evaluation("c", {}), other, one]) == {
        none: ["fid (b, a)", "lpips_vgg (a)"],
        small: ["lpips_vgg (b)", "ssim (a)"],
    }
    assert left_out([one._replace(protocols=("crfill",))]) == {}


def test_only_protocols_that_look_through_other_networks_are_refused() -> None:
    values = {SSIM: 0.5, VGG: 0.25, PSNR: 20.0}
    two = [evaluation(name, values, lpips_vgg=name) for name in "ab"]
    for told in (table, tables_of_groups, differences):
        with pytest.raises(Incomparable, match="two networks for lpips_vgg"):
            told("lama", two)
        assert "dB↑" in told("crfill", two) or told is tables_of_groups
