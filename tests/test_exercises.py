"""Answers and what checks say of them: numbers, several numbers, texts, functions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from modclust_utils.exercises import (
    Exercise,
    WrongAnswer,
    as_array,
    call,
    choice,
    number,
    numbers,
    reply,
)

THIRD = number(
    "third",
    "a number",
    Fraction(1, 3),
    because="Three parts.",
    mistakes=[(3, "The other way round."), (0.5, "Two parts.")],
    within=0.01,
)
PAIR = numbers(
    "pair", "two numbers", (1, 2), because="In order.", mistakes=[((2, 1), "Out of order.")]
)
SIDE = choice("side", "a side", "left", because="It is.", mistakes={"right": "That is the other."})


@pytest.mark.parametrize(
    "answer", [1 / 3, Fraction(1, 3), np.float32(1 / 3), np.array(1 / 3), 0.34]
)
def test_a_number_is_right_in_any_form(answer):
    assert reply(THIRD, answer).state == "right"
    assert reply(THIRD, answer).text == "Three parts."


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (3, "The other way round."),
        (3.009, "The other way round."),
        (0.35, "0.35 is too large."),
        (-1, "-1 is too small."),
        (Fraction(1, 4), "1/4 is too small."),
        (True, "A number is asked for, and True is a yes or no."),
        ("1/3", "A number is asked for, and '1/3' is a text."),
        (None, "A number is asked for, and None is nothing."),
        (float("inf"), "A number is asked for, and inf is not a finite one."),
        (10**400, f"A number is asked for, and 1{'0' * 56}... is not a finite one."),
        (len, "A number is asked for, and <built-in function len> is a function."),
        ([1 / 3], "A number is asked for, and [0.3333333333333333] is a list."),
    ],
)
def test_a_wrong_number_hears_why(answer, text):
    assert (reply(THIRD, answer).state, reply(THIRD, answer).text) == ("wrong", text)


def test_long_answers_are_cut():
    text = reply(THIRD, "x" * 500).text
    assert "xxx..." in text
    assert len(text) < 120


def test_a_mistake_that_would_be_right_is_refused():
    with pytest.raises(ValueError, match=r"within=0\.1 is not allowed: 0\.5 and 0\.4 overlap"):
        number("n", "a number", 0.4, because="", mistakes=[(0.5, "")], within=0.1)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ((2, 1), "Out of order."),
        ((1, 3), "Number 2 is too large."),
        (np.array([0.5, 2]), "Number 1 is too small."),
        ((1, 2, 3), "2 numbers are asked for, such as (0, 0), not (1, 2, 3)."),
        (1, "2 numbers are asked for, such as (0, 0), not 1."),
        ((1, "2"), "A number is asked for, and '2' is a text."),
    ],
)
def test_several_numbers(answer, text):
    assert reply(PAIR, answer).text == text
    assert reply(PAIR, [1, 2.001]).state == "right"


def test_texts():
    assert reply(SIDE, " Left ").state == "right"
    assert reply(SIDE, "right").text == "That is the other."
    assert reply(SIDE, "up").text == "'up' is not among the answers: 'left', 'right'."


def test_dots_are_no_answer_yet():
    assert reply(THIRD, ...).state == "waits"
    assert reply(THIRD, ...).text == "Asked for: a number."


def test_functions_of_students_may_fail():
    def fails(x):
        raise KeyError("no such thing")

    with pytest.raises(WrongAnswer, match="Your function stopped with KeyError: 'no such thing'"):
        call(fails, 1)
    with pytest.raises(WrongAnswer, match="A function is asked for, and 3 is of the type int"):
        call(3, 1)
    assert call(pow, 2, 3) == 8


def test_what_a_function_gives_is_looked_at():
    assert as_array([1, 2], (2,)).tolist() == [1, 2]
    for given, words in ((None, "`return`"), ("ab", "a text"), ([1], r"the shape \(1,\)")):
        with pytest.raises(WrongAnswer, match=words):
            as_array(given, (2,))


def test_an_error_of_the_check_itself_is_no_wrong_answer():
    def judge(answer, frames):
        return frames["gone"]

    with pytest.raises(KeyError):
        reply(Exercise("x", "anything", judge), 1)


def test_one_number_without_a_row_is_no_pair():
    assert reply(PAIR, np.array(3.0)).text.startswith("2 numbers are asked for")


def test_a_tensor_that_hangs_on_weights_is_an_array():
    assert as_array(torch.ones(2, requires_grad=True), (2,)).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    "answer", [np.array([1 + 2j, 0]), np.ma.masked_array([1.0, 2.0], [True, False])]
)
def test_parts_of_numbers_are_none(answer):
    with pytest.raises(WrongAnswer, match="instead of numbers"):
        as_array(answer, (2,))
