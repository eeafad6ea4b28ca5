"""The four ways of paper B to put the units of a network into clusters (section 2.1).

By weights or by activations, all layers at once or each layer by itself.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from modclust_utils.activations import unit_activations
from modclust_utils.channel_edges import Norm
from modclust_utils.clustering import spectral_clustering
from modclust_utils.doors import as_choice, as_count, as_rng, check_kind
from modclust_utils.graph_clusters import cluster_graph, clusters_in_layers, layerwise_clusters
from modclust_utils.graphs import activation_adjacency
from modclust_utils.network_graphs import NetworkGraph

Partitioning = Literal[
    "weights/network", "weights/layer", "activations/network", "activations/layer"
]
PARTITIONINGS: tuple[Partitioning, ...] = (
    "weights/network",
    "weights/layer",
    "activations/network",
    "activations/layer",
)


def partition_units(
    network: nn.Module,
    graph: NetworkGraph,
    partitioning: Partitioning,
    n_clusters: int,
    *,
    x: Tensor | None = None,
    clusters_per_layer: int | None = None,
    norm: Norm = "l1",
    n_init: int = 10,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Clusters of the units of a network by one of the four ways.

    Parameters
    ----------
    network : torch.nn.Module
        The network that the graph is of.
    graph : NetworkGraph
        From `graphs.network_graph`.
    partitioning : {"weights/network", "weights/layer", "activations/network", "activations/layer"}
        What edges are made of, and what is clustered at once.
    n_clusters : int
        Of the whole network; paper B takes 16, and for ImageNet 32.
    x : Tensor ``(n_images, ...)``
        Images for the activations, none of which tests lesions later; at most 5,000 in paper B.
    clusters_per_layer : int, optional
        Of each layer by itself, where it has as many units; by default as many as the clustering of
        the whole network, by the same edges and from the same `rng`, has in that layer. Paper B
        takes 32 for ImageNet.
    norm : {"l1", "induced_l1"}
        What stands for a channel's activation, as in `activations.unit_activations`.
    n_init : int
        Starts of k-means.
    rng : numpy.random.Generator
        Where the starts come from.

    Returns
    -------
    ndarray of int ``(n,)``
        Cluster of each unit of the graph; -1 for a unit without an edge. Where layers are clustered
        one by one, labels count from 0 in each. Images and logits, where they are units, are in
        clusters in "weights/network" alone.

    Raises
    ------
    ValueError
        For another partitioning, for activations without images, and as in `cluster_graph`.

    References
    ----------
    .. [1] Casper et al. 2022 (paper B), section 2.1.

    Examples
    --------
    Two networks side by side.

    >>> import torch
    >>> from modclust_utils.graphs import network_graph
    >>> network = nn.Sequential(*[nn.Conv2d(4, 4, 1, groups=2) for _ in range(2)])
    >>> graph, rng = network_graph(network, torch.zeros(1, 4, 5, 5)), np.random.default_rng(0)
    >>> labels = partition_units(network, graph, "weights/network", 2, rng=rng)
    >>> bool((labels[:2] == labels[4:6]).all()), bool((labels[:4] == labels[4:]).all())
    (True, True)
    """
    check_kind("graph", graph, NetworkGraph, "a NetworkGraph, as graphs.network_graph gives it")
    as_choice("partitioning", partitioning, PARTITIONINGS)
    n_clusters = as_count("n_clusters", n_clusters)
    if clusters_per_layer is not None:
        clusters_per_layer = as_count("clusters_per_layer", clusters_per_layer)
    network_rng, layer_rng = as_rng(rng).spawn(2)
    edges, scope = partitioning.split("/")
    hidden = np.isin(graph.layer_of_unit, graph.hidden_layers)
    by_activations = edges == "activations"
    if by_activations:
        if x is None:
            raise ValueError("x=None is not allowed where edges are activations: images (n, ...)")
        if not graph.hidden_layers:
            raise ValueError(
                f"partitioning={partitioning!r} is not allowed: by weights, as graph has no hidden "
                "layers, whose units could have activations"
            )
        names = [graph.output_names[layer] for layer in graph.hidden_layers]
        adjacency = activation_adjacency(unit_activations(network, x, names, norm=norm))
        layers = graph.layer_of_unit[hidden]
    else:
        layers = graph.layer_of_unit
    found = np.full(len(graph.layer_of_unit), -1)
    places = hidden if by_activations else np.ones_like(hidden)
    if scope == "network" or clusters_per_layer is None:
        if by_activations:
            whole = spectral_clustering(adjacency, n_clusters, n_init=n_init, rng=network_rng)
        else:
            whole, _ = cluster_graph(graph, n_clusters, n_init=n_init, rng=network_rng)
        found[places] = whole
    if scope == "network":
        return found
    counts = clusters_in_layers(found, graph.layer_of_unit)
    if clusters_per_layer is not None:
        counts = [clusters_per_layer] * len(graph.layer_names)
    counts = [k if layer in graph.hidden_layers else 0 for layer, k in enumerate(counts)]
    used = sorted(set(layers.tolist()))
    found[places] = layerwise_clusters(
        adjacency if by_activations else graph.adjacency,
        np.searchsorted(used, layers),
        [counts[layer] for layer in used],
        within=by_activations,
        n_init=n_init,
        rng=layer_rng,
    )
    return found
