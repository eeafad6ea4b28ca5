"""Where the repository and its data are, so that nothing depends on where a command was started."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

VARIABLE = "MODCLUST_ROOT"
#: Names the folder of the image files (`datasets`).
DATA_VARIABLE = "MODCLUST_DATA"
#: Names the folder of the weight files (`pretrained`).
WEIGHTS_VARIABLE = "MODCLUST_WEIGHTS"
#: Names the Dask scheduler whose workers compute what a run needs (`publish.dask_owner`).
SCHEDULER_VARIABLE = "MODCLUST_SCHEDULER"
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


def default_folder() -> Path:
    """Folder of the image files: `MODCLUST_DATA` if it is set, else `data/downloads` of the book,
    or, where no book is found, from here."""
    named = os.environ.get(DATA_VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    try:
        return root() / "data" / "downloads"
    except FileNotFoundError:
        return Path("data/downloads").absolute()


def as_path(name: str, value: Any) -> Path:
    """A path with the home folder for `~`. Raises ValueError for what is none."""
    if not isinstance(value, str | os.PathLike) or not str(value):
        raise ValueError(f"{name}={value!r:.200} is not allowed: a path")
    return Path(value).expanduser()


def _is_root(folder: Path) -> bool:
    return (folder / "_toc.yml").is_file() and (folder / "notebooks").is_dir()
