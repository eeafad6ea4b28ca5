"""What the build adds to the page for teachers: exercises, and what each chapter needs and costs.

Times are those that records and runs noted, sizes those of the files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from modclust_utils.datasets.registry import ROWS
from modclust_utils.publish.chapters import chapter_notebook
from modclust_utils.publish.escape import markdown, markdown_table
from modclust_utils.publish.exercises import exercises
from modclust_utils.publish.records import default_store, read_content
from modclust_utils.publish.run import RunInfo
from modclust_utils.publish.scoreboard import ShownRun
from modclust_utils.publish.stored_files import read_notebook
from modclust_utils.publish.students import (
    Assignment,
    read_assignments,
    stage_student_notebook,
    student_link,
)
from modclust_utils.publish.tutorials import seconds_of, tutorials

#: Included by the page.
EXERCISES_PART, COSTS_PART = "teaching-exercises.md", "teaching-costs.md"
TUTORIALS_PART = "teaching-tutorials.md"


def stage_teaching(book: Path, rows: Sequence[ShownRun]) -> None:
    """Write into the folder `book` the student notebooks, and the parts of the teachers' page.

    rows: all runs of the site.
    """
    chapters = sorted({int(row.run.status["chapter"]) for row in rows})
    for chapter in chapters:
        stage_student_notebook(book, chapter_notebook(chapter), f"chapter {chapter}")
    for source in tutorials():
        stage_student_notebook(book, source, "the tutorial")
    (book / EXERCISES_PART).write_text(exercises_part(chapters), encoding="utf-8")
    (book / COSTS_PART).write_text(costs_part(rows), encoding="utf-8")
    (book / TUTORIALS_PART).write_text(tutorials_part(), encoding="utf-8")


def exercises_part(chapters: Sequence[int]) -> str:
    """The exercises of all chapters as a table."""
    rows = []
    for chapter in chapters:
        known = exercises(chapter)
        for each in _assignments(chapter):
            judge = "records" if known[each.name].records else "the answer alone"
            link, title = f"{{ref}}`exercise-{each.name}`", markdown(each.title)
            rows.append([link, title, each.level, str(each.minutes), judge])
    header = ["Exercise", "What one does", "Level", "Minutes", "Judged by"]
    return markdown_table(header, rows) + "\n"


def tutorials_part() -> str:
    """How long each tutorial took when it was executed, and what students get of it."""
    lines = []
    for source in tutorials():
        heading, seconds = read_notebook(source).cells[0].source, seconds_of(source)
        title = heading.splitlines()[0].removeprefix("# ")
        if seconds is not None:
            link = student_link(source.name, "the notebook without outputs")
            took = f"took {duration(seconds)}, here"
            lines.append(f"- The tutorial [{title}]({source.name}) {took}; {link}.")
    return "\n".join([*lines, ""])


def costs_part(rows: Sequence[ShownRun]) -> str:
    """What each chapter needs and costs, as a table."""
    header = [
        *("Chapter", "For students", "Exercises", "Run", "Records", "Computing them", "Their size"),
        *("The run took, here", "Images"),
    ]
    costs = [
        _costs(row.run, row.shown == "chapter")
        for row in rows
        if row.shown == "chapter" or (row.shown == "page" and row.run.name == "quick")
    ]
    return markdown_table(header, costs) + "\n"


def _costs(run: RunInfo, is_main: bool) -> list[str]:
    chapter = int(run.status["chapter"])
    source = chapter_notebook(chapter)
    given = _assignments(chapter)
    minutes = sum(each.minutes for each in given)
    cost = cost_of(run)
    return [
        f"[{chapter}](../notebooks/{source.name})",
        student_link(source.name, "notebook"),
        f"{len(given)}, {minutes} minutes",
        f"{markdown(run.name)}{' (the page)' if is_main else ''}",
        f"{len(run.status['records']):,}",
        duration(cost.seconds),
        f"{cost.size / 1e6:,.1f} MB",
        duration(float(run.status["seconds"])),
        ", ".join(map(markdown, cost.data_sets)),
    ]


@dataclass(frozen=True)
class Cost:
    """What the records of a run took: seconds of computing, bytes of their files, data sets."""

    seconds: float
    size: int
    data_sets: tuple[str, ...]


def cost_of(run: RunInfo) -> Cost:
    """What the records of a run say, of those that are there.

    Raises RecordError where one is damaged.
    """
    store, seconds, size, names = default_store(), 0.0, 0, set[str]()
    for kind, key in run.status["records"]:
        path = store.find(kind, key)
        if path is None:
            continue
        content = read_content(path)
        seconds += content["provenance"]["seconds"]
        names.update(_files_of(content["parameters"].get("dataset", "")))
        both = (path, path.with_suffix(".npz"))
        size += sum(file.stat().st_size for file in both if file.is_file())
    return Cost(seconds, size, tuple(sorted(names)))


def _files_of(name: str) -> set[str]:
    """The data sets that are read from files for a set: itself, or what it is made of."""
    row = ROWS.get(name)
    if row is None:
        return set()
    if row.parts or row.halves_of:
        return {each for part in row.parts or (row.halves_of,) for each in _files_of(str(part))}
    return {row.words} if row.read else set()


def _assignments(chapter: int) -> list[Assignment]:
    return read_assignments(read_notebook(chapter_notebook(chapter)))


def duration(seconds: float) -> str:
    """A duration in the unit that suits it."""
    for limit, size, unit in ((100, 1, "s"), (100 * 60, 60, "min")):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 3600:.1f} h"
