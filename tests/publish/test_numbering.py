"""A chapter has the number of its notebook, whichever chapters are there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from docutils import nodes

from modclust_utils.publish.numbering import renumber

FIRST, LAST, RUN = "notebooks/01-one", "notebooks/05-five", "runs/05/own"


def environment() -> Any:
    """Chapters 1 and 5, counted by Sphinx as 1 and 2, with a run below the second."""
    numbers = {FIRST: (1,), LAST: (2,), RUN: (2, 3), "book/index": None}
    contents = {}
    for name, number in numbers.items():
        contents[name] = nodes.bullet_list("", nodes.reference("", "", refuri=name))
        if number:
            contents[name][0]["secnumber"] = number
    return SimpleNamespace(
        toc_secnumbers={
            name: {"": number, "#part": number and (*number, 1)} for name, number in numbers.items()
        },
        toc_fignumbers={name: {"figure": {"fig": (n[0], 1)}} for name, n in numbers.items() if n},
        titles={
            name: nodes.title("", secnumber=n) if n else nodes.title()
            for name, n in numbers.items()
        },
        longtitles={name: nodes.title() for name in numbers},
        tocs=contents,
    )


def test_chapters_have_the_numbers_of_their_notebooks():
    env = environment()
    assert sorted(renumber(None, env)) == [LAST, RUN]
    assert env.toc_secnumbers == {
        FIRST: {"": (1,), "#part": (1, 1)},
        LAST: {"": (5,), "#part": (5, 1)},
        RUN: {"": (5, 3), "#part": (5, 3, 1)},
        "book/index": {"": None, "#part": None},
    }
    assert env.toc_fignumbers[LAST]["figure"]["fig"] == (5, 1)
    assert env.titles[RUN]["secnumber"] == (5, 3)
    assert env.tocs[LAST][0]["secnumber"] == (5,)


def test_nothing_changes_where_no_chapter_is_missing():
    env = environment()
    for name in (LAST, RUN):
        env.toc_secnumbers[name.replace("05", "02")] = env.toc_secnumbers.pop(name)
    assert renumber(None, env) == []
