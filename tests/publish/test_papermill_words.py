"""What was typed for papermill is read again: it takes some words for other numbers."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_book import copy_book, write_notebook

from modclust_utils.publish import papermill_words
from modclust_utils.publish.chapters import chapter_notebook
from modclust_utils.publish.errors import ParameterError
from modclust_utils.publish.papermill_words import command_line, compare, read_again
from modclust_utils.publish.parameters import read_schema

SCHEMA = read_schema(chapter_notebook(1))
IN_AND_OUT = ["in.ipynb", "out.ipynb"]


@pytest.mark.parametrize(
    ("words", "papermill"),
    [
        (["-p", "seed", "1_0"], {"seed": 10}),
        (["-p", "seed", "٣"], {"seed": 3}),
        (["-p", "dropout_rate", "1_0.5"], {"dropout_rate": 10.5}),
        (["-y", "seed: 010"], {"seed": 8}),
        (["-y", "{seed: 1:30}"], {"seed": 90}),
        (["-b", base64.b64encode(b"seed: 0x4").decode()], {"seed": 4}),
        (["-y", "seed: 1_0"], {"seed": 10}),
    ],
)
def test_words_that_papermill_takes_for_other_numbers(tmp_path, words, papermill):
    again = read_again(SCHEMA, [*IN_AND_OUT, *words], tmp_path)
    (name,) = papermill
    message = rf"^{name}={papermill[name]} is not allowed: papermill read it so, and here it is "
    with pytest.raises(ParameterError, match=message):
        compare(SCHEMA, papermill, again)


def test_a_file_is_read_again_from_where_papermill_stands(tmp_path):
    (tmp_path / "mine.yml").write_text("seed: 010\nn_clusters: 7\n", encoding="utf-8")
    again = read_again(SCHEMA, [*IN_AND_OUT, "-f", "mine.yml"], tmp_path)
    assert again == {"seed": 10, "n_clusters": 7}
    # an address that papermill can read and this book cannot
    assert read_again(SCHEMA, [*IN_AND_OUT, "-f", "s3://away/mine.yml"], tmp_path) == {}


@pytest.mark.parametrize(
    ("words", "papermill"),
    [
        (["-p", "seed", "10"], {"seed": 10}),
        (["-p", "dropout_rate", "3e-1"], {"dropout_rate": 0.3}),
        (["-p", "datasets", "mnist,lines"], {"datasets": ["mnist", "lines"]}),
        # what comes later counts, as it does for papermill
        (["-y", "seed: 010", "-p", "seed", "7"], {"seed": 7}),
        # a raw word stays a word, and `start` reads it
        (["-p", "seed", "1_0", "-r", "seed", "7"], {"seed": 7}),
        # what is no parameter is refused elsewhere
        (["-p", "sed", "1_0"], {"sed": 10}),
    ],
)
def test_words_that_both_read_alike(tmp_path, words, papermill):
    compare(SCHEMA, papermill, read_again(SCHEMA, [*IN_AND_OUT, *words], tmp_path))


class Parent:
    def __init__(self, *words: str) -> None:
        self.words = words

    def parent(self) -> Parent:
        return self

    def cmdline(self) -> list[str]:
        return list(self.words)

    def cwd(self) -> str:
        return "/somewhere"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["/venv/bin/python", "/venv/bin/papermill", "a", "b"], ["a", "b"]),
        (["python", "-m", "papermill", "a", "b"], ["a", "b"]),
        (["C:/venv/papermill.exe", "a", "b"], ["a", "b"]),
        (["python", "-m", "modclust_utils", "run", "papermill"], None),
        (["jupyter-lab"], None),
        ([], None),
    ],
)
def test_who_started_the_kernel(monkeypatch, words, found):
    monkeypatch.setattr(papermill_words.psutil, "Process", lambda: Parent(*words))
    assert command_line() == (None if found is None else (found, Path("/somewhere")))


def test_papermill_itself_is_stopped(tmp_path):
    book = copy_book(tmp_path / "book")
    cell = "from modclust_utils.publish.session import start\n\nrun = start(1, globals())"
    notebook = write_notebook(book, cell)
    run = subprocess.run(
        [sys.executable, "-m", "papermill", str(notebook), "-", "-p", "seed", "1_0"],
        env={**os.environ, "MODCLUST_ROOT": str(book), "PYDEVD_DISABLE_FILE_VALIDATION": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode != 0
    assert "seed=10 is not allowed: papermill read it so, and here it is '1_0'" in run.stderr
