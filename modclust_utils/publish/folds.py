"""What a page keeps folded: the code of its cells, sections that a chapter marks, and exercises.

A Sphinx extension. What is folded stands in a ``details`` element, so that it opens without scripts
too; ``book/_static/custom.js`` opens what a link leads into, and all sections for print.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import nbformat
from docutils import nodes
from sphinx.application import Sphinx
from sphinx_exercise.nodes import is_exercise_node, is_solution_node

from modclust_utils.publish.errors import BuildError

#: Tag of a Markdown cell whose heading begins a folded section.
TAG = "fold"
_CLASS = "mc-fold"


def mark_folds(notebook: nbformat.NotebookNode) -> None:
    """Write, in place, a class above each heading whose cell is tagged ``fold``: tags of Markdown
    cells do not reach Sphinx.

    Raises BuildError for a tagged cell that begins no section below the page's title.
    """
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and TAG in cell.metadata.get("tags", []):
            if not re.match(r"##+ ", cell.source):
                raise BuildError(
                    f"a cell tagged {TAG!r} begins with {cell.source[:40]!r}; allowed: a heading "
                    "of the second level or below"
                )
            cell.source = f"{{.{_CLASS}}}\n{cell.source}"


def fold(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the code of each cell, each marked section below its heading, and each exercise with what
    belongs to it, into ``details``."""
    if app.builder.format != "html":
        return
    for node in [*doctree.findall(nodes.container)]:
        if node.get("nb_element") == "cell_code_source":
            index = node.parent.index(node)
            node.parent[index : index + 1] = _details("mc-code", [nodes.Text("Code")], [node])
    for section in doctree.findall(nodes.section):
        if _CLASS in section["classes"]:
            title, *rest = section.children
            section.children = []
            section.extend(_details(_CLASS, [title], rest))
    for node in [*doctree.findall(is_exercise_node)]:
        _fold_exercise(node)
    for node in [*doctree.findall(is_solution_node)]:
        _, content = node.children
        node[:] = _details("mc-solution", [nodes.Text("Solution")], content.children)


def _fold_exercise(node: nodes.Element) -> None:
    """Fold an exercise with the cells and the solution behind it; its title stays to be seen."""
    place = node.parent
    start = place.index(node)
    end = start + 1
    while end < len(place) and (
        is_solution_node(place[end]) or place[end].get("nb_element") == "cell_code"
    ):
        end += 1
    title, content = node.children
    rest = place[start + 1 : end]
    del place[start + 1 : end]
    node[:] = _details("mc-exercise", [title], [*content.children, *rest])


def _details(
    name: str, summary: Iterable[nodes.Node], content: Iterable[nodes.Node]
) -> list[nodes.Node]:
    return [
        _html(f'<details class="{name}"><summary>'),
        *summary,
        _html("</summary>"),
        *content,
        _html("</details>"),
    ]


def _html(text: str) -> nodes.raw:
    return nodes.raw("", text, format="html")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("doctree-resolved", fold)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
