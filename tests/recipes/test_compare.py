"""A record and what was computed again: what is the same but for the noise of the method."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from small_book import make_ncut, make_network, make_partition, make_test

from modclust_utils.recipes.base import Record, Value
from modclust_utils.recipes.compare import (
    MOST,
    NCUT_TOLERANCE_PER_CLUSTER,
    gap,
    ncuts_agree,
    rows_agree,
    samples_agree,
    shuffles_agree,
)

NULL = np.linspace(2.0, 3.0, 40).round(3).tolist()


def record_of_test(ncut: float = 1.5, null: Sequence[float] = NULL) -> Record:
    return make_test(make_network(), ncut, null)[1]


@pytest.mark.parametrize("n_clusters", [2, 4])
@pytest.mark.parametrize(
    ("by", "agrees"),
    [(0, True), (0.99, True), (-0.99, True), (1.01, False), (-1.01, False)],
)
def test_ncuts_agree_within_the_tolerance(n_clusters, by, agrees):
    """More clusters have more local optima."""
    shifted = 1.5 + by * n_clusters * NCUT_TOLERANCE_PER_CLUSTER
    for made in (make_ncut, make_partition):
        _, record = made(make_network(), 1.5, n_clusters=n_clusters)
        found, note = ncuts_agree(record, Value({"ncut": shifted}))
        assert (found, note) == (agrees, f"n-cut by {abs(shifted - 1.5):.2g}")
    # a test's own n-cut is held to the same
    _, record = make_test(make_network(), 1.5, NULL, n_clusters=n_clusters)
    assert shuffles_agree(record, Value({**record.value, "ncut": shifted}))[0] == agrees


def changed(n: int, by: float) -> list[float]:
    return [each + by * (i < n) for i, each in enumerate(NULL)]


# how many may differ a little
SOME = math.floor((1 - MOST) * len(NULL))


@pytest.mark.parametrize(
    ("again", "agrees", "note"),
    [
        (NULL, True, "40 of 40 the same, mean by 0"),
        (changed(40, 2e-6), True, "40 of 40 the same"),
        (changed(SOME, 0.01), True, f"{40 - SOME} of 40 the same"),
        (changed(SOME + 1, 0.01), False, f"{39 - SOME} of 40 the same"),
        (changed(40, 0.002), False, "0 of 40 the same, mean by 0.002"),
        # few end elsewhere, and their mean stays where it is
        ([NULL[0] + 0.3, *NULL[1:]], True, "39 of 40 the same"),
        ([NULL[0] + 0.3, NULL[1] - 0.3, *NULL[2:]], False, "38 of 40 the same, mean by 0"),
        ([NULL[0] + 0.9, *NULL[1:]], False, "39 of 40 the same"),
        (NULL[:-1], False, "(40,) against (39,)"),
    ],
)
def test_samples_agree_one_by_one(again, agrees, note):
    found, words = samples_agree(NULL, again)
    assert found == agrees
    assert words.startswith(note)
    # so do samples of random networks, and nulls
    record = Record("random-ncuts", 1, {}, {"ncuts": NULL})
    assert ncuts_agree(record, Value({"ncuts": again})) == (found, words)
    null = Value({**record_of_test().value, "null_ncuts": again})
    assert shuffles_agree(record_of_test(), null)[0] == agrees


def test_a_narrow_null_may_differ_by_the_noise_of_k_means_and_its_mean_may_not_move():
    """As for k = 2: MNIST with dropout has shuffles with a standard deviation of 0.0024."""
    narrow = (1 + 0.0024 * np.random.default_rng(0).normal(size=320)).tolist()
    record = record_of_test(0.9, narrow)
    noise = NCUT_TOLERANCE_PER_CLUSTER * record.parameters["n_clusters"]

    def agrees(moves: Sequence[float]) -> bool:
        again = [each + move for each, move in zip(narrow, [*moves, *[0] * 320], strict=False)]
        return shuffles_agree(record, Value({**record.value, "null_ncuts": again}))[0]

    assert 2 * noise > np.std(narrow)
    assert agrees([noise * 0.99, -noise * 0.99] * 10)
    assert not agrees([noise * 1.01, -noise * 1.01] * 10)
    # of one sign they would make another null of this one
    assert not agrees([noise * 0.99] * 20)


@pytest.mark.parametrize(
    ("changes", "agrees"),
    [
        ({}, True),
        ({"p_value": 2 / 41}, False),
        ({"z_score": record_of_test().value["z_score"] - 0.5}, False),
        ({"z_score": float("nan")}, False),
    ],
)
def test_p_value_and_z_score_follow_from_the_ncuts_beside_them(changes, agrees):
    record = record_of_test()
    altered = Record(record.kind, 1, record.parameters, {**record.value, **changes})
    found, note = shuffles_agree(altered, Value(record.value))
    assert found == agrees
    assert ("do not follow from its own n-cuts" in note) != agrees


def test_network_stays_on_its_side_of_the_shuffles():
    low = min(NULL)
    for kept, again, word in ((-1e-4, 1e-4, "is not"), (1e-4, -1e-4, "is")):
        found, note = shuffles_agree(
            record_of_test(low + kept), Value(record_of_test(low + again).value)
        )
        assert not found
        assert f"the network {word} below all of its shuffles when computed again" in note
    assert shuffles_agree(record_of_test(low - 2e-4), Value(record_of_test(low - 1e-4).value))[0]


# Rows of a table

ROWS = [
    {"layer": 1, "drop": 0.25, "by_class": [0.5, float("nan")], "kind": "important"},
    {"layer": 2, "drop": 0.0, "by_class": [0.0, 0.0], "kind": "other"},
]


def compare(again: list[dict[str, Any]]) -> tuple[bool, str]:
    numbers = {"drop": 0.001, "by_class": 0.01}
    return rows_agree(ROWS, again, places=("layer",), numbers=numbers, words=("kind",))


@pytest.mark.parametrize(
    ("row", "changes", "agrees", "note"),
    [
        (0, {}, True, "by 0"),
        (0, {"drop": 0.2509}, True, "by 0.0009"),
        (0, {"drop": 0.2511}, False, "by 0.0011"),
        (1, {"by_class": [0.0, -0.02]}, False, "by 0.02"),
        (0, {"by_class": [0.5, 0.5]}, False, "by inf"),
        (1, {"layer": 3}, False, "are of other sub-clusters"),
        # a word may change where numbers do a little, and only there
        (0, {"kind": "other"}, False, "by 0"),
        (0, {"kind": "other", "drop": 0.2505}, True, "by 0.0005"),
    ],
)
def test_rows_agree(row, changes, agrees, note):
    again = [{**each, **(changes if i == row else {})} for i, each in enumerate(ROWS)]
    assert compare(again) == (agrees, note)


def test_rows_that_are_missing():
    assert compare(ROWS[:1]) == (False, "are of other sub-clusters")


def test_gap_is_the_largest_difference():
    nan = float("nan")
    assert gap([0.0, 1.0], [0.5, 1.0]) == 0.5
    assert gap([nan, 1.0], [nan, 1.0]) == 0.0
    assert gap([nan, nan], [nan, nan]) == 0.0
    assert gap([nan, 1.0], [1.0, nan]) == gap([1.0], [1.0, 2.0]) == math.inf
    assert gap(0.25, 0.0) == 0.25
