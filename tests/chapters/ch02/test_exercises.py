"""Exercises of chapter 2: each wrong answer comes from the mistake that the check must name."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from answers import evidence, refused, said

from modclust_utils import stats
from modclust_utils.exercises import reply
from modclust_utils.publish.exercises import find
from modclust_utils.quantized import chance_significant

wrong = partial(refused, 2)


def test_before_pruning():
    assert "topology lowers" in wrong("before-pruning", "far above zero")
    assert "topology raises" in wrong("before-pruning", "far below zero")
    assert "not among the answers" in wrong("before-pruning", "zero")


def test_printed_as_significant():
    right = chance_significant(10, 320, 32)
    assert said(2, "printed-as-significant", right).state == "right"
    assert "independent shuffles" in wrong("printed-as-significant", (10 + 1) / (320 + 1))
    assert "with replacement" in wrong("printed-as-significant", (1 - 10 / 320) ** 32)
    assert "none of them twice" in wrong("printed-as-significant", (1 - 32 / 320) ** 10)
    assert "one of the ten is drawn" in wrong("printed-as-significant", 1 - right)


def test_mixture_without_dropout():
    for answer in ("between", "above both"):
        assert "MNIST 2.014, CIFAR-10 2.035" in wrong("mixture-without-dropout", answer)


def test_a_mixture_flips_with_the_records():
    ncuts = evidence(2, "mixture-without-dropout")["mixed_ncuts"]
    own = (ncuts["dataset"] == "mnist_cifar10") & ~ncuts["dropout"].astype(bool)
    means = ncuts[~ncuts["dropout"].astype(bool)].groupby("dataset")["ncut"].mean()
    between = (means["mnist"] + means["cifar10"]) / 2
    for place, value in (("below both", 0.5), ("between", between), ("above both", 4.0)):
        moved = ncuts.assign(ncut=ncuts["ncut"].where(~own, value))
        for answer in ("below both", "between", "above both"):
            found = reply(find("mixture-without-dropout", 2), answer, {"mixed_ncuts": moved})
            assert found.state == ("right" if answer == place else "wrong")
            assert f"+ CIFAR-10 {value:.3f}" in found.text or f"{value:.3f}" in found.text


def plainly_averaged(a, b):
    return (a.mean() - b.mean()) / math.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)


def of_populations(a, b):
    n, m = len(a), len(b)
    return (a.mean() - b.mean()) / math.sqrt((n * a.var() + m * b.var()) / (n + m))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda a, b: stats.cohens_d(b, a), "sign"),
        (plainly_averaged, "larger sample counts more"),
        (of_populations, "n − 1"),
        (lambda a, b: stats.cohens_d(a, b) ** 2 / (a.mean() - b.mean()), "s, its root"),
        (lambda a, b: (a.mean() - b.mean()) * 2 / (a.std(ddof=1) + b.std(ddof=1)), "then the root"),
        (lambda a, b: a.mean() - b.mean(), "and d is 2.35"),
        (lambda a, b: None, "is nothing"),
        (lambda a: a, "stopped with TypeError"),
    ],
)
def test_cohens_d(answer, words):
    assert words in wrong("cohens-d", answer)


def swap_two(labels, rng):
    i, j = rng.permutation(len(labels))[:2]
    new = labels.copy()
    new[i], new[j] = labels[j], labels[i]
    return new


def global_state(labels, rng):
    return np.random.default_rng().permutation(labels)


def in_place(labels, rng):
    rng.shuffle(labels)
    return labels


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda labels, rng: rng.integers(0, 5, len(labels)), "other sizes"),
        (lambda labels, rng: rng.permutation(5)[labels], "only got another name"),
        (lambda labels, rng: labels, "as they were"),
        (lambda labels, rng: labels[::-1], "the same for every generator"),
        (in_place, "work on a copy"),
        (lambda labels, rng: np.roll(labels, rng.integers(1, 100)), "still tell something"),
        (swap_two, "still tell something"),
        (global_state, "With the same seed"),
        (lambda labels, rng: rng.permutation(labels)[:10], "the shape (10,)"),
    ],
)
def test_random_labels(answer, words):
    assert words in wrong("random-labels", answer)


def test_labels_that_are_permuted_are_right_whatever_the_way():
    def by_order(labels, rng):
        return labels[np.argsort(rng.random(len(labels)))]

    assert said(2, "random-labels", by_order).state == "right"
