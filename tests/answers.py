"""Answers to exercises, right and wrong ones, and what their checks say."""

from __future__ import annotations

import functools
from typing import Any

import nbformat

from modclust_utils.exercises import Frames, Reply, reply
from modclust_utils.publish.chapters import chapter_notebook
from modclust_utils.publish.exercises import find, frames
from modclust_utils.publish.records import RecordStore, published_folder
from modclust_utils.publish.students import Assignment, read_assignments


@functools.cache
def assignments(chapter: int) -> dict[str, Assignment]:
    """The exercises of a chapter's notebook by name."""
    notebook = nbformat.read(chapter_notebook(chapter), as_version=4)
    return {each.name: each for each in read_assignments(notebook)}


def solution(assignment: Assignment) -> Any:
    """What the code of a solution calls its answer."""
    namespace: dict[str, Any] = {}
    exec(assignment.code, namespace)
    return namespace["answer"]


@functools.cache
def evidence(chapter: int, name: str) -> Frames:
    """What decides an exercise, from the published records alone."""
    published = published_folder()
    return frames(find(name, chapter), chapter, RecordStore(published / "none", published))


def said(chapter: int, name: str, answer: Any) -> Reply:
    """What the check of an exercise says of an answer."""
    return reply(find(name, chapter), answer, evidence(chapter, name))


def refused(chapter: int, name: str, answer: Any) -> str:
    """What it says of an answer that is wrong."""
    found = said(chapter, name, answer)
    assert found.state == "wrong"
    return found.text
