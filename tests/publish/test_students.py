"""Exercises as notebooks state them, and what students get of a notebook."""

from __future__ import annotations

import nbformat
import pytest

from modclust_utils.publish.chapters import chapter_notebook, chapter_numbers
from modclust_utils.publish.errors import BuildError
from modclust_utils.publish.parameters import read_schema
from modclust_utils.publish.students import (
    add_student_link,
    plain,
    read_assignments,
    stage_student_notebook,
    student_notebook,
)

V4 = nbformat.v4
TEXT = ":::{exercise} Add · easy · 5 minutes\n:label: exercise-add\n\nAdd {term}`one`.\n:::"
CHECK = 'answer = ...\n\nrun.check("add", answer)'
SOLUTION = ":::{solution} exercise-add\nIt is so.\n\n```python\nanswer = 2\n```\n:::"


def notebook(text=TEXT, check=CHECK, solution=SOLUTION):
    cells = [V4.new_markdown_cell("# A chapter"), V4.new_code_cell("1", execution_count=3)]
    cells[1].outputs = [V4.new_output("display_data", {"text/plain": "1"})]
    cells[1].metadata["mystnb"] = {"figure": {}}
    cells += [V4.new_markdown_cell("## Try it yourself\n\nText."), V4.new_markdown_cell(text)]
    cells += [V4.new_code_cell(check)] if check else []
    cells += [V4.new_markdown_cell(solution)] if solution else []
    return V4.new_notebook(cells=cells)


def test_an_exercise_is_read_with_its_solution():
    (found,) = read_assignments(notebook())
    assert (found.name, found.title, found.level, found.minutes) == ("add", "Add", "easy", 5)
    assert found.text == "Add {term}`one`."
    assert found.code == "answer = 2\n"


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("easy", "simple"),
        TEXT.replace(" · 5 minutes", ""),
        TEXT.replace("exercise-add", "add"),
        TEXT.replace(":label: exercise-add\n", ""),
    ],
)
def test_another_form_is_refused(text):
    with pytest.raises(
        BuildError, match=r"an exercise begins with .*allowed: .*easy, medium, hard"
    ):
        read_assignments(notebook(text))


@pytest.mark.parametrize(
    "parts",
    [
        {"check": ""},
        {"check": 'run.check("subtract", answer)'},
        {"solution": ""},
        {"solution": SOLUTION.replace("-add", "-subtract")},
        {"solution": "The solution is 2."},
    ],
)
def test_an_exercise_without_check_or_solution_is_refused(parts):
    with pytest.raises(BuildError, match="'add' is not followed by a cell that checks"):
        read_assignments(notebook(**parts))


def test_students_get_no_outputs_and_no_solutions():
    source = notebook()
    given = student_notebook(source, "chapter 9")
    nbformat.validate(given)
    texts = [cell.source for cell in given.cells]
    assert texts[0] == "# A chapter"
    assert "chapter 9 without outputs and solutions" in texts[1]
    assert texts[-2:] == ["### Add\n\n*easy · 5 minutes*\n\nAdd one.", CHECK]
    assert given.cells[2].outputs == []
    assert given.cells[2].execution_count is None
    assert "mystnb" not in given.cells[2].metadata
    # the source is as it was
    assert source.cells[1].outputs
    assert source.cells[-1].source == SOLUTION


def test_plain_markdown_has_no_roles():
    assert plain("a {term}`unit` of {term}`clusters <cluster>` {cite}`filan2020` {cite:t}`a`") == (
        "a unit of clusters (filan2020) (a)"
    )
    links = "[scores](status.md#a) [one](../notebooks/01-a.ipynb) [far](https://a.org/b.md)"
    assert plain(links) == "scores one [far](https://a.org/b.md)"
    assert plain("```{math}\n:label: eq\n\\ncut(x)\n```") == "$$\n\\operatorname{n-cut}(x)\n$$"


@pytest.mark.parametrize("chapter", chapter_numbers())
def test_student_notebooks_of_all_chapters(chapter, tmp_path):
    """They hold no solution, have the chapter's parameters, and end with checks that wait."""
    source = chapter_notebook(chapter)
    stage_student_notebook(tmp_path, source, f"chapter {chapter}")
    path = tmp_path / "_static" / "students" / source.name
    given = nbformat.read(path, as_version=4)
    text = path.read_text(encoding="utf-8")
    assert "{solution}" not in text
    assert "{exercise}" not in text
    assert "{term}" not in text
    assignments = read_assignments(nbformat.read(source, as_version=4))
    for each in assignments:
        assert each.code not in "\n".join(cell.source for cell in given.cells)
    waiting = [c for c in given.cells if c.cell_type == "code" and "answer = ..." in c.source]
    assert len(waiting) == len(assignments)
    assert not [c for c in given.cells if c.get("outputs")]
    assert read_schema(path).defaults == read_schema(source).defaults


def test_the_page_leads_to_the_student_notebook():
    page = notebook()
    add_student_link(page, "09-a.ipynb")
    linked = [cell.source for cell in page.cells if "students/09-a.ipynb" in cell.source]
    assert len(linked) == 1
    assert linked[0].startswith("## Try it yourself")
    assert '<a download href="../_static/students/09-a.ipynb">' in linked[0]
