"""Findings of chapter 3 say what the records hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_up_lesions import edges_only, nothing_important, three_studies
from small_book import printed

from modclust_utils.chapters.ch03_lesions import dependencies, findings, tables
from modclust_utils.chapters.ch03_lesions.tables import EDGE, Studies
from modclust_utils.datasets.papers import paper_table

PAPER = tables.paper_singles(paper_table("filan2020_table_a18"))
PAPER_PAIRS = tables.paper_pairs(paper_table("filan2020_table_a19"))
PAPER_EDGES = tables.edges_among(PAPER_PAIRS)


def test_single_lesions():
    # 4 of 5 are important in the first network, and 3 of 5 in the other
    assert findings.single_lesions(three_studies(), PAPER) == (
        "**One at a time:** 7 of the 10 sub-clusters of 2 networks (3 to 4 in each) are important; "
        "in the paper's one, 9 of 24. The most harmful lesion of a network costs 50.0 to 50.0 "
        "percentage points; in the paper, 18.7. In the first network, that of 1-0 costs 50.0, "
        "where random sets of its size in the same layer cost 12.5 ± 1.0."
    )
    nothing = findings.single_lesions(nothing_important(), PAPER)
    assert ":** 0 of the 10 sub-clusters of 2 networks (0 to 0 in each) are important" in nothing


def test_the_answer_is_about_all_networks():
    first, *_ = three_studies().networks
    singles = [
        pd.DataFrame({"kind": kinds, "drop": drops, "null_mean": null})
        for kinds, drops, null in (
            (["important", "other", "small"], [0.03, 0.01, 0.02], [0.005, 0.1, -0.0004]),
            (["important", "important"], [0.05, 0.25], [0.1, -0.0004]),
        )
    ]
    own, other = (replace(first, singles=each) for each in singles)
    assert findings.answer(Studies(own, [], [other])) == (
        "Silencing the units of one cluster in one layer matters for 3 of the 5 sub-clusters of 2 "
        "networks (1 to 2 in each): the most harmful lesion of a network costs 3.0 to 25.0 points "
        "of accuracy, where random sets of its size cost 0.0 to 0.5."
    )


def test_how_uneven_classes_are():
    table = printed(
        pd.DataFrame({"class_0": [0.1, 0.3], "class_1": [0.5, 0.3], "class_2": [-0.006, -0.005]})
    )
    (said,) = findings.classes(table)
    # 0.5 / 0.198 and 0.3 / 0.19833; a gain of half a point is not worth a word
    ratio = np.median([0.5 / 0.198, 0.3 / (0.595 / 3)])
    assert f"loses {ratio:.1f} times as much" in said
    assert "(median over 2 important sub-clusters); in 1 of them some class gains" in said
    assert findings.classes(table.iloc[:0]) == []


def test_edges_within_a_cluster_by_hand():
    # 3 of 4 edges lie within a cluster, and 1 of the 5 other pairs
    inside, across = [(1, c, 2, c) for c in range(4)], [(1, c, 2, c + 1) for c in range(5)]
    edges = pd.DataFrame([*inside[:3], across[0]], columns=EDGE)
    pairs = pd.DataFrame([*inside, *across], columns=EDGE)
    for cut in (0, 2, 9):  # in one table or divided among two
        found = dependencies.graph((edges[:cut], pairs[:cut]), (edges[cut:], pairs[cut:]))
        assert found == dependencies.Graph(4, 3, 5, 1)
        assert found.n_pairs == 9


def test_edges_of_studies_and_of_the_paper():
    # the pair of the small 1-2 does not count
    found = dependencies.graph_of(three_studies().reference)
    assert found == dependencies.Graph(2, 1, 2, 1)
    paper = dependencies.graph((PAPER_EDGES, PAPER_PAIRS))
    assert paper == dependencies.Graph(17, 3, 11, 0)
    nothing = nothing_important()
    assert dependencies.graph_of(*nothing.networks) == dependencies.Graph(0, 0, 0, 0)


def test_dependencies():
    studies = three_studies()
    said = findings.dependencies(studies, PAPER_EDGES, PAPER_PAIRS)
    assert (
        "in different layers, 2 of 4 (50%) are edges in the first network, 50% to 50% over" in said
    )
    assert ", and 17 of 28 (61%) in the paper's. " in said
    every = dependencies.graph_of(*studies.networks)
    assert f"{every.n_same_edges} of {every.n_edges} edges and {every.n_same_others} of" in said
    assert "(1 of these edges between neighbouring layers)" in said
    assert said.endswith("and 3 of 17 edges and 0 of 11 other pairs in the paper.")


def test_edges_within_a_cluster_that_skip_a_layer_are_not_between_neighbours():
    far = edges_only([(1, 0, 3, 0), (1, 0, 2, 0), (2, 0, 3, 0), (1, 0, 2, 1)])
    layers = pd.DataFrame({"layer": [1, 2, 2, 3], "label": [0, 0, 1, 0], "kind": "important"})
    study = replace(far, singles=printed(layers))
    said = findings.dependencies(Studies(study, [], []), PAPER_EDGES, PAPER_PAIRS)
    assert "3 of 4 edges and 0 of 0 other pairs over all our networks (2 of these edges" in said


def test_damages():
    studies = three_studies()
    rows = dependencies.network_rows(studies.networks, PAPER, PAPER_PAIRS, PAPER_EDGES)
    pairs = tables.pairs_beside(studies.networks, PAPER_PAIRS)
    x, y = (100 * PAPER_PAIRS[name].mean() for name in ("delta_x_y", "delta_y_x"))
    last = (
        "In the last hidden layer, the most harmful lesion of one of our networks costs 12.5 to "
        "12.5 points, that of the paper's 2.8."
    )
    # all made-up pairs cost 25 and -0.01
    assert findings.damages(rows, pairs) == (
        f"On average over all pairs, δ(X, Y) is 25.0 points, and {x:.1f} in the paper; δ(Y, X) is "
        f"0.0, and {y:.1f} in the paper. {last}"
    )
    assert findings.damages(rows, pairs[pairs["source"] == "paper"]) == last


@pytest.mark.parametrize(
    ("x", "y", "alone"),
    [
        ((False, 0.02), (True, 0.0), True),  # x costs more than a point: a random set costs as much
        ((False, 0.01), (True, 0.5), False),
        ((False, 0.02), (False, 0.01), False),
        ((True, 0.5), (False, 0.02), True),
        ((False, 0.02), (False, 0.02), True),
    ],
)
def test_edges_for_want_of_significance_alone(x, y, alone):
    names = ["x_given_y", "delta_x_y", "y_given_x", "delta_y_x"]
    edges = pd.DataFrame([(*x, *y)], columns=names)
    assert dependencies.only_insignificant(edges).tolist() == [alone]


def test_reasons():
    # both edges: y costs less than nothing
    assert findings.reasons(three_studies(), PAPER_EDGES) == (
        "Of the 3 edges of all our networks, 0 stand on the second reason alone; of the paper's "
        "17, 8 by its rounded numbers."
    )


def test_rows_of_networks():
    rows = dependencies.network_rows(three_studies().networks, PAPER, PAPER_PAIRS, PAPER_EDGES)
    assert rows["source"].tolist() == ["ours", "ours", "paper"]
    assert rows["network"].tolist() == [1, 2, 1]
    shown = dependencies.readable_networks(rows).content
    assert shown.index.names == ["Source", "Network"]
    assert shown.loc[("paper", 1)].tolist() == ["9 of 24", "18.7", "2.8", "17 of 28 (61%)", 3, 0]
    assert shown.loc[("ours", 1)].tolist() == ["4 of 5", "50.0", "12.5", "2 of 4 (50%)", 1, 1]
    nothing = nothing_important().networks
    rows = dependencies.network_rows(nothing, PAPER, PAPER_PAIRS, PAPER_EDGES)
    assert dependencies.readable_networks(rows).content["Edges"].tolist()[:2] == ["0 of 0"] * 2


def test_stability():
    studies = three_studies()
    table = tables.edge_stability(studies)
    assert findings.stability(studies, table) == (
        "**Stability:** the graphs of 2 networks have 1 to 2 edges. An edge of the first one comes "
        "back in 75% of its re-clusterings on average, and in 50% of the other networks, where "
        f"clusters numbered by chance would give {table['chance_networks'].mean():.0%}."
    )


def test_where_nothing_is_important():
    nothing = nothing_important()
    assert findings.classes(tables.class_drops(nothing.reference.singles)) == []
    assert findings.stability(nothing, tables.edge_stability(nothing)) == (
        "**Stability:** the graphs of 2 networks have 0 to 0 edges."
    )
    assert "0 of 0 are edges in the first network, and 17" in findings.dependencies(
        nothing, PAPER_EDGES, PAPER_PAIRS
    )
