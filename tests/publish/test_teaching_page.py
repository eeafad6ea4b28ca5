"""Numbers on the page for teachers: from records, runs and notebooks."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from answers import assignments
from small_book import ROOT, write_run

from modclust_utils.publish import pages
from modclust_utils.publish.chapters import chapter_numbers
from modclust_utils.publish.errors import RecordError
from modclust_utils.publish.escape import markdown
from modclust_utils.publish.records import default_store
from modclust_utils.publish.run import read_runs
from modclust_utils.publish.scoreboard import ShownRun
from modclust_utils.publish.teaching_page import (
    cost_of,
    costs_part,
    duration,
    exercises_part,
    tutorials_part,
)
from modclust_utils.recipes.base import Value
from modclust_utils.recipes.network import conditions

WITH_PAGES = True


def put_networks(*names):
    """Made-up records of networks of some data sets; their places."""
    p = SimpleNamespace(
        n_networks=1, epochs=1, pruning_epochs=1, dropout_rate=0.5, dataset_settings={}, seed=0,
        data_folder="",
    )  # fmt: skip
    found = []
    for condition in conditions(p, names, (False,)):
        (job,) = condition.jobs
        default_store().put(job, Value({}), seconds=90, device="CPU")
        found.append((job.kind, job.key))
    return found


def test_costs_are_those_of_records_and_run(book):
    records = put_networks("mnist", "lines", "lines_cifar10", "halves_mnist")
    write_run(book, "quick", records=records, seconds=12.4)
    (run,) = read_runs(1)
    cost = cost_of(run)
    assert cost.seconds == 4 * 90
    files = [default_store().find(*place) for place in records]
    assert cost.size == sum(file.stat().st_size for file in files)
    assert cost.data_sets == ("CIFAR-10", "MNIST")
    part = costs_part([ShownRun(run, "done", "chapter")])
    row = part.splitlines()[2]
    assert "| quick (the page) | 4 | 6 min | 0.0 MB | 12 s | CIFAR-10, MNIST |" in row
    assert "students/01-pruned-mlp-clusterability.ipynb" in row
    assert "| 5, 55 minutes |" in row


@pytest.mark.parametrize("content", ["", '{"kind": "network"', "{}", "null"])
def test_a_damaged_record_is_named(book, content):
    ((kind, key),) = put_networks("mnist")
    path = default_store().path(kind, key)
    path.write_text(content)
    write_run(book, "quick", records=[(kind, key)])
    with pytest.raises(RecordError, match=rf"{key}\.json is not a record .* Delete {path}"):
        cost_of(read_runs(1)[0])


def test_runs_without_a_page_cost_nothing(book):
    write_run(book, "quick", records=[])
    write_run(book, "n_clusters-7", records=[])
    rows = [ShownRun(run, "done", "page") for run in read_runs(1)]
    assert len(costs_part(rows).splitlines()) == 2 + 1
    assert len(costs_part([ShownRun(r.run, "failed", "–") for r in rows]).splitlines()) == 2


def test_exercises_are_listed_as_the_notebook_states_them(book):
    rows = exercises_part([1]).splitlines()[2:]
    assert rows[0] == (
        "| {ref}`exercise-two-triangles` | Two triangles | easy | 5 | the answer alone |"
    )
    assert sum("| records |" in row for row in rows) == 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (99, "99 s"), (100, "2 min"), (5999, "100 min"), (9000, "2.5 h")],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


def test_no_result_is_typed_into_the_page(book):
    """Times and sizes on the page come from records, by its staged parts."""
    text = (book / "book" / "teaching.md").read_text(encoding="utf-8")
    text = text.replace("Python 3.11 or newer", "")
    assert re.findall(r"\d+\.\d+|\d+ (?:MB|GB|s\b|seconds)", text) == []
    for part in ("teaching-costs.md", "teaching-exercises.md", "teaching-tutorials.md"):
        assert f"```{{include}} {part}\n```" in text


def rows_of(text, heading):
    """The cells of the table below a heading, without its head."""
    lines = text.partition(f"## {heading}\n")[2].partition("\n## ")[0].splitlines()
    table = [line for line in lines if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def test_sessions_and_projects_add_up():
    text = (ROOT / "book" / "teaching.md").read_text(encoding="utf-8")
    every = [each for n in chapter_numbers() for each in assignments(n).values()]
    minutes = {each.name: each.minutes for each in every}
    session = rows_of(text, "A session of 90 minutes")
    spans = [tuple(map(int, row[0].split("–"))) for row in session]
    assert [start for start, _ in spans] == [0, *(end for _, end in spans[:-1])]
    assert spans[-1][1] == 90
    for (start, end), (_, what, _) in zip(spans, session, strict=True):
        named = re.findall(r"{ref}`exercise-([\w-]+)`", what)
        assert end - start >= sum(minutes[name] for name in named), what
    assert "exercise-two-clusters" in str(session)
    days = [tuple(map(int, row[0].split("–"))) for row in rows_of(text, "A project of two weeks")]
    assert [first for first, _ in days] == [1, *(last + 1 for _, last in days[:-1])]
    assert days[-1][1] == 14


def test_the_parts_are_staged(book):
    write_run(book, "quick", records=put_networks("mnist5k"))
    pages.stage(book / "work")
    staged = book / "work" / "book"
    costs = (staged / "teaching-costs.md").read_text(encoding="utf-8")
    assert f"| {markdown('MNIST (5,000 digits)')} |" in costs
    assert "exercise-keep-the-zeros" in (staged / "teaching-exercises.md").read_text()
    assert tutorials_part() == "" == (staged / "teaching-tutorials.md").read_text()
    assert [p.name for p in (staged / "_static" / "students").iterdir()] == [
        "01-pruned-mlp-clusterability.ipynb"
    ]
