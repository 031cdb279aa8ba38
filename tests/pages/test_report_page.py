"""The page of a report, in Chromium."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli.commands import typed

if TYPE_CHECKING:
    from playwright.sync_api import Page


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
    # From the scores to the first pictures.
    start, end = page.get_by_role("heading", name="house"), page.locator("h4", has_text="Worst")
    places = [found.first.bounding_box() for found in (start, end)]
    assert all(places)
    page.screenshot(path=screenshots / "report.png", full_page=True)
    # A slider uncovers the truth.
    case = page.locator("figure.case").first
    pictures, slider = case.locator(".pictures"), case.locator("input[type=range]")
    half = pictures.screenshot()
    slider.fill("100")
    assert pictures.screenshot() != half


def test_scores_are_sorted_by_a_click(page: "Page", report: Path) -> None:
    page.goto(report.as_uri())
    table = page.locator("table").first
    column = table.get_by_role("button", name="L1, hole")
    column.click()
    column.click()  # the smallest first
    cells = table.locator("tbody").nth(0).locator("tr:has(td)")
    told = [
        float(cells.nth(i).locator("data").nth(3).get_attribute("value") or "nan") for i in (0, 1)
    ]
    assert told[0] <= told[1]
