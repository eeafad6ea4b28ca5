"""Checks of exercises in a notebook: what an answer is judged with, and what the cell shows."""

from __future__ import annotations

import html
from types import SimpleNamespace
from typing import Any

from IPython.display import HTML, display

from modclust_utils.exercises import Exercise, Frames, Reply, reply
from modclust_utils.publish.chapters import plan, room
from modclust_utils.publish.errors import ParameterError, RecordError
from modclust_utils.publish.records import RecordStore, default_store

HEADS = {
    "waits": "Waiting for your answer.",
    "right": "✓ Right.",
    "wrong": "✗ Not yet.",
    "unjudged": "Records are missing.",
}
HOW = "Put it in place of the dots, and run the cell."


def exercises(chapter: int) -> dict[str, Exercise]:
    """The exercises of a chapter by their names."""
    return {each.name: each for each in room(chapter, "exercises").EXERCISES}


def find(name: str, chapter: int) -> Exercise:
    """An exercise of a chapter. Raises ParameterError that lists those there are."""
    there = exercises(chapter)
    if name not in there:
        raise ParameterError(f"exercise={name!r} is not allowed: {', '.join(map(repr, there))}")
    return there[name]


def check(name: str, answer: Any, *, chapter: int, store: RecordStore | None = None) -> None:
    """Judge an answer to an exercise of a chapter and show what there is to say.

    store: the records that decide questions about parameters; None: those of the book and your own.
    Raises ParameterError for an unknown name.
    """
    exercise = find(name, chapter)
    if answer is ... or exercise.records is None:
        found = reply(exercise, answer)
    else:
        try:
            found = reply(exercise, answer, frames(exercise, chapter, store or default_store()))
        except RecordError as error:
            found = Reply("unjudged", f"Your answer cannot be judged without them. {error}")
    show(found)


def frames(exercise: Exercise, chapter: int, store: RecordStore) -> Frames:
    """The frames that decide an exercise. Raises RecordError where a record is missing."""
    if exercise.records is None:
        return {}
    from modclust_utils.publish.engine import read_frames
    from modclust_utils.publish.run import check_run

    wanted = exercise.records
    values = check_run(chapter, wanted.profile, overrides=wanted.changes)
    planned = plan(chapter, SimpleNamespace(**values))
    return read_frames({name: planned[name] for name in wanted.groups}, store)


def show(found: Reply) -> None:
    """Show a reply, as a paragraph whose colour and sign say what it is."""
    how = f" {HOW}" if found.state == "waits" else ""
    display(
        HTML(
            f'<p class="mc-check mc-check-{found.state}"><b>{HEADS[found.state]}</b> '
            f"{html.escape(found.text)}{how}</p>"
        )
    )
