import subprocess
import sys

import pytest
from cli.commands import ROOT

HELP = {
    "": ("inpaint", "translate", "weights", "train.py"),
    "inpaint": ("RUN", "IMAGE", "--hole", "MASK", "--output", "-o", "white is missing"),
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
