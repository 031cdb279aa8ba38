"""Docstrings as the site shows them: a Griffe extension that makes Markdown of the house's form."""

import re
from typing import Any

from griffe import Extension, Object

TITLES = {"Args": "Arguments", "Attributes": "Attributes", "Returns": "Returns", "Raises": "Raises"}
SECTION = re.compile(rf"^({'|'.join(TITLES)}):$")
FIELD = re.compile(r"^(Source|Range|Reduction): ")
ITEM = re.compile(r"^ {4}(\S[^:]*): ?(.*)$")
LEGEND = re.compile(r"^(Axes|Conventions)$")


class HouseDocstrings(Extension):
    """Rewrites every docstring that Griffe finds."""

    def on_object(self, *, obj: Object, **options: Any) -> None:
        """Rewrites the docstring of an object, if it has one."""
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(docstring: str) -> str:
    """A docstring as Markdown.

    ``::`` goes, and leaves the indented block after it as code. Source, range and reduction get a
    line each. Sections become a list under a bold title.

    Args:
        docstring: without the indentation of the code around it.
    """
    made: list[str] = []
    section = ""
    for line in docstring.splitlines():
        if found := SECTION.match(line):
            section = found[1]
            made += [f"**{TITLES[section]}**", ""]
        elif section and (not line or line.startswith("    ")):
            made.append(_in_section(section, line))
        else:
            section = ""
            made.append(_in_text(line))
    return "\n".join(made)


def _in_text(line: str) -> str:
    if line == "::":
        return ""
    if line.endswith("::"):
        return line[:-1]
    if FIELD.match(line):
        return "\n" + FIELD.sub(r"*\1*: ", line)
    return f"**{line}**\n" if LEGEND.match(line) else line


def _in_section(section: str, line: str) -> str:
    if section == "Returns":
        return line[4:]
    if (item := ITEM.match(line)) is None:
        return line
    names = ", ".join(f"`{name}`" for name in item[1].split(", "))
    return f"- {names}: {item[2]}"
