"""The site of the documentation: what pages and docstrings become, and that it needs no host."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import site_links
from docstrings import as_markdown

ROOT = Path(__file__).parent.parent


def test_a_docstring_keeps_its_equation_as_code_and_its_fields_as_lines() -> None:
    docstring = """\
    Mean error (eq. 1)::

        Σ |x - y|

    and also:

    ::

        max(0, m - P)

    Source: Somebody, 2018.
    Range: [0, 1], the
    pictures' unit.

    Args:
        estimate, truth: of equal shape,
            in any range.

    Returns:
        one value per image: a mean.

    Raises:
        ValueError: if shapes differ."""
    assert re.split(r"\n{2,}", as_markdown(textwrap.dedent(docstring))) == [
        "Mean error (eq. 1):",
        "    Σ |x - y|",
        "and also:",
        "    max(0, m - P)",
        "*Source*: Somebody, 2018.",
        "*Range*: [0, 1], the\npictures' unit.",
        "**Arguments**",
        "- `estimate`, `truth`: of equal shape,\n        in any range.",
        "**Returns**",
        "one value per image: a mean.",
        "**Raises**",
        "- `ValueError`: if shapes differ.",
    ]


def test_links_to_files_lead_to_pages_or_to_the_repository(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(site_links, "repository", lambda: "https://host/files")

    def on_page(markdown: str) -> str:
        return site_links.shown(markdown, "docs/reference/page.md", "reference/page.md")

    assert on_page("[a](../masks.md#b)") == "[a](../masks.md#b)"
    assert on_page("[a](../../benchmarks/README.md#b)") == "[a](../benchmarks.md#b)"
    assert on_page("[`a`](../../train.py)") == "[`a`](https://host/files/train.py)"
    assert on_page("[a](../../no-such-file)") == "[a](../../no-such-file)"
    assert on_page("[a](https://elsewhere/train.py)") == "[a](https://elsewhere/train.py)"
    assert on_page("```\n[a](../../train.py)\n```") == "```\n[a](../../train.py)\n```"
    assert on_page(r"| `Σ \|x\|` | \| |") == r"| `Σ |x|` | \| |"
    monkeypatch.setattr(site_links, "repository", lambda: None)
    assert on_page("[`a`](../../train.py)") == "`a`"


def test_pages_from_elsewhere_link_to_the_site() -> None:
    made = site_links.shown("[a](../docs/performance.md)", "benchmarks/README.md", "benchmarks.md")
    assert made == "[a](performance.md)"


@pytest.mark.slow
def test_the_site_is_built_and_asks_no_other_host(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    environment = os.environ | {"PYTHONPATH": paths}
    subprocess.run(words, cwd=ROOT, env=environment, check=True)
    pages = list(tmp_path.rglob("*.html"))
    assert {"index.html", "quick-start.html", "benchmarks.html"} <= {page.name for page in pages}
    asked = re.compile(
        r"""(?:src=|<link[^>]+rel="?(?:stylesheet|preload|icon)[^>]+href=)"?https?:"""
    )
    assert [page for page in pages if asked.search(page.read_text(encoding="utf-8"))] == []
    styles = [path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.css")]
    assert [style for style in styles if re.search(r"(?:@import|url\()\W*https?:", style)] == []
    ops = (tmp_path / "reference" / "ops.html").read_text(encoding="utf-8")
    blocks = re.findall(r"<pre.*?</pre>", ops, re.DOTALL)
    assert any("sum(1) / sum(M)" in re.sub(r"<[^>]*>", "", block) for block in blocks)
    assert re.search(r"<p>[^<]*::\s*</p>", ops) is None
