"""What the checks of chapter 1's exercises look for. The exercises stand in its notebook."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from modclust_utils.exercises import (
    Exercise,
    Frames,
    Records,
    WrongAnswer,
    as_array,
    as_choice,
    call,
    number,
)
from modclust_utils.figures.style import dataset_name
from modclust_utils.tables import is_significant

FEWER, MORE, SAME = "fewer", "more", "as many"
ALL, SOME, NONE = "all", "some", "none"
#: A small network whose values all differ, so that one can tell where each of them went.
_WEIGHTS = np.array([[1.0, 0.0, -2.0, 3.0], [0.0, 4.0, 0.0, -5.0], [6.0, 0.0, 7.0, 0.0]])
#: Of these, one by chance gives every weight every place, and hardly any arrangement twice.
_N_TRIES = 200


def _keeps_zeros(answer: Any, _: Frames) -> str:
    """A shuffle of the weights that are not 0, among their own places."""
    found = [_one_shuffle(answer, seed) for seed in range(_N_TRIES)]
    if all(np.array_equal(each, _WEIGHTS) for each in found):
        raise WrongAnswer("Your function gives the weights as they were: it shuffles nothing.")
    if all(np.array_equal(each, found[0]) for each in found):
        raise WrongAnswer(
            "Your function gives the same for every generator: draw from `rng`, which is passed in."
        )
    if not np.array_equal(_one_shuffle(answer, 0), found[0]):
        raise WrongAnswer(
            "With the same seed your function gives something else each time: draw from `rng`."
        )
    _look_for_places(np.array([each[_WEIGHTS != 0] for each in found]))
    return "Every zero stays where it was, and every other weight can go to any of the places."


def _look_for_places(found: np.ndarray) -> None:
    """Whether every weight can go to every place; found: a row for each try."""
    for weight in _WEIGHTS[_WEIGHTS != 0]:
        never = (found != weight).all(axis=0)
        if never.any():
            raise WrongAnswer(
                f"In {len(found)} tries the weight {weight:g} never came to {never.sum()} of the "
                "places of weights that are not 0. Permute those of the whole matrix together, not "
                "row by row or column by column."
            )
    n = len(np.unique(found, axis=0))
    if n < len(found) / 2:
        raise WrongAnswer(
            f"In {len(found)} tries your function gives only {n} different orders of the weights: "
            "draw one of all orders that there are."
        )


def _one_shuffle(answer: Any, seed: int) -> np.ndarray:
    given = _WEIGHTS.copy()
    found = as_array(call(answer, given, np.random.default_rng(seed)), _WEIGHTS.shape)
    if not np.array_equal(given, _WEIGHTS):
        raise WrongAnswer("Your function changes the weights that it is given: work on a copy.")
    if not np.array_equal(np.sort(found, axis=None), np.sort(_WEIGHTS, axis=None)):
        raise WrongAnswer("Some weights are lost, or there twice: a shuffle keeps every value.")
    if not np.array_equal(found == 0, _WEIGHTS == 0):
        raise WrongAnswer(
            "Zeros have moved. That is the null `layer`; the topology stays only where the weights "
            "that are not 0 are permuted among their own places."
        )
    return found


def _two_clusters(answer: Any, frames: Frames) -> str:
    tests = frames["tests"].assign(passes=is_significant(frames["tests"]))
    n = {k: int(tests["passes"][tests["n_clusters"] == k].sum()) for k in (2, 4)}
    right = FEWER if n[2] < n[4] else MORE if n[2] > n[4] else SAME
    facts = f"the records say {n[2]} networks with 2 clusters and {n[4]} with 4 ({_by_data(tests)})"
    if as_choice(answer, [FEWER, MORE, SAME]) != right:
        raise WrongAnswer(
            f"That is not so: {facts}. A test sees only what a network has beyond its shuffles, "
            "and those are cut in as many clusters as the network."
        )
    return f"Indeed {facts}."


def _by_data(tests: pd.DataFrame) -> str:
    """Networks that pass with 2 clusters and with 4, by data set."""
    counts = tests.pivot_table("passes", "dataset", "n_clusters", aggfunc="sum", sort=False)
    return ", ".join(
        f"{dataset_name(str(d))} {int(row[2])} and {int(row[4])}" for d, row in counts.iterrows()
    )


def _half_pruned(answer: Any, frames: Frames) -> str:
    tests = frames["tests"]
    own = tests[tests["n_clusters"] == 4]
    n, n_sig = len(own), int(is_significant(own).sum())
    right = ALL if n_sig == n else NONE if n_sig == 0 else SOME
    facts = f"{n_sig} of {n} networks are below all of their shuffles ({_z_scores(own)})"
    if as_choice(answer, [ALL, SOME, NONE]) != right:
        raise WrongAnswer(
            f"That is not so: in the records {facts}. Networks of another sparsity are other "
            "networks, and have other shuffles."
        )
    return f"In the records {facts}."


def _z_scores(tests: pd.DataFrame) -> str:
    return f"z-scores from {tests['z_score'].min():.1f} to {tests['z_score'].max():.1f}"


EXERCISES = (
    number(
        "two-triangles",
        "a number, such as 1 / 2",
        Fraction(2, 7),
        because="Each triangle has a volume of 7, and one edge of weight 1 leaves it.",
        mistakes=[
            (
                Fraction(1, 7),
                "That is the part of one triangle, or the sum with a factor ½ before it: the n-cut "
                "adds up both triangles.",
            ),
            (
                Fraction(1, 3),
                "You took 6 for the volume of a triangle. Its degrees add up to 7, since the edge "
                "that leaves it counts at the end that is inside.",
            ),
            (
                Fraction(1, 2),
                "You counted each edge once. A volume adds up degrees, so that an edge inside "
                "counts at both of its ends.",
            ),
        ],
    ),
    number(
        "fewest-shuffles",
        "a whole number",
        100,
        because="With 100 shuffles the smallest p-value is 1/101.",
        mistakes=[
            (99, "With 99 shuffles the smallest p-value is (0 + 1)/(99 + 1), which is not below."),
            (
                101,
                "101 would do, but so would fewer: the network itself counts in the denominator.",
            ),
            (
                1000,
                "So many are not needed: the smallest p-value is (0 + 1)/(n + 1), whatever the "
                "network.",
            ),
        ],
        within=0.4,
    ),
    Exercise(
        "keep-the-zeros", "a function of a matrix of weights and a generator `rng`", _keeps_zeros
    ),
    Exercise(
        "two-clusters",
        f"one of the texts {FEWER!r}, {MORE!r} and {SAME!r}",
        _two_clusters,
        Records("paper", ("tests",)),
    ),
    Exercise(
        "half-of-the-weights",
        f"one of the texts {ALL!r}, {SOME!r} and {NONE!r}",
        _half_pruned,
        Records(
            "quick",
            ("tests",),
            {"n_networks": 2, "dataset_settings": {"mnist5k": {"final_sparsity": 0.5}}},
        ),
    ),
)
