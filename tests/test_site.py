"""The built site, looked at with a browser: every page, in light and dark, served and from disk."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urldefrag, urljoin, urlsplit
from xml.etree import ElementTree

import numpy as np
import pytest
from searching import wait_for_results

from modclust_utils.publish.scoreboard import committed
from modclust_utils.publish.viewer import viewed_networks
from modclust_utils.publish.viewer_links import PAGE

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Request

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "book" / "_static"
FACTS = (Path(__file__).parent / "site_facts.js").read_text(encoding="utf-8")
MATHJAX_SHA256 = "d4295dc33744836935c1399feece5159577b34c5c8ffb9f1c6324cd82e03a882"
FIRST = "book/index.html"
VIEWER = f"{PAGE}.html"
#: Whether what has the keyboard looks otherwise without it: a ring on itself or on a part of it.
RING = """() => {
    const focused = document.activeElement;
    const look = () => [focused, ...focused.querySelectorAll("*")].map((node) => {
        const style = getComputedStyle(node);
        return style.outlineStyle === "none" ? style.boxShadow : style.outline;
    }).join();
    const before = look();
    focused.blur();
    const after = look();
    focused.focus();
    return before !== after;
}"""
HASH = re.compile(r"[0-9a-f]{16,}", re.IGNORECASE)


@dataclass
class Visit:
    """What happened while one page was open. path: relative to the site."""

    path: str
    theme: str
    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def look_through(context: BrowserContext, base: str, paths: list[str], theme: str) -> list[Visit]:
    """Open pages of the site at `base` in a theme; note what they ask for and complain about."""
    visits: list[Visit] = []
    page = context.new_page()

    def note(request: Request) -> None:
        if not request.url.startswith((base, "data:", "blob:")):
            visits[-1].foreign.append(request.url)

    def complain(text: str) -> None:
        visits[-1].errors.append(text)

    if base.startswith("file:"):
        # A file asks nobody. (Not for the served site: where requests can be stopped, Chromium
        # keeps no cache, and every page loads MathJax anew.)
        page.route(re.compile("^https?:"), lambda route: route.abort())
    page.on("request", note)
    page.add_init_script(f"localStorage.mode = localStorage.theme = {theme!r}")
    page.on("console", lambda m: complain(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: complain(str(error)))
    # What is still under way when the next page is opened is given up: no fault of the site.
    page.on("requestfailed", lambda r: None if r.failure == "net::ERR_ABORTED" else complain(r.url))
    page.on("response", lambda r: complain(f"{r.status}: {r.url}") if r.status >= 400 else None)
    for path in paths:
        visits.append(Visit(path, theme))
        page.goto(urljoin(base, path), wait_until="load")
        page.evaluate("window.MathJax?.startup?.promise.then(() => true)")
        page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
        visits[-1].facts = page.evaluate(FACTS)
    page.close()
    return visits


@pytest.fixture(scope="module")
def visits(context: BrowserContext, host: str, pages: list[str]) -> list[Visit]:
    """Every page of the served site, in light and in dark."""
    both = [look_through(context, host, pages, theme) for theme in ("light", "dark")]
    return [*both[0], *both[1]]


@pytest.fixture(scope="module")
def visits_from_disk(context: BrowserContext, site: Path, pages: list[str]) -> list[Visit]:
    """Every page opened as a file."""
    return look_through(context, site.as_uri() + "/", pages, "light")


def problems(visits: list[Visit], find: Callable[[Visit], list[Any]]) -> list[str]:
    """What `find` finds on each page, with the page's path and theme in front."""
    return [f"{visit.path} ({visit.theme}): {each}" for visit in visits for each in find(visit)]


def articles(visits: list[Visit]) -> list[Visit]:
    """The pages that have a text of their own: all but the search page."""
    return [visit for visit in visits if visit.path != "search.html"]


def test_pages_ask_no_other_host(visits, visits_from_disk):
    assert problems(visits + visits_from_disk, lambda v: v.foreign + v.facts["remote"]) == []


def test_pages_have_no_errors(visits):
    assert problems(visits, lambda visit: visit.errors) == []


def test_pages_work_from_disk(visits, visits_from_disk):
    assert problems(visits_from_disk, lambda visit: visit.errors) == []
    served = {visit.path: visit.facts for visit in visits if visit.theme == "light"}
    for visit in visits_from_disk:
        for fact in ("drawnFormulas", "pictures", "background", "headings", "figures"):
            assert visit.facts[fact] == served[visit.path][fact], f"{visit.path}: {fact}"


def test_every_page_of_the_contents_is_there(pages):
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    named = re.findall(r"(?:file|root): (\S+)", toc)
    assert len(named) >= 7
    assert {f"{name}.html" for name in named} <= set(pages)


def test_the_address_of_the_site_leads_to_the_first_page(page, host):
    page.goto(host)
    page.wait_for_url(urljoin(host, FIRST))


def test_committed_verdicts_follow_from_the_records(page, host):
    """The status page, which the build makes from the runs, names those that do not."""
    assert committed()
    page.goto(urljoin(host, "book/status.html"))
    assert page.locator(".mc-verdict").count() > 50
    warnings = page.locator("article .admonition.warning").all_inner_texts()
    assert [each for each in warnings if "do not follow" in each] == []


def test_every_page_can_be_reached(visits, pages):
    to = {}
    for visit in visits:
        found = {urldefrag(urljoin(visit.path, link))[0] for link in visit.facts["links"]}
        to[visit.path] = found & set(pages)
    reached, new = set(), {FIRST}
    while new:
        reached |= new
        new = {path for page in new for path in to[page]} - reached
    # The search page is asked for by the search field.
    assert set(pages) - reached - {"search.html"} == set()


def is_viewed(place: str, viewed: dict[str, Any]) -> bool:
    """Whether the network viewer shows a place such as ``network=mnist-0&k=4&unit=h2-17``."""
    asked = dict(parse_qsl(place, keep_blank_values=True))
    network = viewed.get(asked.pop("network"))
    if network is None or int(asked.pop("k", network.numbers[0])) not in network.numbers:
        return False
    column, _, index = asked.pop("unit", "in-0").partition("-")
    layers = ["in", *(f"h{i}" for i in range(1, len(network.sizes) - 1)), "out"]
    if column not in layers or int(index) >= network.sizes[layers.index(column)]:
        return False
    layer, cluster = map(int, asked.pop("sub-cluster", "0-0").split("-"))
    return not asked and layer < len(layers) and cluster < max(network.numbers)


def test_links_lead_somewhere(visits, site):
    ids = {visit.path: set(visit.facts["ids"]) for visit in visits}
    viewed = {network.name: network for network in viewed_networks()}

    def broken(visit: Visit) -> list[str]:
        found = []
        for link in visit.facts["links"]:
            parts = urlsplit(link)
            if parts.scheme in {"http", "https", "mailto", "data"}:
                continue
            target = unquote(urlsplit(urljoin(visit.path, link)).path) if parts.path else visit.path
            anchor = unquote(parts.fragment)
            is_there = not parts.scheme and (site / target).is_file()
            if target == VIEWER and anchor.startswith("network="):
                is_there &= is_viewed(anchor, viewed)
            elif anchor and target in ids:
                is_there &= anchor in ids[target]
            if not is_there:
                found.append(link)
        return found

    assert sum(len(visit.facts["links"]) for visit in visits) > 100
    assert problems(visits, broken) == []


def test_links_to_elsewhere_are_encrypted(visits):
    def plain(visit: Visit) -> list[str]:
        return [link for link in visit.facts["links"] if link.startswith("http://")]

    assert problems(visits, plain) == []


def test_pictures_are_drawn_and_described(visits):
    def bad(visit: Visit) -> list[dict[str, Any]]:
        return [
            picture
            for picture in visit.facts["pictures"]
            if not picture["drawn"]
            or len((picture["alt"] or "").split()) < 3
            or HASH.search(picture["alt"])
            or picture["alt"].endswith((".png", ".svg"))
        ]

    assert any(visit.facts["pictures"] for visit in visits)
    assert problems(visits, bad) == []
    without = [p for visit in visits for p in visit.facts["otherPictures"] if not p["hasAlt"]]
    assert without == []


def test_formulas_are_drawn(visits):
    assert any(visit.facts["formulas"] for visit in visits if "notebooks/" in visit.path)
    for visit in visits:
        assert visit.facts["drawnFormulas"] == visit.facts["formulas"], visit.path
        assert visit.facts["brokenFormulas"] == 0, visit.path


def test_figures_have_number_caption_and_strip(visits):
    chapters = [v for v in visits if v.path.startswith(("notebooks/", "runs/"))]
    assert chapters
    for visit in chapters:
        blocks = visit.facts["figures"]
        assert [b for b in blocks if b["kind"] == "img" and not b["inFigure"]] == [], visit.path
        kinds = [block["kind"] for block in blocks if block["kind"] != "img"]
        assert "figure" in kinds, f"{visit.path} has no figure"
        assert set(kinds[1::2]) == {"strip"}, f"{visit.path}: {kinds}"
        assert set(kinds[::2]) <= {"figure", "table"}, f"{visit.path}: {kinds}"
        assert kinds[-1] == "strip", f"{visit.path}: {kinds}"
        figures = [block for block in blocks if block["kind"] == "figure"]
        numbers = [figure["number"] for figure in figures]
        assert all(re.fullmatch(r"Figure \d+(\.\d+)?", number) for number in numbers), numbers
        assert len(set(numbers)) == len(numbers)
        assert all(len(figure["caption"].split()) >= 3 for figure in figures), visit.path


def strips_of(visits: list[Visit], site: Path) -> list[dict[str, Any]]:
    """All strips, each with the content of the file that its link leads to."""
    return [
        block | {"content": (site / visit.path).parent.joinpath(block["data"]).read_text("utf-8")}
        for visit in visits
        for block in visit.facts["figures"]
        if block["kind"] == "strip"
    ]


def test_strips_name_a_command_and_hold_a_table(visits, site):
    strips = strips_of(visits, site)
    assert strips
    # of a network in memory no command knows
    made = re.compile(r"modclust (run \d+|analyze \S+)( |$)|modclust_utils\.analyze\(")
    for strip in strips:
        assert made.match(strip["command"]), strip
        assert strip["file"].endswith(".csv"), strip
        head, *rows = csv.reader(io.StringIO(strip["content"]))
        assert head
        assert all(head), head
        assert rows
        assert {len(row) for row in rows} == {len(head)}


@pytest.mark.parametrize("where", ["host", "disk"])
def test_data_of_a_figure_can_be_saved(visits, page, host, site, where):
    visit = next(v for v in visits if v.path.startswith("notebooks/"))
    page.goto(urljoin(host if where == "host" else site.as_uri() + "/", visit.path))
    with page.expect_download() as saved:
        page.locator("a.mc-data[download]").first.click()
    first = strips_of([visit], site)[0]
    assert saved.value.suggested_filename == first["file"]
    assert Path(saved.value.path()).read_text("utf-8") == first["content"]


def test_headings_go_down_one_by_one(visits):
    for visit in visits:
        levels = visit.facts["headings"]
        assert levels[:1] == [1], f"{visit.path}: {levels}"
        assert levels.count(1) == 1, f"{visit.path}: {levels}"
        assert all(b - a <= 1 for a, b in pairwise(levels)), f"{visit.path}: {levels}"


def test_pages_show_one_search_field(visits):
    for visit in articles(visits):
        assert visit.facts["searchFields"] == 1, visit.path


def test_pages_are_named_and_marked_up(visits):
    for visit in visits:
        assert visit.facts["language"] == "en", visit.path
        assert visit.facts["landmarks"] == 1, visit.path
        assert visit.facts["duplicateIds"] == [], visit.path
    titles = {visit.path: visit.facts["title"] for visit in articles(visits)}
    assert all(titles.values())
    assert len(set(titles.values())) == len(titles), titles


def test_controls_have_names(visits):
    assert problems(visits, lambda visit: visit.facts["nameless"]) == []


def test_text_stands_out_in_both_themes(visits):
    def faint(visit: Visit) -> list[str]:
        texts = visit.facts["contrasts"]
        return [f"{t['text']} {t['ratio']:.2f}" for t in texts if t["ratio"] < t["needed"]]

    assert all(len(visit.facts["contrasts"]) > 10 for visit in articles(visits))
    assert problems(visits, faint) == []


def test_themes_differ(visits):
    for visit in visits:
        assert visit.facts["theme"] == visit.theme, visit.path
        is_bright = sum(visit.facts["background"][:3]) > 3 * 128
        assert is_bright == (visit.theme == "light"), visit.path


def test_theme_can_be_switched_and_is_remembered(browser, host):
    context = browser.new_context(color_scheme="light")
    page = context.new_page()
    page.goto(urljoin(host, FIRST))
    button = page.locator("button.theme-switch-button:visible").first
    seen = set()
    for _ in range(3):  # light, dark, as the system has it
        button.click()
        seen.add((page.locator("html").get_attribute("data-theme"), background(page)))
        if page.locator("html").get_attribute("data-mode") == "dark":
            page.reload()
            assert page.locator("html").get_attribute("data-theme") == "dark"
    assert {theme for theme, _ in seen} == {"light", "dark"}
    assert len({colour for _, colour in seen}) == 2
    context.close()


def background(page: Page) -> str:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


@pytest.mark.parametrize("where", ["host", "disk"])
def test_search_finds_the_n_cut(page, host, site, where):
    base = host if where == "host" else site.as_uri() + "/"
    foreign = []
    page.on("request", lambda r: None if r.url.startswith(base) else foreign.append(r.url))
    page.goto(urljoin(base, FIRST))
    page.keyboard.press("Control+k")
    page.keyboard.type("n-cut")
    page.keyboard.press("Enter")
    results = page.locator("#search-results li a")
    wait_for_results(page)
    found = {
        Path(urlsplit(link).path).name for link in results.evaluate_all("a => a.map(b => b.href)")
    }
    assert {"how-to-read.html", "glossary.html"} <= found
    assert foreign == []
    results.first.click()
    page.locator("main article").wait_for()
    assert "n-cut" in page.locator("main article").inner_text().lower()


STRETCHED = """
() => {
  const shape = (i) => (i.clientWidth / i.clientHeight) * (i.naturalHeight / i.naturalWidth);
  return [...document.querySelectorAll("main article img")]
    .filter((i) => Math.abs(shape(i) - 1) > 0.02)
    .map((i) => [i.alt.slice(0, 40), i.clientWidth, i.clientHeight]);
}
"""


@pytest.mark.parametrize("width", [360, 1280])
def test_pages_fit_the_screen_and_figures_keep_their_shape(page, host, pages, width):
    page.set_viewport_size({"width": width, "height": 740})
    wide, stretched, n_figures = [], [], 0
    for path in pages:
        page.goto(urljoin(host, path), wait_until="load")
        needed = page.evaluate("document.documentElement.scrollWidth")
        if needed > width:
            wide.append((path, needed))
        stretched += page.evaluate(STRETCHED)
        n_figures += page.locator("main article img").count()
    assert wide == []
    assert n_figures > 5
    assert stretched == []


@pytest.mark.parametrize(("chapter", "place"), [("01", "#network="), ("03", "&sub-cluster=")])
def test_a_chapter_leads_into_the_network_viewer(visits, chapter, place):
    (facts,) = (v.facts for v in visits if f"/{chapter}-" in v.path and v.theme == "light")
    links = [link for link in facts["links"] if f"{VIEWER}#network=" in link]
    assert [link for link in links if place in link]


@pytest.mark.parametrize("where", ["host", "disk"])
def test_the_network_viewer_shows_what_a_link_names(page, host, site, where):
    base = host if where == "host" else site.as_uri() + "/"
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    network = viewed_networks()[0]
    k = network.numbers[0]
    page.goto(urljoin(base, f"{VIEWER}#network={network.name}&k={k}&unit=h1-17"))
    panel = page.locator("#mc-viewer-panel")
    panel.get_by_text("hidden 1, unit 17").wait_for()
    assert page.locator("#mc-viewer-base").bounding_box()["height"] > 300
    assert complaints == []


def test_keyboard_shows_where_it_is(page, host):
    page.goto(urljoin(host, FIRST))
    page.keyboard.press("Tab")
    first = page.evaluate("document.activeElement.textContent.trim()")
    assert first == "Skip to main content"
    for _ in range(12):
        page.keyboard.press("Tab")
        element = page.evaluate("document.activeElement.outerHTML.slice(0, 120)")
        assert page.evaluate(RING), element


def test_mathjax_is_the_published_file():
    content = (STATIC / "mathjax" / "tex-svg.js").read_bytes()
    assert hashlib.sha256(content).hexdigest() == MATHJAX_SHA256


def test_drawn_example_has_the_n_cut_that_the_text_says():
    from modclust_utils.clustering import ncut

    drawing = ElementTree.parse(STATIC / "ncut-example.svg").getroot()
    units = [node for node in drawing.iter() if "data-unit" in node.attrib]
    index = {node.get("data-unit"): i for i, node in enumerate(units)}
    adjacency = np.zeros((len(units), len(units)))
    for tie in (node for node in drawing.iter() if "data-edge" in node.attrib):
        a, b = (index[unit] for unit in tie.get("data-edge").split())
        adjacency[a, b] = adjacency[b, a] = float(tie.get("data-weight"))
    value = ncut(adjacency, [int(node.get("data-cluster")) for node in units])
    caption = (ROOT / "book" / "how-to-read.md").read_text(encoding="utf-8")
    (said,) = re.findall(r"the n-cut is 2/10 \+ 2/10 = ([\d.]+[0-9])", caption)
    assert value == pytest.approx(float(said))


def test_no_result_is_typed_into_the_first_page():
    """Numbers on the landing page come from records, by substitution."""
    text = (ROOT / "book" / "index.md").read_text(encoding="utf-8")
    assert re.findall(r"\d+\.\d+|\d+ %", text) == []
