"""Findings of chapter 3 say what the records hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
from made_up_lesions import nothing_important, three_studies
from small_book import printed

from modclust_utils.chapters.ch03_lesions import dependencies, findings, tables
from modclust_utils.chapters.ch03_lesions.tables import EDGE
from modclust_utils.datasets.papers import paper_table

PAPER = tables.paper_singles(paper_table("filan2020_table_a18"))
PAPER_PAIRS = tables.paper_pairs(paper_table("filan2020_table_a19"))
PAPER_EDGES = tables.edges_among(PAPER_PAIRS)


def test_single_lesions():
    assert findings.single_lesions(three_studies().reference.singles, PAPER) == (
        "**One at a time:** 4 of 5 sub-clusters are important; in the paper it is 9 of 24. The "
        "most harmful lesion, of 1-0, costs 50.0 percentage points, where random sets of its size "
        "in the same layer cost 12.5 ± 1.0. In the paper the largest is 18.7 points."
    )
    nothing = findings.single_lesions(nothing_important().reference.singles, PAPER)
    assert ":** 0 of " in nothing


def test_the_answer_follows_the_lesions():
    ours = pd.DataFrame(
        {
            "kind": ["important", "other", "small"],
            "drop": [0.03, 0.01, 0.02],
            "null_mean": [0.005, 0.1, -0.0004],
        }
    )
    assert findings.answer(ours) == (
        "Silencing a part of one layer's units that lies in one cluster matters in 1 of 3 cases: "
        "up to 3.0 points of accuracy, where random sets of that size cost 0.5."
    )
    other = findings.answer(ours.assign(kind="other", drop=[0.03, 0.01, 0.25]))
    assert "matters in 0 of 3 cases: up to 25.0 points" in other
    assert other.endswith("cost 0.0.")


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
    assert "2 of 4 pairs of important sub-clusters in different layers are edges" in said
    assert "; in the paper, 17 of 28." in said
    every = dependencies.graph_of(*studies.networks)
    assert f"{every.n_same_edges} of {every.n_edges} edges and {every.n_same_others} of" in said
    assert said.endswith("and 3 of 17 edges and 0 of 11 other pairs in the paper.")


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
    assert "0 of 0 pairs" in findings.dependencies(nothing, PAPER_EDGES, PAPER_PAIRS)
