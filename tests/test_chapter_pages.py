"""How a chapter's page reads, in a browser: what is folded, and what opens it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

#: Heights of all code on the page.
CODE = """[...document.querySelectorAll("article div.cell_input")]
    .map((cell) => cell.checkVisibility() ? cell.offsetHeight : 0)"""

#: Whether each cell's code is open, also within closed folds.
OPEN = "[...document.querySelectorAll('details.mc-code')].map((cell) => cell.open)"


@pytest.fixture(scope="session")
def chapters(pages: list[str]) -> list[str]:
    """Paths of the pages of chapters."""
    return [path for path in pages if path.startswith("notebooks/")]


@pytest.fixture(params=["host", "disk"])
def base(request: pytest.FixtureRequest, host: str, site: Any) -> str:
    """The site, served and from disk."""
    return host if request.param == "host" else site.as_uri() + "/"


def test_code_is_folded_and_no_parameters_stand_beside_those_of_the_run(page, host, chapters):
    for path in chapters:
        page.goto(urljoin(host, path))
        heights = page.evaluate(CODE)
        assert len(heights) > 5, path
        assert set(heights) == {0}, path
        assert "data_folder" not in page.locator("article").text_content(), path


def test_code_of_one_cell_opens(page, host, chapters):
    page.goto(urljoin(host, chapters[0]))
    fold = page.locator("details.mc-code").nth(2)
    fold.locator("summary").focus()
    page.keyboard.press("Enter")
    assert sum(height > 0 for height in page.evaluate(CODE)) == 1
    assert fold.locator("pre").inner_text().strip()


def test_switch_for_all_code_is_remembered(browser: Browser, base, chapters):
    context = browser.new_context()
    page = context.new_page()
    page.goto(urljoin(base, chapters[0]))
    switch = page.get_by_role("button", name="Show all code")
    for shown in (True, False):
        switch.click()
        for path in chapters[:2]:
            page.goto(urljoin(base, path))
            page.locator("details.mc-code").first.wait_for()
            assert set(page.evaluate(OPEN)) == {shown}, path
            assert switch.get_attribute("aria-pressed") == str(shown).lower()
    context.close()


def test_switch_for_all_code_is_remembered_in_a_new_tab(browser: Browser, host, chapters):
    context = browser.new_context()
    first, second = context.new_page(), context.new_page()
    for page, pressed in ((first, "true"), (second, "false")):
        page.goto(urljoin(host, chapters[0]))
        switch = page.get_by_role("button", name="Show all code")
        switch.click()
        assert switch.get_attribute("aria-pressed") == pressed
    context.close()


#: As Chromium does with pages from disk on a busy machine: what a page keeps is lost to the next.
LOSES = """Object.defineProperty(window, "localStorage", {value: {
    kept: new Map(),
    getItem(key) { return this.kept.get(key) ?? null; },
    setItem(key, value) { this.kept.set(key, value); },
    removeItem(key) { this.kept.delete(key); },
}})"""


@pytest.fixture
def forgetful(browser: Browser) -> Iterator[Page]:
    """A page whose browser loses what is in `localStorage`."""
    context = browser.new_context()
    context.add_init_script(LOSES)
    yield context.new_page()
    context.close()


def test_switch_for_all_code_is_remembered_in_its_tab(forgetful, host, chapters):
    forgetful.goto(urljoin(host, chapters[0]))
    switch = forgetful.get_by_role("button", name="Show all code")
    switch.click()
    forgetful.goto(urljoin(host, chapters[1]))
    assert switch.get_attribute("aria-pressed") == "true"


def test_words_of_a_search_reach_the_next_page_and_no_other(forgetful, host, chapters):
    forgetful.goto(urljoin(host, "search.html?q=shuffles"))
    forgetful.locator(f"#search-results a[href*='{chapters[0]}']").first.click()
    found = forgetful.locator("article .highlighted:visible", has_text="shuffles")
    found.first.wait_for()
    forgetful.goto(urljoin(host, chapters[1]))
    assert forgetful.evaluate("sessionStorage.getItem('sphinx_highlight_terms')") is None


def test_without_scripts_code_opens_and_there_is_no_switch(browser: Browser, base, chapters):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(urljoin(base, chapters[0]))
    assert page.get_by_role("button", name="Show all code").count() == 0
    code = page.locator("details.mc-code div.cell_input").nth(2)
    assert not code.is_visible()
    page.locator("details.mc-code > summary").nth(2).click()
    assert code.is_visible()
    context.close()


def unfolded(page: Page) -> None:
    page.evaluate(
        "document.querySelectorAll('article details').forEach((each) => each.open = true)"
    )


# the page looks again after each change of a size
SAID = """() => [...document.querySelectorAll('.mc-table')].every(
    f => f.classList.contains('mc-scrolls') === (f.scrollWidth > f.clientWidth + 1))"""


@pytest.mark.parametrize("width", [390, 1280])
def test_what_is_wider_than_the_page_scrolls_and_says_so(page, host, chapters, width):
    page.set_viewport_size({"width": width, "height": 800})
    n_wide = 0
    for path in chapters:
        page.goto(urljoin(host, path))
        unfolded(page)
        page.wait_for_function(SAID)
        for frame in page.locator(".mc-table").all():
            needed, there, marked = frame.evaluate(
                "f => [f.scrollWidth, f.clientWidth, f.classList.contains('mc-scrolls')]"
            )
            label = frame.get_attribute("aria-label")
            assert marked == (needed > there + 1), (path, label)
            if marked:
                n_wide += 1
                frame.focus()
                page.keyboard.press("ArrowRight")
                page.wait_for_function("f => f.scrollLeft > 0", arg=frame.element_handle())
    assert n_wide > 0 or width > 390


# A page begins with what was found


BEGINNING = """() => {
    const top = (selector) => {
        const found = document.querySelector(`article ${selector}`);
        return found ? found.getBoundingClientRect().top + scrollY : null;
    };
    const said = [...document.querySelectorAll("article .cell_output:has(.mc-tally) li")];
    return {
        sentences: said.map((item) => item.textContent),
        verdicts: document.querySelector("article .mc-tally")?.textContent ?? "",
        places: [".mc-badge", ".mc-tally", "figure", ".mc-parameters"].map(top),
        method: top("section:has(> h2):nth-of-type(2)"),
    };
}"""


def test_chapters_begin_with_what_was_found(page, host, chapters):
    """Sentences and the key figure, then the parameters of the run, then the method."""
    page.set_viewport_size({"width": 1280, "height": 900})
    for path in chapters:
        page.goto(urljoin(host, path))
        found = page.evaluate(BEGINNING)
        assert 3 <= len(found["sentences"]) <= 5, path
        assert all(re.search(r"\d", sentence) for sentence in found["sentences"]), path
        counts = [int(n) for n in re.findall(r"\d+", found["verdicts"])]
        assert counts[0] == sum(counts[1:]) > 0, path
        badge, tally, figure, parameters = found["places"]
        assert badge < tally < figure < parameters < found["method"], path
        # what was found is on the first screen
        assert tally < 1100, path


LONGEST = 12_500  # CSS pixels at a width of 1,280


def test_no_chapter_is_longer_than_a_reader_scrolls(page, host, chapters):
    page.set_viewport_size({"width": 1280, "height": 900})
    heights = {}
    for path in chapters:
        page.goto(urljoin(host, path), wait_until="load")
        page.evaluate("window.MathJax?.startup?.promise.then(() => true)")
        heights[path] = page.evaluate("document.documentElement.scrollHeight")
    assert {path: h for path, h in heights.items() if h > LONGEST} == {}


def test_tables_fit_the_column(page, host, chapters):
    """At 1,280 pixels the main tables need no scrolling; at most a few within folds do."""
    page.set_viewport_size({"width": 1280, "height": 900})
    for path in chapters:
        page.goto(urljoin(host, path))
        wide = page.locator(".mc-table.mc-scrolls:visible")
        labels = wide.evaluate_all("frames => frames.map((f) => f.getAttribute('aria-label'))")
        assert labels == [], path


# Folded sections


FOLDS = """[...document.querySelectorAll("article details.mc-fold")].map((fold) => ({
    id: fold.parentElement.id,
    title: fold.querySelector("summary :is(h2, h3, h4)")?.textContent ?? "",
    open: fold.open,
    shows: fold.querySelectorAll("figure, .mc-table, p, li").length,
}))"""


def test_folds_are_closed_and_have_titles(page, host, chapters):
    for path in chapters:
        page.goto(urljoin(host, path))
        folds = page.evaluate(FOLDS)
        assert folds, path
        assert not [fold for fold in folds if fold["open"]], path
        assert all(len(fold["title"].split()) >= 3 for fold in folds), path
        assert all(fold["shows"] for fold in folds), path


def test_a_link_to_what_is_folded_opens_it(page, base, chapters):
    """To the section, to a figure or table in it, and again after it was closed."""
    path = urljoin(base, chapters[1])
    page.goto(path)
    fold = page.evaluate(FOLDS)[0]["id"]
    inside = page.locator("section.mc-fold :is(figure, .mc-table)[id]").first.get_attribute("id")
    for anchor in (fold, inside):
        page.goto("about:blank")
        page.goto(f"{path}#{anchor}")
        target = page.locator(f"[id='{anchor}']")
        shown = target if anchor == inside else target.locator("details > :not(summary)").first
        shown.wait_for(state="visible")
        assert page.evaluate("scrollY") > 500
    page.goto("about:blank")
    page.goto(path)
    link = page.locator(f".bd-toc-nav a[href='#{fold}'], .page-toc a[href='#{fold}']").first
    opened = page.locator(f"section#{fold} > details[open]")
    for _ in range(2):
        link.evaluate("link => link.click()")
        opened.wait_for()
        opened.evaluate("fold => (fold.open = false)")


def test_a_link_to_a_claim_opens_its_evidence(page, base, chapters):
    page.goto(urljoin(base, chapters[0]))
    claim = page.locator("details.mc-evidence[id]").nth(1)
    anchor = claim.get_attribute("id")
    assert not claim.locator("li").first.is_visible()
    page.goto(urljoin(base, f"{chapters[0]}#{anchor}"))
    claim.locator("li").first.wait_for(state="visible")


def test_from_a_claim_to_its_records_and_command_and_back(page, base, chapters):
    """Claim, figure, what it was made from: two clicks, and one back."""
    for path in chapters:
        page.goto(urljoin(base, path))
        claims = page.locator("details.mc-evidence[id^='claim-']")
        ends = claims.locator("a[href^='#how-']").evaluate_all("links => links.map((a) => a.hash)")
        assert len(ends) == claims.count() > 3
        shown = page.evaluate("ends => ends.filter((end) => !document.querySelector(end))", ends)
        assert shown == [], path
        anchor = claims.first.get_attribute("id")
        page.goto(urljoin(base, f"{path}#{anchor}"))
        claims.first.locator("a[href^='#how-']").click()
        strip = page.locator(f"details{ends[0]}")
        strip.locator("code").wait_for(state="visible")
        assert strip.locator("a[download$='-records.csv']").is_visible()
        strip.locator(f"a[href='#{anchor}']").click()
        claims.first.locator("li").first.wait_for(state="visible")


def test_a_word_that_was_searched_for_is_unfolded(page, base, chapters):
    """Where it stands in folds alone; a word that can be seen opens none."""
    for word, n_open in (("LOBPCG", 1), ("shuffles", 0)):
        page.goto(urljoin(base, f"search.html?q={word}"))
        page.locator(f"#search-results a[href*='{chapters[0]}']").first.click()
        found = page.locator("article .highlighted:visible", has_text=word)
        found.first.wait_for()
        assert page.locator("details.mc-fold[open]").count() == n_open


def test_print_unfolds_all_but_the_code(page, host, chapters):
    page.goto(urljoin(host, chapters[1]))
    state = """() => Object.fromEntries(
        ["mc-fold", "mc-strip", "mc-evidence", "mc-code"].map((name) =>
            [name, [...document.querySelectorAll(`details.${name}`)].map((each) => each.open)]))"""
    page.locator("details.mc-fold > summary").first.click()
    before = page.evaluate(state)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    printed = page.evaluate(state)
    assert all(all(printed[name]) for name in ("mc-fold", "mc-strip", "mc-evidence"))
    assert not any(printed["mc-code"])
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(state) == before
    assert before["mc-fold"][:2] == [True, False]


def test_tables_fit_on_paper(page, host, chapters):
    """What lies beyond the edge of a sheet is lost: A4, with Chromium's margins."""
    page.set_viewport_size({"width": 718, "height": 1000})
    page.emulate_media(media="print")
    for path in chapters:
        page.goto(urljoin(host, path))
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        wide = page.locator(".mc-table").evaluate_all(
            "f => f.filter((t) => t.scrollWidth > t.clientWidth + 1).map((t) => t.id)"
        )
        assert wide == [], path


def test_without_scripts_folds_open(browser: Browser, base, chapters):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(urljoin(base, chapters[0]))
    content = page.locator("details.mc-fold > :not(summary)").first
    assert not content.is_visible()
    page.locator("details.mc-fold > summary").first.click()
    assert content.is_visible()
    context.close()
