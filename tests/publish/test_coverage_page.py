"""The page of all tables and figures, from made-up runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
from small_book import executed_chapter, write_run

from modclust_utils.publish import coverage_page, pages
from modclust_utils.publish.run import read_runs
from modclust_utils.publish.scoreboard import ShownRun

WITH_PAGES = True
HERE = "../notebooks/01-pruned-mlp-clusterability.html"
ROW = {
    **{"paper": "filan2020", "item": "Table 1", "words": "n-cuts", "shown_in": ["one"], "note": ""},
    **{"n_printed": 30, "n_beside": 20, "gaps": [0.5, 1.0, 3.0], "unit": "printed ±"},
    **{"n_ours": 40, "n_theirs": 60, "n_elsewhere": 0, "n_ours_elsewhere": 0},
}
NOTHING = {"n_printed": 0, "n_beside": 0, "gaps": [], "unit": "", "n_ours": None, "n_theirs": None}
ELSEWHERE = {"n_beside": 0, "n_elsewhere": 5, "gaps": [], "n_ours": 0, "n_ours_elsewhere": 8}


def write(book: Path, *rows: dict, name: str = "paper-part") -> Path:
    """A run that left these rows, and shows a figure as `one` and a table as `two`."""
    folder = write_run(book, name)
    (folder / "coverage.json").write_text(json.dumps(rows), encoding="utf-8")
    notebook = executed_chapter()
    strip = '<details class="mc-strip" id="how-{}"></details>'
    notebook.cells[1].outputs[1].data["text/html"] = strip.format("one")
    table = nbformat.v4.new_code_cell("show()", execution_count=2)
    table.outputs = [nbformat.v4.new_output("display_data", {"text/html": strip.format("two")})]
    notebook.cells.append(table)
    nbformat.write(notebook, folder / "notebook.ipynb")
    return folder


def page(shown: str = "chapter") -> str:
    return coverage_page.coverage_page([ShownRun(run, "done", shown) for run in read_runs(1)])


def cells_of(text: str, item: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if line.startswith(f"| {item} |"))
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_row_of_a_table(book):
    write(book, ROW)
    item, words, where, *numbers = cells_of(page(), "Table 1")
    assert (item, words) == ("Table 1", "n-cuts")
    assert where == (
        f'Chapter 1: <a href="{HERE}#fig-one" title="figure: Place" aria-label="figure: Place">'
        "figure</a><br>"
        "the rest: not attempted; `modclust run 1 --profile paper`"
    )
    assert numbers == ["20 of 30", "paper-part", "40 / 60", "1.0", "3.0"]


def test_tables_lead_to_their_strips(book):
    write(book, ROW | {"shown_in": ["two", "not-there"], "n_beside": 30})
    _, _, where, *_ = cells_of(page(), "Table 1")
    words = "table: Place"
    link = f'<a href="{HERE}#how-two" title="{words}" aria-label="{words}">table</a>'
    assert where == f"Chapter 1: {link}"


def test_gaps_over_rows_are_marked(book):
    write(book, ROW | {"unit": "spread of rows"})
    assert cells_of(page(), "Table 1")[-2:] == ["1.0 †", "3.0 †"]


def test_paper_scale_names_no_other_command(book):
    write(book, ROW, name="paper")
    assert "modclust run" not in page()


def test_what_is_not_there_says_why(book):
    drawing = {**ROW, **NOTHING, "item": "Figure 1", "shown_in": [], "note": "a | drawing"}
    missing = {**ROW, **NOTHING, "item": "Figure 2", "shown_in": ["gone"]}
    write(book, drawing, missing)
    text = page()
    assert cells_of(text, "Figure 1")[2:] == ["a / drawing", *["–"] * 5]
    assert cells_of(text, "Figure 2")[2] == "not shown by this run"
    assert "**Of 2 tables, figures and passages of text, 0 are in this book.**" in text


def test_figure_of_networks_that_are_not_there(book):
    """The chapter shows others in its place."""
    write(book, {**ROW, **NOTHING, "item": "Figure 3", "n_ours": 0, "n_theirs": 1})
    text = page()
    assert cells_of(text, "Figure 3")[2].endswith(
        "ours: not attempted; `modclust run 1 --profile paper`"
    )
    assert "**Of 1 tables, figures and passages of text, 0 are in this book.**" in text


def test_ours_of_other_data_or_settings_are_named_so(book):
    write(
        book,
        ROW | ELSEWHERE,
        {**ROW, **NOTHING, **ELSEWHERE, "n_elsewhere": 0, "item": "Figure 2", "n_theirs": 60},
        ROW | {"item": "Table 2", "n_elsewhere": 4, "n_ours_elsewhere": 1},
    )
    text = page()
    assert cells_of(text, "Table 1")[3:6] == [
        "0 of 30, elsewhere 5",
        "paper-part",
        "0 / 60, elsewhere 8",
    ]
    assert cells_of(text, "Figure 2")[3:6] == ["–", "paper-part", "0 / 60, elsewhere 8"]
    for item in ("Table 1", "Figure 2"):
        assert cells_of(text, item)[2].endswith(
            "the paper's data and settings: not attempted; `modclust run 1 --profile paper`"
        )
    assert "the rest: not attempted" in cells_of(text, "Table 2")[2]
    assert (
        "**Of 3 tables, figures and passages of text, 1 are in this book, and 2 only with other "
        "data or settings than the paper's; 20 of 60 printed cells have ours beside them, and 9 "
        "have ours from elsewhere."
    ) in text
    assert "- *Elsewhere* counts ours from other data" in text


def test_summary_counts_items_cells_and_gaps(book):
    write(
        book,
        ROW,
        ROW | {"item": "Table 2", "n_printed": 10, "n_beside": 0, "gaps": []},
        {**ROW, **NOTHING, "item": "Figure 1"},
        ROW | {"paper": "hod2021", "item": "Table 1", "gaps": [7.0]},
    )
    text = page()
    what = "tables, figures and passages of text"
    assert (
        f"**Of 4 {what}, 3 are in this book; 40 of 70 printed cells have ours beside them. "
        "Of 4 gaps, 2 are at most 1 spread, and half are at most 2.0.**"
    ) in text
    for paper, cells in (
        ("Filan et al. 2020", (3, 2, 20, 40)),
        ("Hod et al. 2021", (1, 1, 20, 30)),
    ):
        n, shown, beside, printed = cells
        said = f"**Of {n} {what}, {shown} are in this book; {beside} of {printed} printed cells"
        assert f"## {paper}\n\n{said}" in text


def test_items_stand_as_a_paper_numbers_them(book):
    names = ["Figure A.1", "Text", "Table A.10", "Table A.2", "Figure 2", "Table 3", "Figure S1"]
    write(book, *({**ROW, **NOTHING, "item": name} for name in names))
    lines = [line for line in page().splitlines() if "n-cuts" in line]
    assert [line.split(" | ")[0].strip("| ") for line in lines] == [
        *("Table 3", "Table A.2", "Table A.10", "Figure 2", "Figure A.1", "Figure S1", "Text"),
    ]


def test_only_the_runs_that_are_chapters_count(book):
    write(book, ROW)
    assert "Table 1" not in page(shown="page")
    (write_run(book, "quick") / "verdicts.json").write_text("[]")
    assert "Table 1" in page()  # a run that left nothing says nothing


def test_texts_of_a_file_are_shown_as_they_are(book):
    bad = "<img src=x onerror=alert(1)>"
    write(book, ROW | {"item": bad, "words": bad, "note": bad, "unit": bad, "paper": f"{bad}2020"})
    # a backslash in front makes it a text of Markdown, a space after it no tag
    assert not re.search(r"(?<!\\)<(?! )img", page())


def test_page_is_staged(book):
    write(book, ROW, name="paper")
    pages.stage(book / "work")
    text = (book / "work" / "book" / "coverage.md").read_text(encoding="utf-8")
    assert cells_of(text, "Table 1")[3] == "20 of 30"
