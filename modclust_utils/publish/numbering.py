"""A Sphinx extension: a chapter's number on the site is that of its notebook, as everywhere else.

Sphinx counts the chapters that are there. Between chapters 3 and 5 that gives the second one the
number 4, in the sidebar, in its headings and in its figures.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

_CHAPTER = re.compile(r"notebooks/(\d\d)-")


def renumber(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Give headings and figures of chapters their notebook's number; the pages that change."""
    numbers: dict[int, int] = {}
    for name, sections in env.toc_secnumbers.items():
        chapter = _CHAPTER.match(name)
        if chapter and sections.get(""):
            numbers.setdefault(sections[""][0], int(chapter[1]))
    moved = {old: new for old, new in numbers.items() if old != new}
    changed = []
    for name, sections in env.toc_secnumbers.items():
        if not any(number and number[0] in moved for number in sections.values()):
            continue
        changed.append(name)
        for anchor, number in sections.items():
            sections[anchor] = _moved(number, moved)
        for figures in env.toc_fignumbers.get(name, {}).values():
            for figure, number in figures.items():
                figures[figure] = _moved(number, moved)
        titles = [env.titles[name], env.longtitles[name]]
        for node in [*titles, *env.tocs[name].findall(nodes.reference)]:
            if node.get("secnumber"):
                node["secnumber"] = _moved(node["secnumber"], moved)
    return changed


def _moved(number: tuple[int, ...], moved: dict[int, int]) -> tuple[int, ...]:
    return (moved.get(number[0], number[0]), *number[1:]) if number else number


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx, after what counts."""
    app.connect("env-get-updated", renumber, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
