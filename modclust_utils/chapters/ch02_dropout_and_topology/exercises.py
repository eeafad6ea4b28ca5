"""What the checks of chapter 2's exercises look for. The exercises stand in its notebook."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from modclust_utils import stats
from modclust_utils.exercises import (
    Exercise,
    Frames,
    Records,
    WrongAnswer,
    as_array,
    as_choice,
    as_number,
    call,
    choice,
    number,
)
from modclust_utils.figures.style import dataset_name

BELOW, BETWEEN, ABOVE = "below both", "between", "above both"
PARTS, MIXTURE = ("mnist", "cifar10"), "mnist_cifar10"
#: Samples of different sizes and scatters, so that every mistake gives another number.
_SAMPLES = (
    (np.array([2.1, 2.0, 2.3, 2.2]), np.array([1.9, 1.4, 1.8, 1.6, 2.0, 1.5, 1.7])),
    (np.array([0.0, 3.0, 1.0]), np.array([4.0, 4.5, 4.2, 4.1, 4.7])),
)
_LABELS = np.repeat(np.arange(5), [40, 30, 20, 8, 2])
_N_TRIES = 20


def _cohens_d(answer: Any, _: Frames) -> str:
    """A function of two samples."""
    for first, second in _SAMPLES:
        found = as_number(call(answer, first.copy(), second.copy()))
        right = stats.cohens_d(first, second)
        if math.isclose(found, right, rel_tol=1e-6):
            continue
        for value, words in _other_ds(first, second):
            if math.isclose(found, value, rel_tol=1e-6):
                raise WrongAnswer(words)
        raise WrongAnswer(
            f"For the samples {first.tolist()} and {second.tolist()} your function gives "
            f"{found:.4g}, and d is {right:.4g}."
        )
    return "It is the difference of means in units of the pooled standard deviation."


def _other_ds(first: np.ndarray, second: np.ndarray) -> list[tuple[float, str]]:
    """What known mistakes give, and what to say of them."""
    difference, n = first.mean() - second.mean(), (len(first), len(second))
    sample = [each.var(ddof=1) for each in (first, second)]
    pooled = sum((m - 1) * v for m, v in zip(n, sample, strict=True)) / (sum(n) - 2)
    population = sum(m * each.var() for m, each in zip(n, (first, second), strict=True)) / sum(n)
    return [
        (-difference / math.sqrt(pooled), "The sign is the other way round: first less second."),
        (
            difference / math.sqrt(population),
            "You divide by n₁ + n₂. The variance of a sample has n − 1 in it, so that two samples "
            "pooled have n₁ + n₂ − 2.",
        ),
        (
            difference / math.sqrt(sum(sample) / 2),
            "You take the plain mean of both variances. The larger sample counts more: weigh them "
            "by n₁ − 1 and n₂ − 1.",
        ),
        (difference / pooled, "You divide by the variance s². d is in units of s, its root."),
        (
            difference / (sum(map(math.sqrt, sample)) / 2),
            "You take the mean of the standard deviations. Variances are pooled, then the root.",
        ),
    ]


def _mixture(answer: Any, frames: Frames) -> str:
    ncuts = frames["mixed_ncuts"]
    means = ncuts[~ncuts["dropout"]].groupby("dataset")["ncut"].mean()
    low, high = sorted(means[part] for part in PARTS)
    own = means[MIXTURE]
    right = BELOW if own < low else ABOVE if own > high else BETWEEN
    each = ", ".join(f"{dataset_name(name)} {means[name]:.3f}" for name in (*PARTS, MIXTURE))
    if as_choice(answer, [BELOW, BETWEEN, ABOVE]) != right:
        raise WrongAnswer(
            f"The records say otherwise: {each}. The networks of a mixture see other images, in "
            "another number, and for other epochs, so that nothing follows from its parts alone."
        )
    return f"The records say {each}."


def _random_labels(answer: Any, _: Frames) -> str:
    """A function that gives images random labels, and leaves all else as it was."""
    found = [_new_labels(answer, seed) for seed in range(_N_TRIES)]
    if all(np.array_equal(each, _LABELS) for each in found):
        raise WrongAnswer("Your function gives the labels as they were.")
    if all(np.array_equal(each, found[0]) for each in found):
        raise WrongAnswer("Your function gives the same for every generator: draw from `rng`.")
    if not np.array_equal(_new_labels(answer, 0), found[0]):
        raise WrongAnswer(
            "With the same seed your function gives something else each time: draw from `rng`."
        )
    if np.mean([_dependence(each) for each in found]) > 2:
        raise WrongAnswer(
            "Images that had one label share one more often than chance would have it: the new "
            "labels still tell something of them. Let every label go to any image."
        )
    return "Each label has as many images as before, and tells nothing of them any more."


def _dependence(labels: np.ndarray) -> float:
    """How much new labels tell of the old ones: chi squared by its degrees of freedom, on average 1
    where they tell nothing."""
    names, sizes = np.unique(_LABELS, return_counts=True)
    old, new = (np.equal.outer(names, each).astype(int) for each in (_LABELS, labels))
    both = old @ new.T
    expected = np.outer(sizes, sizes) / len(_LABELS)
    return float(((both - expected) ** 2 / expected).sum() / (len(names) - 1) ** 2)


def _new_labels(answer: Any, seed: int) -> np.ndarray:
    given = _LABELS.copy()
    found = as_array(call(answer, given, np.random.default_rng(seed)), _LABELS.shape)
    if not np.array_equal(given, _LABELS):
        raise WrongAnswer("Your function changes the labels that it is given: work on a copy.")
    new_names = [np.unique(found[label == _LABELS]) for label in np.unique(_LABELS)]
    if all(len(names) == 1 for names in new_names) and not np.array_equal(found, _LABELS):
        raise WrongAnswer(
            "Every class has only got another name: its images still share one label, which can "
            "be learned as before."
        )
    if not np.array_equal(np.sort(found), _LABELS):
        raise WrongAnswer(
            "Classes have other sizes than before, which may change n-cuts by itself. Permute the "
            "labels that are there."
        )
    return found


EXERCISES = (
    choice(
        "before-pruning",
        f"one of the texts {'near zero'!r}, {'far above zero'!r} and {'far below zero'!r}",
        "near zero",
        because="Both nulls then permute the same weights among the same places.",
        mistakes={
            "far above zero": "That would say that the topology lowers the n-cut. But hardly any "
            "weight is zero, so that both nulls permute nearly the same weights.",
            "far below zero": "That would say that the topology raises the n-cut. But hardly any "
            "weight is zero, so that both nulls permute nearly the same weights.",
        },
    ),
    number(
        "printed-as-significant",
        "a probability to three digits",
        math.comb(310, 32) / math.comb(320, 32),
        because="It is the chance that none of the ten is among the 32 that are drawn.",
        mistakes=[
            (
                0.9**10,
                "You let each of the ten be among the 32 by itself. They are drawn together, and "
                "none of them twice.",
            ),
            (
                (310 / 320) ** 32,
                "You drew with replacement. All 32 shuffles are different ones, so the chance "
                "falls with each that is drawn.",
            ),
            (
                11 / 321,
                "That is the p-value of the network with 320 independent shuffles. How often "
                "would none of the ten be among 32?",
            ),
            (
                1 - math.comb(310, 32) / math.comb(320, 32),
                "That is the chance that one of the ten is drawn, and the network is not printed "
                "as significant.",
            ),
        ],
        within=0.002,
    ),
    Exercise(
        "mixture-without-dropout",
        f"one of the texts {BELOW!r}, {BETWEEN!r} and {ABOVE!r}",
        _mixture,
        Records("paper-part", ("mixed_ncuts",)),
    ),
    Exercise("cohens-d", "a function of two samples", _cohens_d),
    Exercise("random-labels", "a function of labels and a generator `rng`", _random_labels),
)
