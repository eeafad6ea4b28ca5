"""Sentences about a network say what its numbers say, both ways."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from own_networks import planted

import modclust_utils
from modclust_utils.own import findings
from modclust_utils.own.questions import Questions
from modclust_utils.own.tables import AS_GIVEN, EQUAL_NORMS


def two_tests(p_value: float, harder: float, n_shuffles: int = 99) -> pd.DataFrame:
    row = {
        "n_clusters": 4,
        "ncut": 1.0,
        "null_mean": 2.0,
        "n_shuffles": n_shuffles,
        "z_score": -3.0,
    }
    return pd.DataFrame(
        [
            {**row, "null": "layer", "p_value": p_value},
            {**row, "null": "channel", "p_value": harder},
        ]
    )


@pytest.mark.parametrize(
    ("p_values", "said", "warned"),
    [
        ((0.01, 0.01), "It holds under a null that keeps more, too", ""),
        ((0.01, 0.40), "that does not hold (z = -3.0, p = 0.400)", "The null is too easy"),
        ((0.40, 0.01), "It is not shown to be more clusterable", ""),
    ],
)
def test_both_nulls_speak(p_values, said, warned):
    tests = two_tests(*p_values)
    assert said in findings.clusterable(tests)
    assert warned in "".join(findings.too_easy(tests))
    assert bool(warned) == bool(findings.too_easy(tests))


def test_shuffles_without_spread_have_no_z_score():
    tests = two_tests(1.0, 1.0).assign(z_score=np.nan, ncut=2.0, null_mean=2.0)
    assert "the n-cut is 2.000, as high as the mean 2.000 of" in findings.clusterable(tests)
    assert "(no z-score, as all shuffles have the same n-cut, p = 1.000)" in (
        findings.clusterable(tests)
    )


def test_most_and_least_clusterable_layer():
    rows = [("a", 0.9, 0.5), ("b", 0.6, 0.5), ("c", 0.7, 0.5)]
    table = pd.DataFrame(rows, columns=["layer", "inside", "expected"])
    said = findings.extremes(table.assign(above=table["inside"] - table["expected"]))
    assert said.startswith("Of the layers, 'a' has most of its edges inside clusters")
    assert "and 'b' the least (60% against 50%)" in said


def test_few_shuffles_tell_nothing():
    tests = two_tests(1 / 10, 1 / 10, n_shuffles=9)
    assert findings.clusterable(tests).startswith("So few shuffles cannot tell")
    assert "no p-value is below 0.100" in findings.too_easy(tests)[0]


@pytest.mark.parametrize("n", [1, 10, 19, 50, 100, 1000])
def test_other_tests_can_be_passed_where_the_first_can(n):
    fewer = Questions(n_shuffles=n).fewer
    assert fewer <= n
    assert (1 / (fewer + 1) <= findings.ALPHA) == (1 / (n + 1) <= findings.ALPHA)


@pytest.mark.parametrize(
    ("given", "equal", "said"),
    [
        (0.01, 0.01, "survives equal norms"),
        (0.01, 0.30, "does not survive equal norms"),
        (0.30, 0.01, "With equal norms it is more clusterable"),
        (0.30, 0.30, "With equal norms, too, it is not shown"),
    ],
)
def test_gauge_says_what_survives(given, equal, said):
    row = {"ncut": 1.0, "n_shuffles": 19, "z_score": -2.0}
    random = {"scaling": "random", "lowest": 0.5, "highest": 1.5, "n_draws": 19, "agreement": 0.4}
    gauge = pd.DataFrame(
        [
            {**row, "scaling": AS_GIVEN, "p_value": given},
            {**row, "scaling": EQUAL_NORMS, "p_value": equal},
            random,
        ]
    )
    found = modclust_utils.explain(planted(), n_clusters=2)
    text = findings.scales(gauge, found)
    assert said in text
    assert "0.500 to 1.500 in 19 random rescalings" in text


def test_lesions_that_cost_no_more_than_chance_are_counted_as_such():
    rows = [
        {"layer": "a", "cluster": 0, "drop": 0.2, "rank": 0.05, "n_random": 19},
        {"layer": "b", "cluster": 1, "drop": 0.4, "rank": 0.6, "n_random": 19},
    ]
    text = findings.lesioned(pd.DataFrame(rows))
    assert text.startswith("Of 2 sub-clusters, 1 cost more accuracy")
    assert "40.0% of the images with cluster 1 in layer 'b'" in text
    few = findings.lesioned(pd.DataFrame(rows).assign(n_random=5))
    assert "5 random sets beside each are too few to tell" in few
    assert "nothing was lesioned" in findings.lesioned(pd.DataFrame(columns=["rank", "drop"]))
