"""n-cut and clusterings: by hand, by properties, against plain code."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from networks import (
    global_random_state_untouched,
    group_of_units,
    grouped_mlp,
    pruned_mlp,
    rng_of,
)
from sklearn.metrics import adjusted_rand_score

from modclust_utils.clustering import (
    cluster_network,
    ncut,
    sklearn_spectral_clustering,
    spectral_clustering,
)
from modclust_utils.graphs import drop_dead_units, live_units, mlp_adjacency
from modclust_utils.nulls import shuffle_weights
from modclust_utils.spectral import two_sides

# two triangles joined by the edge 2-3
TRIANGLES = np.zeros((6, 6))
for _a, _b in [(0, 1), (0, 2), (1, 2), (2, 3), (3, 4), (3, 5), (4, 5)]:
    TRIANGLES[_a, _b] = TRIANGLES[_b, _a] = 1

SIZES = (60, 40, 40, 40, 20)
MLP = pruned_mlp((12, 9, 7, 5), seed=0, sparsity=0.5)


@st.composite
def labelled_graphs(draw, *, smallest_label=-1):
    """A graph of 2 to 7 vertices with integer edges, and labels; at least one edge."""
    n = draw(st.integers(2, 7))
    edges = draw(st.lists(st.sampled_from([0, 0, 1, 2, 5]), min_size=n * n, max_size=n * n))
    upper = np.triu(np.array(edges).reshape(n, n), 1)
    assume(upper.any())
    labels = draw(st.lists(st.integers(smallest_label, 3), min_size=n, max_size=n))
    return upper + upper.T, np.array(labels)


# --- n-cut ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([0, 0, 0, 1, 1, 1], Fraction(1, 7) + Fraction(1, 7)),
        ([0, 0, 1, 1, 1, 1], Fraction(2, 4) + Fraction(2, 10)),
        ([-1, 0, 0, 1, 1, 1], Fraction(3, 5) + Fraction(1, 7)),
        ([-1, -1, -1, 0, 0, 0], Fraction(1, 7)),
        ([0, 0, 0, 0, 0, 0], Fraction(0)),
        ([-1, -1, -1, -1, -1, -1], Fraction(0)),
        ([0, 1, 2, 3, 4, 5], Fraction(6)),
        ([3, 3, 3, 8, 8, 8], Fraction(2, 7)),
    ],
)
def test_ncut_of_two_triangles(labels, expected):
    assert ncut(TRIANGLES, labels) == pytest.approx(float(expected))


def test_ncut_of_a_weighted_path():
    # 0 -2- 1 -3- 2 -5- 3, cut at the edge of weight 3: volumes 2 + 5 and 8 + 5
    path = np.diag([2.0, 3.0, 5.0], 1)
    expected = Fraction(3, 7) + Fraction(3, 13)
    assert ncut(path + path.T, [0, 0, 1, 1]) == pytest.approx(float(expected))


def test_ncut_of_a_network_by_hand():
    weights = [np.array([[2.0, -1.0]]), np.array([[-4.0], [0.5]])]
    # clusters {pixel 0, hidden, logit 0} and {pixel 1, logit 1}: cut 1 + 0.5, volumes 13.5 and 1.5
    expected = Fraction(3, 27) + Fraction(3, 3)
    assert ncut(mlp_adjacency(weights), [0, 1, 0, 0, 1]) == pytest.approx(float(expected))


@given(graph=labelled_graphs(smallest_label=0))
def test_ncut_is_the_failure_rate_of_the_stub_walk(graph):
    """Paper A, appendix A.1, with every stub of every cluster counted in exact fractions."""
    adjacency, labels = graph
    clusters = [c for c in np.unique(labels) if adjacency[labels == c].sum() > 0]
    failure = Fraction(0)
    for cluster in clusters:
        stubs = [
            (labels[j] != cluster, int(adjacency[i, j]))
            for i in np.flatnonzero(labels == cluster)
            for j in range(len(labels))
        ]
        total = sum(weight for _, weight in stubs)
        failure += Fraction(sum(w for fails, w in stubs if fails), total) / len(clusters)
    assert ncut(adjacency, labels) / len(clusters) == pytest.approx(float(failure))


@given(graph=labelled_graphs(), seed=st.integers(0, 1000), scale=st.floats(1e-150, 1e150))
def test_ncut_is_unchanged_by_names_order_and_scale(graph, seed, scale):
    adjacency, labels = graph
    value = ncut(adjacency, labels)
    rng = rng_of(seed)
    names = rng.permutation(50)[:4]
    assert ncut(adjacency, np.where(labels < 0, -1, names[labels])) == pytest.approx(value)
    order = rng.permutation(len(labels))
    assert ncut(adjacency[order][:, order], labels[order]) == pytest.approx(value)
    assert ncut(adjacency * scale, labels) == pytest.approx(value)


@given(graph=labelled_graphs())
def test_ncut_lies_between_0_and_the_number_of_clusters(graph):
    adjacency, labels = graph
    value = ncut(adjacency, labels)
    assert 0 <= value <= len(set(labels[labels >= 0])) + 1e-12
    # a cluster of units without edges adds nothing
    moved = np.where(adjacency.sum(1) == 0, 99, labels)
    assert ncut(adjacency, moved) == pytest.approx(value)


@given(seed=st.integers(0, 10_000))
def test_ncut_of_separate_parts_is_exactly_0(seed):
    """Not 0 up to rounding: shuffles that tie with a network must not fall below it by chance."""
    rng = rng_of(seed)
    first, second = rng.random((2, 4, 4)) / 3
    adjacency = scipy.linalg.block_diag(first + first.T, second + second.T)
    assert ncut(adjacency, [0] * 4 + [1] * 4) == 0.0


@pytest.mark.parametrize(
    "convert",
    [
        sp.csr_array,
        sp.csc_array,
        sp.coo_array,
        sp.csr_matrix,
        torch.tensor,
        lambda a: torch.tensor(a).to_sparse(),
        lambda a: a.astype(np.float32),
        lambda a: a.astype(np.uint8),
        lambda a: sp.csr_array(a.astype(np.int32)),
        np.asfortranarray,
    ],
)
@pytest.mark.parametrize("label_type", [np.int64, np.int8, np.uint8, torch.tensor, list])
def test_ncut_takes_any_kind_of_graph_and_labels(convert, label_type):
    labels = [0, 0, 0, 1, 1, 1]
    labels = np.array(labels, label_type) if isinstance(label_type, type) else label_type(labels)
    if label_type is list:
        labels = labels.tolist()
    assert ncut(convert(TRIANGLES), labels) == pytest.approx(2 / 7)


def test_large_labels_cost_nothing():
    assert ncut(TRIANGLES, [0, 0, 0, 10**15, 10**15, 10**15]) == pytest.approx(2 / 7)


def test_entries_given_twice_are_added():
    rows, columns = np.array([0, 0, 1, 1, 1, 2]), np.array([1, 1, 0, 0, 2, 1])
    twice = sp.coo_array((np.array([1.0, 2.0, 1.0, 2.0, 4.0, 4.0]), (rows, columns)), shape=(3, 3))
    # a path 0 -3- 1 -4- 2
    assert ncut(twice, [0, 0, 1]) == pytest.approx(float(Fraction(4, 10) + Fraction(4, 4)))


def test_a_graph_is_left_as_it_is():
    graph = sp.csr_array(TRIANGLES + 1)
    graph.data[graph.data == 1] = 0.0
    parts = [graph.data.copy(), graph.indices.copy(), graph.indptr.copy()]
    assert (parts[0] == 0).any()
    ncut(graph, [0, 0, 0, 1, 1, 1])
    spectral_clustering(graph, 2, rng=rng_of(0))
    sklearn_spectral_clustering(graph, 2, rng=rng_of(0))
    for part, copy in zip((graph.data, graph.indices, graph.indptr), parts, strict=True):
        np.testing.assert_array_equal(part, copy)


ONE_WAY = np.array([[0.0, 1.0], [0.0, 0.0]])


@pytest.mark.parametrize(
    ("adjacency", "message"),
    [
        (np.ones(3), r"adjacency has shape \(3,\)"),
        (np.ones((2, 3)), r"adjacency has shape \(2, 3\)"),
        (np.ones((2, 2, 2)), r"adjacency has shape \(2, 2, 2\)"),
        (sp.csr_array((2, 3)), r"adjacency has shape \(2, 3\)"),
        (np.full((2, 2), np.nan), "adjacency has negative, NaN or infinite edges"),
        (-np.ones((2, 2)), "adjacency has negative"),
        (ONE_WAY, "adjacency is not symmetric"),
        (ONE_WAY * 1e-12, "adjacency is not symmetric"),
    ],
)
def test_what_is_no_undirected_graph_is_refused(adjacency, message):
    with pytest.raises(ValueError, match=message):
        ncut(adjacency, np.zeros(len(np.atleast_1d(np.ones(adjacency.shape))), int))
    with pytest.raises(ValueError, match=message):
        spectral_clustering(adjacency, 1, rng=rng_of(0))
    with pytest.raises(ValueError, match=message):
        sklearn_spectral_clustering(adjacency, 1, rng=rng_of(0))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1], r"labels has shape \(2,\); allowed: \(6,\)"),
        (np.zeros((6, 1), int), r"labels has shape \(6, 1\)"),
        ([0, 0, 0, 0, 0, -2], "labels has entries that are no cluster"),
        ([0.0] * 6, "labels has entries that are no cluster"),
        ([True] * 6, "labels has entries that are no cluster"),
    ],
)
def test_what_labels_no_graph_is_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        ncut(TRIANGLES, labels)


# --- clusterings ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("cluster", [spectral_clustering, sklearn_spectral_clustering])
def test_planted_groups_of_a_graph_are_found(cluster, seed):
    rng = rng_of(seed)
    groups = np.arange(80) * 4 // 80
    edge = rng.random((80, 80)) < np.where(groups[:, None] == groups, 0.5, 0.05)
    upper = np.triu(edge, 1).astype(float)
    labels = cluster(upper + upper.T, 4, rng=rng)
    assert adjusted_rand_score(groups, labels) > 0.95


@pytest.mark.parametrize("seed", range(15))
def test_planted_groups_of_a_network_are_found(seed):
    weights = grouped_mlp(SIZES, 4, seed, between=0.05)
    groups = group_of_units(SIZES, 4)
    labels, value = cluster_network(weights, 4, rng=rng_of(seed))
    assert adjusted_rand_score(groups[labels >= 0], labels[labels >= 0]) > 0.95
    assert value < 1.2 * ncut(mlp_adjacency(weights), groups)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_parts", [2, 5])
def test_parts_of_a_disconnected_network_are_found_as_they_are(seed, n_parts):
    weights = grouped_mlp(SIZES, n_parts, seed)
    groups, adjacency = group_of_units(SIZES, n_parts), mlp_adjacency(weights)
    labels, value = cluster_network(weights, n_parts, rng=rng_of(seed))
    assert value == 0.0
    for found in (
        labels,
        spectral_clustering(adjacency, n_parts, rng=rng_of(seed)),
        sklearn_spectral_clustering(adjacency, n_parts, rng=rng_of(seed)),
    ):
        assert adjusted_rand_score(groups[found >= 0], found[found >= 0]) == 1.0
        assert ncut(adjacency, found) == 0.0


def test_more_parts_than_clusters_stay_whole():
    weights = grouped_mlp(SIZES, 4, 0)
    for labels in (
        cluster_network(weights, 2, rng=rng_of(1))[0],
        spectral_clustering(mlp_adjacency(weights), 2, rng=rng_of(1)),
    ):
        assert ncut(mlp_adjacency(weights), labels) == 0.0


def test_graph_that_is_not_bipartite_takes_the_general_path():
    labels = spectral_clustering(TRIANGLES, 2, rng=rng_of(0))
    assert two_sides(sp.csr_array(TRIANGLES)) is None
    assert adjusted_rand_score(labels, [0, 0, 0, 1, 1, 1]) == 1.0


def test_more_clusters_than_a_side_has_units():
    """A star has one unit on one side: the general path can still split its leaves."""
    star = np.zeros((6, 6))
    star[0, 1:] = star[1:, 0] = 1.0
    labels = spectral_clustering(star, 3, rng=rng_of(0))
    assert set(labels) == {0, 1, 2}


def test_network_of_a_single_layer():
    weights = grouped_mlp((12, 9), 3, 0, sparsity=0.0)
    labels, value = cluster_network(weights, 3, rng=rng_of(0))
    assert adjusted_rand_score(group_of_units((12, 9), 3), labels) == 1.0
    assert value == 0.0


def test_one_cluster_holds_every_live_unit():
    weights = [np.vstack([MLP[0], np.zeros(12)]), np.insert(MLP[1], 9, 0.0, axis=1), MLP[2]]
    labels, value = cluster_network(weights, 1, rng=rng_of(0))
    live = np.concatenate(live_units(weights))
    assert not live.all()
    np.testing.assert_array_equal(labels, np.where(live, 0, -1))
    assert value == 0.0


@pytest.mark.parametrize("emptied", [(1,), (3,), (0, 1), (2, 3)])
def test_layers_without_any_weight(emptied):
    weights = pruned_mlp(SIZES, seed=2, sparsity=0.7)
    for layer in emptied:
        weights[layer][:] = 0.0
    labels, value = cluster_network(weights, 2, rng=rng_of(0))
    np.testing.assert_array_equal(labels >= 0, np.concatenate(live_units(weights)))
    assert value == pytest.approx(ncut(mlp_adjacency(weights), labels), abs=1e-6)
    if emptied == (1,):
        assert value == 0.0  # the network falls apart in two


def test_dead_units_are_outside_and_change_nothing():
    weights = pruned_mlp(SIZES, seed=5, sparsity=0.97)
    live = np.concatenate(live_units(weights))
    assert 0.05 < (~live).mean() < 0.5
    labels, value = cluster_network(weights, 3, rng=rng_of(1))
    again, same = cluster_network(drop_dead_units(weights), 3, rng=rng_of(1))
    np.testing.assert_array_equal(labels[live], again)
    assert (labels[~live] == -1).all()
    assert value == same
    general = spectral_clustering(mlp_adjacency(weights), 3, rng=rng_of(1))
    plain = sklearn_spectral_clustering(mlp_adjacency(weights), 3, rng=rng_of(1))
    np.testing.assert_array_equal(general >= 0, live)
    np.testing.assert_array_equal(plain >= 0, live)


@pytest.mark.parametrize("seed", range(10))
def test_ncut_that_comes_with_a_clustering_is_that_of_its_labels(seed):
    weights = pruned_mlp(SIZES, seed, sparsity=0.8)
    labels, value = cluster_network(weights, 4, rng=rng_of(seed))
    assert value == pytest.approx(ncut(mlp_adjacency(weights), labels), rel=1e-5)


def test_fast_clustering_is_as_good_as_that_of_scikit_learn():
    """On shuffles of pruned networks, with 50 starts each, so that both mostly find the best.

    n-cuts of these shuffles have a standard deviation of 0.03. A mean difference of 0.002 would
    move a z-score by 0.06, which no conclusion hangs on; it is three standard errors of the mean of
    these 30 differences, most of which are 0 and few more than 0.01.
    """
    fast, plain = [], []
    for seed in range(3):
        weights = drop_dead_units(pruned_mlp((100, 60, 60, 60, 60, 10), seed, sparsity=0.8))
        for rng in rng_of(seed).spawn(10):
            shuffled = shuffle_weights(weights, "layer", rng=rng)
            adjacency = mlp_adjacency(shuffled)
            labels = sklearn_spectral_clustering(adjacency, 4, n_init=50, rng=rng)
            plain.append(ncut(adjacency, labels))
            fast.append(cluster_network(shuffled, 4, n_init=50, rng=rng)[1])
    difference = np.subtract(fast, plain)
    assert abs(difference.mean()) < 0.002
    assert difference.std() < 0.2 * np.std(plain)
    assert np.mean(np.abs(difference) < 1e-5) > 0.5  # most clusterings are the same


@pytest.mark.parametrize("seed", range(3))
def test_both_own_paths_give_the_same_clustering(seed):
    weights = grouped_mlp(SIZES, 3, seed, between=0.3)
    labels, value = cluster_network(weights, 3, rng=rng_of(seed), n_init=50)
    general = spectral_clustering(mlp_adjacency(weights), 3, rng=rng_of(seed), n_init=50)
    assert ncut(mlp_adjacency(weights), general) == pytest.approx(value, rel=1e-3)
    assert adjusted_rand_score(labels, general) > 0.95


@pytest.mark.parametrize(
    "convert",
    [
        lambda w: w.astype(np.float32),
        np.asfortranarray,
        lambda w: w[::-1][::-1],
        torch.tensor,
        lambda w: torch.tensor(w, dtype=torch.float32),
        lambda w: torch.tensor(w, requires_grad=True),
        lambda w: torch.tensor(w.T.copy()).T,
        lambda w: w * 0.25,
        lambda w: w * 2.0**-200,
        lambda w: -w * 2.0**900,
    ],
)
def test_neither_kind_of_array_nor_scale_nor_sign_matters(convert):
    labels, value = cluster_network(MLP, 3, rng=rng_of(0))
    found, same = cluster_network([convert(w) for w in MLP], 3, rng=rng_of(0))
    np.testing.assert_array_equal(found, labels)
    assert same == pytest.approx(value, rel=1e-6)
    adjacency = mlp_adjacency([convert(w) for w in MLP])
    general = spectral_clustering(adjacency, 3, rng=rng_of(0))
    np.testing.assert_array_equal(
        general, spectral_clustering(mlp_adjacency(MLP), 3, rng=rng_of(0))
    )


def test_weights_are_left_as_they_are():
    weights = [torch.tensor(w) for w in MLP]
    for weight in MLP:
        weight.flags.writeable = False
    cluster_network(MLP, 2, rng=rng_of(0))
    cluster_network(weights, 2, rng=rng_of(0))
    for weight, original in zip(weights, MLP, strict=True):
        np.testing.assert_array_equal(weight, original)


def cluster_weights(weights, n_clusters, **options):
    return cluster_network(weights, n_clusters, **options)[0]


def cluster_graph(weights, n_clusters, **options):
    return spectral_clustering(mlp_adjacency(weights), n_clusters, **options)


def cluster_graph_plainly(weights, n_clusters, **options):
    return sklearn_spectral_clustering(mlp_adjacency(weights), n_clusters, **options)


WAYS = pytest.mark.parametrize("way", [cluster_weights, cluster_graph, cluster_graph_plainly])


@WAYS
def test_randomness_comes_from_the_generator_alone(way):
    weights = pruned_mlp(SIZES, seed=9, sparsity=0.5)
    with global_random_state_untouched():
        first = way(weights, 8, rng=rng_of(0), n_init=1)
    np.random.seed(1)
    torch.manual_seed(1)
    np.testing.assert_array_equal(way(weights, 8, rng=rng_of(0), n_init=1), first)
    others = [way(weights, 8, rng=rng_of(seed), n_init=1) for seed in (1, 2, 3)]
    assert min(adjusted_rand_score(first, other) for other in others) < 1.0


@WAYS
@pytest.mark.parametrize("number", [np.int64(3), np.uint8(3)])
def test_numbers_of_numpy_count_as_numbers(way, number):
    expected = way(MLP, 3, rng=rng_of(0), n_init=3)
    np.testing.assert_array_equal(way(MLP, number, rng=rng_of(0), n_init=number), expected)


@WAYS
@pytest.mark.parametrize("bad", [0, -1, 2.0, True, "2", None, math.nan])
def test_what_is_no_count_is_refused_by_name(way, bad):
    with pytest.raises(ValueError, match=f"n_clusters={bad!r} is not allowed: a whole number"):
        way(MLP, bad, rng=rng_of(0))
    with pytest.raises(ValueError, match=f"n_init={bad!r} is not allowed: a whole number"):
        way(MLP, 2, n_init=bad, rng=rng_of(0))


def test_too_many_clusters_are_refused_with_the_largest_number():
    sizes = [len(part) for part in live_units(MLP)]
    assert [sum(sizes[0::2]), sum(sizes[1::2])] == [19, 14]
    with pytest.raises(ValueError, match=r"n_clusters=15 is not allowed: 1 to 14, .* smaller side"):
        cluster_network(MLP, 15, rng=rng_of(0))
    assert len(set(cluster_network(MLP, 14, rng=rng_of(0))[0])) > 1
    for cluster in (spectral_clustering, sklearn_spectral_clustering):
        with pytest.raises(ValueError, match=r"n_clusters=34 is not allowed: 1 to 33, .*edges$"):
            cluster(mlp_adjacency(MLP), 34, rng=rng_of(0))


def test_a_network_without_weights_is_refused():
    nothing = [np.zeros((n_out, n_in)) for n_in, n_out in pairwise((4, 3, 2))]
    with pytest.raises(ValueError, match="weights are all 0"):
        cluster_network(nothing, 2, rng=rng_of(0))
    for cluster in (spectral_clustering, sklearn_spectral_clustering):
        with pytest.raises(ValueError, match="adjacency has no edges"):
            cluster(mlp_adjacency(nothing), 2, rng=rng_of(0))


def test_weights_that_form_no_network_are_refused():
    with pytest.raises(ValueError, match=r"weights\[1\] has shape"):
        cluster_network([np.ones((2, 3)), np.ones((2, 3))], 2, rng=rng_of(0))
    with pytest.raises(ValueError, match=r"weights\[0\] holds NaN"):
        cluster_network([np.full((3, 3), np.nan)], 2, rng=rng_of(0))
