"""Exercises of all chapters: their form, and that a check takes its solution and nothing else."""

from __future__ import annotations

import re
import shlex

import numpy as np
import pytest
from answers import assignments, said, solution

from modclust_utils.publish.chapters import chapter_numbers
from modclust_utils.publish.exercises import exercises
from modclust_utils.publish.run import check_run

CHAPTERS = [*chapter_numbers()]
EXERCISES = [(n, name) for n in CHAPTERS for name in assignments(n)]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_chapter_has_three_to_five_with_a_check_each(chapter):
    there = assignments(chapter)
    assert 3 <= len(there) <= 5
    assert sorted(there) == sorted(exercises(chapter))
    assert {each.level for each in there.values()} >= {"easy", "hard"}
    assert any(each.records for each in exercises(chapter).values())


def test_names_of_all_exercises_differ():
    names = [name for _, name in EXERCISES]
    assert len(set(names)) == len(names)


def commands(text):
    """The commands in a text that run a chapter: its number, and the words behind."""
    for found in re.findall(r"`modclust run (\d) ?([^`]*)`", text):
        yield int(found[0]), shlex.split(found[1])


@pytest.mark.parametrize(("chapter", "name"), EXERCISES)
def test_commands_that_an_exercise_names_can_be_run(chapter, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = np.zeros((20, 28, 28), np.uint8), np.arange(20) % 10
    x, y = ("x_train", "x_test"), ("y_train", "y_test")
    np.savez("my_labels.npz", **dict.fromkeys(x, images[0]), **dict.fromkeys(y, images[1]))
    each = assignments(chapter)[name]
    for number, words in commands(f"{each.text} {each.solution}"):
        profile, texts = "quick", {}
        while words:
            kind, *words = words
            if kind == "--profile":
                profile, *words = words
            else:
                assert kind == "-p"
                parameter, value, *words = words
                texts[parameter] = value
        parameters = check_run(number, profile, texts=texts)
        judge = exercises(chapter)[name].records
        if judge is not None and judge.changes:  # the page that it leads to is the one that judges
            assert parameters == check_run(chapter, judge.profile, overrides=judge.changes)


@pytest.mark.parametrize(("chapter", "name"), EXERCISES)
def test_a_prediction_says_which_profile_it_is_about(chapter, name):
    """A student's own notebook opens with the quick profile, whose page shows other numbers."""
    judge = exercises(chapter)[name].records
    if judge is not None and judge.profile != "quick":
        words = {f"{judge.profile} profile", f"--profile {judge.profile}"}
        text = assignments(chapter)[name].text.replace("\n", " ")
        assert any(each in text for each in words)


@pytest.mark.parametrize(("chapter", "name"), EXERCISES)
def test_the_solution_is_right(chapter, name):
    reply = said(chapter, name, solution(assignments(chapter)[name]))
    assert reply.state == "right", reply.text
    assert len(reply.text.split()) > 3


@pytest.mark.parametrize(("chapter", "name"), EXERCISES)
@pytest.mark.parametrize("answer", [None, "", float("nan"), True, [], object(), lambda: None])
def test_what_is_no_answer_is_never_right(chapter, name, answer):
    reply = said(chapter, name, answer)
    assert reply.state == "wrong"
    assert reply.text


@pytest.mark.parametrize(("chapter", "name"), EXERCISES)
def test_without_an_answer_a_check_says_what_it_asks_for(chapter, name):
    reply = said(chapter, name, ...)
    assert reply.state == "waits"
    assert exercises(chapter)[name].wants in reply.text
