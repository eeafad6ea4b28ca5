"""Exercises of chapter 1: each wrong answer comes from the mistake that the check must name."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from answers import assignments, evidence, said
from small_book import frame_of, make_network

from modclust_utils.datasets.papers import paper_table
from modclust_utils.exercises import reply
from modclust_utils.publish.exercises import find
from modclust_utils.tables import is_significant


def keep_zeros(weights, rng):
    shuffled = weights.copy()
    shuffled[weights != 0] = rng.permutation(weights[weights != 0])
    return shuffled


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        # a volume has six ends of edges inside, and one of the edge that leaves
        (Fraction(1, 2) * (Fraction(1, 6 + 1) + Fraction(1, 6 + 1)), "factor ½"),
        (1 / 6 + 1 / 6, "6 for the volume"),
        (1 / (3 + 1) + 1 / (3 + 1), "both of its ends"),
        (Fraction(2, 70), "too small"),
        (28.6, "too large"),
        ("2/7", "is a text"),
    ],
)
def test_two_triangles(answer, words):
    reply = said(1, "two-triangles", answer)
    assert reply.state == "wrong"
    assert words in reply.text


@pytest.mark.parametrize("answer", [2 / 7, Fraction(2, 7), np.float32(2 / 7), 0.286])
def test_two_triangles_in_other_forms(answer):
    assert said(1, "two-triangles", answer).state == "right"


def test_fewest_shuffles():
    p_values = 1 / (np.arange(2000) + 1)
    not_above, below = (int(np.argmax(each)) for each in (p_values <= 0.01, p_values < 0.01))
    assert said(1, "fewest-shuffles", below).state == "right"
    assert "not below" in said(1, "fewest-shuffles", not_above).text
    assert "denominator" in said(1, "fewest-shuffles", below + 1).text
    assert "whatever the network" in said(1, "fewest-shuffles", 1000).text


def moves_zeros(weights, rng):
    return rng.permutation(weights.ravel()).reshape(weights.shape)


def in_place(weights, rng):
    weights[weights != 0] = rng.permutation(weights[weights != 0])
    return weights


def draws_again(weights, rng):
    shuffled = weights.copy()
    shuffled[weights != 0] = rng.choice(weights[weights != 0], (weights != 0).sum())
    return shuffled


def own_seed(weights, rng):
    return keep_zeros(weights, np.random.default_rng(3))


def global_state(weights, rng):
    return keep_zeros(weights, np.random.default_rng())


def test_keep_the_zeros_names_what_can_be_called():
    """As its text has it, on a small network in place of the one that the chapter draws."""
    text = assignments(1)["keep-the-zeros"].text
    code = text.partition("```python\n")[2].partition("```")[0]
    network = frame_of([make_network(weights=[np.ones((4, 3)), np.eye(2, 4)])])
    namespace = {"np": np, "network": network}
    exec(code.replace("n_shuffles=40", "n_shuffles=2").replace(" 4,", " 2,"), namespace)
    assert [each.shape for each in namespace["matrices"]] == [(4, 3), (2, 4)]


def row_by_row(weights, rng):
    return np.array([keep_zeros(row, rng) for row in weights])


def column_by_column(weights, rng):
    return row_by_row(weights.T, rng).T


def moves_on(weights, rng):
    shuffled = weights.copy()
    own = weights[weights != 0]
    shuffled[weights != 0] = np.roll(own, rng.integers(len(own)))
    return shuffled


def swaps_two(weights, rng):
    shuffled = weights.copy()
    places = np.argwhere(weights != 0)
    one, other = map(tuple, rng.permutation(places)[:2])
    shuffled[one], shuffled[other] = weights[other], weights[one]
    return shuffled


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (row_by_row, "row by row or column by column"),
        (column_by_column, "row by row or column by column"),
        (moves_on, "only 7 different orders"),
        (swaps_two, "different orders of the weights"),
        (moves_zeros, "Zeros have moved. That is the null `layer`"),
        (in_place, "work on a copy"),
        (draws_again, "lost, or there twice"),
        (own_seed, "the same for every generator"),
        (global_state, "something else each time"),
        (lambda weights, rng: weights.copy(), "shuffles nothing"),
        (lambda weights, rng: None, "needs a `return`"),
        (lambda weights, rng: weights[0], "the shape (4,) where (3, 4)"),
        (lambda weights, rng: "weights", "a text instead of numbers"),
        (lambda weights: weights, "stopped with TypeError"),
        (3, "A function is asked for, and 3"),
    ],
)
def test_keep_the_zeros(answer, words):
    reply = said(1, "keep-the-zeros", answer)
    assert reply.state == "wrong"
    assert words in reply.text


@pytest.mark.parametrize(
    ("name", "wrong", "words"),
    [
        (
            "two-clusters",
            ["more", "as many"],
            r"15 networks with 2 clusters and 41 with 4 (MNIST 0 and 14, ",
        ),
        ("half-of-the-weights", ["all", "some"], r"0 of 4 networks are below all"),
    ],
)
def test_predictions_are_compared_with_the_records(name, wrong, words):
    for answer in wrong:
        reply = said(1, name, answer)
        assert reply.state == "wrong"
        assert words in reply.text
    assert "is not among the answers" in said(1, name, "perhaps").text


def judged(name, answer, tests):
    """What the check says where records are others."""
    return reply(find(name, 1), answer, {"tests": tests})


def test_predictions_flip_with_the_records():
    tests = evidence(1, "two-clusters")["tests"]
    swapped = tests.assign(n_clusters=tests["n_clusters"].replace({2: 4, 4: 2}))
    assert judged("two-clusters", "more", swapped).state == "right"
    assert "41 networks with 2 clusters and 15" in judged("two-clusters", "fewer", swapped).text
    alone = pd.concat([tests[tests["n_clusters"] == 4].assign(n_clusters=k) for k in (2, 4)])
    assert judged("two-clusters", "as many", alone).state == "right"

    half = evidence(1, "half-of-the-weights")["tests"]
    assert judged("half-of-the-weights", "all", below_all(half)).state == "right"
    wrong = judged("half-of-the-weights", "none", below_all(half))
    assert wrong.state == "wrong"
    assert "4 of 4 networks are below all" in wrong.text


def test_what_the_solution_for_two_clusters_says():
    """Fewer in all, in the paper as well; more on CIFAR-10; of one kind all change sides."""
    tests = evidence(1, "two-clusters")["tests"]
    tests = tests.assign(passes=is_significant(tests))
    cifar = tests[tests["dataset"] == "cifar10"].groupby("n_clusters")["passes"].sum()
    assert cifar[2] > cifar[4]
    ours = tests.groupby("n_clusters")["passes"].sum()
    paper = {
        k: paper_table(f"filan2020_table_{n}")["prop_sig"].sum() for k, n in ((2, "a3"), (4, "1"))
    }
    assert ours[2] < ours[4]
    assert paper[2] < paper[4]
    kind = tests[(tests["dataset"] == "mnist") & tests["dropout"]]
    assert kind[kind["n_clusters"] == 4]["passes"].all()
    above = [
        test.ncut > max(test.null_ncuts) for test in kind[kind["n_clusters"] == 2].itertuples()
    ]
    assert (len(above), all(above)) == (10, True)


def test_networks_of_the_paper_that_pass_before_pruning():
    for name in ("a5", "a9", "a13"):
        p_values = paper_table(f"filan2020_table_{name}")["p_value_layer"]
        assert p_values.tolist() == [round(1 / 321, 3)] * 10


def below_all(tests):
    """The same tests, each passed as clearly as it can be."""
    return tests.assign(p_value=1 / (1 + tests["n_shuffles"]))
