"""Renumbering: matching against all permutations, ordering by sizes that one can add up. Merging:
against n-cuts of every way."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from modclust_utils.clustering import ncut
from modclust_utils.doors import as_labels
from modclust_utils.partitions import match_labels, merge_single_units, order_labels

labelings = st.lists(st.integers(-1, 4), min_size=1, max_size=40).map(np.array)


@given(labelings, st.permutations(range(5)))
def test_matching_undoes_a_permutation(labels, permutation):
    permuted = np.where(labels >= 0, np.array(permutation)[labels], -1)
    assert np.array_equal(match_labels(permuted, labels), labels)


@given(st.data(), labelings)
def test_matching_keeps_the_partition(data, labels):
    size = {"min_size": len(labels), "max_size": len(labels)}
    reference = data.draw(st.lists(st.integers(-1, 3), **size))
    where = data.draw(st.none() | st.lists(st.booleans(), **size))
    matched = match_labels(labels, reference, where=where)
    assert np.array_equal(matched == -1, labels == -1)
    assert adjusted_rand_score(matched, labels) == 1


@given(st.data(), st.integers(1, 12))
def test_matching_agrees_as_well_as_the_best_permutation(data, n):
    draw = st.lists(st.integers(-1, 3), min_size=n, max_size=n).map(np.array)
    labels, reference = data.draw(draw), data.draw(draw)
    where = data.draw(st.none() | st.lists(st.booleans(), min_size=n, max_size=n).map(np.array))
    counts = labels >= 0 if where is None else (labels >= 0) & where
    best = max(
        int((np.array(p)[labels[counts]] == reference[counts]).sum())
        for p in itertools.permutations(range(4))
    )
    matched = match_labels(labels, reference, where=where)
    assert int((matched[counts] == reference[counts]).sum()) == best


def test_clusters_beyond_the_reference_get_the_numbers_that_are_left():
    matched = match_labels([0, 0, 1, 2, 2, 2], [0, 0, -1, 1, 1, 1])
    assert matched.tolist() == [0, 0, 2, 1, 1, 1]


def test_only_the_units_that_count_decide_and_all_are_renumbered():
    labels, reference = [0, 1, 0, 0, 0, 1], [1, 0, 0, 0, 0, 1]
    # four of six units agree as they are; the two that count agree the other way round
    where = np.array([True, True, False, False, False, False])
    assert match_labels(labels, reference).tolist() == labels
    assert match_labels(labels, reference, where=where).tolist() == [1, 0, 1, 1, 1, 0]


def test_nothing_is_changed_in_place():
    labels, where = np.array([1, 0]), np.array([True, False])
    match_labels(labels, [0, 1], where=where)
    assert labels.tolist() == [1, 0]
    assert where.tolist() == [True, False]


@given(labelings)
def test_ordered_clusters_shrink_without_gaps(labels):
    ordered = order_labels(labels, np.zeros(len(labels), dtype=int))
    sizes = np.bincount(ordered[ordered >= 0])
    assert (np.diff(sizes) <= 0).all()
    assert (sizes > 0).all()
    assert np.array_equal(ordered == -1, labels == -1)
    assert adjusted_rand_score(ordered, labels) == 1
    assert np.array_equal(order_labels(ordered, np.zeros(len(labels), dtype=int)), ordered)


def test_order_counts_every_layer_alike():
    # 7 of 8 pixels against 1 of 8 pixels and 4 of 4 hidden units: 7/8 < 1/8 + 1
    assert order_labels([0] * 7 + [1] * 5, [0] * 8 + [1] * 4).tolist() == [1] * 7 + [0] * 5


def test_order_by_volume():
    # volumes 2 + 2, 5 and 1; unit 4 is in no cluster
    labels, degrees = [0, 0, 1, 2, -1], [2.0, 2.0, 5.0, 1.0, 9.0]
    ordered = order_labels(labels, [0, 0, 1, 1, 1], degrees=degrees)
    assert ordered.tolist() == [1, 1, 0, 2, -1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: match_labels([0, 1], [0]), r"reference has shape \(1,\)"),
        (lambda: match_labels([[0]], [[0]]), r"labels has shape \(1, 1\)"),
        (lambda: match_labels([0.5], [0]), "labels has entries that are no cluster"),
        (lambda: match_labels([0], [-2]), "reference has entries that are no cluster"),
        (lambda: match_labels([0], [0], where=[0]), r"where has .* int64; allowed: boolean \(1,\)"),
        (lambda: match_labels([0], [0], where=[True] * 2), r"where has shape \(2,\)"),
        (lambda: order_labels([0, 1], [0]), r"layer_of_unit has shape \(1,\)"),
        (lambda: order_labels([0], [0], degrees=[1, 2]), r"degrees has shape \(2,\)"),
        (lambda: order_labels([0], [0], degrees=[-1]), "degrees has negative, NaN or infinite"),
        (lambda: order_labels([0], [0], degrees=[np.nan]), "degrees has negative, NaN or infinite"),
        (lambda: order_labels([0], {0: 0}), "layer_of_unit is of type dict; allowed: the layer of"),
        (
            lambda: ncut(TWIG, np.full(8, 2**63, np.uint64)),
            "labels has entries that are no cluster",
        ),
        (lambda: as_labels("mine", ["a"]), "mine is of type list of text; allowed: integers"),
    ],
)
def test_bad_labels_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# Single units


def graph_of(n: int, *edges: tuple[int, int, float]) -> np.ndarray:
    adjacency = np.zeros((n, n))
    for a, b, weight in edges:
        adjacency[a, b] = adjacency[b, a] = weight
    return adjacency


#: Two triangles of weight 2, joined by an edge of weight 1; a twig of two units at the second one.
TWIG = graph_of(
    8,
    *((0, 1, 2.0), (1, 2, 2.0), (0, 2, 2.0)),
    *((3, 4, 2.0), (4, 5, 2.0), (3, 5, 2.0)),
    *((2, 3, 1.0), (5, 6, 0.5), (6, 7, 0.25)),
)


LARGE = 2**63 - 1


def test_large_numbers_of_clusters_cost_no_memory():
    assert match_labels([LARGE, LARGE, 0], [0, 0, 1]).tolist() == [0, 0, 1]
    # what is without a partner has a number that is left
    assert match_labels([0, 0, 7, -1], [LARGE, LARGE, -1, 0]).tolist() == [LARGE, LARGE, 0, -1]
    assert order_labels([LARGE, 5, 5, -1], [7, 0, 0, 0]).tolist() == [1, 0, 0, -1]
    labels, value = merge_single_units(TWIG, [LARGE] * 3 + [5] * 3 + [-1, 7])
    assert labels.tolist() == [LARGE] * 3 + [5] * 3 + [-1, 5]
    assert value == merge_single_units(TWIG, [0] * 3 + [1] * 3 + [-1, 2])[1]


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1.0, 1e308])
def test_volumes_of_any_scale_are_ordered_alike(scale):
    degrees = np.array([0.1, 0.2, 0.3, 0.9, 1.2]) * scale
    # 0.1 + 0.2 is 0.3 but for rounding, so clusters 0 and 1 keep their order
    assert order_labels([0, 0, 1, 2, 3], [0] * 5, degrees=degrees).tolist() == [2, 2, 3, 1, 0]


def test_small_volumes_beside_a_large_one_are_ordered():
    assert order_labels([0, 1, 2], [0] * 3, degrees=[1e-12, 3e-12, 1]).tolist() == [2, 1, 0]


def test_merging_takes_edges_whose_sum_no_float_holds():
    labels = [0, 0, 0, 1, 1, 1, 2, 3]
    large, small = (merge_single_units(TWIG * scale, labels) for scale in (2.0**1022, 1))
    assert (large[0].tolist(), large[1]) == (small[0].tolist(), small[1])


def test_single_units_join_the_cluster_that_costs_least():
    labels, value = merge_single_units(TWIG, [0, 0, 0, 1, 1, 1, 2, 3])
    # the end of the twig has no edge to a cluster; it comes along
    assert labels.tolist() == [0, 0, 0, 1, 1, 1, 1, 1]
    assert value == pytest.approx(1 / 13 + 1 / (13 + 1 + 0.5))
    assert ncut(TWIG, [0, 0, 0, 1, 1, 1, 2, 3]) > 2


def test_partition_without_single_units_stays():
    given_labels = np.array([0, 0, 0, 4, 4, 4, 4, -1])
    labels, value = merge_single_units(TWIG, given_labels)
    assert labels.tolist() == given_labels.tolist()
    assert value == pytest.approx(ncut(TWIG, given_labels))


def test_nothing_but_single_units_become_one_cluster():
    labels, value = merge_single_units(TWIG, np.arange(8))
    assert len(set(labels)) == 1
    assert value == 0.0
    assert merge_single_units(TWIG, [-1] * 8)[1] == 0.0


@given(st.integers(0, 10_000), st.integers(2, 6))
def test_each_merge_is_the_best_one(seed, k):
    rng = np.random.default_rng(seed)
    adjacency = np.triu(rng.random((9, 9)) * (rng.random((9, 9)) < 0.5), 1)
    adjacency += adjacency.T
    labels = rng.integers(-1, k, 9)
    before = labels.copy()
    merged, value = merge_single_units(adjacency, labels)
    assert np.array_equal(labels, before)
    assert value == pytest.approx(ncut(adjacency, merged))
    assert value <= ncut(adjacency, labels) + 1e-12
    # unions of the clusters that were there; those of several units stay apart
    assert len(np.unique(np.column_stack([labels, merged]), axis=0)) == len(np.unique(labels))
    sizes = np.bincount(labels[labels >= 0])
    assert len(set(merged[np.isin(labels, np.flatnonzero(sizes > 1))])) == (sizes > 1).sum()
    if (sizes == 1).sum() == 1 and (sizes > 0).sum() > 1:
        (unit,) = np.flatnonzero(np.isin(labels, np.flatnonzero(sizes == 1)))
        ways = [np.where(np.arange(9) == unit, other, labels) for other in set(labels) - {-1}]
        assert value == pytest.approx(
            min(
                ncut(adjacency, way)
                for way in ways
                if len(set(way) - {-1}) < len(set(labels) - {-1})
            )
        )


def test_labels_of_another_graph_are_refused():
    with pytest.raises(ValueError, match=r"labels has shape \(2,\); allowed: \(8,\)"):
        merge_single_units(TWIG, [0, 1])
    with pytest.raises(ValueError, match="labels has entries that are no cluster"):
        merge_single_units(TWIG, [-2] * 8)
