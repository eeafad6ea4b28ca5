"""A chapter after a real run in a small book, and what must hold of every chapter's page."""

from __future__ import annotations

import base64
import io
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pandas as pd
import pytest
from small_book import ROOT, copy_book

from modclust_utils.publish import engine, pages
from modclust_utils.publish.chapters import chapter_notebook, claims, plan
from modclust_utils.publish.left import LEFT
from modclust_utils.publish.parameters import read_schema, scientific, shown
from modclust_utils.publish.records import RecordStore
from modclust_utils.publish.run import RunInfo, check_run, read_runs, run_chapter

STRIP = '<details class="mc-strip"'


@dataclass(frozen=True)
class Done:
    """A chapter after a run: its book, parameters, run and notebook."""

    chapter: int
    book: Path
    parameters: dict[str, Any]
    run: RunInfo
    notebook: nbformat.NotebookNode

    @property
    def p(self) -> SimpleNamespace:
        return SimpleNamespace(**self.parameters)

    @property
    def store(self) -> RecordStore:
        return RecordStore(self.book / "data" / "cache")

    @property
    def frames(self) -> dict[str, pd.DataFrame]:
        """What the notebook found, read again from its records."""
        return engine.read_frames(plan(self.chapter, self.p), self.store)

    @property
    def code_cells(self) -> list[nbformat.NotebookNode]:
        return [cell for cell in self.notebook.cells if cell.cell_type == "code"]

    def outputs(self, kind: str) -> list[str]:
        """All outputs of a MIME type, in order."""
        shown = (output.get("data", {}) for cell in self.code_cells for output in cell.outputs)
        return [data[kind] for data in shown if kind in data]


@contextmanager
def finished(folder: Path, chapter: int, overrides: Mapping[str, Any]) -> Iterator[Done]:
    """Run a chapter in a book of its own, which stays the current one meanwhile."""
    book = copy_book(folder / "book", chapters=(chapter,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODCLUST_ROOT", str(book))
        patch.delenv("MODCLUST_DATA", raising=False)
        values = check_run(chapter, overrides={"device": "cpu", **overrides})
        info = run_chapter(chapter, values)
        yield Done(chapter, book, values, info, nbformat.read(info.notebook, as_version=4))


class _Strip(HTMLParser):
    """Facts and data of one strip."""

    def __init__(self) -> None:
        super().__init__()
        self.facts: dict[str, str] = {}
        self.name = self.csv = ""
        self._place: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._place.append(tag)
        if tag == "a" and "download" in dict(attrs):
            self.name = str(dict(attrs)["download"]).removesuffix(".csv")
            head, _, data = str(dict(attrs)["href"]).partition(",")
            assert head == "data:text/csv;base64"
            self.csv = base64.b64decode(data, validate=True).decode()

    def handle_endtag(self, tag: str) -> None:
        assert self._place.pop() == tag

    def handle_data(self, text: str) -> None:
        if "dt" in self._place:
            self.facts[text] = ""
        elif "dd" in self._place:
            self.facts[list(self.facts)[-1]] += text


def strips(done: Done) -> dict[str, tuple[dict[str, str], pd.DataFrame]]:
    """Facts and data of every strip of the page, by its file's name."""
    found: dict[str, tuple[dict[str, str], pd.DataFrame]] = {}
    for text in done.outputs("text/html"):
        if text.startswith(STRIP):
            strip = _Strip()
            strip.feed(text)
            assert strip.name not in found
            if "Records" in strip.facts:
                # the link to their list
                assert strip.facts["Records"].endswith(" (list)")
                strip.facts["Records"] = strip.facts["Records"].removesuffix(" (list)")
            found[strip.name] = strip.facts, pd.read_csv(io.StringIO(strip.csv))
    return found


def tables_of(done: Done) -> dict[str, pd.DataFrame]:
    """The plain data of every figure and table."""
    return {name: data for name, (_, data) in strips(done).items()}


def check_page(done: Done, *, figures: int, tables: int) -> None:
    """What holds of every page: all of it ran, was drawn, has its strip and no missing number."""
    _check_run(done)
    _check_cells(done, figures)
    _check_strips(done, figures + tables)
    texts = done.outputs("text/markdown") + [
        text for text in done.outputs("text/html") if not text.startswith(STRIP)
    ]
    words = [re.sub(r"<[^>]+>", " ", text) for text in texts]
    assert not [text for text in words if re.search(r"\b(nan|None|inf)\b|-0\.0+\b", text)]
    badge, tally, parameters = (
        next(text for text in done.outputs("text/html") if f'class="mc-{part}' in text)
        for part in ("badge", "tally", "parameters")
    )
    assert "a run with <b>other parameters</b>" in badge
    assert f"Of {len(claims(done.chapter))} claims" in tally
    for name in scientific(done.parameters):
        assert f'<th scope="row" class="mc-text">{name}</th>' in parameters
    nbformat.validate(done.notebook)


def _check_run(done: Done) -> None:
    (info,) = read_runs(done.chapter)
    assert info == done.run
    assert (info.status["state"], info.status["profile"]) == ("done", "own parameters")
    assert pages.state(info) == "done"
    files = sorted(path.name for path in info.folder.iterdir())
    assert files == sorted(["notebook.ipynb", "run.json", *LEFT])
    # used = planned
    planned = set(engine.planned(plan(done.chapter, done.p)))
    assert {tuple(each) for each in info.status["records"]} == planned
    assert {(path.parent.name, path.stem) for path in done.store} == planned


def _check_cells(done: Done, n_figures: int) -> None:
    cells = [cell for cell in done.code_cells if cell.source.strip()]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert {o.output_type for cell in cells for o in cell.outputs} == {"display_data"}
    source = nbformat.read(
        next((ROOT / "notebooks").glob(f"{done.chapter:02d}-*.ipynb")), as_version=4
    )
    promised = [c.metadata.mystnb for c in source.cells if "mystnb" in c.metadata]
    drawn = [c for c in done.code_cells if "figure" in c.metadata.get("mystnb", {})]
    assert [c.metadata.mystnb for c in drawn] == promised
    assert len({facts.figure.name for facts in promised}) == len(promised) == n_figures
    for cell in drawn:
        (picture,) = (o.data["image/png"] for o in cell.outputs if "image/png" in o.data)
        assert base64.b64decode(picture).startswith(b"\x89PNG")
        assert cell.metadata.mystnb.image.alt.strip()
        assert cell.metadata.mystnb.figure.caption.strip()
    assert "papermill" not in done.notebook.metadata
    for cell in done.notebook.cells:
        assert not {"papermill", "execution"} & set(cell.metadata)


def _check_strips(done: Done, n: int) -> None:
    for cell in done.code_cells:
        outputs = [o.data for o in cell.outputs if {"image/png", "text/html"} & set(o.data)]
        for data, following in zip(outputs, [*outputs[1:], {}], strict=False):
            if "image/png" in data or data["text/html"].startswith('<div class="mc-table"'):
                assert following["text/html"].startswith(STRIP)
    found = strips(done)
    assert len(found) == n
    schema = read_schema(chapter_notebook(done.chapter))
    for facts, data in found.values():
        assert len(data) > 0
        assert "Records" in facts or "Source" in facts
        if "Records" in facts:
            assert "n_networks = " in facts["Parameters"]
            assert "n_jobs" not in facts["Parameters"]
            assert re.fullmatch(r"(\d+ [a-z-]+(, )?)+", facts["Records"])
            assert "CPU" in facts["Computed on"]
            assert float(facts["Seconds of computing"].replace(",", "")) > 0
            assert re.match(r"[1-9][\d,]* MB of a process", facts["Peak memory"])
            assert facts["Commit"].startswith("records ")
        words = shlex.split(facts["Made again by"])
        assert words[:3] == ["modclust", "run", str(done.chapter)]
        texts = dict(zip(words[4::3], words[5::3], strict=True))
        values = {name: schema.parse(name, text) for name, text in texts.items()}
        # a page shows the names of files and folders, not where they lie
        again, own = (shown(each) for each in (schema.check(values), done.parameters))
        assert scientific(again) == scientific(own)


def verdicts_of(done: Done) -> set[str]:
    """The verdicts that the run left for the scoreboard."""
    rows = json.loads((done.run.folder / "verdicts.json").read_text(encoding="utf-8"))
    assert len(rows) > 0
    return {row["verdict"] for row in rows}
