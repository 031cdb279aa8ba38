"""The page: a photograph, a brush, and what fills the hole."""

import errno
import html
import ipaddress
import logging
import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import gradio as gr
import numpy as np
from gradio import processing_utils
from starlette.middleware import Middleware

from jaxinpaint.array_typing import Missing
from jaxinpaint.demo.guard import Guard
from jaxinpaint.demo.opened import (
    VIEW,
    Opened,
    fill,
    hole_of_strokes,
    open_photo,
    read_mask,
    save,
    view,
)
from jaxinpaint.evaluation.baselines import Fill

BRUSH = "#e11d48"
SYSTEM_FONTS = ("system-ui", "sans-serif")

# Seconds after which files that were shown are deleted, and how often that is looked for.
KEPT, LOOKED = 3600, 600
WAITING = 32  # requests that may wait for their turn
VISITS = 16  # whose photographs are kept, the newest

WEIGHTS = "The weights that come along are for research and education."

LOOPBACK = ("127.0.0.1", "localhost", "::1")  # what browsers here may call this machine
FIRST_PORT, LAST_PORT = 7860, 7959

log = logging.getLogger(__name__)

MENDABLE = (ValueError, OSError, ArithmeticError, ModuleNotFoundError)

# What becomes of a component: a value, or what `gr.update` says.
Shown = Any


def page(fills: Mapping[str, Fill], *, most_pixels: int) -> gr.Blocks:
    """The page; `serve` serves it.

    Each user's photograph is in a state of the session, which no other session sees; one filling
    runs at a time, in the order of asking.

    Args:
        fills: what can fill a hole, by the names that users choose from.
        most_pixels: that a photograph may have.
    """
    with gr.Blocks(
        title="jaxinpaint", analytics_enabled=False, delete_cache=(LOOKED, KEPT)
    ) as blocks:
        _behave(_laid_out(list(fills)), fills, most_pixels)
    blocks.queue(max_size=WAITING)
    return blocks


class _Parts(NamedTuple):
    """What is on the page, and what is kept of a visit behind it."""

    photo_file: gr.File
    mask_file: gr.File
    editor: gr.ImageEditor
    by: gr.Dropdown
    start: gr.Button
    slider: gr.ImageSlider
    go_on: gr.Button
    download: gr.DownloadButton
    base: gr.State  # what is painted on
    result: gr.State
    made: gr.State  # what was painted on, and what is to be shown of what came of it


def _laid_out(names: Sequence[str]) -> _Parts:
    gr.Markdown("# jaxinpaint\nOpen a photograph, paint over what is to go, and fill the hole.")
    base, result, made = (gr.State() for _ in range(3))
    with gr.Row():
        with gr.Column():
            photo_file = gr.File(label="Photograph", height=150, elem_id="photo")
            mask_file = gr.File(
                label="Or a mask of its size: white is missing",
                height=150,
                elem_id="mask",
                visible=False,
            )
            editor = gr.ImageEditor(
                label="Paint over what is to go",
                elem_id="editor",
                visible=False,
                height=520,
                sources=(),
                transforms=(),
                layers=False,
                brush=gr.Brush(colors=[BRUSH], color_mode="fixed", default_size=24),
                canvas_size=(VIEW, VIEW),
                format="png",  # webp, the default, would change the paint
            )
        with gr.Column():
            by = gr.Dropdown(list(names), label="Filled by", info=WEIGHTS, elem_id="by")
            start = gr.Button("Fill", variant="primary", elem_id="fill", interactive=False)
            slider = gr.ImageSlider(
                label="Before and after",
                elem_id="result",
                visible=False,
                interactive=False,
                format="png",
                buttons=["fullscreen"],
            )
            with gr.Row():
                go_on = gr.Button("Paint on this", elem_id="go-on", visible=False)
                download = gr.DownloadButton(
                    "Download in full size", elem_id="download", visible=False
                )
    return _Parts(
        photo_file, mask_file, editor, by, start, slider, go_on, download, base, result, made
    )


def _behave(on: _Parts, fills: Mapping[str, Fill], most_pixels: int) -> None:
    """What happens when something is opened, painted, or pressed."""

    def opened(file: str | None) -> list[Shown]:
        try:
            photo = open_photo(Path(file), most_pixels=most_pixels) if file else None
        except MENDABLE as error:
            _not_opened(error, file)
            file = photo = None
        return [file, *_painted_on(photo), *_result(None, None)]

    def masked(file: str | None, photo: Opened | None, drawn: dict[str, Any]) -> list[Shown]:
        photo = _kept(photo)
        try:
            hole = _hole_of_mask(file, photo, most_pixels)
        except MENDABLE as error:
            _not_opened(error, file, photo.source)
            file = hole = None
        return [file, _canvas(view(photo.picture, hole), drawn["layers"])]

    def emptied(file: str | None, photo: Opened | None) -> list[Shown]:
        return masked(file, photo, {"layers": []})

    def filled(
        photo: Opened | None, mask: str | None, drawn: dict[str, Any], name: str
    ) -> tuple[Opened, list[Shown]]:
        photo = _kept(photo)
        with _told(mask, photo.source):
            strokes = [hole_of_strokes(layer[..., 3], photo) for layer in drawn["layers"]]
            hole = np.any([_hole_of_mask(mask, photo, most_pixels), *strokes], axis=0)
            return photo, _result(photo, fill(photo, hole, fills[name]))

    def shown(photo: Opened | None, made: tuple[Opened, list[Shown]]) -> list[Shown]:
        before, result = made
        # Another may have been opened meanwhile.
        return result if before is photo else [gr.skip()] * len(results)

    def gone_on(photo: Opened | None) -> list[Shown]:
        return [*_painted_on(_kept(photo)), *_result(None, None)]

    results = [on.result, on.slider, on.go_on, on.download]
    all_of_it = [on.base, on.mask_file, on.editor, on.start, *results]
    photo, mask = on.photo_file, on.mask_file
    for events, does, given, gives in (
        ([photo.upload, photo.clear], opened, photo, [photo, *all_of_it]),
        ([mask.upload, mask.clear], masked, [mask, on.base, on.editor], [mask, on.editor]),
        ([on.editor.clear], emptied, [mask, on.base], [mask, on.editor]),
        ([on.go_on.click], gone_on, on.result, all_of_it),
    ):
        gr.on(events, does, given, gives, api_visibility="private", concurrency_limit=1)
    on.start.click(
        filled,
        [on.base, mask, on.editor, on.by],
        on.made,
        api_visibility="private",
        concurrency_limit=1,
        show_progress_on=[on.by, on.slider],
    ).success(shown, [on.base, on.made], results, api_visibility="private")


def _hole_of_mask(file: str | None, photo: Opened, most_pixels: int) -> Missing:
    """What a mask says is missing; nothing if there is none."""
    if file is None:
        return np.zeros_like(photo.filled)
    return read_mask(Path(file), photo, most_pixels=most_pixels)


def _painted_on(photo: Opened | None) -> list[Shown]:
    """The photograph to paint on, in the left column."""
    shown = photo is not None
    return [
        photo,
        gr.update(value=None, visible=shown),
        gr.update(value=_canvas(view(photo.picture)) if photo else None, visible=shown),
        gr.update(interactive=shown),
    ]


def _result(before: Opened | None, after: Opened | None) -> list[Shown]:
    """What was made of it, in the right column."""
    shown = before is not None and after is not None
    sides = (view(before.picture), view(after.picture)) if before and after else None
    return [
        after,
        gr.update(value=sides, visible=shown),
        gr.update(visible=shown),
        gr.update(value=save(after) if after else None, visible=shown),
    ]


def _canvas(background: np.ndarray, layers: list[np.ndarray] | None = None) -> dict[str, Any]:
    return {"background": background, "layers": layers or [], "composite": None}


def _kept(photo: Opened | None) -> Opened:
    if photo is None:
        said = "The photograph is no longer kept: open it once more."
        raise gr.Error(said, duration=None, print_exception=False)
    return photo


def _not_opened(error: Exception, *files: Path | str | None) -> None:
    """Says it, and no more: after a gr.Error all would stay as it is, under the file's name."""
    gr.Warning(_in_words(error, *files), title="Not opened", duration=None)


@contextmanager
def _told(*files: Path | str | None) -> Iterator[None]:
    """What a user can mend is said on the page, without the folders that files have here."""
    try:
        yield
    except MENDABLE as error:
        raise gr.Error(_in_words(error, *files), duration=None, print_exception=False) from error
    except Exception as error:  # a device's memory, say, of which libraries tell in their own ways
        log.exception("not filled")
        said = "This went wrong; the terminal of the demo says how. --max-memory may help."
        raise gr.Error(said, duration=None, print_exception=False) from error


def _in_words(error: Exception, *files: Path | str | None) -> str:
    said = " ".join(str(error).split())
    for file in filter(None, files):
        said = said.replace(f"{Path(file).parent}/", "")
    return html.escape(said)


def serve(blocks: gr.Blocks, *, host: str, port: int | None, most_bytes: int) -> None:
    """Serves the page until it is interrupted.

    Args:
        blocks: the page.
        host: the address to listen at.
        port: the port; None takes 7860 or the next that is free.
        most_bytes: that a file may have.

    Raises:
        ValueError: if the port is taken, or the address is none of this machine's.
    """
    port = _free_port(host, port)
    local = _is_loopback(host)
    if not local:
        log.warning("whoever reaches %s can use this page", host)
    # Names of served files are made of their contents and of this, which Gradio keeps in a file.
    processing_utils.hash_seed = secrets.token_bytes(32)
    guard = Middleware(Guard, hosts=(host, *LOOPBACK) if local else None)
    footer: list[Literal["api", "gradio", "settings", "runs"] | dict[str, str]] = []
    blocks.launch(
        server_name=f"[{host}]" if ":" in host else host,
        server_port=port,
        max_file_size=most_bytes,
        state_session_capacity=VISITS,
        app_kwargs={"middleware": [guard]},
        quiet=True,
        share=False,
        ssr_mode=False,
        run_history=False,
        enable_monitoring=False,
        footer_links=footer,
        prevent_thread_lock=True,
        theme=gr.themes.Default(font=SYSTEM_FONTS, font_mono=("ui-monospace", "monospace")),
    )
    print(f"at {blocks.local_url} until Ctrl+C", flush=True)
    blocks.block_thread()


def _is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _free_port(host: str, port: int | None) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for number in range(FIRST_PORT, LAST_PORT + 1) if port is None else (port,):
        with socket.socket(family) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((host, number))
                return tried.getsockname()[1]
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise ValueError(f"can't listen at {host}: {error.strerror}") from error
    taken = f"port {port} is" if port is not None else f"ports {FIRST_PORT} to {LAST_PORT} are"
    raise ValueError(f"{taken} taken at {host}; say another by --port")
