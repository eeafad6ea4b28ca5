"""What chapters say of the papers' tables and figures: all of them, and where they are shown."""

from __future__ import annotations

import json
import re
from collections import Counter

import pandas as pd
import pytest
from shown import shown_names
from small_book import printed

from modclust_utils.coverage import Covered, table_of
from modclust_utils.datasets import papers
from modclust_utils.paths import root
from modclust_utils.publish import chapters, coverage
from modclust_utils.publish.chapters import chapter_numbers
from modclust_utils.publish.errors import FileError
from modclust_utils.publish.left import COVERAGE, RUN_VARIABLE

ALL = [(n, each) for n in chapter_numbers() for each in chapters.contents(n)]
#: What the papers' texts name: their tables and figures, appendices too.
ITEMS = {
    "filan2020": [
        *(f"Table {n}" for n in range(1, 5)),
        *(f"Table A.{n}" for n in range(1, 20)),
        *(f"Figure {n}" for n in range(1, 7)),
        *(f"Figure A.{n}" for n in range(1, 7)),
    ],
    "casper2022": ["Table 1", *(f"Figure {n}" for n in range(1, 5))],
    "hod2021": [f"Figure {n}" for n in range(1, 8)],
    "lange2022": [
        *("Table 1", *(f"Figure {n}" for n in range(1, 5))),
        *(f"Figure S{n}" for n in range(1, 6)),
    ],
}


@pytest.mark.parametrize("paper", ITEMS)
def test_every_table_and_figure_of_a_paper_stands_in_one_chapter(paper):
    found = [each["item"] for _, each in ALL if each["paper"] == paper]
    listed = [item for item in found if item.startswith(("Table", "Figure"))]
    assert sorted(listed) == sorted(ITEMS[paper])


def test_papers_are_those_that_are_known():
    assert {each["paper"] for _, each in ALL} == set(ITEMS)


def test_every_printed_table_is_an_item():
    """The numbers of a text are several: a chapter has those that it is about."""
    used = Counter(name for _, each in ALL for name in each.get("tables", []))
    files = {file.stem for file in (root() / papers.FOLDER).glob("*.csv")}
    assert set(used) == files
    assert {name for name, n in used.items() if n > 1} == {"filan2020_text"}
    for _, each in ALL:
        for name in each.get("tables", []):
            place = papers.source(name).partition(", ")[2].partition(" (")[0]
            assert place in (each["item"], "text"), each


def test_every_number_of_a_text_is_in_one_chapter():
    rooms = [chapters.room(n, "coverage") for n in (1, 2, 3)]
    keys = [key for each in rooms for key in each.IN_TEXT]
    assert sorted(keys) == sorted(papers.paper_table("filan2020_text")["key"])


@pytest.mark.parametrize("chapter", [1, 2, 3])
def test_an_item_of_text_says_where_its_numbers_stand(chapter):
    """ "section 4.1" is in section 4, and what stands elsewhere is named."""
    room = chapters.room(chapter, "coverage")
    assert room.TEXT in [each["item"] for each in chapters.contents(chapter)]
    facts = papers.paper_table("filan2020_text").set_index("key")["place"]
    places = {facts[key].split(" and ")[0].partition(".")[0] for key in room.IN_TEXT}
    sections = {place for place in places if place.startswith("section")}
    # the caption of a table is named by itself, as Table A.18
    said = re.sub(r"Table A\.\d+", "Table A", room.TEXT).lower()
    words = [place.removeprefix("section ").lower() for place in places]
    assert all(re.search(rf"\b{word}\b", said) for word in words)
    assert len(sections) == len(re.findall(r"\b\d\b", said.partition(",")[0]))


@pytest.mark.parametrize("chapter", chapter_numbers())
def test_items_are_shown_where_they_are_said_to_be(chapter):
    names = shown_names(chapter)
    assert len(names) > 5
    for each in chapters.contents(chapter):
        for name in each.get("shown_in", []):
            assert any(pattern.fullmatch(name) for pattern in names), (each["item"], name)
        assert each["words"] == each["words"].strip()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{paper: p, item: T, shown_in: [t]}", "row 1 lacks words"),
        ("{paper: p, item: T, words: w, note: n}, T", "does not hold"),
        ("{paper: p, item: T, words: w}", "item T lacks 'shown_in' or 'note'"),
        ("{paper: p, item: T, words: w, note: n}, {paper: p, item: T, words: v, note: n}", "twice"),
    ],
)
def test_entries_that_are_not_whole_are_refused(tmp_path, entry, message):
    file = tmp_path / "contents.yml"
    file.write_text(f"[{entry}]", encoding="utf-8")
    with pytest.raises(FileError, match=message):
        chapters.read_contents(file)


# A chapter's table


@pytest.fixture
def contents(monkeypatch) -> None:
    entries = [
        {"paper": "filan2020", "item": "Table 1", "words": "One.", "shown_in": ["table-1"]}
        | {"tables": ["filan2020_table_1"]},
        {"paper": "filan2020", "item": "Figure 1", "words": "Two.", "note": "a drawing"},
    ]
    monkeypatch.setattr(chapters, "contents", lambda chapter: entries)


def test_what_is_covered_is_shown_and_left_with_the_run(contents, monkeypatch, tmp_path):
    monkeypatch.setenv(RUN_VARIABLE, str(tmp_path))
    row = Covered("Table 1", 30, 20, (0.5, 2.0, 1.0), "printed ±", 40, 60)
    shown = coverage.cover(1, printed(table_of({"filan2020": [row]})))
    assert shown.content.loc["Table 1"].tolist() == ["One.", "30", "20", "40", "60", "1.0", "2.0"]
    assert shown.content.loc["Figure 1"].tolist() == ["Two.", *["–"] * 6]
    assert shown.data[["item", "n_printed", "n_beside"]].to_numpy().tolist() == [
        ["Table 1", 30, 20],
        ["Figure 1", 0, 0],
    ]
    (source,) = shown.trace.sources
    assert source.startswith("Filan et al. 2020, Table 1 (")
    table, figure = json.loads((tmp_path / COVERAGE).read_text(encoding="utf-8"))
    assert (table["gaps"], table["shown_in"], table["note"]) == ([0.5, 2.0, 1.0], ["table-1"], "")
    assert (figure["n_ours"], figure["shown_in"], figure["note"]) == (None, [], "a drawing")


@pytest.mark.parametrize(
    "covered",
    [
        table_of({"filan2020": [Covered("Table 2")]}),
        table_of({"hod2021": [Covered("Table 1")]}),
        table_of({"filan2020": [Covered("Table 1"), Covered("Table 1")]}),
    ],
)
def test_rows_about_something_else_are_refused(contents, covered):
    with pytest.raises(ValueError, match=r"a row for each item of contents\.yml at most"):
        coverage.cover(1, printed(covered))


def test_papers_are_named_where_there_are_several():
    rows = coverage.with_contents(
        [{"paper": p, "item": "Figure 1", "words": "W"} for p in ("casper2022", "hod2021")],
        pd.DataFrame(columns=["paper", "item"]),
    )
    assert coverage.readable(rows).index.tolist() == [
        "Figure 1 (Casper et al. 2022)",
        "Figure 1 (Hod et al. 2021)",
    ]
