"""What the checks of chapter 3's exercises look for. The exercises stand in its notebook."""

from __future__ import annotations

from typing import Any

import pandas as pd

from modclust_utils.chapters.ch03_lesions.tables import read_studies
from modclust_utils.exercises import (
    Exercise,
    Frames,
    Records,
    WrongAnswer,
    as_choice,
    as_number,
    call,
    number,
    numbers,
    shown,
)
from modclust_utils.lesion_results import KINDS

#: How far a prediction may be from what the records say, in per cent.
NEAR = 10
#: Loss, losses of random sets, share of the layer; the kind; what to say where it is another.
_CASES = (
    (
        (0.05, [0.01, 0.02], 0.3),
        "important",
        "It costs more than a point and more than any random set, and is not small. Losses and "
        "shares are fractions: one percentage point is 0.01, and 5 % are 0.05.",
    ),
    ((0.004, [0.005, 0.001], 0.3), "other", "A random set costs more: all have to be beaten."),
    (
        (0.004, [0.001, 0.002], 0.3),
        "sig-but-not-diff",
        "It beats all random sets, but costs no more than a point.",
    ),
    (
        (0.03, [0.04, 0.01], 0.3),
        "diff-but-not-sig",
        "It costs more than a point, but a random set costs still more.",
    ),
    (
        (0.03, [0.01, 0.04], 0.3),
        "diff-but-not-sig",
        "It costs more than a point, but one of the random sets costs still more.",
    ),
    (
        (0.02, [0.02, 0.01], 0.3),
        "diff-but-not-sig",
        "A random set with the same loss counts against it: equal is not greater.",
    ),
    (
        (0.05, [0.01, 0.02], 0.04),
        "small",
        "Whether it is small is decided first, whatever it costs.",
    ),
    (
        (0.004, [0.005, 0.001], 0.04),
        "small",
        "Whether it is small is decided first, significant or not.",
    ),
    (
        (0.05, [0.01, 0.02], 0.05),
        "important",
        "Small is less than 5 % of the layer; it has exactly 5 %.",
    ),
    (
        (0.01, [0.0, 0.002], 0.3),
        "sig-but-not-diff",
        "Important is above one point; it costs exactly one.",
    ),
)


def _five_kinds(answer: Any, _: Frames) -> str:
    """A function that tells the kind of a sub-cluster."""
    for (drop, random_drops, share), kind, words in _CASES:
        found = call(answer, drop, list(random_drops), share)
        if as_choice(found, KINDS) != kind:
            raise WrongAnswer(
                f"For the loss {drop}, random sets {random_drops} and the share {share} it says "
                f"{shown(found)}. {words}"
            )
    return "It tells all five kinds apart, at the limits too."


def _five_points(answer: Any, frames: Frames) -> str:
    studies = read_studies(frames["studies"], frames["networks"])
    every = pd.concat([study.singles for study in studies.networks])
    important = every[every["kind"] == "important"]
    n, n_left = len(important), int((important["drop"] > 0.05).sum())
    share = 100 * n_left / n
    facts = f"{n_left} of {n} are left, {share:.0f} %"
    found = as_number(answer)
    if not 0 <= found <= 100:
        raise WrongAnswer(f"A percentage is asked for, from 0 to 100, not {shown(answer)}.")
    if 0 < found < 1:
        raise WrongAnswer(f"{shown(answer)} reads like a share: answer in per cent.")
    if abs(found - share) > NEAR:
        raise WrongAnswer(f"That is too {'many' if found > share else 'few'}: {facts}.")
    return f"Near enough: {facts}."


EXERCISES = (
    number(
        "bias-that-stays",
        "a number",
        0.4,
        because="The sum of its inputs is 0 for every image, so that the bias alone is left.",
        mistakes=[
            (
                0,
                "That is what it sends where the bias is lesioned, too. Here the bias stays, and "
                "it is positive.",
            ),
            (-0.4, "A ReLU sends nothing negative."),
        ],
    ),
    numbers(
        "same-work",
        "three losses in points, such as (0, 0, 0)",
        (0, 0, 30),
        because="Single lesions do not see what is there twice: neither would be important.",
        mistakes=[
            (
                (30, 30, 30),
                "One of them is enough. With one lesioned, the other still does the whole work.",
            ),
            (
                (15, 15, 30),
                "The damage is not shared out: with one lesioned, the other still does the whole "
                "work.",
            ),
            (
                (0, 0, 0),
                "With both lesioned nobody does the work: that costs what the work is worth.",
            ),
            (
                (0, 0, 0.3),
                "The losses are asked for in points, and 0.3 reads like a share: 30 points.",
            ),
            ((30, 30, 60), "You added up two losses that do not occur: one of them is enough."),
        ],
    ),
    number(
        "pairs-by-chance",
        "a share, such as 0.1",
        0.375,
        because="Both are in a cluster of share p with the chance p²: 1/4 + 1/16 + 1/16.",
        mistakes=[
            (
                1 / 3,
                "That is for three clusters of one size. Large clusters hold more pairs: add up "
                "the squares of the shares.",
            ),
            (
                0.5,
                "That is the chance of one sub-cluster to be in the largest. Both must be in the "
                "same, whichever it is.",
            ),
            (0.25, "That is the largest cluster alone: the two others hold pairs as well."),
            (0.1, "That is for ten clusters of one size; here are three, of two sizes."),
            (37.5, "A share is asked for, between 0 and 1; that reads like per cent."),
        ],
    ),
    Exercise(
        "five-points",
        "a percentage, such as 50",
        _five_points,
        Records("paper", ("studies", "networks")),
    ),
    Exercise("five-kinds", "a function that gives the name of a kind", _five_kinds),
)
