"""Lesion studies: what is computed, what tables, rules and sentences make of the records."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import comb
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from small_book import ROOT, make_network, make_record

from modclust_utils import clustering, datasets, lesions
from modclust_utils.chapters.ch03_lesions.figures import class_drop_figure
from modclust_utils.chapters.ch03_lesions.rules import Chapter3
from modclust_utils.chapters.ch03_lesions.tables import EDGE, Studies, Study
from modclust_utils.datasets.papers import paper_table
from modclust_utils.publish import claims, lesion_figures, lesion_prose, lesioning, rules_lesions
from modclust_utils.publish import lesion_tables as tables
from modclust_utils.publish.networks import Network, stream
from modclust_utils.publish.records import Record

# A graph of 6 pixels, two hidden layers of 4 units and 2 logits, in clusters 0, 1 and 2. The sums
# of their shares of the layers are 17/12, 5/12 and 13/6, so readers see them as 1, 2 and 0.
SIZES = (6, 4, 4, 2)
LABELS = [2, 2, 2, 0, 0, 1, *(2, 2, 0, 1), *(2, 2, 0, -1), *(2, 0)]
FOR_READERS = [0, 0, 0, 1, 1, 2, *(0, 0, 1, 2), *(0, 0, 1, -1), *(0, 1)]
KINDS = {
    (1, 0): "important",
    (1, 1): "small",
    (1, 2): "important",
    (2, 0): "important",
    (2, 2): "important",
}
DROPS = {(1, 0): 0.25, (1, 1): 0.0, (1, 2): 0.5, (2, 0): 0.125, (2, 2): 0.0625}
# X, Y, whether X is important given Y, whether Y is given X: two of the four are edges
PAIRS = [
    ((1, 2), (2, 2), True, False),
    ((1, 0), (2, 0), True, True),
    ((1, 2), (2, 0), False, False),
    ((1, 0), (2, 2), True, True),
    ((1, 1), (2, 2), False, False),
]
EDGES = {(1, 0, 2, 0), (1, 0, 2, 1)}


def network_of(sizes: Sequence[int] = SIZES, seed: int = 0, **value: Any) -> Network:
    weights = [np.ones((n_out, n_in)) for n_in, n_out in itertools.pairwise(sizes)]
    return make_network("fashion_mnist", True, seed, weights=weights, **value)


def single_row(place: tuple[int, int], kind: str, drop: float) -> dict[str, Any]:
    return {
        "layer": place[0],
        "label": place[1],
        "size": 1,
        "proportion": 0.25,
        "drop": drop,
        "p_value": 0.125,
        "kind": kind,
        "null_mean": drop / 4,
        "null_std": 0.01,
        "class_drops": [drop, 0.0, drop / 2],
    }


def pair_row(x: tuple[int, int], y: tuple[int, int], x_given_y: bool, y_given_x: bool) -> dict:
    values = {"drop_both": 0.5, "delta_x_y": 0.25, "delta_y_x": -0.0001}
    values |= {"p_x_given_y": 0.5, "p_y_given_x": 1.0}
    return (
        dict(zip(EDGE, (*x, *y), strict=True))
        | values
        | {"x_given_y": x_given_y, "y_given_x": y_given_x}
    )


def lesions_of(
    network: Network,
    labels: Sequence[int] = LABELS,
    *,
    number: Mapping[int, int] | None = None,
    kinds: Mapping[tuple[int, int], str] = KINDS,
    pairs: Sequence[tuple] = PAIRS,
    n_clusters: int = 3,
    seed: int = 0,
) -> Record:
    """A record that was never computed; with `number`, its clusters under other numbers."""
    number = number or {label: label for label in range(n_clusters)}

    def moved(place: tuple[int, int]) -> tuple[int, int]:
        return place[0], number[place[1]]

    value = {
        "ncut": 1.5,
        "accuracy": 0.875,
        "class_accuracies": [0.5, 1.0, 1.0],
        "labels": [number.get(label, -1) for label in labels],
        "sub_clusters": [single_row(moved(at), k, DROPS.get(at, 0)) for at, k in kinds.items()],
        "pairs": [pair_row(moved(x), moved(y), *important) for x, y, *important in pairs],
    }
    parameters = {
        "network": network.key,
        "phase": "after",
        "n_clusters": n_clusters,
        "seed": seed,
        "n_random_sets": 7,
        "n_random_pairs": 7,
        "pairs": "all",
    }
    return make_record("lesions", parameters, value)


def assert_same_study(one: Study, other: Study) -> None:
    assert one.labels.tolist() == other.labels.tolist()
    pd.testing.assert_frame_equal(one.singles, other.singles)
    pd.testing.assert_frame_equal(one.pairs, other.pairs)
    pd.testing.assert_frame_equal(one.edges, other.edges)


@pytest.fixture(scope="module")
def studies() -> Studies:
    """The reference, two re-clusterings, and another network; the last two lack some edges."""
    first, second = network_of(), network_of(seed=1)
    fewer = [(*PAIRS[0][:2], True, True), *PAIRS[1:]]
    return tables.read_studies(
        [first, second],
        [
            [
                lesions_of(first),
                lesions_of(first, seed=1, number={0: 1, 1: 2, 2: 0}),
                lesions_of(first, seed=2, pairs=fewer),
            ],
            [lesions_of(second, pairs=fewer, kinds=KINDS | {(1, 0): "small"})],
        ],
    )


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
    assert reference.edges["x_given_y"].tolist() == [True, False]


@settings(max_examples=20)
@given(st.permutations(range(3)), st.permutations(range(3)), st.permutations(range(3)))
def test_other_numbers_for_the_same_clusters_change_nothing(first, again, other):
    networks = [network_of(), network_of(seed=1)]
    one, two, three = (dict(enumerate(numbers)) for numbers in (first, again, other))
    plain = tables.read_studies(
        networks,
        [
            [lesions_of(networks[0]), lesions_of(networks[0], seed=1)],
            [lesions_of(networks[1], kinds=KINDS | {(2, 0): "other"})],
        ],
    )
    moved = tables.read_studies(
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
    found = tables.read_studies(
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
    found = tables.read_studies(
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
    found = tables.read_studies(
        [network],
        [[lesions_of(network, labels, **options) for labels in (halves, halves, crossed)]],
    )
    # of 8 units, 4 and 4 in both; together in both are 3 + 0 + 0 + 3 of the 28 pairs, 12 in each:
    # (6 - 12 * 12 / 28) / (12 - 12 * 12 / 28) = 1/8
    assert tables.agreement(found) == pytest.approx([1.0, 1 / 8])


# Edges, and how often they come back


def edges_only(edges: Sequence[tuple[int, int, int, int]], n_clusters: int = 3) -> Study:
    network = network_of()
    record = lesions_of(network, n_clusters=n_clusters)
    frame = pd.DataFrame(list(edges), columns=EDGE)
    none = pd.DataFrame()
    return Study(network, record, np.array(LABELS), none, frame, frame)


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


def test_same_cluster_by_hand():
    # 3 of 4 edges lie within a cluster, and 1 of the 5 other pairs: of C(9, 4) = 126 choices of
    # four edges, C(4, 3) C(5, 1) + C(4, 4) have as many of the 4 same pairs
    inside, across = [(1, c, 2, c) for c in range(4)], [(1, c, 2, c + 1) for c in range(5)]
    edges = pd.DataFrame([*inside[:3], across[0]], columns=EDGE)
    pairs = pd.DataFrame([*inside, *across], columns=EDGE)
    expected = {"n_edges": 4, "n_same_edges": 3, "n_others": 5, "n_same_others": 1}
    for cut in (0, 2, 9):  # in one table or divided among two
        parts = [(edges[:cut], pairs[:cut]), (edges[cut:], pairs[cut:])]
        found = tables.same_cluster_counts(parts)
        assert found.pop("p_value") == pytest.approx((4 * 5 + 1) / comb(9, 4))
        assert found == expected


def test_same_cluster_counts_important_pairs_alone(studies):
    # one edge of two and one other pair of two lie within a cluster; the pair of the small 1-2 does
    # not count
    found = tables.same_cluster([studies.reference])
    assert found == {
        "n_edges": 2,
        "n_same_edges": 1,
        "n_others": 2,
        "n_same_others": 1,
        "p_value": pytest.approx(5 / 6),  # 1 - C(2, 2) / C(4, 2)
    }


# A network with nothing important


@pytest.fixture(scope="module")
def nothing() -> Studies:
    network = network_of()
    kinds = dict.fromkeys(KINDS, "other")
    records = [lesions_of(network, kinds=kinds, pairs=[], seed=seed) for seed in (0, 1)]
    other = network_of(seed=1)
    return tables.read_studies(
        [network, other], [records, [lesions_of(other, kinds=kinds, pairs=PAIRS)]]
    )


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
    assert len(by_class) == len(stability) == len(tables.readable_pairs(reference.pairs)) == 0
    assert len(tables.with_share(reference.edges, stability)) == 0
    counts = tables.same_cluster([reference, *nothing.others])
    assert counts == dict.fromkeys(counts, 0) | {"p_value": 1.0}


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
    found = tables.readable_singles(studies.reference.singles)
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
    found = tables.readable_singles(tables.paper_singles(paper_table("filan2020_table_a18")))
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
    found = tables.readable_pairs(pairs)
    assert found.index.tolist() == [("1-0", "2-0"), ("1-0", "2-1"), ("1-1", "2-0"), ("1-1", "2-1")]
    assert found.loc[("1-0", "2-0")].tolist() == ["✓", "✗", "25.0", "0.0"]
    assert found.loc[("1-0", "2-1")].tolist() == ["✗", "✗", "25.0", "0.0"]
    a19 = tables.readable_pairs(tables.paper_pairs(paper_table("filan2020_table_a19")))
    assert a19.loc[("3-8", "4-9")].tolist() == ["✗", "✗", "-0.3", "-0.2"]
    assert a19.loc[("1-1", "2-2")].tolist() == ["✗", "✓", "0.7", "3.1"]


def test_counts_of_kinds(studies):
    paper = tables.paper_singles(paper_table("filan2020_table_a18"))
    found = tables.kind_counts(studies, paper).set_index("kind")
    assert found.index.tolist() == list(lesions.KINDS)
    # four important in the first network, three in the other; re-clusterings do not count again
    assert found.loc["important"].tolist() == [4, 3.5, 3, 4, 9]
    assert found.loc["small"].tolist() == [1, 1.5, 1, 2, 6]
    assert found.loc["diff-but-not-sig"].tolist() == [0, 0, 0, 0, 0]
    assert found["paper"].sum() == 24
    shown = tables.readable_counts(found.reset_index(), 2)
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
    assert lesion_prose.class_sentences(found, names).startswith(
        "- **1-0**: most for T-shirt/top (50.0 points); the other classes lose 25.0 on average."
    )
    figure = class_drop_figure(found, names)
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["T-shirt/top", "Pullover"]


def test_names_of_classes():
    names = tables.class_names("fashion_mnist")
    assert (names[0], names[9]) == ("T-shirt/top", "Ankle boot")
    assert tables.class_names("mnist5k") == [str(c) for c in range(10)] == tables.class_names("a")
    assert len(names) == 10


# Rules


def counted(*kinds: Sequence[str]) -> Chapter3:
    """Results of networks with sub-clusters of these kinds."""
    found = [replace(edges_only([]), singles=pd.DataFrame({"kind": list(each)})) for each in kinds]
    return Chapter3(Studies(found[0], [], found[1:]), "fashion_mnist")


@pytest.mark.parametrize(
    ("kinds", "holds"),
    [((["small", "other"], ["small"]), True), ((["small"], ["other", "important"]), False)],
)
def test_every_network_has_a_kind(kinds, holds):
    (case,) = rules_lesions.every_network_has_kind(counted(*kinds), ["fashion_mnist"], "small")
    assert (case.name, case.holds) == ("small", holds)
    assert case.evidence == f"{int(holds)} to 1 in each of 2 networks"


@pytest.mark.parametrize(
    ("counts", "holds"),
    [((8, 10), True), ((9, 9), True), ((9, 12), True), ((7, 8), False), ((10, 11), False)],
)
def test_printed_number_of_a_kind(counts, holds):
    results = counted(*(["important"] * n + ["small"] * 9 for n in counts))
    (case,) = rules_lesions.printed_number_of_kind(results, ["fashion_mnist"], "important")
    assert case.holds is holds
    assert case.evidence == f"9 in the paper, {counts[0]} to {counts[1]} here"


def network_with(n_edges: tuple[int, int], n_others: tuple[int, int]) -> Study:
    """A study with edges, and other pairs of important sub-clusters: (in one cluster, across)."""
    rows = []
    for is_edge, (n_same, n_across) in ((True, n_edges), (False, n_others)):
        rows += [(1, 0, layer, 0, is_edge) for layer in range(2, 2 + n_same)]
        rows += [(1, 0, layer, 1, is_edge) for layer in range(2, 2 + n_across)]
    pairs = pd.DataFrame(rows, columns=[*EDGE, "edge"])
    places = {(r.x_layer, r.x_label) for r in pairs.itertuples()} | {
        (r.y_layer, r.y_label) for r in pairs.itertuples()
    }
    singles = pd.DataFrame(
        [(i, j, "important") for i, j in sorted(places)], columns=["layer", "label", "kind"]
    )
    return replace(
        edges_only([]), singles=singles, pairs=pairs, edges=pairs[pairs["edge"].astype(bool)]
    )


def test_edges_join_one_cluster():
    # 4 of 4 edges and 0 of 4 others: p = 1 / C(8, 4); 3 of 4 and 1 of 4: (16 + 1) / C(8, 4)
    for same, p in ((4, 1 / comb(8, 4)), (3, 17 / comb(8, 4))):
        both = [network_with((same, 0), (0, same)), network_with((0, 4 - same), (4 - same, 0))]
        results = Chapter3(Studies(both[0], [both[1]], [both[1]]), "fashion_mnist")
        found = tables.same_cluster(results.networks)
        assert found["p_value"] == pytest.approx(p)
        for alpha in (0.05, 0.5):
            (case,) = rules_lesions.edges_join_one_cluster(results, ["fashion_mnist"], alpha)
            assert case.holds == (p < alpha)
            assert case.evidence == (f"{same} of 4 edges, {4 - same} of 4 other pairs, p = {p:.2g}")


def test_claims_are_not_attempted_for_other_data(studies):
    own = claims.read_claims(3)
    assert {claim["rule"] for claim in own} == {rule.__name__ for rule in rules_lesions.RULES}
    for dataset, attempted in (("fashion_mnist", True), ("mnist5k", False)):
        verdicts = claims.decide(own, Chapter3(studies, dataset))
        assert [v.verdict != "not attempted" for v in verdicts] == [attempted] * len(own)


def test_claims_about_the_tables_for_the_paper_itself():
    """With the printed tables in place of ours, what they can say is reproduced. Its 17 edges are
    too few to tell whether they prefer one cluster: 3 of them do, and none of the 11 other pairs.
    """
    pairs = tables.paper_pairs(paper_table("filan2020_table_a19"))
    itself = replace(
        edges_only([]),
        singles=tables.paper_singles(paper_table("filan2020_table_a18")),
        pairs=pairs,
        edges=tables.edges_among(pairs),
    )
    verdicts = claims.decide(
        claims.read_claims(3), Chapter3(Studies(itself, [], []), "fashion_mnist")
    )
    found = {v.claim["rule"]: (v.verdict, v.cases[0].evidence) for v in verdicts}
    p = comb(17, 3) / comb(28, 3)
    assert found["edges_join_one_cluster"] == (
        "not",
        f"3 of 17 edges, 0 of 11 other pairs, p = {p:.2g}",
    )
    rest = [v for v in verdicts if v.claim["rule"] != "edges_join_one_cluster"]
    assert [v.verdict for v in rest] == ["reproduced"] * 3


# Sentences


def test_the_first_network_in_words():
    note = "only some images"
    network = network_of(seed=7, n_test=1234, test_note=note)
    found = tables.read_studies([network], [[lesions_of(network)]])
    assert lesion_prose.study_sentence(found) == (
        "The first network (Fashion-MNIST, with dropout, seed 7) classifies 87.50% of its 1,234 "
        "test images. Its 3 clusters have an n-cut of 1.500 and 5 sub-clusters: 3 in layer 1, 2 in "
        "layer 2. Only some images."
    )
    quiet = tables.read_studies([network_of()], [[lesions_of(network_of())]])
    assert lesion_prose.study_sentence(quiet).endswith("2 in layer 2.")


def test_single_lesions_in_words(studies):
    paper = tables.paper_singles(paper_table("filan2020_table_a18"))
    assert lesion_prose.single_sentences(studies, paper) == (
        "4 of 5 sub-clusters are important; in the paper it is 9 of 24. The most harmful lesion, "
        "of 1-0, costs 50.0 percentage points, where random sets of its size in the same layer "
        "cost 12.5 ± 1.0. In the paper the largest is 18.7 points, in layer 1."
    )


def test_classes_in_words():
    table = pd.DataFrame(
        [
            {"layer": 1, "label": 4, "class_0": 0.1, "class_1": 0.75, "class_2": -0.02},
            {"layer": 2, "label": 0, "class_0": 0.3, "class_1": -0.005, "class_2": 0.0041},
        ]
    )
    assert lesion_prose.class_sentences(table, {0: "shirt", 1: "bag", 2: "boot"}).splitlines() == [
        "- **1-4**: most for bag (75.0 points); the other classes lose 4.0 on average, and boot "
        "gains 2.0.",
        # a gain of half a point is not worth a word, and a mean of -0.045 is no "-0.0"
        "- **2-0**: most for shirt (30.0 points); the other classes lose 0.0 on average.",
    ]


def test_graphs_in_words(studies):
    pairs = tables.paper_pairs(paper_table("filan2020_table_a19"))
    text = lesion_prose.graph_sentences(studies.reference, pairs, tables.edges_among(pairs))
    assert text == (
        "Our first network has 4 pairs of important sub-clusters in different layers, and 2 of "
        "them are edges; the paper's has 28 and 17. 1 of the 2 edges join sub-clusters of one "
        "cluster, against 1 of the 2 pairs without an edge (Fisher's exact test, one-sided: "
        "p = 0.83). By the same count over Table A.19: 3 of the 17 edges join sub-clusters of one "
        "cluster, against 0 of the 11 pairs without an edge (Fisher's exact test, one-sided: "
        f"p = {comb(17, 3) / comb(28, 3):.2g})."
    )


def test_stability_in_words(studies):
    stability = tables.edge_stability(studies)
    counts = [len(study.edges) for study in (studies.reference, *studies.others)]
    assert counts == [2, 1]
    first, again, others = lesion_prose.stability_sentences(studies, stability).split("\n\n")
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


def test_words_where_nothing_is_important(nothing):
    paper = tables.paper_singles(paper_table("filan2020_table_a18"))
    pairs = tables.paper_pairs(paper_table("filan2020_table_a19"))
    reference = nothing.reference
    assert lesion_prose.single_sentences(nothing, paper).startswith("0 of 5 sub-clusters are")
    none = lesion_prose.class_sentences(tables.class_drops(reference.singles), {0: "a"})
    assert none == "No sub-cluster of this network is important."
    graph = lesion_prose.graph_sentences(reference, pairs, tables.edges_among(pairs))
    assert graph.startswith(
        "Our first network has 0 pairs of important sub-clusters in different layers, and 0 of"
    )
    text = lesion_prose.stability_sentences(nothing, tables.edge_stability(nothing))
    assert text.startswith("The graphs of 2 networks have 0 to 0 edges. 0 of the 0 edges join")
    assert "come" not in text  # no edge, so nothing to come back
    assert "nan" not in graph + text


def test_page_has_a_sentence_where_a_figure_has_no_data(monkeypatch, studies):
    shown: list[Any] = []
    monkeypatch.setattr(
        lesion_figures, "show_figure", lambda run, figure, **rest: shown.append((figure, rest))
    )
    edges, pairs, figure = studies.reference.edges, studies.reference.pairs, Figure()

    def draw() -> Figure:
        shown.append("drawn")
        return figure

    run, records = SimpleNamespace(), [studies.reference.record]
    for frame in (edges, edges[:0]):
        lesion_figures.show_if_any(
            *(run, draw),
            name="graph",
            data=frame,
            records=records,
            otherwise="There is no edge.",
            instead=pairs,
        )
    assert shown[0] == "drawn"
    assert shown[1][0] is figure
    assert shown[1][1] == {"name": "graph", "data": edges, "records": records}
    said, rest = shown[2]
    assert [text.get_text() for text in said.texts] == ["There is no edge."]
    assert rest == {"name": "graph", "data": pairs, "records": records}
    assert len(shown) == 3


# The computation

# Classes 0 to 4 and 5 to 9 are two networks side by side; in each hidden layer four units for each
# class read the class's own 78 pixels (then its own units), and a little of its four companions.
N_PER_CLASS = 10


def two_networks(seed: int = 0) -> tuple[Network, datasets.Dataset]:
    pixels = np.where(np.arange(784) < 780, np.arange(784) // 78, -1)
    layers = [pixels, np.repeat(np.arange(10), 4), np.repeat(np.arange(10), 4), np.arange(10)]
    weights = []
    for before, after in itertools.pairwise(layers):
        same = after[:, None] == before
        half = (after[:, None] // 5 == before // 5) & (before >= 0)
        weights.append(np.where(same, 1.0, np.where(half, 0.02, 0.0)))
    y = np.repeat(np.arange(10), N_PER_CLASS)
    x = (y[:, None] == pixels).astype(np.float32)
    dataset = datasets.from_arrays("blocks", (x, y), (x, y))
    network = make_network("fashion_mnist", True, seed, weights=weights)
    condition = replace(network.condition, train_hash=dataset.train_hash)
    return replace(network, condition=condition), dataset


def study_parameters(network: Network, *, first: bool) -> list[dict[str, Any]]:
    p = SimpleNamespace(n_clusters=2, n_random_sets=6, n_random_pairs=4, n_reclusterings=2, seed=0)
    return lesioning.studies(network.key, p, first=first)


@pytest.fixture(scope="module")
def computed() -> tuple[Network, dict[str, Any], dict[str, Any]]:
    """A network and its lesions: all pairs, and the important ones under the same seed."""
    network, dataset = two_networks()
    parameters = study_parameters(network, first=True)[0]
    return network, *(
        lesioning.compute_lesions(network, parameters | {"pairs": pairs}, dataset, "cpu")
        for pairs in ("all", "important")
    )


def test_computed_clusters_are_the_two_networks(computed):
    network, value, _ = computed
    weights = [network.record.arrays[f"weight_{i}"] for i in range(3)]
    labels, ncut = clustering.cluster_network(weights, 2, rng=stream(network.key, 0))
    assert value["labels"] == labels.tolist()
    assert value["ncut"] == ncut == pytest.approx(0, abs=1e-6)
    low = value["labels"][0]
    # pixels of five classes each, four pixels without an edge, then 20 of 40 units and 5 of 10
    half = [low] * 390 + [1 - low] * 390 + [-1] * 4
    assert value["labels"] == half + ([low] * 20 + [1 - low] * 20) * 2 + [low] * 5 + [1 - low] * 5


def test_computed_single_lesions_by_hand(computed):
    _, value, _ = computed
    low = value["labels"][0]
    assert value["accuracy"] == 1.0
    assert value["class_accuracies"] == [1.0] * 10
    assert len(value["sub_clusters"]) == 4
    for row in value["sub_clusters"]:
        assert (row["size"], row["proportion"]) == (20, 0.5)
        # where no logit is left they are all equal, and the first of them is taken: class 0
        lost = [0, 1, 1, 1, 1] + [0] * 5 if row["label"] == low else [0] * 5 + [1] * 5
        assert row["class_drops"] == lost
        assert row["drop"] == pytest.approx(sum(lost) / 10)
        assert (row["kind"], row["p_value"]) == ("important", pytest.approx(1 / 7))
        assert 0 <= row["null_mean"] < row["drop"]
    assert [row["layer"] for row in value["sub_clusters"]] == [1, 1, 2, 2]


def test_computed_pairs_by_hand(computed):
    _, value, _ = computed
    low = value["labels"][0]
    drop = {low: 0.4, 1 - low: 0.5}
    assert len(value["pairs"]) == 4
    for row in value["pairs"]:
        x, y = row["x_label"], row["y_label"]
        assert (row["x_layer"], row["y_layer"]) == (1, 2)
        same = x == y
        # one after the other on one way: the second lesion adds nothing. Both ways: class 0 is left
        assert row["drop_both"] == pytest.approx(drop[x] if same else 0.9)
        assert row["delta_x_y"] == pytest.approx(0 if same else 0.9 - drop[y])
        assert row["delta_y_x"] == pytest.approx(0 if same else 0.9 - drop[x])
        assert (row["x_given_y"], row["y_given_x"]) == (not same, not same)
        if not same:
            assert row["p_x_given_y"] == row["p_y_given_x"] == pytest.approx(1 / 5)


def test_pairs_left_out_change_no_other(computed):
    network, value, fewer = computed
    assert fewer == value  # all four sub-clusters are important
    other, dataset = two_networks()
    shape = replace(other.record, arrays=dict(other.record.arrays))
    # the last layer hears nothing of the first network's classes: one less is important
    shape.arrays["weight_2"] = np.where(np.arange(10)[:, None] < 5, 0, shape.arrays["weight_2"])
    deaf = replace(other, record=shape)
    parameters = study_parameters(network, first=True)[0]
    every, some = (
        lesioning.compute_lesions(deaf, parameters | {"pairs": pairs}, dataset, "cpu")
        for pairs in ("all", "important")
    )
    important = {
        (row["layer"], row["label"]) for row in every["sub_clusters"] if row["kind"] == "important"
    }
    expected = [
        row
        for row in every["pairs"]
        if {(row["x_layer"], row["x_label"]), (row["y_layer"], row["y_label"])} <= important
    ]
    assert some["sub_clusters"] == every["sub_clusters"]
    assert some["pairs"] == expected
    assert 0 < len(expected) < len(every["pairs"])


def test_computed_record_becomes_tables(computed):
    network, value, _ = computed
    # as it is after it was written and read
    kept = json.loads(json.dumps(value))
    parameters = study_parameters(network, first=True)[0]
    study = tables.read_studies([network], [[make_record("lesions", parameters, kept)]]).reference
    assert tables.edge_set(study.edges) == {(1, 0, 2, 0), (1, 1, 2, 1)}
    # both edges and none of the two other pairs lie within a cluster: 1 / C(4, 2)
    assert tables.same_cluster([study])["p_value"] == pytest.approx(1 / 6)


def test_lesions_of_other_data_are_refused():
    network, dataset = two_networks()
    other = replace(network, condition=replace(network.condition, train_hash="2" * 64))
    parameters = study_parameters(network, first=False)[0]
    with pytest.raises(ValueError, match=r"dataset='blocks' is not what network .* was trained on"):
        lesioning.compute_lesions(other, parameters, dataset, "cpu")


def test_studies_of_a_network():
    own = study_parameters(network_of(), first=True)
    assert [(each["seed"], each["pairs"]) for each in own] == [
        (0, "all"),
        (1, "important"),
        (2, "important"),
    ]
    (other,) = study_parameters(network_of(seed=1), first=False)
    assert other == {
        "network": network_of(seed=1).key,
        "phase": "after",
        "n_clusters": 2,
        "seed": 0,
        "n_random_sets": 6,
        "n_random_pairs": 4,
        "pairs": "important",
    }
