"""The command line: ``jaxinpaint VERB …``, one file a verb.

The verbs import what is heavy when they run, so that help and mistakes are answered at once. (Two
take seconds, ``train`` and ``doctor``: their help is made from the configs of all recipes.)
"""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from io import TextIOWrapper
from typing import Any

import tyro

from jaxinpaint.cli.compare import compare
from jaxinpaint.cli.completion import completion
from jaxinpaint.cli.demo import demo
from jaxinpaint.cli.doctor import doctor
from jaxinpaint.cli.evaluate import evaluate
from jaxinpaint.cli.export import export
from jaxinpaint.cli.import_network import import_network
from jaxinpaint.cli.inpaint import inpaint
from jaxinpaint.cli.manifest import manifest
from jaxinpaint.cli.masks import masks
from jaxinpaint.cli.prepare import prepare
from jaxinpaint.cli.translate import translate
from jaxinpaint.cli.version import versions
from jaxinpaint.cli.weights import weights

log = logging.getLogger(__name__)


PROG = "jaxinpaint"
DESCRIPTION = (
    "Image inpainting in JAX: train networks, fill holes with them, judge and export them. "
    "(In a checkout, `python train.py` is `jaxinpaint train`.)\n\n"
    "--version: which version this is, and of what it is built on."
)


def train_network(arguments: Sequence[str]) -> None:
    """Train a network: `jaxinpaint train [PRESET] --data.source photos/`."""
    from jaxinpaint.cli.train import train_by

    train_by(arguments, prog=f"{PROG} train", program=("-m", "jaxinpaint", "train"))


# Verbs whose options are those of a run, which take seconds to import: they read them themselves.
OF_RUNS: Mapping[str, Callable[[Sequence[str]], None]] = {
    "doctor": doctor,
    "train": train_network,
}
VERBS: Mapping[str, Callable[..., None]] = {
    "compare": compare,
    "completion": completion,
    "demo": demo,
    "evaluate": evaluate,
    "export": export,
    "import": import_network,
    "inpaint": inpaint,
    "manifest": manifest,
    "masks": masks,
    "prepare": prepare,
    "translate": translate,
    "weights": weights,
}


def main() -> None:
    """Runs the verb that the command line names."""
    with told_plainly():
        match sys.argv[1:]:
            case ["--version"]:
                print(versions())
            case [verb, *arguments] if verb in OF_RUNS:
                OF_RUNS[verb](arguments)
            case arguments:
                # Named, so that help has them.
                of_runs = {verb: partial(run, ()) for verb, run in OF_RUNS.items()}
                verbs: dict[str, Callable[..., Any]] = dict(sorted({**VERBS, **of_runs}.items()))
                tyro.extras.subcommand_cli_from_dict(
                    verbs, prog=PROG, description=DESCRIPTION, args=arguments
                )


@contextmanager
def told_plainly() -> Iterator[None]:
    """Ends the program with one line for what a user can mend, such as a missing file.

    ``JAXINPAINT_TRACEBACK=1`` shows where it came from instead.
    """
    logging.basicConfig()
    for handler in logging.getLogger().handlers:
        if type(handler) is logging.StreamHandler:  # this one, or Grain's, made when it is imported
            handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logging.getLogger("absl").setLevel(logging.ERROR)
    if not os.environ.get("JAXINPAINT_TRACEBACK"):
        # What fails in the background of a full disk, say, is not to bury what is told of it.
        threading.excepthook = lambda failed: _warn(failed.exc_type, failed.exc_value)
        sys.unraisablehook = lambda failed: _warn(failed.exc_type, failed.exc_value)
    # Names of files need not be text in any encoding.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # who reads has read enough, as `head` does
        # What is left is written at the end of the process, which would tell of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (ValueError, OSError, ArithmeticError, ModuleNotFoundError) as error:
        if os.environ.get("JAXINPAINT_TRACEBACK"):
            raise
        print(f"error: {_in_one_line(error)}", file=sys.stderr)
        sys.exit(2)


def _warn(kind: type[BaseException], error: BaseException | None) -> None:
    if kind is not SystemExit:  # by which a thread may end
        log.warning("in the background: %s: %s", kind.__name__, _in_one_line(error))


def _in_one_line(error: BaseException | None) -> str:
    """What an error says; some of libraries have several lines."""
    return " ".join(str(error).split())
