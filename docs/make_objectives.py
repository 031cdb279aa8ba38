"""Writes objectives.md, a table of all objectives, from their docstrings.

python docs/make_objectives.py
"""

import importlib
import inspect
import re
from pathlib import Path

PAGE = Path(__file__).with_name("objectives.md")
FAMILIES = (
    "pixel",
    "perceptual",
    "texture",
    "smoothness",
    "structure",
    "adversarial",
    "perceptual_adversarial",
    "contextual",
    "partial_conv",
)
FIELDS = ("Source", "Range", "Reduction")


def page() -> str:
    """The page's text.

    Raises:
        ValueError: if a docstring lacks its equation or one of the fields.
    """
    lines = [
        "# Objectives",
        "",
        "Made from the docstrings by `docs/make_objectives.py`. x is the estimate (or what a "
        "network makes of it), y the truth, φ the features of a network, D a discriminator's "
        "logits. Losses give one value per image; arrays that are compared must have one shape.",
        "",
        "| objective | equation | source | range | reduction |",
        "|---|---|---|---|---|",
    ]
    for family in FAMILIES:
        module = importlib.import_module(f"jaxinpaint.objectives.{family}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and not name.startswith("_"):
                lines.append(row(family, name, inspect.getdoc(function) or ""))
    return "\n".join(lines) + "\n"


def row(family: str, name: str, docstring: str) -> str:
    """A line of the table.

    Raises:
        ValueError: if the docstring lacks its equation or one of the fields.
    """
    equation = re.search(r"^::\n\n((?: {4}.*\n)+)", docstring, re.MULTILINE)
    fields = [
        re.search(rf"^{field}: (.*(?:\n(?!\w+:|\n).+)*)", docstring, re.MULTILINE)
        for field in FIELDS
    ]
    if equation is None or not all(fields):
        raise ValueError(f"objectives.{family}.{name} lacks its equation or one of {FIELDS}")
    formulas = [re.sub(r" {2,}", " ", line.strip()) for line in equation[1].splitlines()]
    cells = [
        f"`{family}.{name}`",
        "<br>".join(f"`{formula}`" for formula in formulas),
        *(" ".join(field[1].split()) for field in fields if field),
    ]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
