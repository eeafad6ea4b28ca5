"""What students get: the exercises of a notebook, and that notebook without outputs and solutions.

In the notebooks exercises have the form of sphinx-exercise. Behind the text of each stands the cell
that checks an answer, and behind that the solution.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat

from modclust_utils.publish.errors import BuildError
from modclust_utils.publish.stored_files import read_notebook

LEVELS = ("easy", "medium", "hard")
#: Where a site keeps student notebooks, below its static files.
FOLDER = "students"
HEADING = "## Try it yourself"
_SOLUTION = re.compile(
    r"^:::\{solution\} exercise-(?P<name>[a-z0-9-]+)\n(?P<text>.*)\n:::$", re.DOTALL
)
_EXERCISE = re.compile(
    r"^:::\{exercise\} (?P<title>.+) · (?P<level>\w+) · (?P<minutes>\d+) minutes\n"
    r":label: exercise-(?P<name>[a-z0-9-]+)\n\n(?P<text>.*)\n:::$",
    re.DOTALL,
)
#: From MyST to the Markdown that Jupyter shows, one after the other.
_PLAIN = (
    (r"\{term\}`([^`<]+?)(?: <[^>]*>)?`", r"\1"),
    (r"\{cite(?::\w)?\}`([^`]+)`", r"(\1)"),
    (r"```\{math\}\n(?::label:[^\n]*\n)?(.*?)\n```", r"$$\n\1\n$$"),
    # other pages of the site are not where a student saves a notebook
    (r"\[([^\]]+)\]\([^)\s:]*\.(?:md|ipynb)(?:#[^)]*)?\)", r"\1"),
    (r"\\ncut\b", r"\\operatorname{n-cut}"),
    (r"\\vol\b", r"\\operatorname{vol}"),
)


@dataclass(frozen=True)
class Assignment:
    """An exercise as its notebook states it. solution: the Markdown of it, with its code."""

    name: str
    title: str
    level: str
    minutes: int
    text: str
    solution: str

    @property
    def code(self) -> str:
        """The code of the solution, which ends in an ``answer``."""
        return "\n".join(re.findall(r"^```python\n(.*?)^```$", self.solution, re.DOTALL | re.M))


def read_assignments(notebook: nbformat.NotebookNode) -> list[Assignment]:
    """The exercises of a notebook, in order.

    Raises BuildError for one that is not followed by its check and its solution, or not of a known
    level: a page would show a part of it.
    """
    cells = notebook.cells
    found = []
    for i, cell in enumerate(cells):
        if cell.cell_type != "markdown" or not cell.source.startswith(":::{exercise}"):
            continue
        text = _EXERCISE.match(cell.source)
        if text is None or text["level"] not in LEVELS:
            raise BuildError(
                f"an exercise begins with {cell.source.splitlines()[0]!r}; allowed: "
                f"':::{{exercise}} title · level · n minutes', a level of {', '.join(LEVELS)}, and "
                "':label: exercise-name' in the next line"
            )
        check, solution = _behind(cells, i, text["name"])
        if f'check("{text["name"]}", answer)' not in check or solution is None:
            raise BuildError(
                f"exercise {text['name']!r} is not followed by a cell that checks its answer, and "
                "a cell with its solution"
            )
        found.append(
            Assignment(
                *(text["name"], text["title"], text["level"], int(text["minutes"])),
                *(text["text"], solution),
            )
        )
    return found


def _behind(cells: Sequence[nbformat.NotebookNode], i: int, name: str) -> tuple[str, str | None]:
    """The code and the solution that follow cell i, where they are about this exercise."""
    behind = [*cells[i + 1 : i + 3]]
    if [cell.cell_type for cell in behind] != ["code", "markdown"]:
        return "", None
    solution = _SOLUTION.match(behind[1].source)
    return behind[0].source, solution["text"] if solution and solution["name"] == name else None


def student_notebook(source: nbformat.NotebookNode, page: str) -> nbformat.NotebookNode:
    """A notebook for students: no outputs, no solutions, exercises as Jupyter can show them.

    page: name of the page that it belongs to. Raises BuildError where `read_assignments` does.
    """
    assignments = {f":label: exercise-{a.name}\n": a for a in read_assignments(source)}
    notebook = copy.deepcopy(source)
    notebook.cells = [c for c in notebook.cells if not c.source.startswith(":::{solution}")]
    for cell in notebook.cells:
        cell.metadata = {k: v for k, v in cell.metadata.items() if k == "tags"}
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            continue
        for label, each in assignments.items():
            if label in cell.source:
                cell.source = (
                    f"### {each.title}\n\n*{each.level} · {each.minutes} minutes*\n\n{each.text}"
                )
        cell.source = plain(cell.source)
    note = (
        f"*For students: {page} without outputs and solutions. It runs in the book's environment; "
        "checks say whether an answer is right, or what is wrong with it.*"
    )
    about = nbformat.v4.new_markdown_cell(note)
    about["id"] = "for-students"
    notebook.cells.insert(1, about)
    return notebook


def plain(text: str) -> str:
    """Markdown of a page as Jupyter can show it."""
    for pattern, words in _PLAIN:
        text = re.sub(pattern, words, text, flags=re.DOTALL)
    return text


def stage_student_notebook(book: Path, source: Path, page: str) -> None:
    """Write the student notebook of a source below the static files of the folder `book`."""
    folder = book / "_static" / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    notebook = student_notebook(read_notebook(source), page)
    nbformat.write(notebook, folder / source.name)


def student_link(name: str, words: str = "Student notebook") -> str:
    """A link to a student notebook from a page that lies one folder deep."""
    return f'<a download href="../_static/{FOLDER}/{name}">{words}</a>'


def add_student_link(notebook: nbformat.NotebookNode, name: str) -> None:
    """Name, in place, the student notebook where the exercises begin."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith(HEADING):
            cell.source += f"\n\n{student_link(name)}: this chapter without outputs and solutions."
