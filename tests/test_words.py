"""One word for one thing, on pages and in exercises."""

from __future__ import annotations

import re

import nbformat
import pytest
from small_book import ROOT

from modclust_utils.publish.chapters import chapter_notebook, chapter_numbers, claims

TIE = re.compile(r"\b(tie|ties|tied)\b", re.IGNORECASE)
#: Of equal values, what else a tie is.
EQUAL = re.compile(r"equal|cost the same|size|rank|p-value|finite number", re.IGNORECASE)
NOTEBOOKS = [*(chapter_notebook(n) for n in chapter_numbers()), *(ROOT / "book").glob("*.ipynb")]
PAGES = [*NOTEBOOKS, *(ROOT / "book").glob("*.md")]


def passages(path) -> list[str]:
    """Items and paragraphs of a page; of a notebook its cells of code, too."""
    texts = [path.read_text(encoding="utf-8")]
    if path.suffix == ".ipynb":
        texts = [cell.source for cell in nbformat.read(path, as_version=4).cells]
    return [each for text in texts for each in re.split(r"\n\s*\n|\n(?=\d+\. |[-*|] )", text)]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_tie_is_of_equal_values_and_what_joins_units_is_an_edge(page):
    found = [each for each in passages(page) if TIE.search(each)]
    assert [each for each in found if not EQUAL.search(each)] == []


def test_exercises_and_glossary_know_no_tie():
    texts = [each for path in NOTEBOOKS for each in passages(path) if "exercise" in each]
    texts.append((ROOT / "book" / "glossary.md").read_text(encoding="utf-8"))
    assert [each for each in texts if TIE.search(each)] == []
    assert re.search(r"^edge$", texts[-1], re.MULTILINE)


def test_claims_that_a_page_names_are_there():
    text = (ROOT / "book" / "after.md").read_text(encoding="utf-8")
    named = set(re.findall(r"{{ claim_(\w+) }}", text))
    there = {each["id"] for chapter in chapter_numbers() for each in claims(chapter)}
    assert named
    assert named <= there
    # a network keeps what it computes only if biases go along, and no sign changes
    assert re.search(r"and its\s+bias, can be multiplied by a number above 0", text)
