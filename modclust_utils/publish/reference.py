"""The reference of functions, made from docstrings, and which chapters name them.

What a reader or a student calls has an example in its docstring; that makes it part of the
reference. As a Sphinx extension this module turns the book's docstrings into what Sphinx reads.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat

from modclust_utils.publish.chapters import chapter_notebook, chapter_numbers, plan, room_folder
from modclust_utils.publish.engine import planned
from modclust_utils.publish.folds import TAG
from modclust_utils.publish.run import PACKAGE, check_run
from modclust_utils.publish.stored_files import read_notebook

#: Included by the page.
PART = "reference-functions.md"
#: What asks all questions at once; what it takes is too large for an example.
WHOLE = ("analyze", "explain")
#: Beside the science, where such functions are.
PARTS = ("datasets", "pretrained")
_NAME = "modclust_utils"
_EXAMPLES = re.compile(r"^ *Examples\n *-{3,}$", re.MULTILINE)


def entry_points() -> dict[str, list[str]]:
    """The names of the functions of the reference, by their module, such as ``clustering``."""
    found = {}
    folders = (PACKAGE, *(PACKAGE / part for part in PARTS))
    for path in sorted(path for folder in folders for path in folder.glob("*.py")):
        tree = _parsed(path)
        names = [
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef) and _EXAMPLES.search(ast.get_docstring(node) or "")
        ]
        if names:
            module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
            found[module] = sorted(names)
    return found


def used_by() -> dict[str, list[int]]:
    """The chapters whose code, or that of the records they plan, names a function of the reference.

    Functions by their full names; those that no chapter names are left out.
    """
    known = {
        f"{_NAME}.{module}.{name}" for module, names in entry_points().items() for name in names
    }
    found: dict[str, list[int]] = {}
    for chapter in chapter_numbers():
        trees = _sources(chapter)
        used = {name for tree in trees for name in {*_imports(tree), *_attributes(tree)}}
        for name in sorted(known & used):
            found.setdefault(name, []).append(chapter)
    return found


def _sources(chapter: int) -> list[ast.Module]:
    """The code of a chapter's notebook and room, and of the kinds of record that it plans."""
    cells = read_notebook(chapter_notebook(chapter)).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    jobs = planned(plan(chapter, SimpleNamespace(**check_run(chapter, "quick")))).values()
    modules = {job.recipe.compute.__module__ for job in jobs}
    recipes = {PACKAGE.parent / f"{name.replace('.', '/')}.py" for name in modules}
    files = [*sorted(room_folder(chapter).glob("*.py")), *sorted(recipes)]
    return [ast.parse(code), *map(_parsed, files)]


def _parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _imports(tree: ast.Module) -> Iterator[str]:
    """Full names of what is imported from the package, and of the modules it comes from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == _NAME:
            yield str(node.module)
            yield from (f"{node.module}.{each.name}" for each in node.names)


def _attributes(tree: ast.Module) -> set[str]:
    """Full names of what is taken from imported modules: ``stats.z_score``."""
    modules = {name.rsplit(".", 1)[1]: name for name in _imports(tree) if "." in name}
    return {
        f"{modules[node.value.id]}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in modules
    }


def stage_reference(book: Path, chapters: Mapping[str, list[int]]) -> None:
    """Write what the page of the reference in the folder `book` includes; chapters: `used_by`."""
    lines = [f"## `{_NAME}`", "", *(_described(f"{_NAME}.{name}") for name in WHOLE)]
    for module, names in entry_points().items():
        lines += [f"## `{module}`", ""]
        for name in names:
            full = f"{_NAME}.{module}.{name}"
            lines.append(_described(full))
            if full in chapters:
                lines += [f"*Named in the code of {_chapter_links(chapters[full])}.*", ""]
    (book / PART).write_text("\n".join(lines), encoding="utf-8")


def _described(full: str) -> str:
    return f"```{{eval-rst}}\n.. autofunction:: {full}\n```\n"


def _chapter_links(chapters: Iterable[int]) -> str:
    links = [f"[chapter {n}](../notebooks/{chapter_notebook(n).name})" for n in chapters]
    return ", ".join(links[:-1]) + " and " * (len(links) > 1) + links[-1]


def add_functions(
    notebook: nbformat.NotebookNode, chapter: int, chapters: Mapping[str, list[int]]
) -> None:
    """Let a chapter end with links to the functions that its code names, folded; chapters:
    `used_by`."""
    names = [name for name, numbers in chapters.items() if chapter in numbers]
    if not names:
        return
    links = ", ".join(f"{{py:func}}`{name.rsplit('.', 1)[1]} <{name}>`" for name in names)
    text = (
        "## Functions behind this chapter\n\n"
        f"What a reader may call, too, with descriptions and examples: {links}."
    )
    cell = nbformat.v4.new_markdown_cell(text, metadata={"tags": [TAG]})
    # a random one would make a site of the same sources another one
    cell["id"] = "functions-of-the-chapter"
    notebook.cells.append(cell)


def readable_docstring(
    app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Make a docstring of the book one that Sphinx reads as it is meant, in place.

    A word between backticks is code, bars are bars, and numbered references stay with their
    function.
    """
    in_references = False
    for i, line in enumerate(lines):
        if set(line) == {"-"} and i:
            in_references = lines[i - 1] == "References"
        if line.lstrip().startswith((">>>", "...")):
            continue
        parts = re.split(r"(``.*?``)", re.sub(r"\[(\d+)\]_", r"[\1]", line))
        lines[i] = "".join(
            part if j % 2 else re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", part).replace("|", r"\|")
            for j, part in enumerate(parts)
        )
        if in_references:
            # a list, whose items may have several lines
            lines[i] = re.sub(r"^\.\. \[(\d+)\] +", r"- [\1] ", lines[i])
            lines[i] = re.sub(r"^ +(?=\S)", "  ", lines[i])


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx, before sections of docstrings are read."""
    app.connect("autodoc-process-docstring", readable_docstring, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
