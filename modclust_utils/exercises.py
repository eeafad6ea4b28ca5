"""Exercises with checks: an answer is right, or the check says what is wrong with it.

Texts and solutions stand in the notebooks. A chapter's module ``exercises`` lists what its checks
look for in `EXERCISES`; a judge raises `WrongAnswer`, whose text is for a student.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from numbers import Real
from typing import Any, Literal

import numpy as np
import pandas as pd

Frames = Mapping[str, pd.DataFrame]
#: From an answer and the frames of `Exercise.records` to what there is to say of a right answer.
#: Raises WrongAnswer.
Judge = Callable[[Any, Frames], str]


class WrongAnswer(Exception):
    """An answer is wrong; the text says what is."""


@dataclass(frozen=True)
class Records:
    """The records that decide an exercise: groups of a chapter's plan under a profile.

    changes: parameters that differ from the profile's.
    """

    profile: str
    groups: tuple[str, ...]
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Exercise:
    """What a check knows of an exercise. wants: the sort of answer that is asked for."""

    name: str
    wants: str
    judge: Judge
    records: Records | None = None


@dataclass(frozen=True)
class Reply:
    """What a check says of an answer; unjudged: it could not be looked at."""

    state: Literal["waits", "right", "wrong", "unjudged"]
    text: str


def reply(exercise: Exercise, answer: Any, frames: Frames | None = None) -> Reply:
    """Judge an answer; ``...`` is none yet.

    frames: those of `Exercise.records`, by group.
    """
    if answer is ...:
        return Reply("waits", f"Asked for: {exercise.wants}.")
    try:
        return Reply("right", exercise.judge(answer, frames or {}))
    except WrongAnswer as wrong:
        return Reply("wrong", str(wrong))


# Numbers


def as_number(answer: Any) -> float:
    """An answer as a number. Raises WrongAnswer for what is none, or is not finite."""
    if isinstance(answer, np.ndarray) and answer.ndim == 0:
        answer = answer.item()
    if isinstance(answer, bool | np.bool_) or not isinstance(answer, Real):
        raise WrongAnswer(f"A number is asked for, and {shown(answer)} is {kind_of(answer)}.")
    try:
        found = float(answer)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise WrongAnswer(f"A number is asked for, and {shown(answer)} is not a finite one.")
    return found


def shown(answer: Any) -> str:
    """An answer in a sentence, cut where it is long."""
    text = str(answer) if isinstance(answer, Fraction) else repr(answer)
    return text if len(text) <= 60 else f"{text[:57]}..."


def kind_of(answer: Any) -> str:
    """What sort of thing an answer is, in words."""
    words = {str: "a text", bool: "a yes or no", list: "a list", type(None): "nothing"}
    if callable(answer):
        return "a function"
    return words.get(type(answer), f"of the type {type(answer).__name__}")


def number(
    name: str,
    wants: str,
    right: float | Fraction,
    *,
    because: str,
    mistakes: Sequence[tuple[float | Fraction, str]] = (),
    within: float = 0.005,
) -> Exercise:
    """An exercise whose answer is a number.

    because: said of a right answer; mistakes: the numbers that one gets by known mistakes, and what
    to say of them; within: how far an answer may be from the right one, and from that of a mistake.
    Raises ValueError where these overlap, since then an answer would be right and wrong.
    """
    for value, _ in mistakes:
        if abs(float(value) - float(right)) <= 2 * within:
            raise ValueError(f"within={within} is not allowed: {value} and {right} overlap")

    def judge(answer: Any, _: Frames) -> str:
        found = as_number(answer)
        if abs(found - right) <= within:
            return because
        for value, words in mistakes:
            if abs(found - value) <= within:
                raise WrongAnswer(words)
        raise WrongAnswer(f"{shown(answer)} is too {'large' if found > right else 'small'}.")

    return Exercise(name, wants, judge)


def as_numbers(answer: Any, n: int) -> tuple[float, ...]:
    """An answer as n numbers. Raises WrongAnswer for anything else."""
    no_row = isinstance(answer, np.ndarray) and answer.ndim != 1
    if not isinstance(answer, tuple | list | np.ndarray) or no_row or len(answer) != n:
        raise WrongAnswer(f"{n} numbers are asked for, such as {(0,) * n}, not {shown(answer)}.")
    return tuple(map(as_number, answer))


def numbers(
    name: str,
    wants: str,
    right: Sequence[float | Fraction],
    *,
    because: str,
    mistakes: Sequence[tuple[Sequence[float | Fraction], str]],
    within: float = 0.005,
) -> Exercise:
    """An exercise whose answer is several numbers; all else as in `number`."""

    def is_near(found: Sequence[float], wanted: Sequence[float | Fraction]) -> bool:
        return all(abs(a - float(b)) <= within for a, b in zip(found, wanted, strict=True))

    def judge(answer: Any, _: Frames) -> str:
        found = as_numbers(answer, len(right))
        if is_near(found, right):
            return because
        for values, words in mistakes:
            if is_near(found, values):
                raise WrongAnswer(words)
        differences = [a - float(b) for a, b in zip(found, right, strict=True)]
        place = next(i for i, each in enumerate(differences) if abs(each) > within)
        size = "large" if differences[place] > 0 else "small"
        raise WrongAnswer(f"Number {place + 1} is too {size}.")

    return Exercise(name, wants, judge)


# One of several words


def choice(
    name: str, wants: str, right: str, *, because: str, mistakes: Mapping[str, str]
) -> Exercise:
    """An exercise whose answer is one of several texts: `right`, or a key of `mistakes`."""

    def judge(answer: Any, _: Frames) -> str:
        found = as_choice(answer, [right, *mistakes])
        if found != right:
            raise WrongAnswer(mistakes[found])
        return because

    return Exercise(name, wants, judge)


def as_choice(answer: Any, options: Sequence[str]) -> str:
    """The option that an answer names, whatever its case. Raises WrongAnswer for another answer."""
    words = answer.strip().lower() if isinstance(answer, str) else ""
    if words not in options:
        allowed = ", ".join(map(repr, sorted(options)))
        raise WrongAnswer(f"{shown(answer)} is not among the answers: {allowed}.")
    return words


# Functions that a student writes


def call(answer: Any, *arguments: Any, **named: Any) -> Any:
    """What a student's function gives. Raises WrongAnswer where it is none, or fails."""
    if not callable(answer):
        raise WrongAnswer(f"A function is asked for, and {shown(answer)} is {kind_of(answer)}.")
    try:
        return answer(*arguments, **named)
    except Exception as error:
        # whatever a student's own code does is an answer to be talked about
        raise WrongAnswer(f"Your function stopped with {type(error).__name__}: {error}") from error


def as_array(answer: Any, shape: tuple[int, ...]) -> np.ndarray:
    """What a student's function gave, as an array of numbers. Raises WrongAnswer otherwise."""
    if answer is None:
        raise WrongAnswer("Your function gives nothing back; it needs a `return`.")
    if hasattr(answer, "detach"):  # a tensor, which may hang on weights
        answer = answer.detach()
    try:
        found = np.asarray(answer)
        # numpy would leave out the imaginary parts, and take what is masked
        if found.dtype.kind == "c" or np.ma.is_masked(answer):
            raise TypeError
        found = found.astype(float)
    except (TypeError, ValueError, RuntimeError):
        raise WrongAnswer(f"Your function gives {kind_of(answer)} instead of numbers.") from None
    if found.shape != shape:
        raise WrongAnswer(f"Your function gives the shape {found.shape} where {shape} is needed.")
    return found
