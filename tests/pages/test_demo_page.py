"""The page on which holes are painted, in Chromium."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest
from cli.commands import typed
from PIL import Image

import jaxinpaint
from jaxinpaint.array_typing import RGB, Missing
from jaxinpaint.data.pictures import read_rgb
from jaxinpaint.data.sources import built_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytest.importorskip("gradio", reason="the demo needs Gradio")

PHOTO = built_in("held_out") / "chelsea.png"
SOON = 120_000  # milliseconds: the first filling compiles, beside other tests


class Served(NamedTuple):
    """A demo that runs."""

    url: str
    folder: Path  # of all its temporary files


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The demo as a user starts it, with less room than by default."""
    folder = tmp_path_factory.mktemp("demo")
    words = ("--max-upload", "8MB", "--max-megapixels", "0.2")
    with subprocess.Popen(
        [sys.executable, "-m", "jaxinpaint", "demo", *words],
        stdout=subprocess.PIPE,
        text=True,
        env={**_environment(), "TMPDIR": str(folder)},
    ) as server:
        try:
            assert server.stdout is not None
            said = server.stdout.readline()
            found = re.fullmatch(r"at (http://127\.0\.0\.1:\d+/) until Ctrl\+C\n", said)
            assert found, said
            yield Served(found[1], folder)
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(60) == 0
    assert list(folder.iterdir()) == []  # nothing of anybody's stays


def _environment() -> dict[str, str]:
    root = str(Path(jaxinpaint.__file__).parents[1])
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": paths}


def photo_opened(page: "Page", demo: Served, photo: Path = PHOTO) -> None:
    page.goto(demo.url)
    page.set_input_files("#photo input[type=file]", photo)
    page.wait_for_selector("#editor canvas", timeout=SOON)
    page.wait_for_function("document.querySelector('#fill').disabled === false")


def mask_opened(page: "Page", path: Path) -> None:
    page.set_input_files("#mask input[type=file]", path)
    page.locator("#mask", has_text=path.stem).wait_for(timeout=SOON)
    page.wait_for_timeout(3000)  # the canvas is drawn anew, without what is painted before that


def stroke(page: "Page", *places: tuple[float, float]) -> None:
    """Paints from place to place, told in shares of the canvas."""
    page.wait_for_timeout(1000)  # the picture is fitted to the canvas
    canvas = page.locator("#editor canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=20)
    page.mouse.up()
    page.wait_for_timeout(500)  # what was painted goes to the server


def fill(page: "Page") -> None:
    """Presses the button, and waits for what it makes.

    Raises:
        AssertionError: if the page tells of a mistake instead.
    """
    before = shown(page)
    page.click("#fill")
    page.wait_for_function(
        "before => document.querySelector('.toast-body') || ("
        "document.querySelector('#download')"
        " && (document.querySelectorAll('#result img')[1] || {}).src != before)",
        arg=before,
        timeout=SOON,
    )
    toasts = page.locator(".toast-body")
    assert toasts.count() == 0, toasts.first.inner_text()


def stroke_and_fill(page: "Page", *places: tuple[float, float]) -> None:
    """Paints and fills; on a busy machine the editor may not have been ready for paint."""
    for _ in range(5):
        stroke(page, *places)
        try:
            return fill(page)
        except AssertionError as error:
            if "there is no hole" not in str(error):
                raise
            page.locator(".toast-close").first.click()
            page.wait_for_timeout(2000)
    raise AssertionError("what is painted does not arrive")


def shown(page: "Page") -> str | None:
    """Where the picture to the right of the slider comes from."""
    images = page.locator("#result img")
    return images.nth(1).get_attribute("src") if images.count() > 1 else None


def downloaded(page: "Page", folder: Path) -> RGB:
    with page.expect_download() as download:
        page.click("#download")
    assert download.value.suggested_filename == "chelsea-filled.png"
    target = folder / download.value.suggested_filename
    download.value.save_as(target)
    return read_rgb(target)


def changed(before: RGB, after: RGB) -> Missing:
    return np.any(before != after, axis=-1)


def mask(path: Path, rows: slice, columns: slice) -> tuple[Path, Missing]:
    hole = np.zeros((300, 451), bool)
    hole[rows, columns] = True
    Image.fromarray(hole).save(path)
    return path, hole


def error(page: "Page") -> str:
    """What the page says of a mistake."""
    told = page.locator(".toast-body").first
    told.wait_for(timeout=SOON)
    return told.inner_text()


def test_a_hole_is_painted_and_filled_and_painted_on(
    page: "Page", demo: Served, tmp_path: Path, screenshots: Path
) -> None:
    photo_opened(page, demo)
    stroke_and_fill(page, (0.45, 0.45), (0.6, 0.6))
    page.screenshot(path=screenshots / "demo.png", full_page=True)
    first, photo = downloaded(page, tmp_path), read_rgb(PHOTO)
    assert first.shape == photo.shape
    hole = changed(photo, first)
    assert 0.005 < hole.mean() < 0.1
    # A stroke from left above to right below, in the middle: what is known has not changed a bit.
    rows, columns = np.nonzero(hole)
    for places, side, (low, high) in ((rows, 300, (0.3, 0.8)), (columns, 451, (0.3, 0.8))):
        assert low * side < np.min(places) <= np.max(places) < high * side
    assert np.corrcoef(rows, columns)[0, 1] > 0.5

    page.click("#go-on")
    page.wait_for_selector("#download", state="hidden")
    stroke_and_fill(page, (0.3, 0.2), (0.4, 0.2))
    second = downloaded(page, tmp_path)
    again = changed(first, second)
    assert 0.001 < again.mean() < 0.1
    assert not np.any(again & hole)
    rows, _ = np.nonzero(again)
    assert rows.max() < 0.35 * 300


def test_a_mask_is_filled_as_the_command_fills_it(
    page: "Page", demo: Served, tmp_path: Path
) -> None:
    path, hole = mask(tmp_path / "hole.png", slice(100, 160), slice(200, 260))
    photo_opened(page, demo)
    mask_opened(page, path)
    fill(page)
    found, photo = downloaded(page, tmp_path), read_rgb(PHOTO)
    np.testing.assert_array_equal(found, jaxinpaint.load()(photo, hole))


def test_another_method_fills(page: "Page", demo: Served, tmp_path: Path) -> None:
    path, hole = mask(tmp_path / "hole.png", slice(100, 160), slice(200, 260))
    photo_opened(page, demo)
    mask_opened(page, path)
    page.click("#by input")
    page.get_by_role("option", name="mean-colour").click()
    fill(page)
    found, photo = downloaded(page, tmp_path), read_rgb(PHOTO)
    np.testing.assert_array_equal(found[~hole], photo[~hole])
    assert len(np.unique(found[hole], axis=0)) == 1


def test_what_is_wrong_is_said(page: "Page", demo: Served, tmp_path: Path) -> None:
    text, many, other = (tmp_path / name for name in ("text.png", "many.png", "other.png"))
    text.write_text("no picture")
    Image.new("RGB", (500, 500)).save(many)
    Image.new("L", (30, 20), 255).save(other)
    for file, said in (
        (text, "text.png: not a picture that Pillow can read"),
        (many, "many.png is 500x500: 0.25 million pixels, and 0.2 million are the most"),
    ):
        photo_opened(page, demo)
        page.locator("#photo button[aria-label='Clear']").click()
        page.wait_for_function("document.querySelector('#fill').disabled === true")
        page.set_input_files("#photo input[type=file]", file)
        assert said in error(page)
        page.locator("#photo", has_text=file.stem).wait_for(state="detached", timeout=SOON)
        assert page.locator("#fill").is_disabled()
    photo_opened(page, demo)
    page.click("#fill")
    assert "there is no hole" in error(page)
    photo_opened(page, demo)
    page.set_input_files("#mask input[type=file]", other)
    assert "other.png is 30x20, but chelsea.png is 451x300" in error(page)


def test_large_files_are_refused(chromium: "Browser", demo: Served, tmp_path: Path) -> None:
    page = chromium.new_page()
    page.goto(demo.url)
    large = tmp_path / "large.png"
    large.write_bytes(bytes(8_000_001))
    page.set_input_files("#photo input[type=file]", large)
    assert "exceed the maximum allowed size" in error(page)
    page.close()


def test_users_do_not_see_each_other(chromium: "Browser", demo: Served, tmp_path: Path) -> None:
    photo = read_rgb(PHOTO)
    photos, masks, pages = [], [], []
    for i, rows in enumerate((slice(20, 80), slice(200, 260))):
        photos.append(np.roll(photo, 40 * i, axis=1))
        folder = tmp_path / str(i)
        folder.mkdir()
        Image.fromarray(photos[i]).save(folder / "chelsea.png")
        masks.append(mask(folder / "hole.png", rows, slice(100, 200)))
        pages.append(chromium.new_context().new_page())
        photo_opened(pages[i], demo, folder / "chelsea.png")
        mask_opened(pages[i], masks[i][0])
    for page in pages:  # both at once
        page.click("#fill")
    for i, page in enumerate(pages):
        page.wait_for_selector("#result img", timeout=SOON)
        found, (_, hole) = downloaded(page, tmp_path / str(i)), masks[i]
        np.testing.assert_array_equal(found[~hole], photos[i][~hole])
        assert np.any(found[hole] != photos[i][hole])
        page.context.close()


def test_paint_and_mask_are_one_hole_and_the_bin_takes_paint_alone(
    page: "Page", demo: Served, tmp_path: Path
) -> None:
    path, hole = mask(tmp_path / "hole.png", slice(240, 280), slice(20, 60))
    photo_opened(page, demo)
    mask_opened(page, path)
    for _ in range(3):  # on a busy machine the canvas is drawn anew later than that
        stroke_and_fill(page, (0.45, 0.3), (0.6, 0.3))
        both = changed(read_rgb(PHOTO), downloaded(page, tmp_path))
        assert both[hole].mean() > 0.9  # a pixel may be filled with what it was
        if both[:150].any():
            break
    else:
        raise AssertionError("what is painted does not arrive")

    page.click("#editor button[aria-label='Clear canvas']")
    page.wait_for_timeout(2000)  # the photograph is put back
    fill(page)
    left = changed(read_rgb(PHOTO), downloaded(page, tmp_path))
    assert left[hole].mean() > 0.9
    assert not np.any(left & ~hole)


def refusal(url: str, **headers: str) -> int:
    with pytest.raises(HTTPError) as refused:
        urlopen(Request(url, headers=headers))
    with refused.value as answer:
        return answer.code


def test_no_other_file_is_served(demo: Served) -> None:
    (folder,) = demo.folder.iterdir()
    secret = folder / "own" / "secret.txt"
    secret.write_text("secret")
    package = Path(jaxinpaint.__file__)
    for file in (secret, package, Path("/etc/hostname"), folder / "served/../own/secret.txt"):
        assert refusal(f"{demo.url}gradio_api/file={file}") == 403
    assert refusal(f"{demo.url}gradio_api/file=https://example.org/") == 403
    secret.unlink()


def test_other_sites_are_refused(demo: Served) -> None:
    assert refusal(demo.url, Host="example.org") == 403
    assert refusal(demo.url, Origin="http://example.org") == 403
    with urlopen(Request(demo.url, headers={"Origin": demo.url.rstrip("/")})) as answer:
        assert answer.status == 200


def test_a_port_that_is_taken_is_told(demo: Served, tmp_path: Path) -> None:
    port = demo.url.rstrip("/").rpartition(":")[2]
    done = typed("demo", "--port", port, cwd=tmp_path)
    assert done.returncode == 2
    assert f"error: port {port} is taken at 127.0.0.1; say another by --port\n" in done.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["nowhere"], "error: there is no run folder and no file nowhere"),
        (["--max-upload", "1MB"], "error: --max-upload is 1MB; what is painted alone may take 8MB"),
        (["--max-megapixels", "0"], "error: --max-megapixels is 0; it must be more than 0"),
        (["--host", "192.0.2.1"], "error: can't listen at 192.0.2.1: "),
    ],
)
def test_options_that_can_not_be(options: list[str], told: str, tmp_path: Path) -> None:
    done = typed("demo", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
