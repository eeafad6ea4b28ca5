"""How the house is built: imports point one way, every chapter has its room, no module is long."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from small_book import ROOT

from modclust_utils.publish.chapters import (
    chapter_notebook,
    chapter_numbers,
    room,
    room_folder,
)

NAME = "modclust_utils"
PACKAGE = ROOT / NAME
MODULES = sorted(PACKAGE.rglob("*.py"))
# Flat modules that are no science.
SHARED_BY_CHAPTERS = ("coverage", "exercises", "tables", "verdicts")
FRONT = ("__init__", "__main__")
#: What each part may import, beside itself.
MAY_IMPORT = {
    "science": {"settings"},
    "settings": set(),
    "paths": set(),
    "locks": set(),
    "datasets": {"science", "settings", "paths", "locks"},
    "pretrained": {"science", "settings", "paths", "datasets"},
    "figures": {"science", "settings", "datasets"},
    "recipes": {"science", "settings", "datasets", "pretrained", "figures"},
    "shared by chapters": {"science", "settings", "datasets", "pretrained", "figures", "recipes"},
    "chapters": {
        *("science", "settings", "datasets", "pretrained", "figures", "recipes"),
        "shared by chapters",
    },
    "own": {
        *("science", "settings", "paths", "datasets", "pretrained", "figures", "recipes"),
        "shared by chapters",
    },
    "publish": {
        *("science", "settings", "paths", "locks", "datasets", "pretrained", "figures", "recipes"),
        *("shared by chapters", "own", "front"),
    },
    "front": {"publish"},
}
ROOMS = f"{NAME}.chapters."
MOST_LINES = 400


def part_of(module: str) -> str:
    """The part of the house where a module is: ``modclust_utils.nulls`` is science."""
    first = module.split(".")[1] if "." in module else "__init__"
    if first in FRONT:
        return "front"
    if first in SHARED_BY_CHAPTERS:
        return "shared by chapters"
    return first if first in MAY_IMPORT else "science"


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").is_file()


def imports_of(path: Path) -> Iterator[str]:
    """The modules of this package that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] == NAME)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == NAME:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if is_module(inner) else str(node.module)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by a relative name"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_one_way(path):
    own = part_of(name_of(path))
    assert {part_of(name) for name in imports_of(path)} - {own} <= MAY_IMPORT[own] | (
        # where the rooms of the chapters are; which ones there are it finds by their numbers
        {"chapters"} if name_of(path) == f"{NAME}.publish.chapters" else set()
    )


def test_no_one_imports_a_chapter_but_itself():
    for path in MODULES:
        rooms = {name.split(".")[2] for name in imports_of(path) if name.startswith(ROOMS)}
        inside = path.relative_to(PACKAGE).parts
        assert rooms <= {inside[1] if inside[0] == "chapters" else ""}, path


def test_names_with_an_underscore_stay_at_home():
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == NAME:
                names = [a.name for a in node.names]
                assert [n for n in names if n[0] == "_" and n[:2] != "__"] == [], path


def test_science_touches_no_file_and_draws_nothing():
    outside = {"os", "pathlib", "matplotlib", "seaborn", "tempfile", "subprocess"}
    for path in MODULES:
        if part_of(name_of(path)) == "science":
            tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            nodes = [n for n in tree if isinstance(n, ast.Import | ast.ImportFrom)]
            names = {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
            names |= {str(n.module) for n in nodes if isinstance(n, ast.ImportFrom)}
            assert not {name.split(".")[0] for name in names} & outside, path.name


@pytest.mark.parametrize("chapter", chapter_numbers())
def test_every_chapter_has_its_room(chapter):
    needed = {"plan.py", "rules.py", "claims.yml", "coverage.py", "contents.yml"}
    assert needed <= {p.name for p in room_folder(chapter).iterdir()}
    tables = {path.name for path in (ROOT / "data" / "papers").glob("*.csv")}
    papers = room(chapter).PAPERS
    assert papers
    for paper in papers:
        assert any(name.startswith(paper) for name in tables), paper


def test_every_room_has_its_chapter():
    rooms = [p.name for p in sorted((PACKAGE / "chapters").iterdir()) if p.name.startswith("ch")]
    assert [int(name[2:4]) for name in rooms] == chapter_numbers()


def test_figures_of_all_chapters_have_names_of_their_own():
    """The site has one list of them, and no page where two are the same."""
    cells = [c for n in chapter_numbers() for c in nbformat.read(chapter_notebook(n), 4).cells]
    figures = [cell.metadata["mystnb"]["figure"] for cell in cells if "mystnb" in cell.metadata]
    names = [figure["name"] for figure in figures]
    assert len(names) > 30
    assert sorted({name for name in names if names.count(name) > 1}) == []


def lines_of(path: Path) -> int:
    """Lines of a module without its docstrings."""
    source = path.read_text(encoding="utf-8")
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = [
        node.body[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, documented) and ast.get_docstring(node) is not None
    ]
    return len(source.splitlines()) - sum(d.end_lineno - d.lineno + 1 for d in docstrings)


def test_no_module_is_long():
    """Docstrings apart: those of entry points have every parameter, its source and an example."""
    lines = {name_of(path): lines_of(path) for path in MODULES}
    assert {name: n for name, n in lines.items() if n >= MOST_LINES} == {}
