import os
import subprocess
import sys

import pytest
from cli.commands import ROOT

HELP = {
    "": ("completion", "inpaint", "masks", "prepare", "train", "translate", "weights", "--version"),
    "completion": ("SHELL", "bash", "zsh", "bash-completion"),
    "demo": ("RUN", "--host", "--port", "--max-upload", "--max-megapixels", "jaxinpaint[demo]"),
    "inpaint": ("RUN", "IMAGE", "--hole", "MASK", "--output", "-o", "white is missing"),
    "masks": ("--sampler", "lama-thick", "--output", "-o", "--no-border", "white where"),
    "prepare": ("SOURCE", "--output", "-o", "--short-side", "--pairs", "--holes", "tfds:NAME"),
    "translate": ("RUN", "IMAGE", "--output", "-o", "new picture"),
}


@pytest.mark.parametrize("verb", HELP)
def test_help_does_not_wait_for_jax(verb: str) -> None:
    program = (
        "import sys\n"
        "sys.argv = ['jaxinpaint', *sys.argv[1:]]\n"
        "from jaxinpaint.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code == 0, end\n"
        "heavy = {'jax', 'flax', 'orbax', 'grain', 'tensorboardX', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    words = [sys.executable, "-c", program, *verb.split(), "--help"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for word in HELP[verb]:
        assert word in done.stdout


def test_a_reader_that_has_read_enough_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run(
        [sys.executable, "-m", "jaxinpaint", "--version"],
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert ended.stderr == b""
    assert ended.returncode == 1
