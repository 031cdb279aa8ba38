"""The page of a report: what was judged, and the parts about it.

It is the same, byte by byte, for the same scores and pictures.
"""

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from string import Template
from typing import NamedTuple

import numpy as np

from jaxinpaint.evaluation import results
from jaxinpaint.evaluation.report.details import JUDGES, VERSIONS, told
from jaxinpaint.evaluation.report.differences import differences
from jaxinpaint.evaluation.report.found import found_of
from jaxinpaint.evaluation.report.markup import count, tag, text
from jaxinpaint.evaluation.report.pictures import Gallery, galleries
from jaxinpaint.evaluation.report.plots import plot
from jaxinpaint.evaluation.report.score_tables import label
from jaxinpaint.evaluation.report.scores import same_pictures, scores
from jaxinpaint.evaluation.results import Evaluation


class Section(NamedTuple):
    """A method's part of a report."""

    evaluation: Evaluation
    gallery: Gallery


def page(sections: Sequence[Section], *, title: str) -> str:
    """The report as HTML.

    Args:
        sections: a method each; differences are to the first.
        title: of the page.

    Raises:
        ValueError: without sections.
        Incomparable: if the methods were not judged on the same cases.
    """
    if not sections:
        raise ValueError("there is nothing to report")
    evaluations = [section.evaluation for section in sections]
    results.require_comparable(evaluations)
    found = found_of(evaluations)
    script = _file("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    main = [
        scores(found),
        same_pictures(found),
        *(differences(evaluations, protocol) for protocol in list(found.means)[:1]),
        plot(found),
        galleries(sections),
    ]
    return Template(_file("page.html")).substitute(
        title=text(title),
        style=_file("page.css"),
        script=script,
        digest=f"sha256-{digest}",
        lede=_lede(evaluations[0], len(evaluations)),
        facts=_facts(evaluations),
        main="\n".join(part for part in main if part),
    )


def _lede(of: Evaluation, methods: int) -> str:
    cases = count(len(of.names), "case")
    pictures = count(len(set(of.pictures)), "picture")
    return tag("p", f"{count(methods, 'method')} judged on {cases} of {pictures}.", class_="lede")


def _facts(evaluations: Sequence[Evaluation]) -> str:
    first = evaluations[0]
    low, high = 100 * np.min(first.missing), 100 * np.max(first.missing)
    facts = {
        "Cases": str(len(first.names)),
        "Size": f"{first.size} × {first.size}",
        "Missing": f"{low:.0f} %" if f"{low:.0f}" == f"{high:.0f}" else f"{low:.0f} – {high:.0f} %",
        "Manifest": tag("code", text(first.manifest[:12]), title=first.manifest),
        **{f"Versions{of}": text(versions) for of, versions in _versions(evaluations).items()},
    }
    if judges := _judges(evaluations):
        facts["Weights that judged"] = judges
    items = (tag("div", tag("dt", text(k)) + tag("dd", v)) for k, v in facts.items())
    return tag("dl", "".join(items), class_="facts")


def _versions(evaluations: Sequence[Evaluation]) -> dict[str, str]:
    """What the scores were made with, once if it is the same for all methods."""
    found = {e.method: told(e.details[VERSIONS]) for e in evaluations if VERSIONS in e.details}
    if len(set(found.values())) == 1:
        return {"": next(iter(found.values()))}
    return {f" of {method}": versions for method, versions in found.items()}


def _judges(evaluations: Sequence[Evaluation]) -> str:
    """Digests of the weights that scores look through, and by which metrics."""
    metrics: dict[str, dict[str, None]] = {}
    for one in evaluations:
        for metric, digest in one.details.get(JUDGES, {}).items():
            metrics.setdefault(digest, {})[label(metric)] = None
    return ", ".join(
        f"{text(' · '.join(of))} {tag('code', text(digest[:12]), title=digest)}"
        for digest, of in metrics.items()
    )


def _file(name: str) -> str:
    return resources.files("jaxinpaint.evaluation.report").joinpath(name).read_text("utf-8")
