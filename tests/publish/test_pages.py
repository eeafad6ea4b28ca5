"""What jupyter-book is given: the right run as the chapter, nothing stale, nothing made up."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import numpy as np
import pytest
import yaml
from small_book import digest, executed_chapter, make_network, write_run

from modclust_utils.publish import head, pages, run
from modclust_utils.publish.chapters import plan
from modclust_utils.publish.engine import Shelf, planned
from modclust_utils.publish.errors import BuildError, FileError, RecordError
from modclust_utils.publish.records import RecordStore, default_store, published_folder
from modclust_utils.publish.run import read_runs
from modclust_utils.recipes import clustering
from modclust_utils.recipes.base import Job, Value


def job(seed: int = 0) -> Job:
    return clustering.job(make_network()[0], "after", n_clusters=4, seed=seed)


KEY = job().key
WITH_PAGES = True


def put_record(seed: int = 0, commit: str = "abc123", value: float = 1.0, **provenance: str) -> str:
    """The key of a record with arrays among the book's own ones."""
    extra = {"commit": commit, **provenance}
    made = Value({"ncut": value}, {"w": np.ones(3)}, extra=extra)
    default_store().put(job(seed), made, seconds=1, device="CPU")
    return job(seed).key


def publish_record(seed: int = 0) -> None:
    """The same among the published ones."""
    put_record(seed)
    source = default_store().path("clustering", job(seed).key)
    target = published_folder() / "clustering"
    target.mkdir(parents=True, exist_ok=True)
    for file in (source, source.with_suffix(".npz")):
        file.rename(target / file.name)


def names(chapter: int = 1) -> dict[str, run.RunInfo]:
    return {each.name: each for each in read_runs(chapter)}


# Which run is the chapter


@pytest.mark.parametrize(
    ("paper", "quick", "chosen"),
    [
        ({}, {}, "paper"),
        (None, {}, "quick"),
        ({}, None, "paper"),
        ({"source_sha256": "old"}, {}, "quick"),
        ({"state": "failed"}, {}, "quick"),
        ({"state": "running"}, {}, "quick"),
        ({"records": [("clustering", KEY)]}, {}, "quick"),
    ],
)
def test_paper_run_is_the_chapter_if_it_is_up_to_date(book, paper, quick, chosen):
    for name, status in (("n_clusters-7", {}), ("paper", paper), ("quick", quick)):
        if status is not None:
            write_run(book, name, **status)
    assert pages.main_run(1, read_runs(1)).name == chosen


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({"source_sha256": "old"}, "stale"),
        ({"state": "failed", "reason": "x"}, "failed"),
        ({"state": "running"}, "broken off"),
        ({"records": [("clustering", KEY)]}, "records missing"),
    ],
)
def test_nothing_is_built_from_a_run_that_is_not_up_to_date(book, status, state):
    write_run(book, "quick", **status)
    write_run(book, "n_clusters-7")
    assert pages.state(names()["quick"]) == state
    for attempt in (lambda: pages.main_run(1, read_runs(1)), lambda: pages.stage(book / "work")):
        with pytest.raises(BuildError) as error:
            attempt()
        assert f"(there: quick ({state}), n_clusters-7 (done))" in str(error.value)
        assert "Run `modclust run 1`" in str(error.value)


def test_nothing_is_built_without_a_run(book):
    with pytest.raises(BuildError, match=r"no run that is up to date \(there: none\)"):
        pages.build_site(book / "site")
    assert not (book / "site").exists()


def test_done_run_whose_notebook_was_deleted_is_no_page(book):
    write_run(book, "quick")
    (write_run(book, "n_clusters-7") / "notebook.ipynb").unlink()
    assert pages.state(names()["n_clusters-7"]) == "stale"
    pages.stage(book / "work")
    assert not (book / "work" / "runs").exists()


def test_record_that_is_gone_is_missed(book):
    key = put_record()
    write_run(book, "quick", records=[("clustering", key)])
    assert pages.state(names()["quick"]) == "done"
    default_store().path("clustering", key).unlink()
    assert names()["quick"].missing_records == [("clustering", key)]
    assert pages.state(names()["quick"]) == "records missing"
    publish_record()
    assert pages.state(names()["quick"]) == "done"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"state": "done"}', "null", "[" * 10**5])
def test_damaged_status_is_named(book, content):
    file = write_run(book, "quick") / "run.json"
    file.write_text(content)
    with pytest.raises(run.RunError, match=r"run\.json .*Delete it and run again"):
        read_runs(1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("records", value) for value in ("ab", 3, None, ["ab"], [["a"]], [["a", 1]], {"a": "b"})),
        *(("chapter", value) for value in ("one", "1", None, 1.5, 2)),
        *(("state", 3), ("source_sha256", []), ("commit", None), ("started", 5), ("seconds", "x")),
    ],
)
def test_status_of_another_kind_is_named(book, field, value):
    file = write_run(book, "quick") / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {field: value}))
    with pytest.raises(run.RunError, match=rf"run\.json is damaged.*{field}.*Delete it and run"):
        read_runs(1)


def test_runs_are_listed_profiles_first(book):
    for name in ("a-run", "paper", "quick", "z-run"):
        write_run(book, name)
    assert [each.name for each in read_runs(1)] == ["paper", "quick", "a-run", "z-run"]


# The page of a run


def run_page(book: Path, name: str, **status: object) -> nbformat.NotebookNode:
    write_run(book, name, **status)
    return pages.run_page(names()[name])


def test_page_of_a_run_has_labels_of_its_own(book):
    text, figure = run_page(book, "n_clusters-7").cells
    assert text.source.splitlines()[0] == "# Run n_clusters-7: Are they clusterable?"
    assert "(place-n_clusters-7)=" in text.source
    assert ":label: eq-ncut-n_clusters-7" in text.source
    assert (
        "{eq}`eq-ncut-n_clusters-7` at [](#place-n_clusters-7), {ref}`place-n_clusters-7`; "
        "{numref}`fig-one-n_clusters-7`; a placeholder."
    ) in text.source
    assert figure.metadata.mystnb.figure.name == "fig-one-n_clusters-7"
    assert figure.outputs[2].data["text/markdown"] == (
        "See {numref}`fig-one-n_clusters-7`, not fig-one-more."
    )


def test_page_of_a_run_is_otherwise_the_same(book):
    page, source = run_page(book, "n_clusters-7"), executed_chapter()
    assert page.cells[1].source == source.cells[1].source
    assert page.cells[1].metadata.mystnb.image == source.cells[1].metadata.mystnb.image
    assert page.cells[1].outputs[:2] == source.cells[1].outputs[:2]
    kept = nbformat.read(book / "runs" / "01" / "n_clusters-7" / "notebook.ipynb", as_version=4)
    assert [cell.source for cell in kept.cells] == [cell.source for cell in source.cells]
    assert run_page(book, "quick").cells[0].source.startswith("# Quick run: Are they clust")


@pytest.mark.parametrize(
    ("status", "word"),
    [({"source_sha256": "old"}, "stale"), ({"records": [("clustering", KEY)]}, "records missing")],
)
def test_page_of_an_old_run_carries_a_warning(book, status, word):
    page = run_page(book, "n_clusters-7", **status)
    assert page.cells[1].cell_type == "markdown"
    assert page.cells[1].source.startswith(":::{warning}\n")
    assert f"This page is **{word}**" in page.cells[1].source
    assert "`modclust run 1` with the same parameters" in page.cells[1].source
    # the same again: another page would make every build another site
    assert page == pages.run_page(names()["n_clusters-7"])


def test_cell_of_a_figure_shows_the_figure_alone():
    notebook = executed_chapter()
    split = pages.figures_alone(notebook)
    assert [cell.cell_type for cell in split.cells] == ["markdown", "code", "code"]
    assert split.cells[1].outputs + split.cells[2].outputs == notebook.cells[1].outputs
    assert len(split.cells[1].outputs) == 1
    assert "remove-input" in split.cells[2].metadata.tags
    assert len(notebook.cells) == 2
    nbformat.validate(split)


# Staging


@pytest.fixture
def staged(book) -> Path:
    publish_record()
    put_record(1)
    verdicts = [
        {"id": "A1", "claim": "It is so.", "place": "Figure 3", "verdict": "not attempted"}
        | {"held": 1, "failed": 2, "cases": 4, "without_effect": 0.04, "replication": 0.9}
        | {"rule": "changed after its first records"}
    ]
    folder = write_run(book, "paper", records=[("clustering", KEY)])
    (folder / "verdicts.json").write_text(json.dumps(verdicts))
    write_run(book, "quick", seconds=1.25)
    write_run(book, "n_clusters-7", source_sha256="old")
    write_run(book, "seed-3", state="failed", reason="it broke")
    pages.stage(book / "work")
    return book / "work"


def test_stage_writes_the_pages_of_good_runs(staged):
    found = sorted(
        path.relative_to(staged).as_posix()
        for path in staged.rglob("*.ipynb")
        if "_static" not in path.parts
    )
    assert found == [
        "notebooks/01-pruned-mlp-clusterability.ipynb",
        "runs/01/n_clusters-7.ipynb",
        "runs/01/quick.ipynb",
    ]
    chapter = nbformat.read(staged / found[0], as_version=4)
    assert chapter.cells[0].source.startswith("# Are they clusterable?")
    assert chapter.cells[1].metadata.mystnb.figure.name == "fig-one"
    assert nbformat.read(staged / found[2], as_version=4).cells[1].metadata.mystnb.figure.name == (
        "fig-one-quick"
    )


def test_labels_of_all_staged_pages_differ(staged):
    text = "".join(path.read_text(encoding="utf-8") for path in staged.rglob("*.ipynb"))
    labels = re.findall(r'"name": "(fig-[^"]+)"|\((\S+)\)=|:label: ([\w-]+)', text)
    assert len(labels) == len(set(labels)) == 9


def test_stage_puts_the_pages_below_their_chapter(book, staged):
    before = yaml.safe_load((book / "_toc.yml").read_text(encoding="utf-8"))
    after = yaml.safe_load((staged / "_toc.yml").read_text(encoding="utf-8"))
    chapter = after["parts"][0]["chapters"][0]
    assert chapter.pop("sections") == [{"file": "runs/01/quick"}, {"file": "runs/01/n_clusters-7"}]
    assert after == before
    for part in after["parts"]:
        for page in part["chapters"]:
            assert list(staged.glob(f"{page['file']}.*")), page


def test_stage_gives_prose_its_numbers(book, staged):
    before = yaml.safe_load((book / "_config.yml").read_text(encoding="utf-8"))
    after = yaml.safe_load((staged / "_config.yml").read_text(encoding="utf-8"))
    facts = after["sphinx"]["config"].pop("myst_substitutions")
    for name, value in head.head_settings().items():
        assert after["sphinx"]["config"].pop(name) == value
    before["sphinx"]["config"].pop("myst_substitutions", None)
    assert after == before
    assert facts["n_published_records"] == "1"
    assert facts["n_published_networks"] == facts["n_published_tests"] == "0"


def test_networks_and_lesions_of_all_kinds_are_counted(book, monkeypatch):
    monkeypatch.setattr(pages.dask_facts, "facts", dict)  # reads the records
    kinds = ("network", "classifier", "pretrained-network", "graph-shuffles", "set-lesions")
    for kind in kinds:
        (published_folder() / kind).mkdir(parents=True)
        (published_folder() / kind / "a.json").touch()
    facts = pages.facts()
    of = ("networks", "tests", "lesions", "records")
    assert [facts[f"n_published_{each}"] for each in of] == ["3", "1", "1", "5"]


def test_stage_writes_nowhere_else(book):
    write_run(book, "quick")
    before = digest(book)
    pages.stage(book / "_build" / "source")
    assert {k: v for k, v in digest(book).items() if not k.startswith("_build/")} == before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notebook.ipynb", '{"cells": [{"cell_'),
        ("notebook.ipynb", "[]"),
        ("notebook.ipynb", '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}'),
        *(("verdicts.json", text) for text in ("[{", "{}", "[1]", '[{"id": "A1"}]')),
        *(("answer.json", text) for text in ('"It', "[]")),
        *(("coverage.json", text) for text in ("[{", "3", '[{"paper": "p"}]')),
    ],
)
def test_damaged_file_of_a_run_is_named(book, name, content):
    folder = write_run(book, "quick")
    (folder / name).write_text(content)
    with pytest.raises(
        FileError, match=rf"{name} is damaged .*Delete the folder .*quick and run it"
    ):
        pages.stage(book / "work")


@pytest.mark.parametrize("content", ["parts: [", "", "- a"])
@pytest.mark.parametrize("name", ["_toc.yml", "_config.yml"])
def test_damaged_file_of_the_book_is_named(book, name, content):
    write_run(book, "quick")
    (book / name).write_text(content)
    with pytest.raises(FileError, match=rf"{name} is damaged .*Repair it, or take it from"):
        pages.stage(book / "work")


def test_damaged_source_of_a_chapter_is_named(book):
    write_run(book, "quick")
    (source,) = (book / "notebooks").glob("01-*.ipynb")
    source.write_text("{")
    with pytest.raises(FileError, match=rf"{source.name} is damaged .*Repair it"):
        _ = names()["quick"].is_fresh


def test_damaged_published_record_is_named(book):
    publish_record()
    write_run(book, "quick")
    (path,) = published_folder().glob("*/*.json")
    path.write_text("{")
    with pytest.raises(RecordError, match=rf"{path.name} is not a record .*Delete"):
        pages.stage(book / "work")


def test_title_that_is_not_there_is_named(book):
    (book / "_config.yml").write_text("author: A\n")
    with pytest.raises(FileError, match=r"_config\.yml is damaged \(title is not a text\)"):
        pages._title()


def table_rows(text: str, header: str) -> list[list[str]]:
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(header))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_status_page_says_what_the_runs_noted(staged):
    text = (staged / "book" / "status.md").read_text(encoding="utf-8")
    started = "2026-01-02T03:04:05+00:00"
    assert table_rows(text, "| Chapter |") == [
        ["1", "paper", "done", "chapter", "1", "6.5", "`abc123`", started],
        ["1", "quick", "done", "page", "0", "1.25", "`abc123`", started],
        ["1", "n_clusters-7", "stale", "page", "0", "6.5", "`abc123`", started],
        ["1", "seed-3", "failed", "–", "0", "6.5", "`abc123`", started],
    ]
    assert table_rows(text, "| Kind of record |") == [["clustering", "1", "1"]]


def test_scoreboard_is_that_of_the_chapter(book, staged):
    text = (staged / "book" / "status.md").read_text(encoding="utf-8")
    assert "(../notebooks/01-pruned-mlp-clusterability.ipynb), paper run:" in text
    (row,) = (line for line in text.splitlines() if ">A1</a>" in line)
    assert row == (
        '| <a href="../notebooks/01-pruned-mlp-clusterability.html#claim-A1">A1</a> | It is so. | '
        '<span class="mc-verdict mc-verdict-not-attempted">not attempted</span> | Figure 3 | '
        "1 / 2 of 4 | 4% | 90% | changed after its first records |"
    )


# What is there, and publishing it


def test_completeness_counts_what_a_profile_needs(book):
    # 8 or 60 networks, each with an n-cut before pruning, a partition, and four tests
    store = default_store()
    assert pages.completeness(1, "quick", store) == (0, 8 * (1 + 1 + 1 + 4) + 1)
    assert pages.completeness(1, "paper", store) == (0, 60 * (1 + 1 + 1 + 4) + 1)
    *jobs, last = planned(plan(1, SimpleNamespace(**run.check_run(1, "quick")))).values()
    for each in jobs:
        found = {name: Shelf(store).require(need) for name, need in each.needs.items()}
        store.put(each, Value({}), seconds=1, device="CPU", needs=found)
    assert pages.completeness(1, "quick", store) == (len(jobs), len(jobs) + 1)
    assert not pages.is_complete(1, "quick", store)
    RecordStore(published_folder().parent).put(last, Value({}), seconds=1, device="CPU")
    assert pages.is_complete(1, "quick", store)


def test_publish_copies_the_records_of_a_run_and_no_others(book):
    publish_record(1)
    before = digest(published_folder())
    keys = [put_record(0), job(1).key, put_record(2)]
    write_run(book, "paper", records=[("clustering", key) for key in keys[:2]])
    assert pages.publish_records(names()["paper"]) == 1
    assert {path.stem for path in published_folder().rglob("*.json")} == set(keys[:2])
    copied = digest(published_folder())
    assert {name: copied[name] for name in before} == before
    own = digest(default_store().folders[0])
    assert {name: own[name] for name in copied if keys[0] in name} == {
        name: value for name, value in copied.items() if name not in before
    }
    # another run of the same records, or the same one again
    assert pages.publish_records(names()["paper"]) == 0


@pytest.mark.parametrize(
    "made",
    [{"commit": "abc123+"}, {"commit": "no git"}, {"commit": "abc123", "resumed_by": "abd123+"}],
)
def test_records_of_uncommitted_code_are_not_published(book, made):
    keys = [put_record(0), put_record(1, **made)]
    write_run(book, "paper", records=[("clustering", key) for key in keys])
    with pytest.raises(BuildError, match=f"1 records were made by code .*{keys[1]}.json"):
        pages.publish_records(names()["paper"])
    assert not published_folder().exists()


def test_the_same_made_again_is_published_once(book):
    publish_record()
    before = digest(published_folder())
    write_run(book, "paper", records=[("clustering", put_record(commit="def456"))])
    assert pages.publish_records(names()["paper"]) == 0
    assert digest(published_folder()) == before


def test_published_record_is_never_replaced(book):
    publish_record()
    before = digest(published_folder())
    write_run(book, "paper", records=[("clustering", put_record(value=2.0))])
    with pytest.raises(BuildError, match="is published already"):
        pages.publish_records(names()["paper"])
    assert digest(published_folder()) == before


@pytest.mark.parametrize("stop", [1, 2, 3, 4])
def test_publishing_that_is_stopped_leaves_whole_records_and_goes_on(book, monkeypatch, stop):
    write_run(book, "paper", records=[("clustering", put_record(seed)) for seed in (0, 1)])
    own, replace_file, calls = digest(default_store().folders[0]), os.replace, []

    def replace(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == stop:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace_file(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(RecordError, match="could not be written"):
            pages.publish_records(names()["paper"])
    there = digest(published_folder())
    assert {name: own[name] for name in there} == there
    assert len(there) == stop - 1
    records = list(published_folder().glob("*/*.json"))
    assert all(path.with_suffix(".npz").is_file() for path in records)
    assert pages.publish_records(names()["paper"]) == 2 - len(records)
    assert digest(published_folder()) == own


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


@pytest.mark.parametrize("damage", [cut, Path.unlink, Path.touch])
@pytest.mark.parametrize("file", ["json", "npz"])
def test_a_published_record_that_was_cut_off_is_mended(book, file, damage):
    write_run(book, "paper", records=[("clustering", put_record())])
    pages.publish_records(names()["paper"])
    whole = digest(published_folder())
    path = published_folder() / "clustering" / f"{KEY}.{file}"
    if damage is Path.touch:
        path.unlink()
    damage(path)
    assert pages.publish_records(names()["paper"]) == 1
    assert digest(published_folder()) == whole
    assert pages.publish_records(names()["paper"]) == 0


@pytest.mark.parametrize("made", [{"commit": "abc123+"}, {"value": 2.0}])
def test_a_published_record_is_mended_with_no_other(book, made):
    publish_record()
    cut(published_folder() / "clustering" / f"{KEY}.npz")
    before = digest(published_folder())
    write_run(book, "paper", records=[("clustering", put_record(**made))])
    with pytest.raises(BuildError, match="in no commit" if "commit" in made else "is another"):
        pages.publish_records(names()["paper"])
    assert digest(published_folder()) == before


@pytest.mark.parametrize("published", [True, False])
def test_a_damaged_record_of_the_run_is_named_and_not_published(book, published):
    if published:
        publish_record()
    write_run(book, "paper", records=[("clustering", put_record())])
    before = digest(published_folder())
    path = default_store().path("clustering", KEY)
    cut(path)
    with pytest.raises(RecordError, match=rf"{KEY}\.json is not a record .* Delete {path}"):
        pages.publish_records(names()["paper"])
    assert digest(published_folder()) == before


@pytest.mark.parametrize("published", [True, False])
def test_a_build_names_a_damaged_record(book, published):
    publish_record() if published else put_record()
    path = next(default_store().paths("clustering", KEY))
    write_run(book, "quick", records=[("clustering", KEY)])
    cut(path)
    with pytest.raises(RecordError, match=rf"{KEY}\.json is not a record .* Delete {path}"):
        pages.build_site()


# The build, with something in the place of jupyter-book


@pytest.fixture
def jupyter_book(monkeypatch) -> list[list[str]]:
    """Commands that were run; each makes a site, or fails after `fail` was appended."""
    calls: list[list[str]] = []
    run_other = subprocess.run

    def build(command: list[str], **options: Any) -> subprocess.CompletedProcess:
        if not command[0].endswith("jupyter-book"):
            return run_other(command, **options)
        failing = calls[-1:] == [["fail"]]
        calls.append(command)
        html = Path(command[command.index("--path-output") + 1]) / "_build" / "html"
        html.mkdir(parents=True)
        (html / "index.html").write_text(f"site {len(calls)}")
        options["stdout"].write("WARNING: something is undefined\n" if failing else "fine\n")
        return subprocess.CompletedProcess(command, int(failing))

    monkeypatch.setattr(pages.subprocess, "run", build)
    return calls


def test_site_is_built_strictly_and_moved_to_its_place(book, jupyter_book):
    write_run(book, "quick")
    site = pages.build_site()
    assert site == book / "_build" / "html"
    assert (site / "index.html").read_text() == "site 1"
    (command,) = jupyter_book
    assert {"-W", "-n", "--keep-going"} <= set(command)
    assert command[2] == str(book / "_build" / "source")


def test_records_of_a_tutorial_are_counted_from_the_first_build_on(book, monkeypatch):
    """Else the same sources would make another site the second time."""
    write_run(book, "quick")
    left = [put_record]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Mine")])

    def executed(source: Path) -> nbformat.NotebookNode:
        while left:
            left.pop()()
        return notebook

    monkeypatch.setattr(pages, "tutorials", lambda: [Path("mine.ipynb")])
    monkeypatch.setattr(pages, "executed", executed)
    one, two = book / "_build" / "one", book / "_build" / "two"
    pages.stage(one)
    pages.stage(two)
    assert not left
    assert digest(one) == digest(two)


def test_failed_build_keeps_the_earlier_site_and_says_why(book, jupyter_book):
    write_run(book, "quick")
    site = pages.build_site(book / "there")
    (book / "book" / "index.md").write_text("# Changed\n")
    jupyter_book.append(["fail"])
    with pytest.raises(BuildError, match=r"jupyter-book failed \(1\)(.|\n)*something is undefined"):
        pages.build_site(book / "there")
    assert (site / "index.html").read_text() == "site 1"
    # nothing has changed since, but the site is not that of these sources
    assert (pages.build_site(book / "there") / "index.html").read_text() == "site 4"


def test_a_full_disk_keeps_the_earlier_site(book, jupyter_book, tmp_path, monkeypatch):
    write_run(book, "quick")
    site = pages.build_site(tmp_path / "there")
    (book / "book" / "index.md").write_text("# Changed\n")

    def move(source: Path, target: Path) -> None:
        target.mkdir()
        raise OSError(errno.ENOSPC, "No space left on device", str(target / "index.html"))

    with monkeypatch.context() as patch:
        patch.setattr(pages.shutil, "move", move)
        with pytest.raises(OSError, match="No space left"):
            pages.build_site(site)
    assert (site / "index.html").read_text() == "site 1"
    assert (pages.build_site(site) / "index.html").read_text() == "site 3"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["the book", "there"]


def test_a_build_that_was_stopped_between_two_renames_costs_no_site(
    book, jupyter_book, tmp_path, monkeypatch
):
    write_run(book, "quick")
    site = pages.build_site(tmp_path / "there")
    away = tmp_path / ".there-old-site"
    site.rename(away)
    # a build finds it, and that it is up to date
    assert (pages.build_site(site) / "index.html").read_text() == "site 1"
    assert not away.exists()
    (book / "book" / "index.md").write_text("# Changed\n")
    rename = Path.rename

    def fails(path: Path, target: Path) -> Path:
        if path.name == ".there-new-site":
            raise OSError(errno.EACCES, "Permission denied")
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fails)
        with pytest.raises(OSError, match="Permission denied"):
            pages.build_site(site)
    assert (site / "index.html").read_text() == "site 1"


@pytest.mark.parametrize("place", ["", "source", "source/mine", "site", "build.log"])
def test_a_site_does_not_go_where_sites_are_made(book, jupyter_book, place):
    write_run(book, "quick")
    output = book / "_build" / place
    with pytest.raises(BuildError, match=r"is where sites are made; allowed: .*html or another"):
        pages.build_site(output)
    assert jupyter_book == []


def test_what_is_refused_is_refused_before_tutorials_run(book, monkeypatch):
    ran = []
    monkeypatch.setattr(pages, "tutorials", lambda: ["a tutorial"])
    monkeypatch.setattr(pages, "executed", ran.append)
    with pytest.raises(BuildError, match="has no run that is up to date"):
        pages.stage(book / "_build" / "one")
    assert ran == []


@pytest.mark.parametrize("what", ["folder", "file"])
def test_folder_of_other_files_is_never_deleted(book, jupyter_book, tmp_path, what):
    write_run(book, "quick")
    output = tmp_path / "mine"
    kept = output / "thesis.tex" if what == "folder" else output
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("years of work")
    for sibling in ("source", "site"):
        (tmp_path / sibling).mkdir()
    with pytest.raises(BuildError, match="holds other files; allowed: a new or empty folder"):
        pages.build_site(output)
    assert kept.read_text() == "years of work"
    (tmp_path / "empty").mkdir()
    assert (pages.build_site(tmp_path / "empty") / "index.html").read_text() == "site 1"
    assert (tmp_path / "source").is_dir()
    assert (tmp_path / "site").is_dir()


def test_each_site_is_built_again_only_after_a_change_of_its_own_sources(book, jupyter_book):
    write_run(book, "quick")
    one, two = book / "_build" / "one", book / "_build" / "two"
    pages.build_site(one)
    pages.build_site(one)
    assert len(jupyter_book) == 1
    (book / "book" / "index.md").write_text("# Changed\n")
    pages.build_site(two)
    assert (pages.build_site(one) / "index.html").read_text() == "site 3"
