"""The pictures of a report: what methods were given and painted, over what is true."""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from PIL import Image

from jaxinpaint.array_typing import RGB
from jaxinpaint.evaluation.report.details import JUDGES, VERSIONS, told
from jaxinpaint.evaluation.report.markup import tag, text, void
from jaxinpaint.evaluation.results import Evaluation

Kind = Literal["best", "median", "worst"]

QUALITY = 95  # of WebP: a quarter of the bytes without loss; the files that are linked have none


class Shown(NamedTuple):
    """A picture of a gallery.

    Attributes:
        kind: why it is shown.
        name: of the case.
        caption: such as ``12.31 dB, 43 % missing``.
        input: what the method was given, grey where missing.
        composite: what it painted, in the input.
        truth: the true picture.
        links: relative addresses of files, by what they are called.
    """

    kind: Kind
    name: str
    caption: str
    input: RGB
    composite: RGB
    truth: RGB
    links: Mapping[str, str]


Gallery = Sequence[Shown]


def galleries(of: Sequence[tuple[Evaluation, Gallery]]) -> str:
    """The pictures of methods; of each of them the best, the usual and the worst."""
    parts = [_gallery(i, one, shown) for i, (one, shown) in enumerate(of) if shown]
    if not parts:
        return ""
    about = "The best, the usual and the worst cases of each method, slightly compressed"
    about += "; links lead to the files." if any(s.links for _, g in of for s in g) else "."
    return tag("h2", "Pictures") + tag("p", about, class_="note") + "".join(parts)


def _gallery(number: int, of: Evaluation, gallery: Gallery) -> str:
    shared = _shared_links(gallery)
    details = {key: value for key, value in of.details.items() if key not in (VERSIONS, JUDGES)}
    parts = [
        tag("h3", text(of.method)),
        tag("p", text(told(details)), class_="note") if details else "",
        _links(shared),
    ]
    for kind in ("best", "median", "worst"):
        chosen = [(i, one) for i, one in enumerate(gallery) if one.kind == kind]
        figures = [_figure(f"{number}-{i}", of.method, one, shared) for i, one in chosen]
        if figures:
            parts += [tag("h4", kind.capitalize()), tag("div", "".join(figures), class_="cases-of")]
    return tag("section", "".join(parts), aria_label=f"Pictures of {of.method}")


def _shared_links(gallery: Gallery) -> dict[str, str]:
    """Those that are the same for all pictures, and told once: of the scores."""
    if len(gallery) < 2:
        return {}
    first, *others = (dict(one.links) for one in gallery)
    return {name: to for name, to in first.items() if all(o.get(name) == to for o in others)}


def _figure(number: str, method: str, shown: Shown, shared: Mapping[str, str]) -> str:
    pictures = {"truth": shown.truth, "input": shown.input, "composite": shown.composite}
    of = f"of {shown.name}, {method}"
    # Without script they stand side by side in this order.
    parts = [_picture(kind, pictures[kind], of) for kind in ("input", "composite", "truth")]
    caption = f"{text(shown.caption)} {tag('span', text(shown.name), class_='name')}"
    own = {name: to for name, to in shown.links.items() if name not in shared}
    return tag(
        "figure",
        tag("div", "".join(parts), class_="pictures")
        + _wipe(number, shown.name)
        + tag("figcaption", caption + _links(own)),
        class_="case",
    )


def _picture(kind: str, picture: RGB, of: str) -> str:
    height, width = picture.shape[:2]
    image = void("img", src=_data(picture), alt=f"{kind} {of}", width=width, height=height)
    # The alternative text says it already.
    label = tag("span", kind, class_="label", aria_hidden="true")
    return tag("div", image + label, class_=f"picture {kind}")


def _wipe(number: str, name: str) -> str:
    """Controls for what lies over the truth, and how far."""
    choices = []
    for kind in ("input", "composite"):
        checked = {"checked": ""} if kind == "composite" else {}
        radio = void("input", type="radio", name=f"left-{number}", value=kind, **checked)
        choices.append(tag("label", f"{radio}{kind}", class_="choice"))
    legend = tag("legend", text(f"Compare with the truth: {name}"), class_="unseen")
    called = f"How much of it lies over the truth, in %: {name}"
    slider = void("input", type="range", min=0, max=100, value=50, aria_label=called)
    return tag("fieldset", legend + slider + "".join(choices), class_="wipe")


def _links(links: Mapping[str, str]) -> str:
    # With ./ before it nothing is taken for a scheme, such as a folder called javascript:…
    items = (tag("li", tag("a", text(name), href=f"./{to}")) for name, to in links.items())
    return tag("ul", "".join(items), class_="links") if links else ""


def _data(picture: RGB) -> str:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "WEBP", quality=QUALITY, method=4, use_sharp_yuv=True)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
