"""Where the repository is, so that nothing depends on the folder a command was started in."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "MODCLUST_ROOT"
MARKS = "`_toc.yml` and `notebooks/`"


def root() -> Path:
    """Absolute path of the repository's root: the folder that holds `_toc.yml` and `notebooks/`.

    Looked for in this order: the environment variable `MODCLUST_ROOT` (an empty one counts as not
    set); the current directory and its parents, nearest first; the parents of this file.

    Raises `FileNotFoundError` where `MODCLUST_ROOT` names another kind of folder, and where none of
    the three leads to a root.
    """
    named = os.environ.get(VARIABLE)
    if named:
        folder = Path(named).expanduser().absolute()
        if not _is_root(folder):
            raise FileNotFoundError(
                f"{VARIABLE}={named!r} is not the root of the book: it must be a folder that holds "
                f"{MARKS}. Correct it or unset it."
            )
        return folder
    here = Path.cwd()
    file = Path(__file__).resolve()
    for folder in (here, *here.parents, *file.parents):
        if _is_root(folder):
            return folder
    raise FileNotFoundError(
        f"No folder that holds {MARKS} was found, neither at or above the current directory {here} "
        f"nor above {file}. Change to the book's repository, or set {VARIABLE} to it."
    )


def _is_root(folder: Path) -> bool:
    return (folder / "_toc.yml").is_file() and (folder / "notebooks").is_dir()
