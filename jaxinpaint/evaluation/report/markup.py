"""HTML: elements, and texts and numbers in them.

Every text that comes from outside goes through `text`; what other functions give is HTML.
"""

import math
import re
from html import escape
from typing import Literal

NOTHING = "–"


def tag(name: str, content: str, /, **attributes: object) -> str:
    """An element of HTML content; attributes are texts, ``class_`` and ``aria_label`` as here."""
    return f"{void(name, **attributes)}{content}</{name}>"


def void(name: str, /, **attributes: object) -> str:
    """An element that has no content and no end, such as ``<img>``."""
    told = (f' {key.strip("_").replace("_", "-")}="{text(v)}"' for key, v in attributes.items())
    return f"<{name}{''.join(told)}>"


def text(of: object) -> str:
    """A text as HTML content, or as an attribute's."""
    return escape(str(of), quote=True)


def message(of: str) -> str:
    """A message as HTML content: what stands between backticks is code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", text(of))


def folded(summary: str, content: str, class_: str) -> str:
    """Content that is seen once its summary is clicked."""
    return tag("details", tag("summary", summary) + content, class_=class_)


def scroll(content: str, told: str) -> str:
    """A table that scrolls by itself where it is too wide; by the keyboard, too."""
    table = tag("table", content, aria_label=told)
    return tag("div", table, class_="scroll", role="region", tabindex=0, aria_label=told)


def number(value: float, digits: int, *, sign: Literal["-", "+"] = "-") -> str:
    """A number with so many digits after the point; a dash for one that is none."""
    if math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:{sign}z.{digits}f}".replace("-", "−")


def count(of: int, noun: str) -> str:
    """``1 case``, ``2 cases``."""
    return f"{of} {noun}" if of == 1 else f"{of} {noun}s"
