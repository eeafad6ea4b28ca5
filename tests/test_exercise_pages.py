"""Exercises on the built site, in a browser; the pages for students and teachers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import nbformat
import pytest

from modclust_utils.publish.chapters import chapter_notebook, chapter_numbers
from modclust_utils.publish.students import read_assignments

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FOLDS = """[...document.querySelectorAll("article details.mc-exercise")].map((fold) => ({
    id: fold.parentElement.id,
    title: fold.querySelector("summary").innerText.trim(),
    open: fold.open,
    checks: [...fold.querySelectorAll(".mc-check")].map((each) => each.className),
    solutions: [...fold.querySelectorAll(":scope details.mc-solution")].map((each) => each.open),
}))"""
TEACHING, TUTORIAL = "book/teaching.html", "book/first-verdict.html"


def page_of(chapter: int) -> str:
    return f"notebooks/{chapter_notebook(chapter).stem}.html"


def assignments(chapter: int):
    return read_assignments(nbformat.read(chapter_notebook(chapter), as_version=4))


@pytest.mark.parametrize("chapter", chapter_numbers())
def test_exercises_wait_folded_with_check_and_solution(page, host, chapter):
    page.goto(urljoin(host, page_of(chapter)))
    folds = page.evaluate(FOLDS)
    stated = assignments(chapter)
    assert [fold["id"] for fold in folds] == [f"exercise-{each.name}" for each in stated]
    for number, (fold, each) in enumerate(zip(folds, stated, strict=True), 1):
        assert not fold["open"]
        assert fold["title"].startswith(f"Exercise {chapter}.{number} ")
        assert f"{each.title} · {each.level} · {each.minutes} minutes" in fold["title"]
        # nobody has answered here, so that nothing is right
        assert fold["checks"] == ["mc-check mc-check-waits"]
        assert fold["solutions"] == [False]


def test_an_exercise_opens_by_a_link_and_its_solution_by_a_click(page, host, site):
    for base in (host, site.as_uri() + "/"):
        page.goto("about:blank")
        page.goto(urljoin(base, f"{page_of(1)}#exercise-two-triangles"))
        exercise = page.locator("#exercise-two-triangles")
        exercise.locator(".mc-check").wait_for(state="visible")
        solution = exercise.locator("details.mc-solution > p").first
        assert not solution.is_visible()
        exercise.get_by_text("Solution", exact=True).click()
        assert solution.is_visible()


def test_without_scripts_exercises_open(browser: Browser, host):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(urljoin(host, page_of(1)))
    exercise = page.locator("#exercise-two-triangles")
    assert not exercise.locator(".mc-check").is_visible()
    exercise.locator("summary").first.click()
    assert exercise.locator(".mc-check").is_visible()
    assert not exercise.locator("details.mc-solution > p").first.is_visible()
    context.close()


def test_paper_has_the_exercises_and_no_solution(page, host):
    page.goto(urljoin(host, page_of(1)))
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    folds = page.evaluate(FOLDS)
    assert all(fold["open"] for fold in folds)
    assert not any(any(fold["solutions"]) for fold in folds)


@pytest.mark.parametrize("chapter", chapter_numbers())
def test_the_student_notebook_can_be_saved(page, host, chapter):
    for path in (page_of(chapter), TEACHING):
        page.goto(urljoin(host, path))
        name = chapter_notebook(chapter).name
        with page.expect_download() as saved:
            page.locator(f"a[download][href$='students/{name}']").first.click()
        assert saved.value.suggested_filename == name
        given = json.loads(Path(saved.value.path()).read_text(encoding="utf-8"))
        assert not [cell for cell in given["cells"] if cell.get("outputs")]
        assert "{solution}" not in json.dumps(given)


def test_the_teachers_page_lists_every_exercise_and_what_chapters_cost(page, host):
    page.goto(urljoin(host, TEACHING))
    text = page.locator("article").inner_text()
    links = page.locator("article a").evaluate_all(
        "a => a.map((each) => each.getAttribute('href'))"
    )
    for chapter in chapter_numbers():
        for each in assignments(chapter):
            assert f"../{page_of(chapter)}#exercise-{each.name}" in links
            assert each.title in text
    costs = page.locator("table").filter(has_text="Their size").locator("tbody tr")
    rows = costs.evaluate_all("rows => rows.map((r) => [...r.cells].map((c) => c.innerText))")
    assert {row[0] for row in rows} == {str(n) for n in chapter_numbers()}
    for row in rows:
        assert re.fullmatch(r"[\d,]+", row[4])
        assert re.fullmatch(r"\d+ (s|min)|\d+\.\d h", row[5])
        assert re.fullmatch(r"[\d,.]+ MB", row[6])
    assert re.search(r"took \d+ (s|min), here", text)


def test_the_tutorial_ends_with_a_verdict(page, host):
    page.goto(urljoin(host, TUTORIAL))
    text = page.locator("article").inner_text()
    assert "n-cut by hand: 0.1538; by the book's function: 0.1538" in text
    words = "reproduced|not|cannot tell"
    assert re.search(rf"2 networks: ({words}) \(mean z", text)
    assert re.search(rf"5 networks: ({words}) \(mean z", text)
    assert page.locator("article figure img").count() == 1
    assert page.locator(".mc-check-waits").count() == 1
