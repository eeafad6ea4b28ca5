"""What a chapter's notebook shows, by the names that it gives."""

from __future__ import annotations

import re

import nbformat

from modclust_utils.publish import chapters


def shown_names(chapter: int) -> list[re.Pattern[str]]:
    """The names under which a notebook shows something; what it fills in may be any word."""
    cells = nbformat.read(chapters.chapter_notebook(chapter), as_version=4).cells
    source = "".join(cell.source for cell in cells if cell.cell_type == "code")
    # `f"table-k-{k}"`, and in braces a condition with words in quotes
    names = re.findall(r"""name=f?"((?:[\w-]|\{[^{}]*\})+)",?\s*\)""", source)
    return [re.compile(r"[\w-]+".join(map(re.escape, re.split(r"\{.*?\}", n)))) for n in names]
