"""Tables of chapter 5, and the exercises of its page worked out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import rng_of
from small_book import printed

from modclust_utils import similarity
from modclust_utils.chapters.ch05_similarity import tables
from modclust_utils.modularity import element_similarity, modularity


def tiny(i: int, j: int, measure: str) -> float:
    table = tables.tiny_pairs().set_index(["i", "j"])
    return table.loc[(i, j), measure]


def test_network_by_hand():
    """The numbers that the page tells readers to check, and what it says of the pairs."""
    assert tiny(1, 4, "input_sensitivity") == 2 * 0 + 1 * 1 + 0 * 1
    for other in (1, 2):
        assert tiny(1, other, "input_sensitivity") == pytest.approx(5)
    assert tiny(1, 2, "output_sensitivity") == 0
    assert tiny(2, 3, "input_sensitivity") == 0
    assert tiny(2, 3, "output_sensitivity") == 4
    hidden = tables.TINY_IMAGES @ tables.TINY[0].T
    assert (hidden > 0).all()


@given(n=st.integers(1, 12), m=st.integers(1, 4), seed=st.integers(0, 99))
def test_similarities_of_partitions_together_are_those_of_each_two(n, m, seed):
    labels = rng_of(seed).integers(-1, 3, (m, n))
    plain = [[element_similarity(a, b) for b in labels] for a in labels]
    np.testing.assert_allclose(tables.element_similarities(labels), plain)


def test_exercise_1():
    assert tiny(3, 4, "output_sensitivity") == 2
    assert tiny(1, 3, "output_sensitivity") == 0
    assert tiny(1, 4, "output_sensitivity") == 3


def test_exercise_2():
    pairs = np.kron(np.eye(2), [[0.0, 1.0], [1.0, 0.0]])
    found = [modularity(pairs, labels) for labels in ([0, 0, 1, 1], [0] * 4, [0, 1, 2, 3])]
    assert found == [1 / 2, 0, -1 / 4]


@pytest.mark.parametrize("copies", [3, 4, 9])
def test_exercise_3(copies):
    groups = 5
    similar = np.kron(np.eye(groups), np.ones((copies, copies)))
    labels = np.repeat(np.arange(groups), copies)
    assert modularity(similar, labels) == pytest.approx(1 - 1 / groups)


@pytest.mark.parametrize(
    ("a", "b", "group"),
    [(0, 1, "same measure"), (0, 2, "upstream"), (5, 7, "downstream"), (3, 4, "across")],
)
def test_groups_of_pairs(a, b, group):
    assert tables.pair_group(a, b) == group


def made_up_agreement() -> pd.DataFrame:
    rng = rng_of(4)
    pairs = [(a, b) for a in range(8) for b in range(a + 1, 8)]
    rows = [
        ("n", "L1", 0.1, 0, True, layer, a, b, rng.random()) for layer in (1, 2) for a, b in pairs
    ]
    table = pd.DataFrame(rows, columns=[*tables.PLACE, "layer", "a", "b", "similarity"])
    return printed(table)


def test_blocks_are_means_over_pairs_and_layers():
    table = made_up_agreement()
    (found,) = tables.blocks(table).to_dict("records")
    up = table[table["a"].isin([0, 1]) & table["b"].isin([2, 3])]
    across = table[(table["a"] < 4) & (table["b"] >= 4)]
    assert found["upstream"] == pytest.approx(up["similarity"].mean())
    assert found["across"] == pytest.approx(across["similarity"].mean())
    plain = across[across["b"].isin([4, 6])]
    assert found["across, plain"] == pytest.approx(plain["similarity"].mean())
    same = table[(table["b"] == table["a"] + 1) & (table["a"] % 2 == 0)]
    assert found["same measure"] == pytest.approx(same["similarity"].mean())


def test_similarities_of_a_figure_stand_upstream_first():
    measures = [measure for measure, _ in tables.SIMILARITIES]
    assert measures[::2] == [*tables.UPSTREAM, *tables.DOWNSTREAM]
    assert {*measures} == {*similarity.MEASURES}


def test_change_of_normalization_is_that_of_downstream_measures_with_themselves():
    rows = [
        ("n", "L1", strength, seed, True, layer, a, b, strength * (a + seed) if b == a + 1 else 9.0)
        for strength in (1.0, 2.0)
        for seed in (0, 2)
        for layer in (1, 2)
        for a in range(8)
        for b in range(a + 1, 8)
    ]
    table = printed(pd.DataFrame(rows, columns=[*tables.PLACE, "layer", "a", "b", "similarity"]))
    (found,) = tables.change_of_normalization(table).to_dict("records")
    # the loss Hessian, plain and normalized, is the pair 4 and 5, and output sensitivity 6 and 7
    assert (found["sweep"], found["n"], found["gain"]) == ("L1", 2, (4 + 6) / 2 + (0 + 2) / 2)
    assert found["low"] < found["gain"] < found["high"]


def test_gains_of_a_table():
    rows = [
        ("n", "L2", strength, seed, True, "covariance", False, strength * (1 + seed))
        for strength in (1.0, 2.0)
        for seed in (0, 1)
    ]
    table = pd.DataFrame(rows, columns=[*tables.PLACE, "measure", "normalized", "q"])
    (found,) = tables.gains(printed(table)).to_dict("records")
    assert (found["sweep"], found["n"], found["gain"]) == ("L2", 2, 1.5)
    readable = tables.readable_gains(tables.gains(printed(table))).content
    assert readable.loc["covariance, plain", "L2"].startswith("+1.500 [")
