"""The built site for readers who hear it or use no mouse, as axe sees it; what search finds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest
from axe_playwright_python.sync_playwright import Axe
from searching import wait_for_results

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: What a reader types, and a page that has to be found.
WORDS = {
    "GPU": "book/rerun",
    "ImageNet": "notebooks/04",
    "Table A.4": "notebooks/02",
    "Colab": "book/index",
    "dropout": "notebooks/02",
    "n-cut": "book/how-to-read",
    "lesion": "notebooks/03",
    "verdict": "book/how-to-read",
    "Figure 2": "notebooks/01",
    "SqueezeNet": "notebooks/04",
    "EfficientNet": "notebooks/04",
    "CIFAR-10": "notebooks/01",
    "modularity": "notebooks/05",
    "shuffle": "notebooks/01",
    "p-value": "book/how-to-read",
    "papermill": "book/rerun",
    "exercise": "book/teaching",
    "ncut": "book/reference",
    "random seed": "book/",
    "memorize": "notebooks/02",
}
#: Of long tables the first rows, whose cells are as all others; sections are opened.
PREPARE = """() => {
    document.querySelectorAll("details").forEach((each) => (each.open = true));
    document.querySelectorAll("tbody tr:nth-child(n + 4)").forEach((row) => row.remove());
}"""


def violations(page: Page, only: list[str] | None = None) -> list[str]:
    """What axe says against the page that is open."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if only:
        options["runOnly"] = only
    found = Axe().run(page, options=options).response["violations"]
    return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]


@pytest.fixture(scope="module")
def own_pages(pages: list[str]) -> list[str]:
    """The pages of the book itself: those of runs are made as the chapters' are."""
    return [*(path for path in pages if not path.startswith("runs/")), "404.html"]


def test_axe_finds_no_violation_in_light(page, host, own_pages):
    found = []
    for path in own_pages:
        page.goto(urljoin(host, path), wait_until="load")
        page.evaluate(PREPARE)
        found += [f"{path}: {each}" for each in violations(page)]
    assert found == []


def test_axe_finds_no_weak_colour_in_dark(page, host, own_pages):
    """All else is the same as in light."""
    page.add_init_script("localStorage.mode = localStorage.theme = 'dark'")
    found = []
    for path in own_pages:
        page.goto(urljoin(host, path), wait_until="load")
        page.evaluate(PREPARE)
        found += [f"{path}: {each}" for each in violations(page, ["color-contrast"])]
    assert found == []


def test_search_finds_what_readers_type(page, host):
    page.goto(urljoin(host, "search.html"))
    missed = []
    for words, expected in WORDS.items():
        page.goto(urljoin(host, f"search.html?q={words.replace(' ', '+')}"))
        wait_for_results(page)
        links = page.locator("#search-results li a").evaluate_all("all => all.map((a) => a.href)")
        if not any(re.search(rf"/{expected}", link) for link in links):
            missed.append((words, expected, links[:4]))
    assert missed == []


def test_a_term_says_what_it_means(page, host):
    page.goto(urljoin(host, "book/index.html"))
    term = page.locator("article a.mc-term").first
    note = page.locator(f"#{term.get_attribute('aria-describedby')}")
    assert not note.is_visible()
    term.hover()
    note.wait_for(state="visible")
    assert len(note.inner_text()) > 20
    page.mouse.move(0, 0)
    note.wait_for(state="hidden")
    term.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    note.wait_for(state="visible")
    page.keyboard.press("Escape")
    note.wait_for(state="hidden")


def test_terms_stay_within_a_phone(page, host):
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(urljoin(host, "book/index.html"))
    terms = page.locator("article a.mc-term")
    for i in range(min(terms.count(), 4)):
        terms.nth(i).focus()
        terms.nth(i).hover()
        box = page.locator(f"#{terms.nth(i).get_attribute('aria-describedby')}").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


def test_heads_say_what_a_page_is(page, host, own_pages):
    for path in own_pages:
        if path in ("search.html", "404.html"):
            continue
        page.goto(urljoin(host, path), wait_until="domcontentloaded")
        metas = page.locator("head meta").evaluate_all(
            "all => Object.fromEntries("
            "all.map((m) => [m.name || m.getAttribute('property'), m.content]))"
        )
        assert len(metas["description"]) > 40, path
        assert metas["og:image"].endswith("_static/card.png")
        assert metas["og:title"]
        assert metas["citation_title"].startswith("Modclust"), path


def test_a_missing_page_leads_home(page, host):
    page.goto(urljoin(host, "404.html"))
    assert page.locator("h1").inner_text() == "No such page"
    page.locator("a").first.click()
    page.wait_for_url(urljoin(host, "book/index.html"))
