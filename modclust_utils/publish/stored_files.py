"""Files that the book and its runs keep: one that is damaged is named, with what to do about it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import nbformat
import yaml

from modclust_utils.paths import root
from modclust_utils.publish.errors import FileError

_WORDS = {dict: "names with values", list: "a list", str: "a text", object: "there"}


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """A notebook. Raises FileError for a file that is none."""
    try:
        found = nbformat.read(path, as_version=4)
    except Exception as error:  # a damaged notebook can make its reader fail in any way
        raise damaged(path, error) from error
    if not isinstance(found.get("cells"), list):
        raise damaged(path, "it has no cells")
    return found


def read_json(path: Path, kind: type = dict) -> Any:
    """What a JSON file says, of a kind. Raises FileError for one that says nothing, or another."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path, error) from error
    return _of_kind(path, found, kind)


def read_rows(path: Path, fields: Collection[str]) -> list[dict[str, Any]]:
    """Rows with fields from a JSON file. Raises FileError where a field is not there."""
    return _rows_with(path, read_json(path, list), fields)


def read_book_rows(path: Path, fields: Collection[str]) -> list[dict[str, Any]]:
    """Rows with fields from a YAML file of the book. Raises FileError as `read_rows`."""
    return _rows_with(path, read_book_yaml(path, list), fields)


def _rows_with(path: Path, rows: list[Any], fields: Collection[str]) -> list[dict[str, Any]]:
    for number, row in enumerate(rows, start=1):
        lacking = set(fields) - set(_of_kind(path, row, dict))
        if lacking:
            raise damaged(path, f"row {number} lacks {', '.join(sorted(lacking))}")
    return rows


def read_book_yaml(path: Path, kind: type = dict) -> Any:
    """What a YAML file of the book says, of a kind. Raises FileError as `read_json`."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise damaged(path, error) from error
    return _of_kind(path, found, kind)


def needed(path: Path, found: Mapping[str, Any], name: str, kind: type = object) -> Any:
    """An entry of a file that was read. Raises FileError where it is not there, or of another
    kind."""
    if not (found.get(name) and isinstance(found[name], kind)):
        raise damaged(path, f"{name} is not {_WORDS[kind]}")
    return found[name]


def damaged(path: Path, why: object) -> FileError:
    """The error for a file: what a run left can be made again, others are restored."""
    words = " ".join(str(why).split())[:200] or type(why).__name__
    if path.is_relative_to(root() / "runs"):
        advice = f"Delete the folder {path.parent} and run it again."
    else:
        advice = "Repair it, or take it from the book's repository again (git checkout)."
    return FileError(f"{path} is damaged ({words}). {advice}")


def _of_kind(path: Path, found: Any, kind: type) -> Any:
    if not isinstance(found, kind):
        raise damaged(path, f"it does not hold {_WORDS[kind]}")
    return found
