"""The command line: ``jaxinpaint VERB …``, one file a verb.

The verbs import what is heavy when they run, so that help and mistakes are answered at once. (The
trainer, ``train.py``, takes seconds: its help is made from the configs of all recipes.)
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import tyro

from jaxinpaint.cli.inpaint import inpaint
from jaxinpaint.cli.translate import translate
from jaxinpaint.cli.weights import weights


def main() -> None:
    """Runs the verb that the command line names."""
    with told_plainly():
        tyro.extras.subcommand_cli_from_dict(
            {"inpaint": inpaint, "translate": translate, "weights": weights},
            prog="jaxinpaint",
            description="Image inpainting in JAX, by networks that `python train.py` trains.",
        )


@contextmanager
def told_plainly() -> Iterator[None]:
    """Ends the program with one line for what a user can mend, such as a missing file.

    ``JAXINPAINT_TRACEBACK=1`` shows where it came from instead.
    """
    logging.basicConfig(format="%(levelname)s: %(message)s")
    logging.getLogger("absl").setLevel(logging.ERROR)
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(130)
    except (ValueError, OSError, ArithmeticError, ModuleNotFoundError) as error:
        if os.environ.get("JAXINPAINT_TRACEBACK"):
            raise
        # Some messages of libraries have several lines.
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
