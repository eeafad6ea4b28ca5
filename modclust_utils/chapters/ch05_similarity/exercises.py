"""What the checks of chapter 5's exercises look for. The exercises stand in its notebook."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from modclust_utils.chapters.ch05_similarity.tables import TINY, Reading, networks, scores
from modclust_utils.exercises import (
    Exercise,
    Frames,
    Records,
    WrongAnswer,
    as_choice,
    as_number,
    call,
    numbers,
)
from modclust_utils.modularity import element_similarity

WEAKEST, BETWEEN, STRONGEST = "weakest", "between", "strongest"
LEAST_ACCURACY = 0.8
_INCOMING, _OUTGOING = TINY[0] @ TINY[0].T, TINY[1].T @ TINY[1]
#: Pairs of partitions for which every mistake gives another number; the last two are the same one.
_PARTITIONS = (
    ([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 1, 1]),
    ([0, 1, 1, 1, 2, 2, 2, 2], [0, 0, 0, 1, 1, 1, 1, 1]),
    ([0, 0, 1, 1, 1], [1, 1, 0, 0, 0]),
)


def _element_similarity(answer: Any, _: Frames) -> str:
    """A function of two lists of labels."""
    for first, second in _PARTITIONS:
        found = as_number(call(answer, np.array(first), np.array(second)))
        right = element_similarity(first, second)
        if math.isclose(found, right, abs_tol=1e-6):
            continue
        for value, words in _other_similarities(np.array(first), np.array(second)):
            if math.isclose(found, value, abs_tol=1e-6):
                raise WrongAnswer(words)
        raise WrongAnswer(
            f"For {first} and {second} your function gives {found:.4g}, and the similarity is "
            f"{right:.4g}."
        )
    return "It is 1 where the clusters are the same, whatever their numbers."


def _other_similarities(first: np.ndarray, second: np.ndarray) -> list[tuple[float, str]]:
    """What known mistakes give, and what to say of them."""

    def mean(of: Callable[[set[int], set[int]], float]) -> float:
        return float(np.mean([of(_peers(first, i), _peers(second, i)) for i in range(len(first))]))

    return [
        (
            float(np.mean(first == second)),
            "You compare the numbers of clusters. They are arbitrary: compare who is together.",
        ),
        (
            mean(lambda a, b: len(a & b) / len(a | b)),
            "You divide by the union of both clusters; the larger of the two is asked for.",
        ),
        (
            mean(lambda a, b: len(a & b) / min(len(a), len(b))),
            "You divide by the smaller of both clusters, so that one large cluster would be like "
            "any partition. The larger one is asked for.",
        ),
        (
            mean(lambda a, b: len(a & b) / len(a)),
            "You divide by the unit's first cluster, so that the order of the partitions matters. "
            "The larger of both clusters is asked for.",
        ),
        (
            mean(lambda a, b: len(a & b) / len(b)),
            "You divide by the unit's second cluster, so that the order of the partitions matters. "
            "The larger of both clusters is asked for.",
        ),
        (
            mean(lambda a, b: float(a == b)),
            "You count units whose clusters are the same. A part that they share counts, too.",
        ),
    ]


def _peers(labels: np.ndarray, unit: int) -> set[int]:
    return set(np.flatnonzero(labels == labels[unit]).tolist())


def _l1_sweep(answer: Any, frames: Frames) -> str:
    kept = networks(frames["networks"], LEAST_ACCURACY)
    table = scores(frames["clusters"], kept, Reading())
    own = table[table["kept"] & table["normalized"] & (table["sweep"] == "L1")]
    means = own.groupby("strength")["q"].mean()
    strengths = [float(each) for each in means.index]
    best = strengths.index(float(means.idxmax()))
    right = WEAKEST if best == 0 else STRONGEST if best == len(strengths) - 1 else BETWEEN
    facts = (
        f"mean modularity is {means.iloc[0]:.2f} at the penalty {strengths[0]:.0e}, "
        f"{means.max():.2f} at {strengths[best]:.0e} and {means.iloc[-1]:.2f} at "
        f"{strengths[-1]:.0e}, the last at which networks are accurate enough to count"
    )
    if as_choice(answer, [WEAKEST, BETWEEN, STRONGEST]) != right:
        raise WrongAnswer(f"That is not so: in the records {facts}.")
    return f"In the records {facts}."


EXERCISES = (
    numbers(
        "driving-alike",
        "two numbers, such as (1, 1)",
        (_OUTGOING[2, 3], _OUTGOING[0, 2]),
        because="Outgoing weights are the columns of the second matrix.",
        mistakes=[
            (
                (_INCOMING[2, 3], _INCOMING[0, 2]),
                "Those are products of incoming weights, which say how alike units are driven. "
                "What they drive stands in the columns of the second matrix.",
            ),
            (
                (_OUTGOING[0, 2], _OUTGOING[2, 3]),
                "Both are there, but in the other order: first units 3 and 4.",
            ),
        ],
    ),
    numbers(
        "two-pairs",
        "three numbers, such as (1/2, 1/2, 1/2)",
        (Fraction(1, 2), 0, Fraction(-1, 4)),
        because="From the similarity inside comes off what the row sums alone would put there.",
        mistakes=[
            (
                (1, 1, 0),
                "That is the similarity inside. Subtract what the row sums put there, the sum of "
                "d_i d_j over pairs in one cluster.",
            ),
            (
                (Fraction(1, 2), 0, 0),
                "A single unit has no similarity inside, but i = j belongs to the sum as well: "
                "each gives −d_i².",
            ),
            (
                (Fraction(1, 2), 0, Fraction(1, 4)),
                "You counted how alike a unit is to itself; the diagonal is left out.",
            ),
            (
                (Fraction(3, 4), Fraction(1, 4), 0),
                "You left out i = j where you subtract: the sum is over all i, j in one cluster.",
            ),
        ],
    ),
    Exercise(
        "strength-of-l1",
        f"one of the texts {WEAKEST!r}, {BETWEEN!r} and {STRONGEST!r}",
        _l1_sweep,
        Records("paper", ("networks", "clusters")),
    ),
    numbers(
        "near-copies",
        "two numbers, such as (1/2, 1/2)",
        (Fraction(4, 5), Fraction(4, 5)),
        because="Q = 1 − 1/g for g groups, however many copies there are in each.",
        mistakes=[
            (
                (Fraction(14, 15), Fraction(19, 20)),
                "You counted units. By chance a fifth of the similarity would be inside, since "
                "there are five groups.",
            ),
            (
                (1, 1),
                "All similarity is inside the groups, but by chance a part of it would be as well.",
            ),
            (
                (Fraction(2, 3), Fraction(3, 4)),
                "You took the copies in a group for the number of groups.",
            ),
        ],
    ),
    Exercise("element-similarity", "a function of two lists of labels", _element_similarity),
)
