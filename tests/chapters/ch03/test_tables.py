"""Tables of chapter 3: what is made of the records of lesion studies."""

from __future__ import annotations

import csv
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_lesions import (
    EDGES,
    FOR_READERS,
    KINDS,
    PAIRS,
    edges_only,
    lesions_of,
    network_of,
    nothing_important,
    read,
    three_studies,
)
from small_book import ROOT

from modclust_utils import lesions
from modclust_utils.chapters.ch03_lesions import tables
from modclust_utils.chapters.ch03_lesions.figures import class_drops
from modclust_utils.chapters.ch03_lesions.tables import EDGE, Studies, Study
from modclust_utils.datasets.papers import paper_table
from modclust_utils.recipes.frames import trace_of


def assert_same_study(one: Study, other: Study) -> None:
    assert one.labels.tolist() == other.labels.tolist()
    pd.testing.assert_frame_equal(one.singles, other.singles)
    pd.testing.assert_frame_equal(one.pairs, other.pairs)
    pd.testing.assert_frame_equal(one.edges, other.edges)


@pytest.fixture(scope="module")
def studies() -> Studies:
    return three_studies()


# Numbers of clusters


def test_reference_is_numbered_by_size(studies):
    reference = studies.reference
    assert reference.labels.tolist() == FOR_READERS
    found = reference.singles.set_index(["layer", "label"])
    # in order of layer and cluster, each with the values of the cluster that it was
    assert found.index.tolist() == [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1)]
    assert found["drop"].tolist() == [0.5, 0.25, 0.0, 0.0625, 0.125]
    assert found["kind"].tolist() == ["important", "important", "small", "important", "important"]
    assert reference.pairs[EDGE].to_numpy().tolist() == [
        [1, 0, 2, 0],
        [1, 0, 2, 1],
        [1, 1, 2, 0],
        [1, 1, 2, 1],
        [1, 2, 2, 0],
    ]
    assert tables.edge_set(reference.edges) == EDGES
    assert reference.n_random_pairs == 9
    assert reference.edges["x_given_y"].tolist() == [True, False]


@settings(max_examples=20)
@given(st.permutations(range(3)), st.permutations(range(3)), st.permutations(range(3)))
def test_other_numbers_for_the_same_clusters_change_nothing(first, again, other):
    networks = [network_of(), network_of(seed=1)]
    one, two, three = (dict(enumerate(numbers)) for numbers in (first, again, other))
    plain = read(
        networks,
        [
            [lesions_of(networks[0]), lesions_of(networks[0], seed=1)],
            [lesions_of(networks[1], kinds=KINDS | {(2, 0): "other"})],
        ],
    )
    moved = read(
        networks,
        [
            [lesions_of(networks[0], number=one), lesions_of(networks[0], seed=1, number=two)],
            [lesions_of(networks[1], number=three, kinds=KINDS | {(2, 0): "other"})],
        ],
    )
    assert_same_study(moved.reference, plain.reference)
    assert_same_study(moved.reclusterings[0], plain.reference)
    assert_same_study(moved.others[0], plain.others[0])
    assert tables.edge_set(plain.others[0].edges) == {(1, 0, 2, 0)}
    assert tables.agreement(moved) == [1.0]
    pd.testing.assert_frame_equal(tables.edge_stability(moved), tables.edge_stability(plain))


def test_other_networks_are_matched_by_pixels_and_logits_only():
    """Hidden units agree one way, pixels and logits the other way, and there are fewer of them."""
    sizes, hidden = (4, 6, 6, 2), [0, 0, 0, 1, 1, 1] * 2
    networks = [network_of(sizes), network_of(sizes, 1)]
    kinds, pairs = {(1, 0): "important", (2, 1): "important"}, [((1, 0), (2, 1), True, False)]
    own, turned = [0, 0, 1, 1, *hidden, 0, 1], [1, 1, 0, 0, *hidden, 1, 0]
    options = {"kinds": kinds, "pairs": pairs, "n_clusters": 2}
    found = read(
        networks,
        [
            [lesions_of(networks[0], own, **options), lesions_of(networks[0], turned, **options)],
            [lesions_of(networks[1], turned, **options)],
        ],
    )
    assert found.others[0].labels.tolist() == [0, 0, 1, 1, *(1 - np.array(hidden)), 0, 1]
    assert tables.edge_set(found.others[0].edges) == {(1, 1, 2, 0)}
    # as a re-clustering of the same network, all of its units count
    assert found.reclusterings[0].labels.tolist() == turned
    assert tables.edge_set(found.reclusterings[0].edges) == {(1, 0, 2, 1)}


@pytest.mark.parametrize("swapped", [False, True])
def test_units_without_a_cluster_have_no_say_in_the_matching(swapped):
    """Five pixels are dead in one of the networks, and all in cluster 1 in the other one."""
    sizes = (7, 2, 2)
    networks = [network_of(sizes), network_of(sizes, 1)]
    options = {"kinds": {(1, 0): "other", (1, 1): "other"}, "pairs": [], "n_clusters": 2}
    dead = [0, 1, *[-1] * 5, 0, 1, 0, 1]
    alive = [1, 0, *[1] * 5, 0, 1, 1, 0]
    labels = (alive, dead) if swapped else (dead, alive)
    found = read(
        networks,
        [[lesions_of(n, each, **options)] for n, each in zip(networks, labels, strict=True)],
    )
    # by the two live pixels and the logits, cluster 1 of the one is cluster 0 of the other; it is
    # the larger one in the second, so it is 0 for readers of both
    turned = [0, 1, *[0] * 5, 1, 0, 0, 1]
    assert found.reference.labels.tolist() == (turned if swapped else dead)
    assert found.others[0].labels.tolist() == (dead if swapped else turned)


def test_agreement_is_over_units_of_the_reference():
    network = network_of((6, 2, 2))
    options = {"kinds": {(1, 0): "other"}, "pairs": [], "n_clusters": 2}
    halves = [0, 0, 0, 1, 1, 1, 0, 1, -1, -1]
    crossed = [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]
    found = read(
        [network],
        [[lesions_of(network, labels, **options) for labels in (halves, halves, crossed)]],
    )
    # of 8 units, 4 and 4 in both; together in both are 3 + 0 + 0 + 3 of the 28 pairs, 12 in each:
    # (6 - 12 * 12 / 28) / (12 - 12 * 12 / 28) = 1/8
    assert tables.agreement(found) == pytest.approx([1.0, 1 / 8])


# Edges, and how often they come back


def test_edge_stability_by_hand():
    same, across = (1, 0, 2, 0), (1, 0, 2, 1)
    found = tables.edge_stability(
        Studies(
            edges_only([across, same]),
            [
                edges_only(each)
                for each in ([same, across], [same], [], [same, (1, 1, 2, 0)])  # 3 and 1 of 4
            ],
            [
                # between these layers: two edges within a cluster, one across; then none, and one
                edges_only([same, (1, 1, 2, 1), across, (1, 0, 3, 0)]),
                edges_only([(1, 2, 2, 0)]),
            ],
        )
    )
    assert found[EDGE].to_numpy().tolist() == [list(same), list(across)]
    assert found["share_reclusterings"].tolist() == [3 / 4, 1 / 4]
    assert found["share_networks"].tolist() == [1 / 2, 1 / 2]
    # 3 places within a cluster and 6 across: (2/3 + 0/3) / 2 and (1/6 + 1/6) / 2
    assert found["chance_networks"].tolist() == pytest.approx([1 / 3, 1 / 6])


PLACES = [(1, x, y_layer, y) for x in range(3) for y in range(3) for y_layer in (2, 3)]


@settings(max_examples=20)
@given(st.sets(st.sampled_from(PLACES), min_size=1), st.lists(st.sets(st.sampled_from(PLACES))))
def test_chance_is_the_mean_over_all_numberings_of_the_clusters(own, others):
    reference = edges_only(sorted(own))
    found = tables.edge_stability(
        Studies(reference, [reference], [edges_only(sorted(each)) for each in others])
    )
    shares = []
    for number in itertools.permutations(range(3)):
        renamed = [{(a, number[b], c, number[d]) for a, b, c, d in each} for each in others]
        study = Studies(reference, [], [edges_only(sorted(each)) for each in renamed])
        shares.append(tables.edge_stability(study)["share_networks"].to_numpy())
    np.testing.assert_allclose(found["chance_networks"], np.mean(shares, axis=0))
    assert (found["share_reclusterings"] == 1).all()
    assert found[EDGE].to_numpy().tolist() == [list(each) for each in sorted(own)]


def test_share_joins_the_edges_it_belongs_to(studies):
    stability = tables.edge_stability(studies)
    assert stability["share_reclusterings"].tolist() == [0.5, 1.0]
    assert stability["share_networks"].tolist() == [0.0, 1.0]
    edges = studies.reference.edges
    found = tables.with_share(edges, stability[::-1])
    assert found["share"].tolist() == [0.5, 1.0]
    pd.testing.assert_frame_equal(found.drop(columns="share"), edges)


# A network with nothing important


@pytest.fixture(scope="module")
def nothing() -> Studies:
    return nothing_important()


def test_tables_of_a_network_with_nothing_important(nothing):
    reference = nothing.reference
    assert len(reference.singles) == 5
    assert len(nothing.others[0].pairs) == len(PAIRS)
    for frame in (reference.pairs, reference.edges, nothing.others[0].edges):
        assert len(frame) == 0
        assert list(frame) == list(nothing.others[0].pairs)
    by_class = tables.class_drops(reference.singles)
    assert list(by_class) == ["layer", "label", "class_0", "class_1", "class_2"]
    stability = tables.edge_stability(nothing)
    assert (
        len(by_class) == len(stability) == len(tables.readable_pairs(reference.pairs).content) == 0
    )
    assert len(tables.with_share(reference.edges, stability)) == 0


# Tables of the paper


def printed(name: str) -> list[dict[str, str]]:
    with open(ROOT / "data" / "papers" / f"filan2020_table_{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_single_lesions_of_the_paper():
    found = tables.paper_singles(paper_table("filan2020_table_a18"))
    rows = printed("a18")
    assert len(found) == len(rows) == 24
    assert (found["kind"] == "important").sum() == 9
    for ours, theirs in zip(found.to_dict("records"), rows, strict=True):
        assert (ours["layer"], ours["label"]) == (int(theirs["layer"]), int(theirs["label"]))
        assert ours["kind"] == theirs["type"]
        # the paper prints differences of accuracies, ours are losses
        assert ours["drop"] == -float(theirs["acc_diff"])
        assert ours["null_mean"] == -float(theirs["null_acc_diff_mean"])
        assert ours["null_std"] == float(theirs["null_acc_diff_std"])
        assert ours["proportion"] == float(theirs["proportion"])
        assert ours["p_value"] == float(theirs["p_value"])


def test_pairs_and_edges_of_the_paper():
    singles = tables.paper_singles(paper_table("filan2020_table_a18"))
    pairs = tables.paper_pairs(paper_table("filan2020_table_a19"))
    edges = tables.edges_among(pairs)
    rows = printed("a19")
    assert len(pairs) == len(rows) == 28
    expected = {
        tuple(int(part) for end in (row["x"], row["y"]) for part in end.split("-"))
        for row in rows
        if "false" in (row["x_given_y"], row["y_given_x"])
    }
    assert len(edges) == len(expected) == 17
    assert tables.edge_set(edges) == expected
    # Table A.19 has all pairs of the nine important sub-clusters that lie in different layers
    assert len(tables.important_pairs(pairs, singles)) == 28
    layers = singles[singles["kind"] == "important"]["layer"].tolist()
    assert sum(a < b for a, b in itertools.combinations(layers, 2)) == 28
    first = pairs.iloc[0]
    assert (first["delta_x_y"], first["delta_y_x"]) == (0.166, 0.146)


# Tables for readers


def test_table_of_single_lesions_shows_the_records(studies):
    found = tables.readable_singles(studies.reference.singles).content
    assert found.index.tolist() == ["1-0", "1-1", "1-2", "2-0", "2-1"]
    assert found.loc["1-0"].tolist() == [
        "-0.5000",
        "0.12",
        "0.250",
        "important",
        "-0.1250 ± 0.0100",
    ]
    # no loss is no "-0.0000"
    assert found.loc["1-2"].tolist()[::4] == ["+0.0000", "+0.0000 ± 0.0100"]


def test_table_a18_reads_as_it_is_printed():
    found = tables.readable_singles(
        tables.paper_singles(paper_table("filan2020_table_a18"))
    ).content
    assert found.loc["1-3"].tolist() == [
        "-0.1870",
        "0.0099",
        "0.245",
        "important",
        "-0.0037 ± 0.0031",
    ]
    assert found.loc["3-2", "Acc. diff. of random sets"] == "+0.0019 ± 0.0021"


def test_table_of_pairs_shows_the_records(studies):
    pairs = tables.important_pairs(studies.reference.pairs, studies.reference.singles)
    found = tables.readable_pairs(pairs).content
    assert found.index.tolist() == [("1-0", "2-0"), ("1-0", "2-1"), ("1-1", "2-0"), ("1-1", "2-1")]
    assert found.loc[("1-0", "2-0")].tolist() == ["✓", "✗", "25.0", "0.0"]
    assert found.loc[("1-0", "2-1")].tolist() == ["✗", "✗", "25.0", "0.0"]
    a19 = tables.readable_pairs(tables.paper_pairs(paper_table("filan2020_table_a19"))).content
    assert a19.loc[("3-8", "4-9")].tolist() == ["✗", "✗", "-0.3", "-0.2"]
    assert a19.loc[("1-1", "2-2")].tolist() == ["✗", "✓", "0.7", "3.1"]


def test_counts_of_kinds(studies):
    paper = tables.paper_singles(paper_table("filan2020_table_a18"))
    table = tables.kind_counts(studies.networks, paper)
    found = table.set_index("kind")
    assert found.index.tolist() == list(lesions.KINDS)
    # four important in the first network, three in the other; re-clusterings do not count again
    assert found.loc["important"].tolist() == [4, 3.5, 3, 4, 9]
    assert found.loc["small"].tolist() == [1, 1.5, 1, 2, 6]
    assert found.loc["diff-but-not-sig"].tolist() == [0, 0, 0, 0, 0]
    assert found["paper"].sum() == 24
    shown = tables.readable_counts(table, 2).content
    assert shown.columns.tolist() == ["First network", "Mean of 2 networks (range)", "Paper"]
    assert shown.loc["important"].tolist() == [4, "3.5 (3 to 4)", 9]


def test_drops_of_classes(studies):
    found = tables.class_drops(studies.reference.singles)
    assert found.to_numpy().tolist() == [
        [1, 0, 0.5, 0.0, 0.25],
        [1, 1, 0.25, 0.0, 0.125],
        [2, 0, 0.0625, 0.0, 0.03125],
        [2, 1, 0.125, 0.0, 0.0625],
    ]


def test_class_without_test_images_is_left_out(studies):
    singles = studies.reference.singles.copy()
    singles["class_drops"] = [[a, float("nan"), c] for a, _, c in singles["class_drops"]]
    found = tables.class_drops(singles)
    assert found.columns.tolist() == ["layer", "label", "class_0", "class_2"]
    assert found.loc[0].tolist() == [1, 0, 0.5, 0.25]
    names = tables.tested_classes(found, "fashion_mnist")
    assert names == {0: "T-shirt/top", 2: "Pullover"}
    figure = class_drops(found, names).content
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["T-shirt/top", "Pullover"]


# Beside the paper, as distributions


def test_sub_clusters_beside_those_of_the_paper():
    studies = three_studies()
    paper = tables.paper_singles(paper_table("filan2020_table_a18"))
    table = tables.singles_beside(studies.networks, paper)
    assert table.groupby(["source", "network"]).size().to_dict() == {
        ("ours", 0): len(studies.reference.singles),
        ("ours", 1): len(studies.others[0].singles),
        ("paper", 0): 24,
    }
    assert table["drop"].tolist()[-24:] == paper["drop"].tolist()
    assert table["drop"].tolist()[:5] == studies.reference.singles["drop"].tolist()
    trace = trace_of(table)
    assert (len(trace.records), len(trace.sources)) == (2, 1)


def test_important_pairs_beside_those_of_the_paper():
    studies = three_studies()
    paper = tables.paper_pairs(paper_table("filan2020_table_a19"))
    table = tables.pairs_beside(studies.networks, paper)
    first = tables.important_pairs(studies.reference.pairs, studies.reference.singles)
    mine = table[(table["source"] == "ours") & (table["network"] == 0)]
    assert mine["delta_x_y"].tolist() == first["delta_x_y"].tolist()
    assert (table["source"] == "paper").sum() == 28
    nothing = tables.pairs_beside(nothing_important().networks, paper)
    assert nothing["source"].unique().tolist() == ["paper"]
