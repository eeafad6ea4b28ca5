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

    Raises `FileNotFoundError` where `MODCLUST_ROOT` names another kind of folder, where the current
    one was deleted, and where none of the three leads to a root.
    """
    folder = named_folder(VARIABLE)
    if folder:
        named = os.environ[VARIABLE]
        if not _is_root(folder):
            raise FileNotFoundError(
                f"{VARIABLE}={named!r} is not the root of the book: it must be a folder that holds "
                f"{MARKS}. Correct it or unset it."
            )
        return folder
    here = current_folder()
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
    named = named_folder(DATA_VARIABLE)
    if named:
        return named
    try:
        return root() / "data" / "downloads"
    except FileNotFoundError:
        return current_folder() / "data" / "downloads"


def as_path(name: str, value: Any) -> Path:
    """A path with the home folder for `~`. Raises ValueError for what is none, and for the home of
    somebody who is not known here."""
    if not isinstance(value, str | os.PathLike) or not str(value):
        raise ValueError(f"{name}={value!r:.200} is not allowed: a path")
    path = Path(value)
    try:
        return path.expanduser()
    except RuntimeError as error:  # all that Python says is that it is not known
        raise ValueError(
            f"{name}={str(value)!r:.200} is not allowed: a path, and no home folder is known for "
            f"{path.parts[0]!r}"
        ) from error


def absolute_path(name: str, value: Any) -> Path:
    """As `as_path`, from the current folder where it does not say from where."""
    path = as_path(name, value)
    return path if path.is_absolute() else current_folder() / path


def named_folder(variable: str) -> Path | None:
    """The folder that a variable of the environment names; an empty one counts as not set.

    Raises `FileNotFoundError` for what cannot be one.
    """
    named = os.environ.get(variable)
    try:
        return absolute_path(variable, named) if named else None
    except ValueError as error:
        raise FileNotFoundError(f"{error}. Correct it or unset it.") from error


def current_folder() -> Path:
    """Where the user stands. Raises `FileNotFoundError` where that was deleted."""
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            "The current folder is not there any more: it was deleted or moved. Change to another "
            "one (cd), and try again."
        ) from error


def _is_root(folder: Path) -> bool:
    return (folder / "_toc.yml").is_file() and (folder / "notebooks").is_dir()
