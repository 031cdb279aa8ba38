"""What a run tells: metrics.jsonl, TensorBoard events, a progress bar, pictures."""

import errno
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from tensorboardX import SummaryWriter
from tqdm import tqdm

from jaxinpaint.array_typing import RGB
from jaxinpaint.training.checkpoints import NotWritten
from jaxinpaint.training.processes import is_first
from jaxinpaint.training.window import Broken
from jaxinpaint.whole_files import replaced

log = logging.getLogger(__name__)

# What a disk says that takes no more.
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}


class Reports:
    """Writes the numbers and pictures of a run into its folder and shows its progress."""

    def __init__(self, folder: Path, events: SummaryWriter, bar: tqdm) -> None:
        self._folder = folder
        self._events = events
        self._bar = bar

    def say(self, line: str) -> None:
        """A line for whoever is looking on."""
        self._bar.write(line)

    def advance(self) -> None:
        """One step is done."""
        self._bar.update()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers of a step: a line of metrics.jsonl, TensorBoard scalars, the bar's tail."""
        self.scores(step, values)
        # Without a step of the generator since the last report there is no loss of it.
        loss = f"loss {values['loss']:.4f}, " if "loss" in values else ""
        told = (
            f"{loss}{values['examples_per_second']:.1f} examples/s, "
            f"{values['waiting_for_data']:.0%} waiting for data, "
            f"{values['share_of_matrix_rate']:.0%} of matrix rate"
        )
        if values["skipped"]:
            told += f", {values['skipped']:.0f} skipped"
        self._bar.set_postfix_str(told, refresh=False)
        if self._bar.disable:
            left = values["seconds_left"]
            print(f"step {step}: {told}, {left / 60:.1f} minutes left", flush=True)

    def skipped(self, broken: Sequence[Broken]) -> None:
        """Steps that were left out."""
        for step in broken:
            log.warning("step %d was skipped: %s", step.step, step.what)

    def scores(self, step: int, values: Mapping[str, float]) -> None:
        """Other numbers of a step: a line of metrics.jsonl, and TensorBoard scalars."""
        with (self._folder / "metrics.jsonl").open("a") as lines:
            lines.write(json.dumps({"step": step, **values}) + "\n")
        for name, value in values.items():
            self._events.add_scalar(name, value, step)

    def picture(self, step: int, picture: RGB) -> Path:
        """A sample grid of a step, as a PNG and for TensorBoard; returns the PNG's path."""
        path = self._folder / "samples" / f"step_{step:08d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(picture).save(path)
        self._events.add_image("samples", picture, step, dataformats="HWC")
        return path


@contextmanager
def open_reports(folder: Path, *, first: int, last: int) -> Iterator[Reports]:
    """The reports of a run that goes from step ``first`` to ``last``.

    Whatever an earlier, interrupted run reported of later steps than ``first`` is dropped, so that
    every step is told once. The bar is drawn on a terminal only; elsewhere lines are printed. Of
    several processes the first writes; what the others report goes to a folder that is thrown away.
    """
    try:
        # Closing writes too: the try is around it.
        with ExitStack() as stack:
            if not is_first():
                folder = Path(stack.enter_context(TemporaryDirectory()))
            yield stack.enter_context(_reports(folder, first=first, last=last))
    except OSError as error:
        if error.errno not in DISK:
            raise
        raise NotWritten(
            f"{folder} can't be written to: {error.strerror}. Its checkpoints are whole: mend "
            "this and --resume the run"
        ) from error


@contextmanager
def _reports(folder: Path, *, first: int, last: int) -> Iterator[Reports]:
    _drop_lines_after(folder / "metrics.jsonl", first)
    bar = tqdm(
        total=last,
        initial=first,
        unit="step",
        dynamic_ncols=True,
        file=sys.stdout,
        disable=not sys.stdout.isatty(),
    )
    # Flushed often: a killed run keeps its curves.
    events = SummaryWriter(str(folder / "events"), purge_step=first + 1, flush_secs=10)
    with bar, events:
        yield Reports(folder, events, bar)


def _drop_lines_after(path: Path, step: int) -> None:
    if not path.exists():
        return
    kept = [line for line in path.read_text().splitlines() if _is_of_step_until(step, line)]
    with replaced(path) as unfinished:
        unfinished.write_text("".join(f"{line}\n" for line in kept))


def _is_of_step_until(step: int, line: str) -> bool:
    try:
        return json.loads(line)["step"] <= step
    except json.JSONDecodeError:  # cut short when the run was killed
        return False
