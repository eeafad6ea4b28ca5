"""From runs to the site: which run is a chapter's page, and what jupyter-book is given.

Sources and executed notebooks are staged in ``_build/source``, so that nothing generated lies
among the sources; the site ends in ``_build/html``.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import yaml

from modclust_utils.paths import root
from modclust_utils.publish.at_work import lock
from modclust_utils.publish.chapters import chapter_notebook, chapter_numbers, plan
from modclust_utils.publish.claims import percent
from modclust_utils.publish.engine import missing, planned
from modclust_utils.publish.errors import BuildError
from modclust_utils.publish.escape import clean_outputs, markdown, sentence
from modclust_utils.publish.origins import origins, sentences
from modclust_utils.publish.policy import add_policies
from modclust_utils.publish.records import (
    RecordStore,
    commit,
    default_store,
    made_by_commits,
    published_folder,
    read_record,
)
from modclust_utils.publish.run import RunInfo, check_run, read_runs

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
        if run is not None and run.is_fresh and not run.missing_records:
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
    if not (output.is_relative_to(build) or stamp.is_file() or _is_free(output)):
        raise BuildError(f"output={output} holds other files; allowed: a new or empty folder")
    work, site, log = build / "source", build / "site", build / "build.log"
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
    add_policies(html)
    shutil.rmtree(output, ignore_errors=True)
    shutil.move(html, output)
    stamp.write_text(sources, encoding="utf-8")
    return output


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
    base = root()
    work.mkdir(parents=True)
    shutil.copytree(base / "book", work / "book")
    toc = yaml.safe_load((base / "_toc.yml").read_text(encoding="utf-8"))
    rows: list[tuple[RunInfo, bool]] = []
    for chapter in chapter_numbers():
        runs = read_runs(chapter)
        chosen = main_run(chapter, runs)
        source = chapter_notebook(chapter)
        notebook = nbformat.read(chosen.notebook, as_version=4)
        _write(work / "notebooks" / source.name, notebook)
        sections = []
        for run in runs:
            rows.append((run, run is chosen))
            if run is not chosen and _has_page(run):
                page = Path("runs") / f"{chapter:02d}" / f"{run.name}.ipynb"
                _write(work / page, run_page(run))
                sections.append({"file": str(page.with_suffix(""))})
        _add_sections(toc, f"notebooks/{source.stem}", sections)
    (work / "_toc.yml").write_text(yaml.safe_dump(toc, sort_keys=False), encoding="utf-8")
    (work / "book" / "status.md").write_text(status_page(rows), encoding="utf-8")
    config = yaml.safe_load((base / "_config.yml").read_text(encoding="utf-8"))
    sphinx = config.setdefault("sphinx", {}).setdefault("config", {})
    sphinx.setdefault("myst_substitutions", {}).update(facts())
    (work / "_config.yml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def _has_page(run: RunInfo) -> bool:
    return run.status["state"] == "done" and run.notebook.is_file()


def _write(path: Path, notebook: nbformat.NotebookNode) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    notebook = figures_alone(notebook)
    clean_outputs(notebook)
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
    notebook = copy.deepcopy(nbformat.read(run.notebook, as_version=4))
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
        notebook.cells.insert(1, nbformat.v4.new_markdown_cell(f":::{{warning}}\n{note}\n:::"))
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
    kinds = [path.parent.name for path in published_folder().glob("*/*.json")]
    return {
        "n_published_networks": str(sum(kind.endswith("network") for kind in kinds)),
        "n_published_tests": str(kinds.count("shuffle-test")),
        "n_published_lesions": str(kinds.count("lesions")),
        "n_published_records": str(len(kinds)),
        "book_commit": commit(),
        **_tried(),
    }


def _tried() -> dict[str, str]:
    """How much was tried to make the book fail, as ``tests/tried.py`` noted it."""
    file = root() / "book" / "tried.json"
    if not file.is_file():
        return {}
    found = json.loads(file.read_text(encoding="utf-8"))
    return {
        f"n_{what}_{kind}": f"{number:,}"
        for kind, numbers in found.items()
        for what, number in numbers.items()
    }


def status_page(rows: list[tuple[RunInfo, bool]]) -> str:
    """Scoreboard and status of every run, written from what the runs themselves noted."""
    lines = [
        "# Scoreboard and status",
        "",
        "## Claims",
        "",
        "Each claim of a paper, and the verdict that its rule gave on the records behind the",
        "chapter's page. The chapter shows rule and evidence. [How to read this book]"
        "(how-to-read.md) says what the two chances and the last column are.",
        "",
    ]
    for run, is_main in rows:
        if is_main:
            lines += _scoreboard(run)
    lines += [
        "## Runs",
        "",
        "What this site was made from. A run is one execution of a chapter with one set of",
        "parameters; its page is shown only if it finished and every figure was drawn.",
        "",
        "| Chapter | Run | State | Shown as | Records | Seconds | Commit | Started |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for run, is_main in rows:
        shown = "chapter" if is_main else "page" if _has_page(run) else "–"
        cells = [
            run.status["chapter"],
            run.name,
            state(run),
            shown,
            len(run.status.get("records", [])),
            run.status.get("seconds", "–"),
            run.status["commit"],
            run.status["started"],
        ]
        chapter, *words = map(markdown, cells)
        words[-2] = f"`{words[-2]}`" if re.fullmatch(r"[\w +]*", words[-2]) else words[-2]
        lines.append(f"| {' | '.join([chapter, *words])} |")
    lines += ["", "## Records", "", _record_counts(), "", *_record_origins(), ""]
    return "\n".join(lines)


def _scoreboard(run: RunInfo) -> list[str]:
    file = run.folder / "verdicts.json"
    if not file.is_file():
        return []
    chapter = int(run.status["chapter"])
    lines = [
        f"[Chapter {chapter}](../notebooks/{chapter_notebook(chapter).name}), "
        f"{markdown(run.name)} run:",
        "",
        "| | Claim | Verdict | Where | Cases hold / fail | Passes without the effect "
        "| Passes in a replication | Rule |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in json.loads(file.read_text(encoding="utf-8")):
        slug = re.sub("[^a-z-]", "", row["verdict"].replace(" ", "-"))
        verdict = f'<span class="mc-verdict mc-verdict-{slug}">{markdown(row["verdict"])}</span>'
        claim, place, rule = (
            _one_line(row.get(name) or "–") for name in ("claim", "place", "rule")
        )
        held, failed, n = (markdown(row.get(name, "?")) for name in ("held", "failed", "cases"))
        lines.append(
            f"| {markdown(row['id'])} | {claim} | {verdict} | {place} | {held} / {failed} of {n} | "
            f"{percent(row.get('without_effect'))} | {percent(row.get('replication'))} | {rule} |"
        )
    return [*lines, ""]


def _one_line(text: str) -> str:
    """A sentence of the book for a cell of a Markdown table."""
    return sentence(re.sub(r"\s+", " ", str(text)).replace("|", "/"))


def _record_counts() -> str:
    counts: dict[str, dict[str, int]] = {}
    store = default_store()
    for path in store:
        place = "published" if path.parent.parent == published_folder() else "own"
        kind = counts.setdefault(path.parent.name, {"published": 0, "own": 0})
        kind[place] += 1
    lines = ["| Kind of record | Published with the book | Computed here |", "|---|---|---|"]
    lines += [
        f"| {markdown(kind)} | {n['published']} | {n['own']} |"
        for kind, n in sorted(counts.items())
    ]
    return "\n".join(lines)


def _record_origins() -> list[str]:
    """What the published records say of the code that made them, against the history."""
    made = [
        (path.parent.name, json.loads(path.read_text(encoding="utf-8"))["provenance"])
        for path in sorted(published_folder().glob("*/*.json"))
    ]
    return ["Of the records that are published with the book:", "", *(
        f"- {sentence}" for sentence in sentences(origins(made))
    )] if made else []  # fmt: skip


def publish_records(run: RunInfo) -> int:
    """Copy the records of a run to ``data/records``; the number of those that were new.

    Raises BuildError, before anything is copied, for records that were made by code without a
    commit, and for published ones that would be replaced.
    """
    store, target = default_store(), published_folder()
    new: list[Path] = []
    for kind, key in run.status["records"]:
        path = store.find(kind, key)
        there = target / kind / f"{key}.json"
        assert path is not None
        if path != there:
            if there.is_file() and there.read_bytes() == path.read_bytes():
                continue
            if there.is_file():
                raise BuildError(
                    f"{there} is published already, and {path} is another record of the same key. "
                    "Delete the one that is not to stay."
                )
            new.append(path)
    unknown = [path for path in new if not made_by_commits(read_record(path).provenance)]
    if unknown:
        raise BuildError(
            f"{len(unknown)} records were made by code that is in no commit, such as {unknown[0]}. "
            "Commit the code, delete these records, and run the chapter again."
        )
    for path in new:
        (target / path.parent.name).mkdir(parents=True, exist_ok=True)
        for file in (path.with_suffix(".npz"), path):
            if file.is_file():
                shutil.copyfile(file, target / path.parent.name / file.name)
    return len(new)
