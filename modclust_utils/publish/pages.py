"""From runs to the site: which run is a chapter's page, and what jupyter-book is given.

Sources and executed notebooks are staged in ``_build/source``, so that nothing generated lies
among the sources; the site ends in ``_build/html``.
"""

from __future__ import annotations

import copy
import hashlib
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import yaml

from modclust_utils.paths import root
from modclust_utils.publish import dask_facts
from modclust_utils.publish.at_work import lock
from modclust_utils.publish.chapters import chapter_notebook, chapter_numbers, plan
from modclust_utils.publish.coverage_page import coverage_page
from modclust_utils.publish.data_files import write_data_files
from modclust_utils.publish.engine import missing, planned
from modclust_utils.publish.errors import BuildError, RecordError
from modclust_utils.publish.escape import clean_outputs, markdown
from modclust_utils.publish.folds import mark_folds
from modclust_utils.publish.front import stage_front
from modclust_utils.publish.head import head_settings, stage_card, write_missing_page
from modclust_utils.publish.policy import add_policies
from modclust_utils.publish.records import (
    RecordStore,
    commit,
    damage_named,
    default_store,
    made_by_commits,
    published_folder,
    read_content,
    read_record,
    write_atomically,
)
from modclust_utils.publish.reference import add_functions, stage_reference, used_by
from modclust_utils.publish.repairs import repair
from modclust_utils.publish.run import RunInfo, check_run, read_runs
from modclust_utils.publish.scoreboard import ShownRun, status_page
from modclust_utils.publish.stored_files import needed, read_book_yaml, read_json, read_notebook
from modclust_utils.publish.students import add_student_link
from modclust_utils.publish.teaching_page import stage_teaching
from modclust_utils.publish.tutorials import executed, tutorials
from modclust_utils.publish.viewer_page import stage_viewer

#: Profiles that a chapter's page may show, the first that is there. ``paper-part`` holds what of
#: the paper's scale has been computed so far.
PAGE_PROFILES = ("paper", "paper-part", "quick")
#: A file in a built site: the hash of its sources. A folder without it is never deleted.
STAMP = ".sources.sha256"


def is_complete(chapter: int, profile: str, store: RecordStore) -> bool:
    """Whether every record that a chapter needs under a profile is there."""
    there, needed = completeness(chapter, profile, store)
    return there == needed


def completeness(chapter: int, profile: str, store: RecordStore) -> tuple[int, int]:
    """How many of the records that a chapter needs under a profile are there, and of how many."""
    needed = planned(plan(chapter, SimpleNamespace(**check_run(chapter, profile))))
    return len(needed) - len(missing(needed.values(), store)), len(needed)


def main_run(chapter: int, runs: list[RunInfo]) -> RunInfo:
    """The run that is the chapter's page: paper if it is there, else part of it, else quick.

    Raises BuildError where neither is done and up to date: a stale page is not published.
    """
    by_name = {run.name: run for run in runs}
    for name in PAGE_PROFILES:
        run = by_name.get(name)
        if run is not None and run.is_current:
            return run
    found = ", ".join(f"{run.name} ({state(run)})" for run in runs) or "none"
    raise BuildError(
        f"chapter {chapter} has no run that is up to date (there: {found}). "
        f"Run `modclust run {chapter}` or `modclust book` first."
    )


def state(run: RunInfo) -> str:
    """done, stale, records missing, running, broken off, or failed."""
    if run.status["state"] == "running" and not run.is_at_work:
        return "broken off"
    if run.status["state"] != "done":
        return str(run.status["state"])
    if run.missing_records:
        return "records missing"
    return "done" if run.is_fresh else "stale"


def build_site(output: Path | None = None) -> Path:
    """Build the site from the runs that are there and return its folder.

    A site that was built from the same sources before is left as it is.

    Raises BuildError where a chapter has no run that is up to date, where jupyter-book finds
    anything to complain about, or where `output` holds files that are not such a site.
    """
    build = (root() / "_build").resolve()
    with lock(build / ".lock", "a build of the site", wait=True):
        return _build_site(build, (output or build / "html").resolve())


def _build_site(build: Path, output: Path) -> Path:
    stamp = output / STAMP
    work, site, log = build / "source", build / "site", build / "build.log"
    if output == build or any(output.is_relative_to(each) for each in (work, site, log)):
        raise BuildError(
            f"output={output} is where sites are made; allowed: {build / 'html'} or another folder"
        )
    if not (output.is_relative_to(build) or stamp.is_file() or _is_free(output)):
        raise BuildError(f"output={output} holds other files; allowed: a new or empty folder")
    _restore(output)
    shutil.rmtree(work, ignore_errors=True)
    stage(work)
    sources = _hash_folder(work)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == sources:
        return output
    shutil.rmtree(site, ignore_errors=True)
    command = [
        str(Path(sys.executable).with_name("jupyter-book")),
        *("build", str(work), "--path-output", str(site), "-W", "-n", "--keep-going", "--all"),
    ]
    with open(log, "w", encoding="utf-8") as stream:
        done = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, check=False)
    html = site / "_build" / "html"
    if done.returncode != 0 or not (html / "index.html").is_file():
        tail = "\n".join(log.read_text(encoding="utf-8").splitlines()[-30:])
        raise BuildError(f"jupyter-book failed ({done.returncode}); the end of {log}:\n{tail}")
    write_missing_page(html, _title())
    repair(html)
    add_policies(html)
    (html / STAMP).write_text(sources, encoding="utf-8")
    _replace(output, html)
    return output


def _replace(output: Path, site: Path) -> None:
    """Move a new site to `output`; the one that is there stays until the new one is beside it.

    So a full disk costs no site, and who reads one meanwhile misses it for no longer than two
    renames take.
    """
    new, old = _beside(output, "new"), _beside(output, "old")
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.move(site, new)
    if output.exists():
        output.rename(old)
    try:
        new.rename(output)
    except OSError:
        _restore(output)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _beside(output: Path, word: str) -> Path:
    return output.with_name(f".{output.name}-{word}-site")


def _restore(output: Path) -> None:
    """Bring back the site that a build which was stopped between two renames had moved away."""
    old = _beside(output, "old")
    if old.is_dir() and not output.exists():
        old.rename(output)


def _is_free(folder: Path) -> bool:
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def _hash_folder(folder: Path) -> str:
    """Hash of the names and contents of all files below a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()


def stage(work: Path) -> None:
    """Write everything that jupyter-book reads into the folder `work`."""
    base, head = root(), head_settings()
    runs_of = {chapter: read_runs(chapter) for chapter in chapter_numbers()}
    chosen_of = {chapter: main_run(chapter, runs) for chapter, runs in runs_of.items()}
    # after what may be refused, as they take minutes; before pages that count the records they make
    pages = {source.name: executed(source) for source in tutorials()}
    work.mkdir(parents=True)
    shutil.copytree(base / "book", work / "book")
    toc = read_book_yaml(base / "_toc.yml")
    rows: list[ShownRun] = []
    functions = used_by()
    for chapter, runs in runs_of.items():
        chosen = chosen_of[chapter]
        source = chapter_notebook(chapter)
        notebook = read_notebook(chosen.notebook)
        add_functions(notebook, chapter, functions)
        add_student_link(notebook, source.name)
        _write(work, Path("notebooks") / source.name, notebook)
        sections = []
        for run in runs:
            shown = "chapter" if run is chosen else "page" if _has_page(run) else "–"
            rows.append(ShownRun(run, state(run), shown))
            if shown == "page":
                own = Path("runs") / f"{chapter:02d}" / f"{run.name}.ipynb"
                _write(work, own, run_page(run))
                sections.append({"file": str(own.with_suffix(""))})
        _add_sections(toc, f"notebooks/{source.stem}", sections)
    (work / "_toc.yml").write_text(yaml.safe_dump(toc, sort_keys=False), encoding="utf-8")
    for name, text in (("status", status_page(rows)), ("coverage", coverage_page(rows))):
        (work / "book" / f"{name}.md").write_text(text, encoding="utf-8")
    stage_viewer(work / "book")
    stage_reference(work / "book", functions)
    said = stage_front(work / "book", rows)
    for name, page in pages.items():
        _write(work, Path("book") / name, page)
    stage_teaching(work / "book", rows)
    config = read_book_yaml(base / "_config.yml")
    sphinx = config.setdefault("sphinx", {}).setdefault("config", {})
    sphinx.setdefault("myst_substitutions", {}).update(facts() | said)
    sphinx.update(head)
    stage_card(work / "book", _title())
    (work / "_config.yml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def _title() -> str:
    file = root() / "_config.yml"
    return str(needed(file, read_book_yaml(file), "title", str))


def _has_page(run: RunInfo) -> bool:
    return run.status["state"] == "done" and run.notebook.is_file()


def _write(work: Path, page: Path, notebook: nbformat.NotebookNode) -> None:
    """Write a page that is a notebook into the folder `work`, its data in files beside it."""
    path = work / page
    path.parent.mkdir(parents=True, exist_ok=True)
    notebook = figures_alone(notebook)
    clean_outputs(notebook)
    write_data_files(notebook, page, work)
    mark_folds(notebook)
    nbformat.write(notebook, path)


def figures_alone(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook with all other outputs of a figure's cell in a cell of their own below it.

    myst-nb makes every output of such a cell a figure with its number, the strip and sentences too.
    """
    split = copy.deepcopy(notebook)
    split.cells = []
    for cell in copy.deepcopy(notebook.cells):
        split.cells.append(cell)
        if "figure" not in cell.metadata.get("mystnb", {}):
            continue
        rest = [o for o in cell.outputs if "image/png" not in o.get("data", {})]
        cell.outputs = [o for o in cell.outputs if "image/png" in o.get("data", {})]
        if rest:
            # a cell without source would be left out, outputs and all
            below = nbformat.v4.new_code_cell("# strip", outputs=rest)
            below.metadata["tags"] = ["remove-input"]
            below["id"] = f"{cell['id']}-below"
            split.cells.append(below)
    return split


def _add_sections(toc: Any, file: str, sections: list[dict[str, str]]) -> None:
    """Put the run pages below their chapter in a table of contents."""
    if isinstance(toc, dict):
        if toc.get("file") == file and sections:
            toc["sections"] = [*toc.get("sections", []), *sections]
            return
        for value in toc.values():
            _add_sections(value, file, sections)
    elif isinstance(toc, list):
        for value in toc:
            _add_sections(value, file, sections)


def run_page(run: RunInfo) -> nbformat.NotebookNode:
    """A run's notebook as a page of its own: another title, labels of its own, and a note where
    the page is older than the code or has lost records."""
    notebook = copy.deepcopy(read_notebook(run.notebook))
    names = _labels(notebook)
    for cell in notebook.cells:
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        if "name" in figure:
            figure["name"] = f"{figure['name']}-{run.name}"
        if cell.cell_type == "markdown":
            cell.source = _relabel(cell.source, names, run.name)
        for output in cell.get("outputs", []):
            if "text/markdown" in output.get("data", {}):
                text = "".join(output["data"]["text/markdown"])
                output["data"]["text/markdown"] = _relabel(text, names, run.name)
    title = "quick run" if run.name == "quick" else f"run {markdown(run.name)}"
    first = next(c for c in notebook.cells if c.cell_type == "markdown")
    heading = re.search(r"^# (.+)$", first.source, re.MULTILINE)
    assert heading is not None
    first.source = first.source.replace(heading[0], f"# {title.capitalize()}: {heading[1]}", 1)
    if state(run) != "done":
        note = (
            f"This page is **{state(run)}**: the book's code or records have changed since it "
            f"was made. `modclust run {run.status['chapter']}` with the same parameters renews it."
        )
        cell = nbformat.v4.new_markdown_cell(f":::{{warning}}\n{note}\n:::")
        cell["id"] = "state-of-the-run"  # else a random one, and another site with every build
        notebook.cells.insert(1, cell)
    return notebook


def _labels(notebook: nbformat.NotebookNode) -> list[str]:
    """The labels that a notebook defines: of figures, and of places in its text."""
    names = []
    for cell in notebook.cells:
        name = cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
        if name:
            names.append(name)
        if cell.cell_type == "markdown":
            names += re.findall(r"^\(([\w-]+)\)=", cell.source, re.MULTILINE)
            names += re.findall(r"^:(?:label|name): *([\w-]+)", cell.source, re.MULTILINE)
    return names


def _relabel(text: str, names: list[str], suffix: str) -> str:
    for name in names:
        text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", f"{name}-{suffix}", text)
    return text


def facts() -> dict[str, str]:
    """Numbers for prose pages, as MyST substitutions: what lies in the published records."""
    kinds = Counter(path.parent.name for path in published_folder().glob("*/*.json"))
    networks = kinds["classifier"] + sum(kinds[each] for each in kinds if each.endswith("network"))
    return {
        "n_published_networks": str(networks),
        "n_published_tests": str(kinds["shuffle-test"] + kinds["graph-shuffles"]),
        "n_published_lesions": str(kinds["lesions"] + kinds["set-lesions"]),
        "n_published_records": str(kinds.total()),
        "book_commit": commit(),
        **_tried(),
        **dask_facts.facts(),
    }


def _tried() -> dict[str, str]:
    """How much was tried to make the book fail, as ``tests/tried.py`` noted it."""
    file = root() / "book" / "tried.json"
    if not file.is_file():
        return {}
    found = read_json(file)
    return {
        f"n_{what}_{kind}": f"{number:,}"
        for kind, numbers in found.items()
        for what, number in numbers.items()
    }


def _content(record: Path) -> tuple[Any, bytes]:
    """What a record says, but when and where it was made, and its arrays.

    Weights of others are read again where a later job needs them and the cache is new.
    Raises RecordError where its file is damaged.
    """
    said, arrays = read_content(record), record.with_suffix(".npz")
    text = {name: each for name, each in said.items() if name not in ("provenance", "sha256")}
    with damage_named(record):
        return text, arrays.read_bytes() if arrays.is_file() else b""


def _is_published(path: Path, there: Path) -> bool:
    """Whether a published record is the same as one of a run; False where it was cut off, too.

    Raises BuildError where it is another one.
    """
    text, arrays = _content(path)
    try:
        published_text, published_arrays = _content(there)
    except RecordError:
        return False
    if published_text == text:
        # both name the hash of the arrays that belong to them
        return published_arrays == arrays
    raise BuildError(
        f"{there} is published already, and {path} is another record of the same key. "
        "Delete the one that is not to stay."
    )


def publish_records(run: RunInfo) -> int:
    """Copy the records of a run to ``data/records``; the number of those that were copied.

    A published one that was cut off, by a full disk or a kill, is mended. Raises BuildError, before
    anything is copied, for records that were made by code without a commit, and for published ones
    that would be replaced; RecordError for damaged ones of the run.
    """
    store, target = default_store(), published_folder()
    new: list[Path] = []
    for kind, key in run.status["records"]:
        path = store.find(kind, key)
        there = target / kind / f"{key}.json"
        assert path is not None
        if path != there and not (there.is_file() and _is_published(path, there)):
            new.append(path)
    unknown = [path for path in new if not made_by_commits(read_record(path).provenance)]
    if unknown:
        raise BuildError(
            f"{len(unknown)} records were made by code that is in no commit, such as {unknown[0]}. "
            "Commit the code, delete these records, and run the chapter again."
        )
    for path in new:
        # a record without its arrays would be a damaged one
        for file in (path.with_suffix(".npz"), path):
            if file.is_file():
                write_atomically(target / path.parent.name / file.name, file.read_bytes())
    return len(new)
