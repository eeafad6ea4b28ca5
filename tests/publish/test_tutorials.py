"""Tutorials are executed by the build, once for each state of their sources."""

from __future__ import annotations

import nbformat
import pytest
from small_book import PIXEL, ROOT, write_run

from modclust_utils.publish import pages, tutorials
from modclust_utils.publish.errors import FileError, RunError
from modclust_utils.publish.tutorials import executed, seconds_of

V4 = nbformat.v4
WITH_PAGES = True


def write(book, *sources):
    notebook = V4.new_notebook(
        cells=[V4.new_markdown_cell("# A tutorial"), *map(V4.new_code_cell, sources)],
        metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": "P"}},
    )
    path = book / "book" / "mine.ipynb"
    nbformat.write(notebook, path)
    return path


DRAW = (
    "import base64\nfrom pathlib import Path\nfrom IPython.display import Image, display\n"
    f"display(Image(base64.b64decode('{PIXEL}'), format='png'))\n"
    "log = Path('log.txt')\nlog.write_text((log.read_text() if log.exists() else '') + 'ran ')"
)


def test_a_tutorial_is_executed_once_for_its_sources(book):
    source = write(book, DRAW, "print(6 * 7)")
    assert seconds_of(source) is None
    for _ in range(2):
        notebook = executed(source)
        assert notebook.cells[-1].outputs[0].text == "42\n"
        assert (book / "log.txt").read_text() == "ran "
    assert seconds_of(source) > 0
    source = write(book, DRAW, "print(6 * 8)")
    assert executed(source).cells[-1].outputs[0].text == "48\n"
    # what fails leaves no page, and does not pass for the one before
    source = write(book, DRAW, "print(6 / 0)")
    with pytest.raises(RunError, match=r"mine\.ipynb: ZeroDivisionError: division by zero"):
        executed(source)
    with pytest.raises(RunError):
        executed(source)


def test_a_damaged_note_is_no_execution(book):
    source = write(book, DRAW)
    folder = book / "runs" / "tutorials" / "mine"
    folder.mkdir(parents=True)
    (folder / "notebook.ipynb").write_text("{}")
    for content in ("", "[]", "{", '{"seconds": "long"}'):
        (folder / "run.json").write_text(content)
        assert seconds_of(source) is None
    assert executed(source).cells[0].source == "# A tutorial"


def test_a_damaged_tutorial_is_named(book):
    source = write(book, DRAW)
    executed(source)
    (book / "runs" / "tutorials" / "mine" / "notebook.ipynb").write_text('{"cells": [')
    with pytest.raises(FileError, match=r"notebook\.ipynb is damaged .*Delete the folder"):
        executed(source)


def test_every_tutorial_is_in_the_contents_and_without_outputs(monkeypatch):
    monkeypatch.setenv("MODCLUST_ROOT", str(ROOT))
    contents = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    there = tutorials.tutorials()
    assert there
    for source in there:
        assert f"file: book/{source.stem}\n" in contents
        cells = nbformat.read(source, as_version=4).cells
        assert not [c for c in cells if c.get("outputs") or c.get("execution_count")]


def test_tutorials_are_staged_as_they_were_executed(book, monkeypatch):
    write_run(book, "quick")
    write(book, DRAW)
    page = V4.new_notebook(cells=[V4.new_markdown_cell("# Executed")])
    monkeypatch.setattr(pages, "executed", lambda source: page)
    pages.stage(book / "work")
    staged = nbformat.read(book / "work" / "book" / "mine.ipynb", as_version=4)
    assert staged.cells[0].source == "# Executed"
