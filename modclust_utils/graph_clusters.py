"""Clusters of the graph of any network: all layers at once, or layer by layer (paper B).

The same spectral clustering as in module `clustering`, for graphs of thousands of units that need
not have two sides: eigenvectors by ARPACK from products with the blocks between layers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor

from modclust_utils.block_graphs import BlockGraph, as_block_graph
from modclust_utils.clustering import Adjacency, as_adjacency, spectral_clustering
from modclust_utils.doors import as_count, as_counts, as_labels, as_list, as_rng, check_kind
from modclust_utils.kmeans import draw_uniforms, kmeans
from modclust_utils.network_graphs import NetworkGraph
from modclust_utils.spectral import embed_by_products, embed_general


def cluster_graph(
    graph: NetworkGraph, n_clusters: int, *, n_init: int = 10, rng: np.random.Generator
) -> tuple[NDArray[np.int64], float]:
    """Clusters of all units of a network, and their n-cut.

    Parameters
    ----------
    graph : NetworkGraph
        From `graphs.network_graph`.
    n_clusters : int
        From 1 to the number of units with edges; paper B takes 16 for small networks, for those of
        ImageNet 32, and 12 in Figure 2.
    n_init : int
        Starts of k-means; the one with the least inertia counts.
    rng : numpy.random.Generator
        Where the starts come from.

    Returns
    -------
    labels : ndarray of int ``(n,)``
        Cluster of each unit; -1 for units without an edge.
    ncut : float
        As in `clustering.ncut`.

    Raises
    ------
    ValueError
        For a graph without edges, or a bad number of clusters or starts.

    References
    ----------
    .. [1] Casper et al. 2022 (paper B), section 2.1, appendix A.1.

    Examples
    --------
    Two networks side by side.

    >>> from modclust_utils.graphs import network_graph
    >>> network = torch.nn.Sequential(*[torch.nn.Conv2d(4, 4, 1, groups=2) for _ in range(3)])
    >>> graph = network_graph(network, torch.zeros(1, 4, 5, 5))
    >>> cluster_graph(graph, 2, rng=np.random.default_rng(0))[1]
    0.0
    """
    check_kind("graph", graph, NetworkGraph, "a NetworkGraph, as graphs.network_graph gives it")
    n_clusters, n_init = as_count("n_clusters", n_clusters), as_count("n_init", n_init)
    uniforms = draw_uniforms(n_clusters, n_init, as_rng(rng))
    labels, ncuts = cluster_blocks([blocks_of(graph)], n_clusters, torch.from_numpy(uniforms)[None])
    return labels[0], float(ncuts[0])


def blocks_of(graph: NetworkGraph) -> BlockGraph:
    """The edges between layers in single precision. Raises ValueError where there are none."""
    edges = [(each.source, each.target, each.weights) for each in graph.connections]
    return as_block_graph(graph.layer_sizes, edges)


def graph_ncut(graph: NetworkGraph, labels: ArrayLike) -> float:
    """The n-cut of clusters of a network's units ``(n,)``, as in `clustering.ncut`, layer by layer:
    the adjacency of a large network is not needed. Raises ValueError for labels that do not fit."""
    check_kind("graph", graph, NetworkGraph, "a NetworkGraph, as graphs.network_graph gives it")
    clusters = _numbered(as_labels("labels", labels, len(graph.layer_of_unit)))
    blocks = [(each.source, each.target, each.weights) for each in graph.connections]
    return BlockGraph(graph.layer_sizes, tuple(blocks)).ncut(clusters, int(clusters.max()) + 1)


def _numbered(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same clusters, numbered from 0 without gaps; -1 stays."""
    found, numbers = np.unique(labels, return_inverse=True)
    return numbers - (found[:1] < 0).sum()


def shares_inside(
    graph: NetworkGraph, labels: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of each layer's edges that stay inside a cluster, and the share expected by chance.

    Parameters
    ----------
    graph : NetworkGraph
        From `graphs.network_graph`.
    labels : array_like of int ``(n,)``
        Cluster of each unit, -1 outside every cluster.

    Returns
    -------
    inside, expected : ndarray of float ``(n_layers,)``
        By weight, of all edges that come into or go out of the layer. By chance: each connection
        has the same sum for each of its units, but spread evenly over the units that it can reach.
        NaN for a layer without edges.

    Raises
    ------
    ValueError
        For labels that do not fit.

    Examples
    --------
    Two units that are joined to one unit each of the next layer; any other way around half of their
    edges would be inside.

    >>> from modclust_utils.graphs import network_graph
    >>> network = torch.nn.Sequential(*[torch.nn.Linear(2, 2) for _ in range(2)])
    >>> for layer in network:
    ...     _ = layer.weight.data.copy_(torch.eye(2))
    >>> graph = network_graph(network, torch.zeros(1, 2))
    >>> [each.tolist() for each in shares_inside(graph, [0, 1, 0, 1, 0, 1])]
    [[1.0, 1.0, 1.0], [0.5, 0.5, 0.5]]
    """
    check_kind("graph", graph, NetworkGraph, "a NetworkGraph, as graphs.network_graph gives it")
    clusters = _numbered(as_labels("labels", labels, len(graph.layer_of_unit)))
    member = np.eye(max(int(clusters.max(initial=-1)), 0) + 1)[clusters] * (clusters >= 0)[:, None]
    parts = np.split(member, np.cumsum(graph.layer_sizes)[:-1])
    sums = np.zeros((3, len(graph.layer_names)))
    for each in graph.connections:
        source, target = parts[each.source], parts[each.target]
        inside = float(((target.T @ each.weights) * source.T).sum())
        # every unit spreads what comes into it over all that it could come from
        reached = each.possible.sum(1)
        spread = np.divide(
            each.weights.sum(1), reached, out=np.zeros(len(reached)), where=reached > 0
        )
        expected = float((((target * spread[:, None]).T @ each.possible) * source.T).sum())
        for layer in (each.source, each.target):
            sums[:, layer] += inside, expected, each.weights.sum()
    with np.errstate(invalid="ignore"):
        return sums[0] / sums[2], sums[1] / sums[2]


def cluster_blocks(
    graphs: Sequence[BlockGraph], n_clusters: int, uniforms: Tensor
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels ``(S, n)`` and n-cuts ``(S,)`` of S graphs of one shape.

    uniforms: ``(S, n_clusters, n_init, n_trials)`` from `kmeans.draw_uniforms`. Raises ValueError
    where a graph has fewer units with edges than there are clusters.
    """
    embeddings, degrees = zip(*[_embedding(graph, n_clusters) for graph in graphs], strict=True)
    live = torch.from_numpy(np.stack(degrees)) > 0
    labels = kmeans(torch.from_numpy(np.stack(embeddings)), live, uniforms).numpy()
    ncuts = [graph.ncut(own, n_clusters) for graph, own in zip(graphs, labels, strict=True)]
    return labels, np.array(ncuts)


def _embedding(
    graph: BlockGraph, n_components: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    degrees = graph.degrees()
    live = degrees > 0
    if n_components > live.sum():
        raise ValueError(
            f"n_clusters={n_components} is not allowed: 1 to {live.sum()}, the number of units "
            "with edges"
        )
    # products of small blocks: more threads hold each other up
    with threadpool_limits(1, user_api="blas"):
        scaled = graph.normalized(np.where(live, 1 / np.sqrt(np.where(live, degrees, 1)), 0))
        found = embed_by_products(scaled.product, degrees, n_components)
    if found is None:
        found = np.zeros((len(degrees), n_components), np.float32)
        found[live] = embed_general(graph.adjacency()[live][:, live], n_components)
    return found, degrees


def clusters_in_layers(labels: ArrayLike, layer_of_unit: ArrayLike) -> list[int]:
    """How many clusters have units in each layer.

    The number of clusters that `layerwise_clusters` looks for in a layer, in paper B.
    """
    layers = as_labels("layer_of_unit", layer_of_unit)
    clusters = as_labels("labels", labels, len(layers))
    return [
        len(np.unique(clusters[(layers == layer) & (clusters >= 0)]))
        for layer in range(int(layers.max(initial=-1)) + 1)
    ]


def layerwise_clusters(
    adjacency: Adjacency,
    layer_of_unit: ArrayLike,
    n_clusters: Sequence[int],
    *,
    within: bool,
    n_init: int = 10,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Clusters of the units of each layer by a graph of its own.

    Parameters
    ----------
    adjacency : array, sparse matrix or tensor ``(n, n)``
        Of the whole network.
    layer_of_unit : array_like of int ``(n,)``
        Layer of each unit, from 0.
    n_clusters : sequence of int
        For each layer, 0 or more; a layer with fewer units that have edges gets as many.
    within : bool
        True takes the edges inside a layer, for a graph by activations; False those between the
        layer and all others that it is joined to, which are clustered with it, for one by weights.
    n_init : int
        Starts of k-means.
    rng : numpy.random.Generator
        Where the starts come from; each layer has a stream of its own.

    Returns
    -------
    ndarray of int ``(n,)``
        Cluster of each unit in its layer; -1 where a unit has no such edge, or its layer is to have
        no clusters.

    Raises
    ------
    ValueError
        For a bad adjacency, layers that do not fit it, or bad numbers of clusters.

    References
    ----------
    .. [1] Casper et al. 2022 (paper B), section 2.1, "layer-wise".

    Examples
    --------
    Two layers of two units; by the edges between them each unit has its partner.

    >>> pairs = np.kron(np.array([[0, 1], [1, 0]]), np.eye(2))
    >>> rng = np.random.default_rng(0)
    >>> labels = layerwise_clusters(pairs, [0, 0, 1, 1], [2, 1], within=False, rng=rng)
    >>> bool(labels[0] != labels[1]), labels[2:].tolist()
    (True, [0, 0])
    """
    matrix = as_adjacency(adjacency)
    layers = as_labels("layer_of_unit", layer_of_unit, matrix.shape[0])
    n_layers = int(layers.max(initial=-1)) + 1
    n_clusters = as_list("n_clusters", n_clusters, "one number for each layer")
    if layers.min(initial=0) < 0 or len(n_clusters) != n_layers:
        raise ValueError(
            f"n_clusters has {len(n_clusters)} entries; allowed: {n_layers}, one for each of the "
            "layers in layer_of_unit, which count from 0"
        )
    counts = as_counts("n_clusters", n_clusters, "one number for each layer", least=0)
    found = np.full(len(layers), -1)
    for layer, own_rng in enumerate(as_rng(rng).spawn(n_layers)):
        own = np.flatnonzero(layers == layer)
        graph = matrix[own][:, own] if within else _with_others(matrix, own, layers != layer)
        n_own_live = int((np.diff(graph.indptr)[: len(own)] > 0).sum())
        k = min(counts[layer], n_own_live)
        if k > 0:
            found[own] = _tidy(
                spectral_clustering(graph, k, n_init=n_init, rng=own_rng)[: len(own)]
            )
    return found


def _with_others(
    matrix: sp.csr_array, own: NDArray[np.int64], others: NDArray[np.bool_]
) -> sp.csr_array:
    """The graph of the edges between a layer, whose units come first, and all others."""
    across = matrix[own][:, np.flatnonzero(others)]
    return sp.csr_array(sp.block_array([[None, across], [across.T, None]]))


def _tidy(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbered from 0 without gaps: clusters of other layers' units alone are left out."""
    classes, members = np.unique(labels, return_inverse=True)
    return members - int(classes[0] == -1)
