"""The page of a report, in Chromium."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli.commands import typed

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Page


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the network that comes along, beside what anybody can do."""
    folder = tmp_path_factory.mktemp("judged")
    methods = ("membrane", "telea", "mean-colour")
    done = typed("evaluate", *methods, "--size", "128", "-o", "judged", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "judged/report.html"


def test_a_report_is_read_without_a_network(page: "Page", report: Path, screenshots: Path) -> None:
    page.set_viewport_size({"width": 1000, "height": 900})
    page.goto(report.as_uri())
    names = page.locator("table").first.locator("tbody th").all_inner_texts()
    assert {"membrane", "telea", "mean-colour"} <= {name.strip() for name in names}
    page.screenshot(path=screenshots / "report.png", full_page=True, clip=extract(page))
    # A slider uncovers the truth.
    case = page.locator("figure.case").first
    pictures, slider = case.locator(".pictures"), case.locator("input[type=range]")
    half = pictures.screenshot()
    slider.fill("100")
    assert pictures.screenshot() != half


def extract(page: "Page") -> "FloatRect":
    """From the curves to the end of the first pictures."""
    ends = ("h2:has-text('by missing share')", "h4:has-text('Worst')")
    top, bottom = (page.locator(found).first.bounding_box() for found in ends)
    assert top
    assert bottom
    return {"x": 0, "y": top["y"] - 20, "width": 1000, "height": bottom["y"] - top["y"]}


def test_scores_are_sorted_by_a_click(page: "Page", report: Path) -> None:
    page.goto(report.as_uri())
    table = page.locator("table").first
    column = table.locator("thead th").evaluate_all(
        "headers => headers.findIndex(h => h.innerText.startsWith('L1, hole'))"
    )
    values = f"rows => rows.map(r => +r.cells[{column}].querySelector('data').value)"
    rows = table.locator("tbody").first.locator("tr:has(td data)")
    table.get_by_role("button", name="L1, hole").click()
    descending = rows.evaluate_all(values)
    table.get_by_role("button", name="L1, hole").click()
    ascending = rows.evaluate_all(values)
    assert len(set(ascending)) == 3
    assert ascending == sorted(ascending)
    assert descending == ascending[::-1]
