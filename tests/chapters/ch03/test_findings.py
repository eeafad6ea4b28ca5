"""Findings of chapter 3 say what the records hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_up_lesions import nothing_important, three_studies
from small_book import printed

from modclust_utils.chapters.ch03_lesions import findings, tables
from modclust_utils.chapters.ch03_lesions.tables import EDGE
from modclust_utils.datasets.papers import paper_table


def test_worst_lesion():
    ours = findings.worst_lesion(three_studies().reference.singles)
    assert (ours.n_important, ours.n, ours.layer, ours.label) == (4, 5, 1, 0)
    assert (ours.drop, ours.null_mean, ours.null_std) == pytest.approx((50, 12.5, 1))
    paper = findings.worst_lesion(tables.paper_singles(paper_table("filan2020_table_a18")))
    assert (paper.n_important, paper.n, paper.layer) == (9, 24, 1)
    assert paper.drop == pytest.approx(18.7)
    assert findings.worst_lesion(nothing_important().reference.singles).n_important == 0


def test_how_uneven_classes_are():
    table = printed(
        pd.DataFrame({"class_0": [0.1, 0.3], "class_1": [0.5, 0.3], "class_2": [-0.006, -0.005]})
    )
    found = findings.classes(table)
    # 0.5 / 0.198 and 0.3 / 0.19833; a gain of half a point is not worth a word
    assert (found.n, found.n_gain) == (2, 1)
    assert found.ratio == pytest.approx(np.median([0.5 / 0.198, 0.3 / (0.595 / 3)]))
    assert findings.classes(table.iloc[:0]).n == 0


def test_edges_within_a_cluster_by_hand():
    # 3 of 4 edges lie within a cluster, and 1 of the 5 other pairs
    inside, across = [(1, c, 2, c) for c in range(4)], [(1, c, 2, c + 1) for c in range(5)]
    edges = pd.DataFrame([*inside[:3], across[0]], columns=EDGE)
    pairs = pd.DataFrame([*inside, *across], columns=EDGE)
    for cut in (0, 2, 9):  # in one table or divided among two
        found = findings.graph((edges[:cut], pairs[:cut]), (edges[cut:], pairs[cut:]))
        assert found == findings.Graph(4, 3, 5, 1)
        assert found.n_pairs == 9


def test_edges_of_studies_and_of_the_paper():
    # the pair of the small 1-2 does not count
    found = findings.graph_of(three_studies().reference)
    assert found == findings.Graph(2, 1, 2, 1)
    pairs = tables.paper_pairs(paper_table("filan2020_table_a19"))
    paper = findings.graph((tables.edges_among(pairs), pairs))
    assert paper == findings.Graph(17, 3, 11, 0)
    nothing = nothing_important()
    assert findings.graph_of(*nothing.networks) == findings.Graph(0, 0, 0, 0)


def test_stability():
    studies = three_studies()
    table = tables.edge_stability(studies)
    assert findings.stability(studies, table) == findings.Stability(
        n_networks=2,
        fewest=1,
        most=2,
        n_reclusterings=2,
        agreement=(1.0, 1.0),
        again=0.75,
        elsewhere=0.5,
        chance=table["chance_networks"].mean(),
    )


def test_where_nothing_is_important():
    nothing = nothing_important()
    assert findings.classes(tables.class_drops(nothing.reference.singles)).n == 0
    found = findings.stability(nothing, tables.edge_stability(nothing))
    assert (found.n_networks, found.fewest, found.most) == (2, 0, 0)
    assert np.isnan(found.again)
