"""The chapters of the book, found by number: their notebooks, profiles, and rooms in the package.

A chapter's room is the folder ``modclust_utils/chapters/chNN_...``. Nothing here knows what is in
it beyond a few names: `RANGES` and `PAPERS` of the room itself, `plan` of its module `plan`,
`RULES` of its module `rules`, and its ``claims.yml`` and ``contents.yml``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from modclust_utils import chapters
from modclust_utils.paths import root
from modclust_utils.publish.errors import ParameterError
from modclust_utils.publish.stored_files import damaged, read_book_rows

if TYPE_CHECKING:
    from modclust_utils.recipes.base import Job
    from modclust_utils.verdicts import Rule

CLAIM_FIELDS = {"id", "place", "claim", "rule", "seen_in", "holds_if"}
ITEM_FIELDS = {"paper", "item", "words"}


def _notebooks() -> dict[int, Path]:
    found = sorted((root() / "notebooks").glob("[0-9][0-9]-*.ipynb"))
    return {int(path.name[:2]): path for path in found}


def chapter_numbers() -> list[int]:
    """The chapters that have a notebook."""
    return list(_notebooks())


def chapter_notebook(chapter: int) -> Path:
    """The source of a chapter. Raises ParameterError that lists the chapters there are."""
    found = _notebooks()
    if chapter not in found:
        numbers = ", ".join(map(str, found)) or "none"
        raise ParameterError(f"chapter={chapter} is not there; allowed: {numbers}")
    return found[chapter]


def profile_files(chapter: int) -> dict[str, Path]:
    """The files of a chapter's profiles; ``quick``, the notebook's own defaults, has none."""
    files = sorted((root() / "notebooks" / "profiles").glob(f"{chapter:02d}-*.yml"))
    return {path.stem[3:]: path for path in files}


def profiles(chapter: int) -> list[str]:
    """The profiles of a chapter, ``quick`` first."""
    return ["quick", *profile_files(chapter)]


def room_folder(chapter: int) -> Path:
    """The folder of a chapter's room. Raises ParameterError where it has none."""
    return Path(chapters.__path__[0]) / _room_name(chapter)


def room(chapter: int, part: str = "") -> ModuleType:
    """A chapter's room, or a module in it. Raises ParameterError where it has no room."""
    name = f"{chapters.__name__}.{_room_name(chapter)}"
    return importlib.import_module(f"{name}.{part}" if part else name)


def _room_name(chapter: int) -> str:
    for found in pkgutil.iter_modules(chapters.__path__):
        if found.name.startswith(f"ch{chapter:02d}_"):
            return found.name
    raise ParameterError(
        f"chapter={chapter} has no folder ch{chapter:02d}_... in {chapters.__path__[0]}"
    )


def plan(chapter: int, p: Any) -> dict[str, list[Job]]:
    """The jobs of a chapter under the parameters `p`, by the name under which it finds them."""
    make: Callable[[Any], dict[str, list[Job]]] = room(chapter, "plan").plan
    return make(p)


def rules(chapter: int) -> dict[str, Rule]:
    """The rules of a chapter by their names."""
    return {rule.__name__: rule for rule in room(chapter, "rules").RULES}


def claims(chapter: int) -> list[Mapping[str, Any]]:
    """The claims of a chapter."""
    return read_claims(room_folder(chapter) / "claims.yml", rules(chapter))


def read_claims(path: Path, known: Collection[str]) -> list[Mapping[str, Any]]:
    """The claims in a file; known: the names of rules.

    Raises FileError for an entry without its fields, or with a rule that is not known.
    """
    found = read_book_rows(path, CLAIM_FIELDS)
    for claim in found:
        if claim["rule"] not in known:
            raise damaged(
                path, f"rule={claim['rule']!r} of {claim['id']}; allowed: {', '.join(known)}"
            )
    return found


def contents(chapter: int) -> list[Mapping[str, Any]]:
    """The tables and figures of papers that a chapter is about."""
    return read_contents(room_folder(chapter) / "contents.yml")


def read_contents(path: Path) -> list[Mapping[str, Any]]:
    """The tables and figures in a file, each with where it is shown or why it is not.

    Raises FileError for an entry without its fields, or one that stands there twice.
    """
    found = read_book_rows(path, ITEM_FIELDS)
    names = [(each["paper"], each["item"]) for each in found]
    for each, name in zip(found, names, strict=True):
        if not (each.get("shown_in") or each.get("note")):
            raise damaged(path, f"item {each['item']} lacks 'shown_in' or 'note'")
        if names.count(name) > 1:
            raise damaged(path, f"item {each['item']} of {each['paper']} stands there twice")
    return found
