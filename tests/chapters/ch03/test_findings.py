"""Findings of chapter 3 say what the records hold."""

from __future__ import annotations

from math import comb

import numpy as np
import pandas as pd
import pytest
from made_up_lesions import lesions_of, network_of, nothing_important, read, three_studies
from small_book import frame_of, printed

from modclust_utils.chapters.ch03_lesions import findings, tables
from modclust_utils.datasets.papers import paper_table


def test_the_first_network():
    network = network_of(seed=7, n_test=1234, test_note="only some images")
    found = findings.first_network(read([network], [[lesions_of(network)]]), frame_of([network]))
    assert found == findings.First(
        dataset="Fashion-MNIST",
        seed=7,
        accuracy=0.875,
        n_test=1234,
        n_clusters=3,
        ncut=1.5,
        layers={1: 3, 2: 2},
        note=" Only some images.",
    )
    quiet = network_of()
    studies = read([quiet], [[lesions_of(quiet)]])
    assert findings.first_network(studies, frame_of([quiet])).note == ""


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


def test_edges_in_words():
    studies = three_studies()
    assert findings.n_pairs(studies) == 4
    assert findings.same_words(tables.same_cluster([studies.reference])) == (
        "1 of the 2 edges join sub-clusters of one cluster, against 1 of the 2 pairs without an "
        "edge (Fisher's exact test, one-sided: p = 0.83)."
    )
    pairs = tables.paper_pairs(paper_table("filan2020_table_a19"))
    words = findings.same_words(tables.same_cluster_counts([(tables.edges_among(pairs), pairs)]))
    assert words.startswith("3 of the 17 edges join sub-clusters of one cluster, against 0 of the")
    assert f"p = {comb(17, 3) / comb(28, 3):.2g}" in words


def test_stability_in_words():
    studies = three_studies()
    stability = tables.edge_stability(studies)
    first, again, others = findings.stability(studies, stability).split("\n\n")
    assert first.startswith("The graphs of 2 networks have 1 to 2 edges. 1 of the 3 edges join")
    assert again == (
        "Clustering the first network again with other random starts of k-means (number of "
        "re-clusterings: 2) gives partitions with an adjusted Rand index of 1.00 to 1.00 with the "
        "first one. An edge of its graph comes back in 75% of them on average."
    )
    shares = [f"{stability[c].mean():.0%}" for c in ("share_networks", "chance_networks")]
    assert others == (
        "In the other networks, with clusters matched by the pixels and logits that they share, "
        f"it comes back in {shares[0]} of them on average; clusters numbered by chance would "
        f"give {shares[1]}."
    )


def test_words_where_nothing_is_important():
    nothing = nothing_important()
    assert findings.n_pairs(nothing) == 0
    assert findings.classes(tables.class_drops(nothing.reference.singles)).n == 0
    text = findings.stability(nothing, tables.edge_stability(nothing))
    assert text.startswith("The graphs of 2 networks have 0 to 0 edges. 0 of the 0 edges join")
    assert "come" not in text  # no edge, so nothing to come back
    assert "nan" not in text
