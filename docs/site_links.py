"""What MkDocs does to pages beside showing them: links that work on the site and in the repository.

Pages link to files as they lie in the repository. On the site links go to other pages of it, and
those to other files to the repository's address, as `pyproject.toml` tells it.
"""

import posixpath
import re
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
# Pages of the site that lie elsewhere in the repository.
ELSEWHERE = {
    "benchmarks.md": "benchmarks/README.md",
    "model-card.md": "jaxinpaint/ready/MODEL_CARD.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
}
FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s:#]+)(#[^()\s]*)?\)")
CODE = re.compile(r"`[^`\n]+`")


def on_files(files: Files, *, config: Any) -> Files:
    """Adds the pages that lie elsewhere."""
    for page, source in ELSEWHERE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """A page's text with its links as the site has them."""
    here = page.file.src_uri
    return shown(markdown, ELSEWHERE.get(here, f"docs/{here}"), here)


def shown(markdown: str, source: str, page: str) -> str:
    """Text with its links as the site has them.

    Args:
        markdown: of a page.
        source: the page's file in the repository, whose links are seen from there.
        page: its place on the site.
    """
    parts = FENCED.split(markdown)
    return "".join(
        part if i % 2 else _outside_fences(part, source, page) for i, part in enumerate(parts)
    )


def _outside_fences(text: str, source: str, page: str) -> str:
    # In a table's code a bar is escaped, as GitHub wants it; Python's Markdown shows the escape.
    text = CODE.sub(lambda code: code[0].replace(r"\|", "|"), text)
    return LINK.sub(_rewritten(source, page), text)


def _rewritten(source: str, page: str) -> Callable[[re.Match[str]], str]:
    pages = {path: site for site, path in ELSEWHERE.items()}

    def rewritten(link: re.Match[str]) -> str:
        bang, text, target, anchor = link.groups()
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if path in pages or path.startswith("docs/"):
            to = pages.get(path, path.removeprefix("docs/"))
            relative = posixpath.relpath(to, posixpath.dirname(page) or ".")
            return f"{bang}[{text}]({relative}{anchor or ''})"
        if not (ROOT / path).exists():
            return link[0]  # MkDocs finds it missing, and says so
        address = repository()
        return text if address is None else f"[{text}]({address}/{path}{anchor or ''})"

    return rewritten


@cache
def repository() -> str | None:
    """The address of the repository's files, from that of its changelog; None if none is told."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    changelog = project.get("urls", {}).get("Changelog", "")
    address = changelog.removesuffix("/CHANGELOG.md")
    return address if address != changelog else None
