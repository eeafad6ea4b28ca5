"""What a page keeps folded stays on it: the code of cells, and sections that a chapter marks."""

from __future__ import annotations

from types import SimpleNamespace

import nbformat
import pytest
from docutils import nodes
from sphinx_exercise.nodes import exercise_node, solution_node

from modclust_utils.publish.errors import BuildError
from modclust_utils.publish.folds import fold, mark_folds

V4 = nbformat.v4
HTML = SimpleNamespace(builder=SimpleNamespace(format="html"))


def markdown(source: str, *tags: str) -> nbformat.NotebookNode:
    return V4.new_markdown_cell(source, metadata={"tags": list(tags)} if tags else {})


def test_headings_of_tagged_cells_are_marked_and_no_others():
    cells = [markdown("# Title"), markdown("### All pairs\n\nText.", "fold"), markdown("## Next")]
    code = V4.new_code_cell("## no heading", metadata={"tags": ["fold"]})
    notebook = V4.new_notebook(cells=[*cells, code])
    mark_folds(notebook)
    assert [cell.source for cell in notebook.cells] == [
        "# Title",
        "{.mc-fold}\n### All pairs\n\nText.",
        "## Next",
        "## no heading",
    ]


@pytest.mark.parametrize("source", ["Text.", "# The page itself", "Text\n\n## Later", "##None"])
def test_tagged_cell_must_begin_a_section(source):
    notebook = V4.new_notebook(cells=[markdown(source, "fold")])
    with pytest.raises(BuildError, match=r"tagged 'fold' begins with .*allowed: a heading"):
        mark_folds(notebook)


def section(title: str, *content: nodes.Node, classes: tuple[str, ...] = ()) -> nodes.section:
    return nodes.section("", nodes.title("", title), *content, ids=[title], classes=[*classes])


def cell(source: str, output: str) -> nodes.container:
    parts = [
        nodes.container("", nodes.literal_block("", text), nb_element=f"cell_code_{name}")
        for name, text in (("source", source), ("output", output))
        if text
    ]
    return nodes.container("", *parts, nb_element="cell_code")


def test_code_is_folded_and_what_it_shows_is_not():
    page = nodes.document(None, None)
    page += section("A", cell("x = 1", "figure"), cell("", "strip"))
    fold(HTML, page, "notebooks/01-a")
    (code,) = page.findall(lambda n: isinstance(n, nodes.container) and len(n) > 2)
    before, word, after, source, end, shown = code.children
    assert before.astext() == '<details class="mc-code"><summary>'
    assert (word.astext(), after.astext(), end.astext()) == ("Code", "</summary>", "</details>")
    assert source.astext() == "x = 1"
    assert shown.astext() == "figure"
    assert page.astext().count("<details") == 1
    assert page.astext().endswith("strip")
    assert all(child.parent is code for child in code.children)


def test_marked_section_is_folded_below_its_heading_with_all_in_it():
    inner = section("C", nodes.paragraph("", "in C"))
    marked = section("B", nodes.paragraph("", "in B"), inner, classes=("mc-fold",))
    page = nodes.document(None, None)
    page += section("A", nodes.paragraph("", "in A"), marked)
    page += section("D", nodes.paragraph("", "in D"))
    fold(HTML, page, "notebooks/01-a")
    start, title, middle, *content, end = marked.children
    assert start.astext() == '<details class="mc-fold"><summary>'
    assert isinstance(title, nodes.title)
    assert middle.astext() == "</summary>"
    assert content[1] is inner
    assert end.astext() == "</details>"
    # links to the section and what counts headings find it as before
    assert (title.parent, marked["ids"], inner.parent) == (marked, ["B"], marked)
    assert page.astext().count("<details") == page.astext().count("</details>") == 1


def test_other_formats_have_no_folds():
    page = nodes.document(None, None)
    page += section("A", cell("x = 1", "figure"), classes=("mc-fold",))
    before = page.pformat()
    fold(SimpleNamespace(builder=SimpleNamespace(format="latex")), page, "notebooks/01-a")
    assert page.pformat() == before


def test_an_exercise_is_folded_with_its_check_and_its_solution():
    def exercise(name: str) -> exercise_node:
        title, content = nodes.title("", name), nodes.section("", nodes.paragraph("", "do"))
        return exercise_node("", title, content, ids=[name])

    solution = solution_node("", nodes.title("", "Solution to"), nodes.section())
    solution.children[1] += nodes.paragraph("", "2")
    page = nodes.document(None, None)
    page += section("A", exercise("one"), cell("check()", "waits"), solution, exercise("two"))
    page.children[0] += nodes.paragraph("", "behind")
    fold(HTML, page, "notebooks/01-a")
    _, one, two, behind = page.children[0].children
    assert behind.astext() == "behind"
    assert one["ids"] == ["one"]
    start, name, end, text, check, answer, last = one.children
    assert start.astext() == '<details class="mc-exercise"><summary>'
    assert (name.astext(), end.astext(), last.astext()) == ("one", "</summary>", "</details>")
    assert text.astext() == "do"
    assert check.astext().endswith("waits")
    assert answer.children[0].astext() == '<details class="mc-solution"><summary>'
    assert answer.astext().endswith("2\n\n</details>")
    assert "check" not in two.astext()
    assert page.astext().count("<details") == page.astext().count("</details>") == 4
