"""Clusters of graphs without two sides: against a dense solver, scikit-learn, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp
import torch
from networks import normalized, rng_of
from torch import nn

from modclust_utils.block_graphs import BlockGraph, as_block_graph
from modclust_utils.channel_edges import Connection
from modclust_utils.clustering import ncut, sklearn_spectral_clustering, spectral_clustering
from modclust_utils.graph_clusters import (
    blocks_of,
    cluster_graph,
    clusters_in_layers,
    graph_ncut,
    layerwise_clusters,
    shares_inside,
)
from modclust_utils.graphs import network_graph
from modclust_utils.network_graphs import NetworkGraph
from modclust_utils.spectral import embed_by_products, embed_general


def wired(sizes, pairs, seed, *, n_groups=1, between=0.1):
    """Random blocks between layers, whose units fall into groups; every third block is sparse."""
    rng = rng_of(seed)
    blocks = []
    for i, (source, target) in enumerate(pairs):
        shape = (sizes[target], sizes[source])
        groups = [np.arange(n) * n_groups // n for n in shape]
        same = groups[0][:, None] == groups[1]
        edges = rng.random(shape) * np.where(same, 1.0, between)
        blocks.append((source, target, edges * (rng.random(shape) < 0.1) if i % 3 == 2 else edges))
    return as_block_graph(sizes, blocks)


# a triangle of layers: no two sides
TRIANGLE = ((0, 1), (1, 2), (0, 2), (2, 3))


def test_products_degrees_and_ncuts_are_those_of_the_adjacency():
    graph = wired((7, 30, 9, 8), TRIANGLE, seed=0)
    kinds = {sp.issparse(edges) for _, _, edges in graph.blocks}
    assert kinds == {True, False}
    adjacency = graph.adjacency()
    assert (adjacency != adjacency.T).nnz == 0
    vector = rng_of(1).normal(size=54).astype(np.float32)
    np.testing.assert_allclose(graph.product(vector), adjacency @ vector, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(graph.degrees(), adjacency.sum(1), rtol=1e-5)
    labels = rng_of(2).integers(-1, 3, 54)
    assert graph.ncut(labels, 4) == pytest.approx(ncut(adjacency, labels), rel=1e-5)


def test_edges_far_from_1_suit_single_precision():
    edges = np.array([[1e-200, 0.0], [3e-200, 2e-200]])
    graph = as_block_graph((2, 2), [(0, 1, edges)])
    dense = graph.adjacency().toarray()
    np.testing.assert_allclose(
        dense / dense.max() * 3,
        np.block([[np.zeros((2, 2)), edges.T * 1e200], [edges * 1e200, np.zeros((2, 2))]]),
        rtol=1e-6,
    )
    with pytest.raises(ValueError, match="graph has no edges"):
        as_block_graph((2, 2), [(0, 1, 0 * edges)])


def leading(adjacency, k):
    matrix = normalized(adjacency)
    n = len(matrix)
    values, vectors = scipy.linalg.eigh(matrix, subset_by_index=[n - k - 1, n - 1])
    return values[::-1], vectors[:, ::-1]


@pytest.mark.parametrize("seed", range(3))
def test_embedding_by_products_spans_what_a_dense_solver_spans(seed):
    graph = wired((120, 90, 100, 60), TRIANGLE, seed, n_groups=4)
    adjacency, degrees = graph.adjacency().astype(np.float64), graph.degrees()
    scale = 1 / np.sqrt(degrees)
    found = embed_by_products(graph.normalized(scale).product, degrees, 4)
    values, vectors = leading(adjacency, 4)
    assert values[3] - values[4] > 0.01
    u = found / scale[:, None]
    np.testing.assert_allclose(u.T @ u, np.eye(4), atol=1e-4)
    rayleigh = np.diag(u.T @ normalized(adjacency) @ u)
    np.testing.assert_allclose(rayleigh, values[:4], atol=1e-4)
    assert np.linalg.norm(u - vectors[:, :4] @ (vectors[:, :4].T @ u), 2) < 1e-2


def test_a_disconnected_graph_has_an_eigenvector_for_each_component():
    parts = [wired((40, 30, 35), TRIANGLE[:3], seed) for seed in (0, 1, 2)]
    adjacency = sp.csr_array(sp.block_diag([part.adjacency() for part in parts]))
    adjacency = sp.csr_array(sp.block_diag([adjacency, sp.csr_array((2, 2))]))  # two dead units
    degrees = np.asarray(adjacency.sum(1), np.float32)
    scale = np.where(degrees > 0, 1 / np.sqrt(np.where(degrees > 0, degrees, 1)), 0)
    scaled = sp.csr_array(sp.diags_array(scale) @ adjacency @ sp.diags_array(scale))
    found = embed_by_products(lambda x: scaled @ x, degrees, 5)
    assert not found[-2:].any()
    component = np.repeat([0, 1, 2], 105)
    for i in range(3):  # constant on one component, 0 elsewhere
        assert np.ptp(found[:-2, i][component == i]) < 1e-6
        assert not found[:-2, i][component != i].any()
    values, _ = leading(adjacency[:-2][:, :-2], 5)
    u = found[:-2] * np.sqrt(degrees[:-2, None])
    rayleigh = np.diag(u.T @ normalized(adjacency[:-2][:, :-2]) @ u)
    np.testing.assert_allclose(np.sort(rayleigh), np.sort(values[:5]), atol=1e-4)
    # more components than vectors: any choice would be one
    assert embed_by_products(lambda x: scaled @ x, degrees, 2) is None


def test_large_graphs_of_any_density_are_embedded_as_by_lapack(monkeypatch):
    graph = wired((60, 50, 40, 30), TRIANGLE, 5, n_groups=3)
    for adjacency in (graph.adjacency(), sp.csr_array(graph.adjacency().toarray() + 1e-3)):
        plain = embed_general(adjacency.astype(np.float64), 3)
        monkeypatch.setattr("modclust_utils.spectral._LAPACK_LIMIT", 20)
        fast = embed_general(adjacency.astype(np.float64), 3)
        monkeypatch.undo()
        assert fast.dtype == np.float32
        assert plain.dtype == np.float64
        signs = np.sign((fast * plain).sum(0))
        np.testing.assert_allclose(fast * signs, plain, atol=2e-3 * np.abs(plain).max())


@pytest.mark.parametrize("seed", range(4))
def test_ncuts_are_as_good_as_those_of_scikit_learn(seed):
    graph = wired((120, 90, 100, 60), TRIANGLE, seed, n_groups=6, between=0.3)
    network = as_network_graph(graph)
    labels, value = cluster_graph(network, 6, rng=rng_of(seed))
    assert value == pytest.approx(ncut(network.adjacency, labels), rel=1e-5)
    theirs = ncut(
        network.adjacency, sklearn_spectral_clustering(network.adjacency, 6, rng=rng_of(1))
    )
    assert value < theirs + 0.01
    general = spectral_clustering(network.adjacency, 6, rng=rng_of(seed))
    assert ncut(network.adjacency, general) == pytest.approx(value, abs=0.01)


def as_network_graph(graph: BlockGraph):
    """A NetworkGraph with the edges of blocks."""
    dense = [(s, t, np.asarray(e.todense() if sp.issparse(e) else e)) for s, t, e in graph.blocks]
    connections = [
        Connection(s, t, e.astype(np.float64), np.ones(e.shape, bool)) for s, t, e in dense
    ]
    names = tuple(map(str, range(len(graph.sizes))))
    layers = np.repeat(np.arange(len(graph.sizes)), graph.sizes)
    return NetworkGraph(layers, names, names, tuple(connections), np.arange(len(layers)))


def groups_of_channels(n_groups, n_layers=3, width=12):
    """Convolutions with groups, and a residual: networks side by side."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(
                [nn.Conv2d(width, width, 1, groups=n_groups) for _ in range(n_layers)]
            )

        def forward(self, images):
            first, *others = self.layers
            hidden = first(images)
            for layer in others:
                hidden = hidden + layer(hidden)
            return hidden

    torch.manual_seed(0)
    return network_graph(Block(), torch.zeros(1, width, 4, 4))


def test_networks_side_by_side_are_found():
    graph = groups_of_channels(3)
    labels, value = cluster_graph(graph, 3, rng=rng_of(0))
    assert value == 0.0
    by_layer = labels.reshape(3, 3, 4)
    assert (by_layer == by_layer[:1, :, :1]).all()
    assert len(set(labels)) == 3


def test_units_without_an_edge_are_in_no_cluster():
    graph = groups_of_channels(2)
    for each in graph.connections:
        for layer, axis in ((each.target, 0), (each.source, 1)):
            if layer == 1:
                np.moveaxis(each.weights, axis, 0)[5] = 0
    labels, _ = cluster_graph(graph, 2, rng=rng_of(0))
    assert np.flatnonzero(labels == -1).tolist() == [12 + 5]


def test_the_same_seed_gives_the_same_clusters_and_another_may_not():
    graph = as_network_graph(wired((30, 40, 20, 30), TRIANGLE, 0))
    first, again = (cluster_graph(graph, 5, n_init=1, rng=rng_of(3))[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    others = [cluster_graph(graph, 5, n_init=1, rng=rng_of(s))[0].tolist() for s in range(4, 9)]
    assert any(other != first.tolist() for other in others)


def test_bad_numbers_are_refused():
    graph = groups_of_channels(2)
    with pytest.raises(ValueError, match="n_clusters=37 is not allowed: 1 to 36, the number of un"):
        cluster_graph(graph, 37, rng=rng_of(0))
    with pytest.raises(ValueError, match="n_init=0 is not allowed"):
        cluster_graph(graph, 2, n_init=0, rng=rng_of(0))
    with pytest.raises(ValueError, match="graph is of type csr_array; allowed: a NetworkGraph"):
        cluster_graph(graph.adjacency, 2, rng=rng_of(0))
    lonely = network_graph(nn.Sequential(nn.Conv2d(1, 2, 1)), torch.zeros(1, 1, 2, 2))
    with pytest.raises(ValueError, match="graph has no edges"):
        cluster_graph(lonely, 1, rng=rng_of(0))
    assert blocks_of(graph).sizes == (12, 12, 12)


# --- layer by layer ------------------------------------------------------------------------------


def test_how_many_clusters_a_layer_has():
    assert clusters_in_layers([0, 1, 1, -1, 2, 2, -1], [0, 0, 0, 0, 1, 1, 2]) == [2, 1, 0]


def test_each_layer_is_clustered_by_its_edges_to_the_others():
    graph = groups_of_channels(3)
    labels = layerwise_clusters(
        graph.adjacency, graph.layer_of_unit, [3, 3, 2], within=False, rng=rng_of(0)
    ).reshape(3, 3, 4)
    for layer in range(2):
        assert (labels[layer] == labels[layer, :, :1]).all()
        assert set(labels[layer].ravel()) == {0, 1, 2}
    # two clusters of three groups: none is torn apart
    assert (labels[2] == labels[2, :, :1]).all()


def test_edges_between_the_other_layers_do_not_count():
    """Layer 0 falls into halves by its edges to 1; the strong edges from 1 to 2 say otherwise."""
    halves, stripes = np.kron(np.eye(2), np.ones((2, 2))), np.tile(np.eye(2), (2, 2))
    none = np.zeros((4, 4))
    adjacency = np.block(
        [[none, halves, none], [halves.T, none, 100 * stripes], [none, 100 * stripes.T, none]]
    )
    labels = layerwise_clusters(
        adjacency, np.repeat([0, 1, 2], 4), [2, 2, 2], within=False, rng=rng_of(0)
    )
    assert labels[0] == labels[1] != labels[2] == labels[3]
    assert labels[8] == labels[10] != labels[9] == labels[11]


def test_within_a_layer_only_its_own_edges_count():
    own = np.kron(np.eye(2), np.ones((2, 2)) - np.eye(2))
    adjacency = np.block([[own, 100 * np.ones((4, 2))], [100 * np.ones((2, 4)), np.zeros((2, 2))]])
    labels = layerwise_clusters(adjacency, [0, 0, 0, 0, 1, 1], [2, 1], within=True, rng=rng_of(0))
    assert labels[0] == labels[1] != labels[2] == labels[3]
    assert labels[4:].tolist() == [-1, -1]


def test_a_layer_has_no_more_clusters_than_units_with_edges():
    adjacency = np.zeros((5, 5))
    adjacency[0, 3] = adjacency[3, 0] = adjacency[1, 4] = adjacency[4, 1] = 1
    labels = layerwise_clusters(adjacency, [0, 0, 0, 1, 1], [3, 0], within=False, rng=rng_of(0))
    assert sorted(labels[:2]) == [0, 1]
    assert labels[2:].tolist() == [-1, -1, -1]


@pytest.mark.parametrize(
    ("layers", "counts", "message"),
    [
        ([0, 0, 1], [1, 1], r"layer_of_unit has shape \(3,\)"),
        ([0, 0, 1, 1], [1], "n_clusters has 1 entries; allowed: 2, one for each of the layers"),
        ([0, 0, 1, -1], [1, 1], "which count from 0"),
        ([0, 0, 1, 1], 2, "n_clusters=2 is not allowed: one number for each layer"),
        ([0, 0, 1, 1], [1, -1], r"n_clusters\[1\]=-1 is not allowed"),
    ],
)
def test_layers_that_do_not_fit_are_refused(layers, counts, message):
    with pytest.raises(ValueError, match=message):
        layerwise_clusters(np.ones((4, 4)), layers, counts, within=True, rng=rng_of(0))


def test_shares_of_a_depthwise_layer_are_those_by_chance():
    """Its edges have nowhere else to go."""
    network = nn.Sequential(nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1, groups=4))
    inside, expected = shares_inside(
        network_graph(network, torch.zeros(1, 4, 2, 2)), [0, 0, 1, 1] * 2
    )
    assert inside.tolist() == expected.tolist() == [1, 1]


@pytest.mark.parametrize(
    "labels",
    [np.arange(36) % 3, np.arange(36) % 5 - 1, np.full(36, -1), np.arange(36) % 3 * 10**12],
)
def test_ncut_layer_by_layer_is_that_of_the_adjacency(labels):
    graph = groups_of_channels(3)
    assert graph_ncut(graph, labels) == pytest.approx(ncut(graph.adjacency, labels))
    inside, expected = shares_inside(graph, labels)
    numbered = np.unique(labels, return_inverse=True)[1] - (labels.min() < 0)
    np.testing.assert_array_equal((inside, expected), shares_inside(graph, numbered))
