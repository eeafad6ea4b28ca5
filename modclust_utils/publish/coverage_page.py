"""The page of all tables and figures of the papers: where each is in the book, and how close."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nbformat
import numpy as np

from modclust_utils.coverage import PRINTED_SPREAD, SPREAD_OF_ROWS, readable_count, readable_gaps
from modclust_utils.datasets.papers import paper_name
from modclust_utils.publish.chapters import chapter_notebook, profiles
from modclust_utils.publish.coverage import count
from modclust_utils.publish.escape import markdown, markdown_table, table_cell
from modclust_utils.publish.left import COVERAGE
from modclust_utils.publish.scoreboard import ShownRun
from modclust_utils.publish.stored_files import read_notebook, read_rows

HEAD = """# Coverage: the papers' tables and figures

What each table and figure of the papers shows, where it is in this book, and how much of it has
ours beside it. Everything here follows from the runs behind the chapters' pages and from the
printed tables.

- A *cell* is what a paper prints as one: a number, a word, or a mean ± its standard deviation.
  *Cells with ours* counts those that have a value of ours beside them, from the paper's data and
  under its settings.
- *Elsewhere* counts ours from other data than the paper's, or under another setting: another value
  of a parameter that makes the networks, or what is asked of them. How many networks and test
  images there are is no setting. What is elsewhere has no gap.
- A *gap* is the distance |ours − printed| in units of the paper's own spread: the standard
  deviation that is printed behind the mean. Cells without one have no gap.
- Where a table has single networks or sub-clusters in its rows, ours are others. There (†) the gap
  is between the means of two columns, in standard deviations over the printed rows.
- *Scale* is the profile of the run that the chapter shows.
"""
_FIELDS = {
    *("paper", "item", "words", "shown_in", "note", "gaps", "unit"),
    *("n_printed", "n_beside", "n_elsewhere", "n_ours", "n_ours_elsewhere", "n_theirs"),
}
MARKS = {PRINTED_SPREAD: "", SPREAD_OF_ROWS: " †"}


@dataclass(frozen=True)
class Place:
    """A figure or table of a chapter: where a link leads, which of the two, and its heading."""

    address: str
    what: str
    heading: str


def coverage_page(rows: Sequence[ShownRun]) -> str:
    """The page as Markdown, from what the runs left that are the chapters' pages."""
    items = [item for row in rows if row.shown == "chapter" for item in _items(row)]
    papers = list(dict.fromkeys(item["paper"] for item in items))
    lines = [HEAD, _summary(items), ""]
    for paper in papers:
        own = sorted((i for i in items if i["paper"] == paper), key=_order)
        lines += [f"## {markdown(paper_name(paper))}", "", _summary(own), "", _table(own), ""]
    return "\n".join(lines)


def _items(row: ShownRun) -> list[dict[str, Any]]:
    """What a run says of the items of its chapter, with the places where its page shows them."""
    file = row.run.folder / COVERAGE
    if not file.is_file():
        return []
    notebook = read_notebook(row.run.notebook)
    places = dict(places_of(notebook, chapter_notebook(row.chapter).with_suffix(".html").name))
    items = read_rows(file, _FIELDS)
    return [
        item
        | {
            "chapter": row.chapter,
            "run": row.run.name,
            "places": [places[name] for name in item["shown_in"] if name in places],
        }
        for item in items
    ]


def places_of(notebook: nbformat.NotebookNode, page: str) -> Iterator[tuple[str, Place]]:
    """Each figure and table that an executed chapter shows, by its name; page: its file's name."""
    heading = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            found = re.findall(r"^#+ +(.+)$", cell.source, re.MULTILINE)
            heading = found[-1] if found else heading
        for output in cell.get("outputs", []):
            text = "".join(output.get("data", {}).get("text/html", ""))
            for name in re.findall(r'<details class="mc-strip" id="how-([\w-]+)"', text):
                label = cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
                anchor = label or f"how-{name}"
                what = "figure" if label else "table"
                yield name, Place(f"../notebooks/{page}#{anchor}", what, heading)


def _order(item: Mapping[str, Any]) -> tuple[object, ...]:
    """Tables first, then figures, then text; within each as the paper numbers them."""
    what, _, number = item["item"].partition(" ")
    kinds = {"Table": 0, "Figure": 1}
    letter, digits = re.fullmatch(r"([A-Z]?)\.?(\d*).*", number).groups()  # type: ignore[union-attr]
    return kinds.get(what, 2), letter, int(digits or 0), item["item"]


def _summary(items: Sequence[Mapping[str, Any]]) -> str:
    """How many items are in the book, how many cells have ours beside them, and how close."""
    counts = ("n_printed", "n_beside", "n_elsewhere")
    n_printed, n_beside, n_elsewhere = (sum(i[name] for i in items) for name in counts)
    shown, others = (sum(map(which, items)) for which in (_is_here, _is_elsewhere))
    said = f"Of {len(items)} tables, figures and passages of text, {shown} are in this book"
    if others:
        said += f", and {others} only with other data or settings than the paper's"
    if n_printed:
        said += f"; {n_beside:,} of {n_printed:,} printed cells have ours beside them"
    if n_elsewhere:
        said += f", and {n_elsewhere:,} have ours from elsewhere"
    gaps = [gap for item in items for gap in item["gaps"]]
    if gaps:
        near = sum(gap <= 1 for gap in gaps)
        said += (
            f". Of {len(gaps):,} gaps, {near:,} are at most 1 spread, and half are at most "
            f"{np.median(gaps):.1f}"
        )
    return f"**{said}.**"


def _is_here(item: Mapping[str, Any]) -> bool:
    """Whether the book shows an item with something of ours that is from the paper's data and under
    its settings: beside its numbers if it has some."""
    ours = item["n_beside"] if item["n_printed"] else item["n_ours"]
    return bool(item["places"]) and ours != 0


def _is_elsewhere(item: Mapping[str, Any]) -> bool:
    """Whether the book shows an item with ours from other data or settings alone."""
    ours = item["n_elsewhere"] if item["n_printed"] else item["n_ours_elsewhere"]
    return bool(item["places"]) and ours > 0 and not _is_here(item)


def _table(items: Sequence[Mapping[str, Any]]) -> str:
    header = [
        *("Of the paper", "What it shows", "In this book", "Cells with ours", "Scale"),
        *("Networks here / in the paper", "Median gap", "Largest gap"),
    ]
    return markdown_table(header, map(_cells, items))


def _cells(item: Mapping[str, Any]) -> list[str]:
    printed, places = item["n_printed"], item["places"]
    mark = MARKS.get(item["unit"], "") if item["gaps"] else ""
    return [
        markdown(item["item"]),
        table_cell(item["words"]),
        _where(item),
        _beside(item) if printed else "–",
        markdown(item["run"]) if places else "–",
        _networks(item) if places else "–",
        *(gap + mark for gap in readable_gaps(item["gaps"])),
    ]


def _beside(item: Mapping[str, Any]) -> str:
    return readable_count(f"{item['n_beside']:,} of {item['n_printed']:,}", item["n_elsewhere"])


def _networks(item: Mapping[str, Any]) -> str:
    numbers = item["n_ours"], item["n_theirs"]
    here = "–" if numbers == (None, None) else " / ".join(map(count, numbers))
    return readable_count(here, item["n_ours_elsewhere"])


def _where(item: Mapping[str, Any]) -> str:
    """Links to where an item is shown, and why what is not there is not."""
    said = [_links(item["chapter"], item["places"])] if item["places"] else []
    if item["note"]:
        said.append(table_cell(item["note"]))
    elif _lacks_ours(item) and (command := _command(item)):
        said.append(f"{_lacking(item)}: not attempted; `{command}`")
    return "<br>".join(said) or "not shown by this run"


def _lacks_ours(item: Mapping[str, Any]) -> bool:
    return item["n_beside"] < item["n_printed"] or item["n_ours"] == 0


def _lacking(item: Mapping[str, Any]) -> str:
    if item["n_beside"]:
        return "the rest"
    return "the paper's data and settings" if _is_elsewhere(item) else "ours"


def _command(item: Mapping[str, Any]) -> str:
    """The command of the paper's own scale, where the run is another."""
    there = item["run"] != "paper" and "paper" in profiles(item["chapter"])
    return f"modclust run {item['chapter']} --profile paper" if there else ""


def _links(chapter: int, places: Sequence[Place]) -> str:
    links = []
    for place in places:
        words = html.escape(f"{place.what}: {re.sub('[$*`|]', '', place.heading)}")
        links.append(
            f'<a href="{html.escape(place.address)}" title="{words}" aria-label="{words}">'
            f"{place.what}</a>"
        )
    return f"Chapter {chapter}: {', '.join(links)}"
