"""Runs: every way in which one may fail is noticed, said and leaves the good page alone."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import nbformat
import papermill
import pytest
from small_book import PIXEL, executed_chapter, write_notebook, write_run

from modclust_utils import chapters
from modclust_utils.publish import pages, parameters, run
from modclust_utils.publish.errors import RunError
from modclust_utils.publish.run import (
    check_executed,
    check_run,
    notebook_environment,
    read_runs,
    run_chapter,
    source_hash,
)

# Runs that fail


def fail(book: Path, message: str, *, timeout: int | None = None) -> str:
    """Run the chapter of a book in which a good page lies; what the error says."""
    folder = book / "runs" / "01" / "quick"
    folder.mkdir(parents=True)
    (folder / "notebook.ipynb").write_text("a good page")
    (folder / "used.json").write_text('[["network", "of a run that was killed"]]')
    with pytest.raises(RunError, match=message) as error:
        run_chapter(1, check_run(1), timeout=timeout)
    assert (folder / "notebook.ipynb").read_text() == "a good page"
    (info,) = read_runs(1)
    assert info.status["state"] == "failed"
    assert not info.is_fresh
    assert re.search(message, info.status["reason"])
    assert info.status["seconds"] >= 0
    assert str(folder / "failed.ipynb") in str(error.value)
    assert "the same command goes on" in re.sub(r"\s+", " ", str(error.value))
    assert not (folder / "unfinished.ipynb").exists()
    with pytest.raises(pages.BuildError, match=r"quick \(failed\)"):
        pages.main_run(1, read_runs(1))
    assert not {"MODCLUST_RUN", "MODCLUST_PROGRESS"} & set(os.environ)
    return str(error.value)


def test_cell_that_raises(book):
    write_notebook(book, "print('before')", "numbers = []\nnumbers[3]", figure="pass")
    text = fail(book, "IndexError: list index out of range")
    assert "\x1b" not in text
    failed = nbformat.read(book / "runs" / "01" / "quick" / "failed.ipynb", as_version=4)
    assert "before" in str(failed.cells)


def test_kernel_that_dies(book):
    write_notebook(book, "import os", "os._exit(1)", figure="pass")
    fail(book, "(?i)kernel died|was not executed")


def test_cell_that_takes_too_long(book):
    write_notebook(book, "import time", "time.sleep(600)", figure="pass")
    fail(book, "(?i)timed? ?out", timeout=1)


@pytest.fixture
def executed(monkeypatch) -> nbformat.NotebookNode:
    """What papermill will leave behind, without starting a kernel."""
    notebook = executed_chapter()

    def execute_notebook(source: str, output: str, **_: object) -> None:
        nbformat.write(notebook, output)

    monkeypatch.setattr(papermill, "execute_notebook", execute_notebook)
    return notebook


def test_figure_cell_that_draws_nothing(book, executed):
    executed.cells[1].outputs = executed.cells[1].outputs[1:]
    fail(book, "code cell 1 promises a figure and drew none")


def test_chapter_without_any_figure(book, executed):
    executed.cells[1].outputs, executed.cells[1].metadata = [], {}
    fail(book, "the chapter drew no figure")


def test_cell_that_papermill_passed_over(book, executed):
    executed.cells.append(nbformat.v4.new_code_cell("never()"))
    fail(book, "code cell 2 was not executed")


def test_error_that_papermill_passed_over(book, executed):
    error = {"ename": "ValueError", "evalue": "too few", "traceback": []}
    executed.cells[1].outputs.append(nbformat.v4.new_output("error", **error))
    fail(book, "code cell 1: ValueError: too few")


def test_empty_cells_are_no_error(executed):
    executed.cells.append(nbformat.v4.new_code_cell(" \n"))
    check_executed(executed)
    assert executed.cells[1].outputs[0].data["image/png"] == PIXEL


def test_run_after_a_failed_one_clears_its_remains(book, executed):
    kept = list(executed.cells[1].outputs)
    executed.cells[1].outputs = []
    fail(book, "drew none")
    executed.cells[1].outputs = kept
    executed.cells[1].outputs.append(nbformat.v4.new_output("stream", name="stderr", text="/home"))
    executed.metadata["papermill"] = {"output_path": "/home/me"}
    info = run_chapter(1, check_run(1))
    assert sorted(path.name for path in info.folder.iterdir()) == ["notebook.ipynb", "run.json"]
    assert "/home" not in info.notebook.read_text(encoding="utf-8")
    assert info.status["records"] == []
    assert pages.main_run(1, read_runs(1)) == info


def test_run_that_is_stopped_by_hand_says_so(book, monkeypatch):
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(papermill, "execute_notebook", stop)
    with pytest.raises(KeyboardInterrupt):
        run_chapter(1, check_run(1))
    (info,) = read_runs(1)
    assert (info.status["state"], info.status["reason"]) == ("failed", "stopped by Ctrl-C")


def test_kernel_is_told_where_it_runs(book, monkeypatch):
    seen = {}

    def look(*_: object, cwd: str, **__: object) -> None:
        seen.update(os.environ, cwd=cwd)
        raise RuntimeError("enough")

    monkeypatch.delenv("MATPLOTLIBRC", raising=False)
    monkeypatch.setattr(papermill, "execute_notebook", look)
    with pytest.raises(RunError, match="enough"):
        run_chapter(1, check_run(1))
    folder = book / "runs" / "01" / "quick"
    assert seen["MODCLUST_RUN"] == str(folder)
    assert Path(seen["MODCLUST_PROGRESS"]).parent == folder
    assert seen["MATPLOTLIBRC"] == str(book / "matplotlibrc")
    assert seen["MODCLUST_ROOT"] == seen["cwd"] == str(book)
    assert "MATPLOTLIBRC" not in os.environ


# What makes a page stale


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A copy of the package, as the code that pages are made by."""
    folder = tmp_path / "package"
    shutil.copytree(run.PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(run, "PACKAGE", folder)
    monkeypatch.setattr(chapters, "__path__", [str(folder / "chapters")])
    return folder


ROOM, OTHER_ROOM = "chapters/ch01_clusterability", "chapters/ch03_lesions"


@pytest.mark.parametrize(
    ("file", "stale"),
    [
        ("package/nulls.py", True),
        ("package/publish/show.py", True),
        ("package/recipes/frames.py", True),
        ("package/figures/style.py", True),
        (f"package/{ROOM}/rules.py", True),
        (f"package/{ROOM}/claims.yml", True),
        (f"package/{ROOM}/contents.yml", True),
        ("book/data/papers/filan2020_table_1.csv", True),
        ("book/matplotlibrc", True),
        (f"package/{OTHER_ROOM}/rules.py", False),
        (f"package/{OTHER_ROOM}/claims.yml", False),
        (f"package/{OTHER_ROOM}/contents.yml", False),
        ("book/data/papers/casper2022_figure_2.csv", False),
        ("book/book/index.md", False),
    ],
)
def test_page_is_stale_after_a_change_of_what_made_it(tmp_path, book, package, file, stale):
    before = source_hash(1)
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    with open(path, "a", encoding="utf-8") as changed:
        changed.write("\n")
    assert (source_hash(1) != before) == stale


def cell(notebook: nbformat.NotebookNode) -> None:
    notebook.cells[-1].source += " "


def alt_text(notebook: nbformat.NotebookNode) -> None:
    next(c for c in notebook.cells if "mystnb" in c.metadata).metadata.mystnb.image.alt += "!"


def what_jupyter_does(notebook: nbformat.NotebookNode) -> None:
    notebook.metadata["kernelspec"] = {"name": "mine", "display_name": "Mine"}
    notebook.cells[2].outputs = [nbformat.v4.new_output("stream", text="opened in Jupyter")]


@pytest.mark.parametrize(
    ("change", "stale"), [(cell, True), (alt_text, True), (what_jupyter_does, False)]
)
def test_page_is_stale_after_a_change_of_its_notebook(book, change, stale):
    write_run(book, "quick")
    (path,) = (book / "notebooks").glob("*.ipynb")
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    nbformat.write(notebook, path)
    (info,) = read_runs(1)
    assert info.is_fresh != stale
    assert pages.state(info) == ("stale" if stale else "done")


# Names of runs


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "quick"),
        ({"n_jobs": 3, "device": "cpu", "data_folder": "x"}, "quick"),
        ({"n_clusters": 7}, "n_clusters-7"),
        ({"seed": 3, "n_clusters": 7}, "n_clusters-7-seed-3"),
        ({"datasets": ["lines"]}, "datasets-lines"),
        ({"dropout_rate": 0.25, "more_clusters": []}, "dropout_rate-0.25-more_clusters"),
    ],
)
def test_name_of_a_run(book, changes, name):
    assert run.run_name(1, check_run(1, overrides=changes)) == name


def test_long_names_are_cut_and_stay_apart(book):
    def name(word: str) -> str:
        return run.run_name(1, check_run(1, overrides={"datasets": [f"{word * 30}.npz"]}))

    assert len(name("ab")) <= 60
    assert name("ab") != name("ba")
    assert name("ab") == name("ab")
    # the same beginning, another end
    assert name("a" * 9 + "b") != name("a" * 9 + "b" + "c" * 2)


def test_name_of_the_paper_profile(book):
    paper = parameters.read_profile(1, "paper")
    assert run.run_name(1, check_run(1, overrides=paper)) == "paper"


def test_the_kernel_keeps_its_memory_unless_the_reader_asked_for_something_else(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "4096")
    monkeypatch.delenv("MALLOC_MMAP_THRESHOLD_", raising=False)
    with notebook_environment(tmp_path):
        assert os.environ["MALLOC_MMAP_THRESHOLD_"] == str(64 * 2**20)
        assert os.environ["MALLOC_TRIM_THRESHOLD_"] == "4096"
    assert "MALLOC_MMAP_THRESHOLD_" not in os.environ
    assert os.environ["MALLOC_TRIM_THRESHOLD_"] == "4096"


@pytest.mark.parametrize(
    ("asked", "found"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "ACTIVE"}, None)],
)
def test_threads_of_the_kernel_sleep_soon_unless_the_reader_asked_for_something_else(
    tmp_path, monkeypatch, asked, found
):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    with notebook_environment(tmp_path):
        assert os.environ.get("GOMP_SPINCOUNT") == found
