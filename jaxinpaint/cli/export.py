"""``jaxinpaint export``: a trained network in a format that others run."""

import logging
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxinpaint.names import ExportFormat

log = logging.getLogger(__name__)


def export(
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    /,
    *,
    kind: Annotated[
        ExportFormat,
        tyro.conf.arg(name="format"),
    ],
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="OUT")] = None,
    weights: Literal["average", "trained"] = "average",
    tolerance: float = 1e-4,
) -> None:
    """Export a trained network, and try whether it still paints the same.

    Programs (stablehlo, onnx, savedmodel) take pictures in [0, 1] and holes, of any number and, as
    the network does, any size; they give the composite, and all that the network painted.
    safetensors keep the network with its config; torch its weights under the published names.
    (docs/checkpoints.md)

    Args:
        run: A run folder; a file of a network; or an export that is one (safetensors, torch).
        kind: What is written.
        output: The folder to make, for the export and export.json, which tells how it was tried.
            By default RUN/exported/FORMAT, or for a file NAME-exported/FORMAT beside it.
        weights: The generator's running average, where the run keeps one; or those that it trains.
        tolerance: The largest difference from what the network paints, in [0, 1].
    """
    from jaxinpaint import exported
    from jaxinpaint.data.config import DataConfig
    from jaxinpaint.data.examples import held_out_pictures
    from jaxinpaint.interop.export_folders import FILES
    from jaxinpaint.interop.published_networks import departures
    from jaxinpaint.trained import read_generator

    beside = run.with_name(f"{run.stem}-exported") if run.is_file() else run / "exported"
    folder = output or beside / kind
    network = read_generator(run, average=weights == "average")
    trials = exported.export(
        network,
        folder,
        kind=kind,
        pictures=list(held_out_pictures(DataConfig(), print)),
        tolerance=tolerance,
    )
    print("batch  height  width  pictures  largest error  export, ms  network, ms")
    for (n, height, width), pictures, error, seconds, network_seconds in trials:
        print(
            f"{n:5d}  {height:6d}  {width:5d}  {pictures:8s}  {error:13.1e}  {1000 * seconds:10.1f}"
            f"  {1000 * network_seconds:11.1f}"
        )
    if kind == "torch":
        for option, (own, theirs) in departures(network).items():
            log.warning(
                "the program whose names these weights have paints otherwise: its %s is %s, "
                "this network's %s (docs/checkpoints.md)",
                *(option.replace("_", " "), theirs, own),
            )
    print(folder / FILES[kind])
