"""What pages tell users to type: blocks of programs and of commands."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "benchmarks/README.md",
    "jaxinpaint/ready/MODEL_CARD.md",
    *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md")),
]
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block of a page: its language, and what is in it."""

    language: str
    text: str


def blocks(page: str) -> list[Block]:
    """The blocks of a page. Those without a language are commands; `text` is what was printed."""
    return [Block(*found) for found in BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))]


def programs(page: str) -> list[str]:
    return [text for language, text in blocks(page) if language == "python"]


def commands(page: str) -> list[list[str]]:
    """The words of each command of a page, without what is set for it alone (`NAME=VALUE`)."""
    texts = [text for language, text in blocks(page) if not language]
    return [words for text in texts for words in typed_in(text)]


def typed_in(text: str) -> list[list[str]]:
    """The commands in a block: lines, parts of them between `&&`, and those for other machines."""
    if text.startswith("#!"):
        # A job's script: runs go on if there is one, and start as told if not.
        told = re.findall(r'what="([^"]*)"', text)
        return [shlex.split(f"python train.py {arguments}") for arguments in told]
    found: list[list[str]] = []
    for line in text.replace("\\\n", " ").splitlines():
        words: list[str] = []
        for word in [*shlex.split(line, comments=True), "&&"]:
            if word == "&&":
                found += [words] if words else []
                words = []
            elif word.startswith("--command="):
                found += typed_in(word.removeprefix("--command="))
            elif words or not re.fullmatch(r"\w+=\S*", word):
                words.append(word)
    return found
