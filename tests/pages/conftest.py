"""A browser, as a user sees pages, and a folder for pictures of them."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# A closed network, no user of its own, and no screen.
OPTIONS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@pytest.fixture(scope="session")
def chromium() -> "Iterator[Browser]":
    playwright = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("there is no Chromium (apt-get install chromium)")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=OPTIONS.split())
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: "Browser") -> "Iterator[Page]":
    """An empty page, which may fail in nothing and ask nobody else."""
    opened = chromium.new_page(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    asked, failed = [], []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("pageerror", lambda error: failed.append(str(error)))
    yield opened
    opened.close()
    schemes = {"blob", "data", "file"}
    strangers = [url for url in asked if urlsplit(url).scheme not in schemes]
    assert [url for url in strangers if urlsplit(url).hostname != "127.0.0.1"] == []
    assert failed == []


@pytest.fixture
def screenshots(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where pictures of pages go."""
    return Path(request.config.getoption("--screenshots") or tmp_path)
