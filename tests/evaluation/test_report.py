import base64
import hashlib
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from jaxinpaint.cli import galleries
from jaxinpaint.evaluation import charts, results
from jaxinpaint.evaluation.bootstrap import Mean
from jaxinpaint.evaluation.protocols import PROTOCOLS, column
from jaxinpaint.evaluation.report.page import Section, page
from jaxinpaint.evaluation.report.pictures import Shown
from jaxinpaint.evaluation.results import Evaluation, Incomparable

VOID = {"meta", "img", "input", "br", "link"}
PICTURES = 6
SHARES = np.tile([0.05, 0.15, 0.35], PICTURES)
NAMES = tuple(f"{i:06d}" for i in range(len(SHARES)))


class Elements(HTMLParser):
    """Says which elements are there, and fails where they don't close as they opened."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names)
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def attributes(self, name: str) -> list[str]:
        return [
            value or "" for _, attrs in self.found for key, value in attrs.items() if key == name
        ]


def evaluation(
    method: str = "telea",
    protocols: tuple[str, ...] = ("crfill", "house", "partial-conv"),
    better: float = 0.0,
    cases: int = len(NAMES),
) -> Evaluation:
    """Scores that are better by a share, whichever way the metric goes."""
    shares = SHARES[:cases]
    values = {}
    for name in protocols:
        for picture in PROTOCOLS[name].pictures:
            for i, metric in enumerate(PROTOCOLS[name].metrics):
                gain = better if metric.higher else -better
                noise = np.random.default_rng(i).uniform(0, 0.1, cases)
                values[column(name, picture, metric.name)] = (1 + gain) * (1 - shares + noise)
    return Evaluation(
        method=method,
        manifest="3f9a" * 16,
        protocols=protocols,
        size=64,
        names=NAMES[:cases],
        pictures=tuple(f"{i // 3}.jpg" for i in range(cases)),
        missing=shares,
        touches_border=shares > 0.1,
        values=values,
        overall={},
        left_out={},
        details={},
    )


def shown(name: str = "000000", **links: str) -> Shown:
    truth = np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8)
    grey = np.full_like(truth, 128)
    return Shown("worst", name, "12.31 dB, 43 % missing", grey, grey, truth, links)


def table(html: str, told: str) -> ElementTree.Element:
    """The table of a label."""
    found = re.search(f'<table aria-label="{re.escape(told)}">.*?</table>', html, re.DOTALL)
    assert found
    return ElementTree.fromstring(found[0].replace("&nbsp;", " "))


def best(html: str, told: str) -> list[tuple[str, int]]:
    """Of a table's bold numbers the method and the number of the column."""
    return [
        (str(row[0].text), i)
        for row in table(html, told).iter("tr")
        for i, cell in enumerate(row)
        if cell.find("data[@class='best']") is not None
    ]


def three() -> str:
    evaluations = [evaluation(name, better=b) for name, b in [("a", 0.0), ("b", 0.1), ("c", -0.1)]]
    return page([Section(one, [shown(scores="a/pictures.csv")]) for one in evaluations], title="T")


def test_a_page_is_well_formed_and_needs_nothing_else() -> None:
    html = three()
    elements = Elements(html)
    assert html.startswith("<!DOCTYPE html>\n<html lang=")
    assert "http:" not in html
    assert "https:" not in html
    assert "url(" not in html
    assert "@import" not in html
    sources = elements.attributes("src")
    assert len(sources) == 9
    assert all(source.startswith("data:image/webp;base64,") for source in sources)
    assert {tag for tag, _ in elements.found}.isdisjoint({"link", "iframe", "object", "base"})
    assert "nan" not in {word.lower() for text in elements.texts for word in text.split()}


def test_pictures_and_sliders_are_told_to_those_who_do_not_see_them() -> None:
    elements = Elements(three())
    images = [attributes for tag, attributes in elements.found if tag == "img"]
    assert images[0]["alt"] == "input of 000000, a"
    assert all(image["alt"] and image["width"] == "16" for image in images)
    sliders = [a for tag, a in elements.found if tag == "input" and a["type"] == "range"]
    assert len(sliders) == 3
    assert all(slider["aria-label"] for slider in sliders)
    groups = [a["name"] for tag, a in elements.found if tag == "input" and a["type"] == "radio"]
    assert len(set(groups)) == 3


def test_the_same_scores_give_the_same_bytes() -> None:
    assert three() == three()


def test_names_are_no_markup() -> None:
    evil = "</title><script>alert('\"x\"')</script>&amp;"
    one = evaluation(evil)._replace(
        left_out={"fid": evil}, details={"versions": {evil: evil}, evil: [evil]}, manifest=evil
    )
    other = one._replace(details={"versions": "2"})
    links = {evil: f'javascript:alert("1"){evil}', "composite": f"{evil}/000000.png"}
    gallery = [shown(evil)._replace(caption=evil, links=links), shown("other")]
    html = page([Section(one, gallery), Section(other, [])], title=evil)
    elements = Elements(html)
    assert [tag for tag, _ in elements.found].count("script") == 1
    assert evil not in html
    assert all(to.startswith("./") for to in elements.attributes("href"))
    assert f"composite of {evil}, {evil}" in elements.attributes("alt")
    assert f"./{evil}/000000.png" in elements.attributes("href")


def test_the_best_is_bold_whichever_way_is_better() -> None:
    html = three()
    columns = len(PROTOCOLS["house"].metrics)
    assert best(html, "house, all cases") == [("b", i + 1) for i in range(columns)] * 2
    assert best(html, "crfill, all cases") == [("b", 1)]
    assert {method for method, _ in best(html, "partial-conv, by group")} == {"b"}


def test_scores_of_all_protocols_stand_by_family() -> None:
    rules = table(three(), "The same pictures under every protocol")
    rows = ["".join(row.itertext()).replace("\n", " ") for row in rules.iter("tr")]
    assert next(row for row in rows if "house" not in row and "↑" in row).startswith(
        "crfill composite; PSNR, dB ↑higher is better"
    )
    families = [body.find("tr/th/span") for body in rules.iter("tbody")]
    assert [family.text for family in families if family is not None] == [
        "PSNR",
        "SSIM",
        "L1 and its like",
    ]
    # The second method is best by every rule; what is told of a whole family has no best.
    bold = [
        method
        for row in rules.iter("tr")
        for method in row
        if method.find("data[@class='best']") is not None
    ]
    scored = [row for row in rules.iter("tr") if row.find("td/data") is not None]
    assert bold == [row[2] for row in scored]
    # Shares and per cent have no common spread.
    assert sum(row.startswith("greatest less least") for row in rows) == 2


def test_all_that_read_the_same_are_the_best_and_one_alone_is_not() -> None:
    same = [Section(evaluation(name, ("crfill",)), []) for name in "ab"]
    assert best(page(same, title="T"), "crfill, all cases") == [("a", 1), ("b", 1)]
    alone = page(same[:1], title="T")
    assert best(alone, "crfill, all cases") == []
    assert "Differences" not in alone
    assert "under every protocol" not in alone


def test_distances_are_better_low_and_fooled_machines_high() -> None:
    def with_overall(name: str, fid: float, p_ids: float) -> Section:
        overall = {"house/composite/fid": fid, "house/composite/p_ids": p_ids}
        of = evaluation(name, ("house",))
        return Section(of._replace(values={}, overall=overall), [])

    html = page([with_overall("a", 12.345, 0.1), with_overall("b", 7.0, 0.05)], title="T")
    assert best(html, "house, all cases") == [("a", 2), ("b", 1)]
    cells = ["".join(cell.itertext()) for cell in table(html, "house, all cases").iter("td")]
    # Without intervals, and a dash for what was not measured of the output.
    assert cells == ["12.35", "0.1000", "7.00", "0.0500", "–", "–", "–", "–"]


def test_scores_have_their_intervals() -> None:
    of = evaluation(protocols=("crfill",))
    cell = next(table(page([Section(of, [])], title="T"), "crfill, all cases").iter("td"))
    number, interval = ("".join(part.itertext()) for part in cell)
    assert number == f"{of.values['crfill/composite/psnr'].mean():.2f}"
    low, high = map(float, interval.split("–"))
    assert low < float(number) < high


def test_ours_comes_first_and_open_the_others_are_folded() -> None:
    html = three()
    assert re.findall("<h3>(house|crfill|partial-conv)</h3>", html) == [
        "house",
        "crfill",
        "partial-conv",
    ]
    assert html.index("<h3>house</h3>") < html.index("<details")
    assert html.count('<details class="protocol">') == 2
    titles = ("Scores", "The same", "Differences", "PSNR, hole", "Pictures")
    places = [html.index(f"<h2>{title}") for title in titles]
    assert places == sorted(places)


def test_differences_that_are_sure_are_marked() -> None:
    first, better, worse = (
        evaluation(n, ("crfill",), b) for n, b in [("a", 0), ("b", 1), ("c", -1)]
    )
    unsure = first._replace(
        method="d", values={k: v + np.tile([1, -1], 9) for k, v in first.values.items()}
    )
    sections = [Section(one, []) for one in (first, better, worse, unsure)]
    rows = table(page(sections, title="T"), "Differences").findall("tbody/tr")
    texts = ["".join(row.itertext()) for row in rows]
    assert re.match(r"b▲ \+0\.\d\d \(better\)\+0", texts[0])
    assert re.match(r"c▼ −0\.\d\d \(worse\)−0", texts[1])
    assert re.match(r"d\+0\.00−0\.\d\d … \+0", texts[2])


def test_differences_of_losses_are_better_below_zero() -> None:
    sections = [Section(evaluation(name, better=b), []) for name, b in [("a", 0), ("b", 0.2)]]
    (row,) = table(page(sections, title="T"), "Differences").findall("tbody/tr")
    assert {cell.find("data/span").get("class") for cell in row[1:]} == {"better"}  # pyright: ignore


def test_what_is_left_out_is_told_with_the_protocols_that_ask_for_it() -> None:
    why = {"lpips_vgg": "run `a & b`", "lpips_alex": "run `a & b`", "p_ids": "too `few"}
    one, other = evaluation("a"), evaluation("b")._replace(left_out={"p_ids": "too `few"})
    html = page([Section(one._replace(left_out=why), []), Section(other, [])], title="T")
    assert html.count("Left out:") == 1
    assert re.findall("<li><b>(.*?)</li>", html) == [
        "LPIPS, VGG · LPIPS, Alex of a</b>: run <code>a &amp; b</code>",
        "P-IDS</b>: too `few",
    ]


def test_means_of_few_pictures_have_no_interval_and_no_difference_is_sure() -> None:
    few = 4 * 3
    sections = [Section(evaluation(n, better=b, cases=few), []) for n, b in [("a", 0), ("b", 1)]]
    html = page(sections, title="T")
    assert 'class="interval"' not in html
    assert "▲ +" not in html
    assert '<path class="bars" d=""/>' in html
    assert "of fewer than five pictures have none" in html
    told = [str(cell.text) for cell in table(html, "Differences").iter("data")]
    assert len(told) == len(PROTOCOLS["house"].metrics)
    assert all(text.startswith(("+", "−")) for text in told)


def test_what_is_no_number_is_a_dash_and_never_the_best() -> None:
    def with_psnr(name: str, first: float) -> Section:
        of = evaluation(name, ("house",))
        values = {key: np.r_[first, column[1:]] for key, column in of.values.items()}
        return Section(of._replace(values=values), [])

    nan = [with_psnr("a", np.nan), with_psnr("b", 1.0), with_psnr("c", 2.0)]
    html = page(nan, title="T")
    cells = [row[1] for row in table(html, "house, all cases").iter("tr") if len(row) > 2][1:4]
    assert ["".join(cell.itertext())[:1] for cell in cells] == ["–", "0", "0"]
    assert {method for method, _ in best(html, "house, all cases")} == {"b", "c"}
    assert "nan" not in re.findall("[a-z]+", re.sub("<style>.*</style>", "", html, flags=re.DOTALL))


def test_pictures_that_were_painted_without_a_fault_are_the_best() -> None:
    def with_overall(name: str, psnr: float) -> Section:
        of = evaluation(name, ("crfill",), cases=1)
        return Section(of._replace(values={"crfill/composite/psnr": np.array([psnr])}), [])

    html = page([with_overall("a", 40.0), with_overall("b", np.inf)], title="T")
    assert best(html, "crfill, all cases") == [("b", 1)]
    assert '<data value="Infinity" class="best">∞</data>' in html


def test_means_are_taken_once_and_plotted_as_in_the_tables(monkeypatch) -> None:
    taken = []
    means = results.means

    def counted(protocol: str, of: Evaluation) -> dict[str, dict[str, Mean]]:
        taken.append((protocol, of.method))
        return means(protocol, of)

    monkeypatch.setattr(results, "means", counted)
    html = three()
    assert len(set(taken)) == len(taken) == 9
    markers = re.findall("<title>a, 10 – 20 % missing: (.*?) dB", html)
    of_table = next(
        cell.find("data")
        for body in table(html, "house, by group").iter("tbody")
        if "10 – 20 % missing, composite" in "".join(body.itertext())
        for cell in body.iter("td")
    )
    assert of_table is not None
    assert markers == [of_table.text]


def test_weights_that_judged_are_told_once() -> None:
    judges = {"fid": "ab" * 32, "p_ids": "ab" * 32, "lpips_vgg": "cd" * 32}
    one = evaluation()._replace(details={"judges": judges, "network": "runs/x"})
    html = page([Section(one, [shown()]), Section(one, [])], title="T")
    told = re.findall("<dt>Weights that judged</dt><dd>(.*?)</dd>", html)
    assert [re.sub("<.*?>", "", text) for text in told] == [
        "FID · P-IDS abababababab, LPIPS, VGG cdcdcdcdcdcd"
    ]
    assert '<p class="note">network runs/x</p>' in html


@pytest.mark.parametrize("nans", [1, 9])
def test_cases_without_a_score_are_among_the_worst(nans: int) -> None:
    chosen = galleries._chosen(np.r_[np.arange(20.0), np.full(nans, np.nan)])
    assert chosen["worst"][:nans] == list(range(20, 20 + nans))
    assert chosen["best"] == [19, 18, 17, 16]


def test_methods_that_were_judged_by_other_protocols_have_dashes() -> None:
    sections = [Section(evaluation("a", ("house",)), []), Section(evaluation("b", ("mat",)), [])]
    html = page(sections, title="T")
    assert ["".join(td.itertext()) for td in table(html, "mat, all cases").iter("td")][:3] == [
        "–"
    ] * 3
    assert "∞" not in html


def test_one_case_is_enough() -> None:
    html = page([Section(evaluation(cases=1), [shown()])], title="One")
    Elements(html)
    assert "1 method judged on 1 case of 1 picture." in html
    assert '<svg class="plot"' in html


def test_links_that_all_pictures_share_are_told_once() -> None:
    gallery = [shown(name, composite=f"a/{name}.png", scores="a/pictures.csv") for name in "xy"]
    hrefs = Elements(page([Section(evaluation(), gallery)], title="T")).attributes("href")
    assert hrefs == ["./a/pictures.csv", "./a/x.png", "./a/y.png"]


def test_nothing_and_scores_of_other_cases_are_no_report() -> None:
    with pytest.raises(ValueError, match="nothing to report"):
        page([], title="T")
    other = evaluation()._replace(manifest="0" * 64)
    with pytest.raises(Incomparable):
        page([Section(evaluation(), []), Section(other, [])], title="T")


def test_the_script_that_may_run_is_the_one_that_is_there() -> None:
    html = three()
    (script,) = re.findall("<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html


# What a user does, and what is to be seen of it, as attributes of the root.
USE = """
const told = document.documentElement.dataset;
const by = (name) => document.querySelector(`table[aria-label="${name}"]`);
const rows = () => [...by("crfill, all cases").rows].slice(2);
const methods = () => rows().map((row) => row.cells[0].textContent);
const theme = document.getElementById("theme");
theme.click();
told.themes = told.theme;
theme.click();
told.themes += ` ${told.theme}`;
const sort = by("crfill, all cases").querySelector("th.sortable button");
told.orders = methods();
sort.click();
told.orders += ` ${methods()}`;
sort.click();
told.orders += ` ${methods()}`;
const figure = document.querySelector("figure.case");
const pictures = figure.querySelector(".pictures");
const wipe = () => `${pictures.dataset.left} ${pictures.style.getPropertyValue("--at")}`;
told.wipes = wipe();
figure.querySelector("input[type=range]").value = 25;
figure.querySelector("input[value=input]").checked = true;
figure.dispatchEvent(new Event("input"));
told.wipes += `, ${wipe()}`;
"""


def in_browser(html: str, script: str, folder: Path) -> tuple[Elements, str]:
    """A page after a script of ours has run behind its own, and what the browser complained of."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium on PATH")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    html = html.replace("script-src ", f"script-src 'sha256-{digest}' ")
    file = folder / "page.html"
    file.write_text(html.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    done = subprocess.run(
        [
            *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
            *("--disable-sync", f"--user-data-dir={folder / 'profile'}"),
            *("--enable-logging=stderr", "--dump-dom", file.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return Elements(done.stdout), "\n".join(complaints)


@pytest.mark.slow
def test_themes_sorting_and_pictures_on_one_another_work_in_a_browser(tmp_path) -> None:
    elements, complaints = in_browser(three(), USE, tmp_path)
    assert complaints == ""
    root = next(attributes for tag, attributes in elements.found if tag == "html")
    assert root["class"] == "js"
    assert sorted(str(root["data-themes"]).split()) == ["dark", "light"]
    assert root["data-orders"] == "a,b,c b,a,c c,a,b"
    assert root["data-wipes"] == "composite 50%, input 25%"


@pytest.mark.slow
def test_a_script_that_fails_in_a_browser_is_seen(tmp_path) -> None:
    _, complaints = in_browser(three(), "nothing.there();", tmp_path)
    assert "nothing is not defined" in complaints


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 60.0, [0, 10, 20, 30, 40, 50, 60]),
        (13.2, 28.9, [10, 15, 20, 25, 30]),
        (0.71, 0.79, [0.70, 0.72, 0.74, 0.76, 0.78, 0.80]),
        (-1.0, 1.0, [-1, -0.5, 0, 0.5, 1]),
        (20.0, 20.0, [18, 19, 20, 21, 22]),
        (0.0, 0.0, [-1, -0.5, 0, 0.5, 1]),
    ],
)
def test_ticks_are_round_and_enclose_all(low: float, high: float, expected: list[float]) -> None:
    assert charts.ticks(low, high) == pytest.approx(expected)


def series(name: str, *points: tuple[float, float]) -> charts.Series:
    buckets = [charts.Bucket(x, Mean(y, y - 1, y + 1), f"{name} <{x}>") for x, y in points]
    return charts.Series(name, points, buckets)


def test_a_plot_is_xml_with_all_in_its_frame() -> None:
    plot = charts.against_missing(
        [series("<a>", (5.0, 30.0), (55.0, 12.0)), series("b", (5.0, 28.0), (55.0, 28.0))],
        'PSNR "&", dB',
    )
    root = ElementTree.fromstring(plot)
    assert root.get("aria-label") == 'PSNR "&", dB against the missing share in %, by method'
    assert next(title.text for title in root.iter("title")) == "<a> <5.0>"
    cases = [path.get("d", "") for path in root if path.get("class", "").startswith("cases")]
    places = [
        tuple(map(int, place.split())) for d in cases for place in re.findall(r"M(\d+ \d+)", d)
    ]
    assert len(places) == 4
    assert all(charts.LEFT <= x <= charts.WIDTH - charts.RIGHT for x, _ in places)
    assert all(charts.TOP <= y <= charts.HEIGHT - charts.BOTTOM for _, y in places)
    # Higher scores are above, larger shares to the right.
    (x0, y0), (x1, y1), *_ = places
    assert x0 < x1
    assert y0 < y1
    texts = [text.text for text in root.iter("text")]
    assert texts[-2:] == ["missing, %", 'PSNR "&", dB']


def test_methods_are_told_by_colour_and_by_shape() -> None:
    swatches = [charts.swatch(i) for i in range(charts.COLOURS * len(charts.MARKERS))]
    assert len(set(swatches)) == len(swatches)
    assert all(ElementTree.fromstring(one).tag == "svg" for one in swatches)


def test_cases_on_one_pixel_are_one_dot() -> None:
    plot = charts.against_missing(
        [series("a", (10.0, 20.0), (10.0, 20.0001), (20.0, 30.0))], "PSNR"
    )
    assert plot.count("h0") == 2


def test_a_plot_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no points"):
        charts.against_missing([series("a")], "PSNR")
