"""Tutorials: notebooks among the prose pages that the build executes, without records or profiles.

What was executed is kept in ``runs/tutorials`` until the notebook or the package's code changes.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import nbformat
import papermill

from modclust_utils.paths import root
from modclust_utils.publish.at_work import private_folder
from modclust_utils.publish.errors import RunError
from modclust_utils.publish.records import write_atomically
from modclust_utils.publish.run import (
    PACKAGE,
    START_TIMEOUT,
    check_executed,
    clean_notebook,
    kernel_config,
    last_line,
    notebook_environment,
    page_hash,
)
from modclust_utils.publish.stored_files import read_notebook


def tutorials() -> list[Path]:
    """The sources of all tutorials."""
    return sorted((root() / "book").glob("*.ipynb"))


def executed(source: Path) -> nbformat.NotebookNode:
    """A tutorial with its outputs, executed where it has changed since the last time.

    Raises RunError where a cell failed or a promised figure was not drawn.
    """
    folder, sources = root() / "runs" / "tutorials" / source.stem, _hash(source)
    note, notebook = folder / "run.json", folder / "notebook.ipynb"
    if not (note.is_file() and notebook.is_file() and _noted(note).get("source") == sources):
        folder.mkdir(parents=True, exist_ok=True)
        seconds = _execute(source, notebook)
        write_atomically(note, json.dumps({"source": sources, "seconds": seconds}).encode())
    return read_notebook(notebook)


def seconds_of(source: Path) -> float | None:
    """How long a tutorial took when it was executed; None where it was not."""
    found = _noted(root() / "runs" / "tutorials" / source.stem / "run.json").get("seconds")
    return float(found) if isinstance(found, int | float) else None


def _noted(note: Path) -> dict[str, Any]:
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _hash(source: Path) -> str:
    """Hash of all that makes the page: the cells, the package's code, and how figures look."""
    return page_hash(source, [*sorted(PACKAGE.rglob("*.py")), root() / "matplotlibrc"])


def _execute(source: Path, notebook: Path) -> float:
    """Execute a source into a file, which is there only if all went well; the seconds it took."""
    unfinished = notebook.with_name("unfinished.ipynb")
    started = time.monotonic()
    try:
        with private_folder() as sockets, notebook_environment(notebook.parent):
            papermill.execute_notebook(
                str(source),
                str(unfinished),
                kernel_name="python3",
                cwd=str(root()),
                progress_bar=False,
                start_timeout=START_TIMEOUT,
                config=kernel_config(sockets),
            )
        check_executed(nbformat.read(unfinished, as_version=4))
    except Exception as error:
        raise RunError(
            f"{source.name}: {last_line(error)}\nWhat it came to is in {unfinished}."
        ) from error
    clean_notebook(unfinished, {})
    os.replace(unfinished, notebook)
    return round(time.monotonic() - started, 1)
