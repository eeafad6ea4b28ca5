"""What the checks of chapter 4's exercises look for. The exercises stand in its notebook."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from modclust_utils.chapters.ch04_specialization.tables import measures, over_clusters
from modclust_utils.clustering import ncut
from modclust_utils.exercises import (
    Exercise,
    Frames,
    Records,
    WrongAnswer,
    as_array,
    as_number,
    call,
    number,
    shown,
)
from modclust_utils.graphs import mlp_adjacency

FEW, MANY = 8, 32
RANKS = np.arange(1, 21)
_IN = np.array([[1.0, -2.0, 0.5], [0.3, 1.0, -1.0], [-0.7, 0.2, 2.0]])
_OUT = np.array([[0.8, -1.5, 0.4], [-0.6, 1.0, 0.9]])
#: Two clusters of its inputs, units and outputs, whose n-cut tells what the graph is like.
_CLUSTERS = [0, 0, 1, 0, 0, 1, 0, 1]
_UNIT, _FACTOR = 1, 10.0


def _same_function(answer: Any, _: Frames) -> str:
    """A function that rescales one unit and leaves what the network computes."""
    given = _IN.copy(), _OUT.copy()
    found = call(answer, *given, _UNIT, _FACTOR)
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise WrongAnswer(f"Both matrices are asked for, `return w_in, w_out`, not {shown(found)}.")
    w_in, w_out = as_array(found[0], _IN.shape), as_array(found[1], _OUT.shape)
    if not (np.array_equal(given[0], _IN) and np.array_equal(given[1], _OUT)):
        raise WrongAnswer("Your function changes the matrices that it is given: work on copies.")
    _look_for_mistakes(w_in, w_out)
    before, after = (ncut(mlp_adjacency(w), _CLUSTERS) for w in ([_IN, _OUT], [w_in, w_out]))
    return (
        "The outputs are the same for every image, but the graph is another one: the n-cut of two "
        f"fixed clusters went from {before:.2f} to {after:.2f}."
    )


def _look_for_mistakes(w_in: np.ndarray, w_out: np.ndarray) -> None:
    if np.allclose(w_in, _IN) and np.allclose(w_out, _OUT):
        raise WrongAnswer("Your function gives the weights as they were.")
    column = _IN.copy()
    column[:, _UNIT] *= _FACTOR
    if np.allclose(w_in, column):
        raise WrongAnswer(
            "You multiplied a column of w_in, which is the weights of one input. Those into a unit "
            "are a row."
        )
    row = _IN.copy()
    row[_UNIT] *= _FACTOR
    if np.allclose(w_in, _FACTOR * _IN):
        raise WrongAnswer("You multiplied the weights of all units; only one is asked for.")
    if not np.allclose(w_in, row):
        raise WrongAnswer("The weights into the unit are not c times what they were.")
    if np.allclose(w_out, _OUT):
        raise WrongAnswer(
            "You left the weights out of the unit as they were: the next layer hears it c times as "
            "loud."
        )
    images = np.random.default_rng(0).normal(size=(3, 50))
    before, after = (b @ np.maximum(a @ images, 0) for a, b in ((_IN, _OUT), (w_in, w_out)))
    if not np.allclose(before, after):
        raise WrongAnswer(
            "The network computes something else now. What comes out of the unit is c times as "
            "large, so the weights out of it, a column of w_out, are divided by c."
        )


def _more_clusters(answer: Any, frames: Frames) -> str:
    lesions = frames["other_k"]
    table = over_clusters(measures(lesions, lesions.iloc[:0]))
    drops = table[(table["measure"] == "accuracy_drop") & (table["kind"] == "mlp")]
    means = drops.groupby("n_clusters")["fisher"].mean()
    right = FEW if means[FEW] > means[MANY] else MANY
    facts = f"the mean statistic is {means[FEW]:.2f} with {FEW} and {means[MANY]:.2f} with {MANY}"
    found = as_number(answer)
    if found not in (FEW, MANY):
        raise WrongAnswer(f"{shown(answer)} is neither {FEW} nor {MANY}.")
    if found != right:
        raise WrongAnswer(
            f"That is not so: in the records {facts}. The statistic is a mean over sub-clusters, "
            "so that their number by itself neither raises nor lowers it."
        )
    return f"In the records {facts}."


EXERCISES = (
    number(
        "largest-statistic",
        "a number to two decimals",
        -math.log(0.5 / 20),
        because="The percentile is 1/40, and no statistic with 19 random sets is larger.",
        mistakes=[
            (
                -math.log(1 / 20),
                "You took r/20 for the percentile. It is that of the middle of the rank, "
                "(r − 1/2)/20.",
            ),
            (1 / 40, "That is the percentile. The statistic is the mean of −log p."),
            (
                math.log10(40),
                "That is the logarithm to base 10; the statistic has the natural one.",
            ),
            (math.log(0.5 / 20), "The sign is missing: −log p is positive."),
            (
                2 * math.log(40),
                "You kept the factor 2 of Fisher's test. The page divides by the number of "
                "sub-clusters and leaves it out.",
            ),
        ],
    ),
    number(
        "twenty-ranks",
        "a number to three digits",
        float(np.mean(-np.log((RANKS - 0.5) / 20))),
        because="The long tail near p = 0 is cut off at 1/40, so it is a little below 1.",
        mistakes=[
            (
                1.0,
                "That is the mean of −log p for a uniform p. With twenty ranks p is never below "
                "1/40: the long tail is cut off.",
            ),
            (
                float(np.mean(-np.log(RANKS / 20))),
                "You took r/20 for the percentile of rank r; it is (r − 1/2)/20.",
            ),
            (
                math.log(2),
                "You took the logarithm of the mean percentile. The mean of the logarithms is "
                "asked for.",
            ),
        ],
        within=0.004,
    ),
    Exercise(
        "few-or-many-clusters",
        f"the number {FEW} or {MANY}",
        _more_clusters,
        Records("paper-part", ("other_k",)),
    ),
    Exercise("same-function", "a function of w_in, w_out, a unit and a factor c", _same_function),
)
