"""The page: a photograph, a brush, and what fills the hole."""

import html
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import gradio as gr
import numpy as np

from jaxinpaint.demo.opened import (
    VIEW,
    Fill,
    Opened,
    fill,
    hole_of_strokes,
    open_photo,
    read_mask,
    save,
    view,
)

BRUSH = "#e11d48"
SYSTEM_FONTS = ("system-ui", "sans-serif")

# Seconds after which files of a user who has gone are deleted, and how often that is looked for.
KEPT, LOOKED = 3600, 600
WAITING = 32  # fillings that may wait for their turn

MENDABLE = (ValueError, OSError, ArithmeticError, ModuleNotFoundError)

# What becomes of a component: a value, or what `gr.update` says.
Shown = Any


def page(fills: Mapping[str, Fill], *, most_pixels: int) -> gr.Blocks:
    """The page; ``launch`` serves it.

    Each user's photograph is in a state of the session, which no other session sees; one filling
    runs at a time, in the order of asking.

    Args:
        fills: what can fill a hole, by the names that users choose from.
        most_pixels: that a photograph may have.
    """
    with gr.Blocks(
        title="jaxinpaint", analytics_enabled=False, delete_cache=(LOOKED, KEPT)
    ) as blocks:
        gr.Markdown("# jaxinpaint\nOpen a photograph, paint over what is to go, and fill the hole.")
        base = gr.State(None, time_to_live=KEPT)  # what is painted on
        result = gr.State(None, time_to_live=KEPT)
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
                by = gr.Dropdown(list(fills), label="Filled by", elem_id="by")
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
        results = [result, slider, go_on, download]
        all_of_it = [base, mask_file, editor, start, *results]

        def opened(file: str | None) -> list[Shown]:
            try:
                photo = file and open_photo(Path(file), most_pixels=most_pixels)
            except MENDABLE as error:
                # No gr.Error, after which all would stay as it is, under this file's name.
                gr.Warning(_in_words(error, file), title="Not opened", duration=None)
                file = photo = None
            return [file, *_painted_on(photo or None), *_result(None, None)]

        def masked(file: str | None, photo: Opened | None, drawn: dict[str, Any]) -> Shown:
            if photo is None:
                return gr.skip()
            with _told(file, photo.source):
                hole = None if file is None else read_mask(Path(file), photo)
            return _canvas(view(photo.picture, hole), drawn["layers"])

        def filled(
            photo: Opened | None, mask: str | None, drawn: dict[str, Any], name: str
        ) -> list[Shown]:
            photo = _kept(photo)
            with _told(mask, photo.source):
                hole = hole_of_strokes(_paint(drawn, photo), photo)
                if mask is not None:
                    hole |= read_mask(Path(mask), photo)
                return _result(photo, fill(photo, hole, fills[name]))

        def gone_on(photo: Opened | None) -> list[Shown]:
            return [*_painted_on(_kept(photo)), *_result(None, None)]

        for events, does, given, gives in (
            ([photo_file.upload, photo_file.clear], opened, photo_file, [photo_file, *all_of_it]),
            ([mask_file.upload, mask_file.clear], masked, [mask_file, base, editor], editor),
            ([start.click], filled, [base, mask_file, editor, by], results),
            ([go_on.click], gone_on, result, all_of_it),
        ):
            gr.on(events, does, given, gives, api_visibility="private", concurrency_limit=1)
    blocks.queue(max_size=WAITING)
    return blocks


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


def _paint(drawn: dict[str, Any], photo: Opened) -> np.ndarray:
    """How much paint there is on each pixel of the view."""
    if not drawn["layers"]:
        return np.zeros(view(photo.picture).shape[:2], np.uint8)
    (layer,) = drawn["layers"]
    return layer[..., 3]


def _kept(photo: Opened | None) -> Opened:
    if photo is None:
        raise gr.Error("The photograph was kept for an hour: open it once more.", duration=None)
    return photo


@contextmanager
def _told(*files: Path | str | None) -> Iterator[None]:
    """What a user can mend is said on the page, without the folders that files have here."""
    try:
        yield
    except MENDABLE as error:
        raise gr.Error(_in_words(error, *files), duration=None, print_exception=False) from error


def _in_words(error: Exception, *files: Path | str | None) -> str:
    said = " ".join(str(error).split())
    for file in filter(None, files):
        said = said.replace(str(file), Path(file).name)
    return html.escape(said)


def serve(blocks: gr.Blocks, *, host: str, port: int | None, most_bytes: int) -> None:
    """Serves the page until it is interrupted.

    Args:
        blocks: the page.
        host: the address to listen at.
        port: the port; None takes 7860 or the next that is free.
        most_bytes: that a file may have.
    """
    footer: list[Literal["api", "gradio", "settings", "runs"] | dict[str, str]] = []
    blocks.launch(
        server_name=host,
        server_port=port,
        max_file_size=most_bytes,
        quiet=True,
        share=False,
        ssr_mode=False,
        run_history=False,
        enable_monitoring=False,
        footer_links=footer,
        prevent_thread_lock=True,
        theme=gr.themes.Default(font=SYSTEM_FONTS, font_mono=("ui-monospace", "monospace")),
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # as Ctrl+C: what is temporary goes
    print(f"at {blocks.local_url} until Ctrl+C", flush=True)
    blocks.block_thread()
