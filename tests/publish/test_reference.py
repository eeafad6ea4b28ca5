"""Tests for the reference of functions."""

from __future__ import annotations

import importlib
import inspect

import nbformat

import modclust_utils
from modclust_utils.publish import reference
from modclust_utils.publish.folds import TAG

NCUT = "modclust_utils.clustering.ncut"


def test_functions_with_an_example_are_in_it_and_no_others():
    found = reference.entry_points()
    assert "ncut" in found["clustering"]
    assert "load_images" in found["datasets.images"]
    for module, names in found.items():
        here = importlib.import_module(f"modclust_utils.{module}")
        own = {
            name
            for name, each in inspect.getmembers(here, inspect.isfunction)
            if each.__module__ == here.__name__ and "Examples\n---" in (inspect.getdoc(each) or "")
        }
        assert set(names) == own


def test_chapters_are_those_whose_code_names_a_function():
    found = reference.used_by()
    assert found["modclust_utils.lesions.single_lesions"] == [3]
    # of a kind of record that chapter 1 plans; of one from whose module chapter 5 takes the seeds
    assert 1 in found["modclust_utils.training.train"]
    assert 5 not in found["modclust_utils.training.train"]
    known = {
        f"modclust_utils.{m}.{n}" for m, names in reference.entry_points().items() for n in names
    }
    assert set(found) <= known


def test_page_has_every_function_and_links_to_chapters(tmp_path):
    reference.stage_reference(tmp_path, {NCUT: [1, 3]})
    text = (tmp_path / reference.PART).read_text(encoding="utf-8")
    n_functions = len(reference.WHOLE) + sum(map(len, reference.entry_points().values()))
    assert text.count(".. autofunction:: modclust_utils.") == n_functions
    for name in reference.WHOLE:
        assert callable(getattr(modclust_utils, name))
        assert f".. autofunction:: modclust_utils.{name}\n" in text
    after = text.split(f".. autofunction:: {NCUT}\n")[1].split("autofunction")[0]
    assert "[chapter 1](../notebooks/01-pruned-mlp-clusterability.ipynb) and [chapter 3](" in after


def test_chapter_ends_with_its_functions():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# One")])
    reference.add_functions(notebook, 1, {NCUT: [1, 3], "modclust_utils.lesions.f": [3]})
    last = notebook.cells[-1]
    assert last.metadata["tags"] == [TAG]
    assert f"{{py:func}}`ncut <{NCUT}>`" in last.source
    assert "lesions.f" not in last.source


def test_docstrings_are_read_as_they_are_meant():
    lines = [
        "Share of |A| in `labels`, as ``|x|`` [1]_.",
        "",
        ">>> abs(-1) | `2`",
        "References",
        "----------",
        ".. [1] A paper",
        "   of two lines.",
    ]
    reference.readable_docstring(None, "function", "f", None, None, lines)
    assert lines == [
        "Share of \\|A\\| in ``labels``, as ``|x|`` [1].",
        "",
        ">>> abs(-1) | `2`",
        "References",
        "----------",
        "- [1] A paper",
        "  of two lines.",
    ]
