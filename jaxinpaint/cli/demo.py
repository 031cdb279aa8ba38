"""``jaxinpaint demo``: paint a hole in the browser, and see it filled."""

import importlib.util
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from jaxinpaint.cli.units import number_of_bytes

if TYPE_CHECKING:
    from jaxinpaint.evaluation.baselines import Fill

log = logging.getLogger(__name__)

# The page sends what is painted as pictures of its own, of up to 1024x1024 pixels.
LEAST_UPLOAD = 8_000_000
MOST_MEGAPIXELS = 170  # Pillow refuses larger pictures


def demo(
    runs: Annotated[
        tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[RUN ...]")
    ] = (),
    /,
    *,
    host: Annotated[str, tyro.conf.arg(metavar="ADDRESS")] = "127.0.0.1",
    port: Annotated[int | None, tyro.conf.arg(metavar="PORT")] = None,
    max_upload: Annotated[str, tyro.conf.arg(metavar="SIZE")] = "50MB",
    max_megapixels: Annotated[float, tyro.conf.arg(metavar="N")] = 40,
    max_memory: Annotated[str | None, tyro.conf.arg(metavar="SIZE")] = None,
) -> None:
    """Paint a hole in the browser, and see it filled.

    A page on this machine; it asks no other for anything. (Needs Gradio:
    pip install 'jaxinpaint[demo]'.)

    Args:
        runs: What fills, beside the network that comes along and the classical methods.
            Run folders, exports, or files of networks; the first is chosen at the start.
        host: Where the page is served: by default only this machine sees it.
            0.0.0.0 is for all that reach it, who then use its memory and processors.
        port: By default 7860, or the next that is free.
        max_upload: The largest file that is taken.
        max_megapixels: The largest photograph that is taken, in millions of pixels.
        max_memory: How much memory filling a picture may take, such as 4GB; of a GPU, its own.
            Pictures that would take more are filled in tiles. By default what is free.
    """
    most_bytes = number_of_bytes(max_upload, option="--max-upload")
    memory = None if max_memory is None else number_of_bytes(max_memory, option="--max-memory")
    if most_bytes < LEAST_UPLOAD:
        raise ValueError(f"--max-upload is {max_upload}; what is painted alone may take 8MB")
    if not 0 < max_megapixels <= MOST_MEGAPIXELS:
        raise ValueError(
            f"--max-megapixels is {max_megapixels:g}; it must be more than 0, "
            f"and {MOST_MEGAPIXELS} at most"
        )
    from jaxinpaint.trained import require_there

    for run in runs:
        require_there(run)
    if importlib.util.find_spec("gradio") is None:
        raise ModuleNotFoundError("the demo needs Gradio: pip install 'jaxinpaint[demo]'")
    from jaxinpaint.keeping_compiled import keep_compiled

    keep_compiled()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # as Ctrl+C: what is temporary goes
    with tempfile.TemporaryDirectory(prefix="jaxinpaint-demo-") as folder:
        # What users open is nobody else's on this machine, and gone when the page is. Gradio
        # serves, from the one, copies under names made of their contents; the other is ours.
        for name in ("served", "own"):
            Path(folder, name).mkdir()
        os.environ["GRADIO_TEMP_DIR"] = str(Path(folder, "served"))
        tempfile.tempdir = str(Path(folder, "own"))
        from jaxinpaint.demo.page import page, serve

        fills = _fills(runs, memory)
        blocks = page(fills, most_pixels=int(max_megapixels * 1e6))
        serve(blocks, host=host, port=port, most_bytes=most_bytes)


def _fills(runs: Sequence[Path], max_memory: int | None) -> "dict[str, Fill]":
    """What can fill, by name: runs first, then the network that comes along, then the classics.

    Raises:
        ValueError: for a run that is none, or fills no holes.
    """
    from jaxinpaint.evaluation.baselines import BASELINES, with_version
    from jaxinpaint.inpainter import load
    from jaxinpaint.ready import NAME, NETWORK

    fills: dict[str, Fill] = {str(run): load(run, max_memory=max_memory) for run in runs}
    fills[f"{NAME}, which comes along"] = load(NETWORK, max_memory=max_memory)
    for name, baseline in BASELINES.items():
        try:
            fills[with_version(name)] = baseline
        except ModuleNotFoundError as missing:
            log.warning("without %s: %s", name, missing)
    return fills
