"""Is a network of any wiring more clusterable than its shuffles? (Paper B, section 2.2.)

Shuffles permute the edges of each connection, which are norms of kernels, so channels stay what
they are and the wiring stays as it is: which layers are joined, and the groups of a convolution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import joblib
import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from modclust_utils.block_graphs import BlockGraph, as_block
from modclust_utils.channel_edges import Connection
from modclust_utils.doors import as_choice, as_count, as_jobs, as_rng, check_kind
from modclust_utils.graph_clusters import blocks_of, cluster_blocks
from modclust_utils.kmeans import draw_uniforms
from modclust_utils.network_graphs import NetworkGraph
from modclust_utils.nulls import ShuffleTest, compared

GraphMode = Literal["layer", "layer-nonzero", "channel"]
GRAPH_MODES: tuple[GraphMode, ...] = ("layer", "layer-nonzero", "channel")
# Graphs that k-means takes together, of large ones only one: each takes memory; parts for each
# process.
_KMEANS_BATCH = 4
_LARGE = 5_000_000
_PARTS_PER_JOB = 4


def shuffle_graph(
    graph: NetworkGraph, mode: GraphMode, *, rng: np.random.Generator
) -> NetworkGraph:
    """The same network with the edges of each connection in other places.

    Parameters
    ----------
    graph : NetworkGraph
        From `graphs.network_graph`.
    mode : {"layer", "layer-nonzero", "channel"}
        "layer" permutes all edges that a connection can have, those that are 0 among them, as in
        paper B; "layer-nonzero" the others among their places; "channel" permutes the edges that
        come into each unit among the units that they can come from, which keeps the norm of what
        comes in, and not of what goes out.
    rng : numpy.random.Generator
        Where the permutations come from.

    Returns
    -------
    NetworkGraph
        With the same layers, and the same pairs that can have an edge.

    Raises
    ------
    ValueError
        For another mode.

    References
    ----------
    .. [1] Casper et al. 2022 (paper B), section 2.2.

    Examples
    --------
    A depthwise convolution has one edge a channel, and nowhere else to put one.

    >>> from modclust_utils.graphs import network_graph
    >>> layers = [torch.nn.Conv2d(1, 3, 1), torch.nn.Conv2d(3, 3, 1, groups=3)]
    >>> graph = network_graph(torch.nn.Sequential(*layers), torch.zeros(1, 1, 4, 4))
    >>> shuffled = shuffle_graph(graph, "layer", rng=np.random.default_rng(0))
    >>> np.nonzero(shuffled.connections[0].weights)[1].tolist()
    [0, 1, 2]
    """
    check_kind("graph", graph, NetworkGraph, "a NetworkGraph, as graphs.network_graph gives it")
    as_choice("mode", mode, GRAPH_MODES)
    rng = as_rng(rng)
    found = [
        replace(each, weights=_Shuffled(each, each.weights, mode).draw(rng))
        for each in graph.connections
    ]
    return replace(graph, connections=tuple(found))


class _Shuffled:
    """Shuffles of one connection: what they share is looked up once."""

    def __init__(self, connection: Connection, weights: NDArray, mode: GraphMode) -> None:
        self.weights, self.mode = weights, mode
        self.possible = None if connection.possible.all() else connection.possible
        self.places: NDArray[np.int64] | None = None
        if mode == "channel":
            return
        if mode == "layer" and self.possible is None:
            # all places: their list would be larger than the weights
            self.values = weights.ravel()
            return
        joined = weights != 0 if mode == "layer-nonzero" else connection.possible
        self.places = np.flatnonzero(joined)
        self.values = weights.ravel()[self.places]

    def draw(self, rng: np.random.Generator) -> NDArray:
        """One more of them."""
        if self.mode == "channel":
            return self._draw_by_channel(rng)
        if self.places is None:
            return rng.permutation(self.values).reshape(self.weights.shape)
        found = np.zeros(self.weights.size, self.weights.dtype)
        found[self.places] = rng.permutation(self.values)
        return found.reshape(self.weights.shape)

    def _draw_by_channel(self, rng: np.random.Generator) -> NDArray:
        if self.possible is None:
            return rng.permuted(self.weights, axis=1)
        found = np.zeros_like(self.weights)
        for row, weights, possible in zip(found, self.weights, self.possible, strict=True):
            row[possible] = rng.permutation(weights[possible])
        return found


class _GraphShuffler:
    """Shuffles of one network, in single precision."""

    def __init__(self, graph: NetworkGraph, mode: GraphMode) -> None:
        self.own = blocks_of(graph)
        self.sizes = graph.layer_sizes
        self.places = [(each.source, each.target) for each in graph.connections]
        self.n_places = sum(each.weights.size for each in graph.connections)
        dense = [b.toarray() if sp.issparse(b) else b for _, _, b in self.own.blocks]
        self.shuffled = [
            _Shuffled(each, block, mode)
            for each, block in zip(graph.connections, dense, strict=True)
        ]

    def draw(self, rng: np.random.Generator) -> BlockGraph:
        """One more of them."""
        blocks = [
            (source, target, as_block(each.draw(rng)))
            for (source, target), each in zip(self.places, self.shuffled, strict=True)
        ]
        return BlockGraph(self.sizes, tuple(blocks))


def graph_shuffle_test(
    graph: NetworkGraph,
    n_clusters: int,
    *,
    n_shuffles: int,
    mode: GraphMode,
    rng: np.random.Generator,
    n_init: int = 10,
    n_jobs: int = 1,
) -> ShuffleTest:
    """Test whether a network of any wiring is more clusterable than its shuffles.

    Parameters
    ----------
    graph : NetworkGraph
        From `graphs.network_graph`.
    n_clusters : int
        As in `graph_clusters.cluster_graph`; 12 in Figure 2 of paper B.
    n_shuffles : int
        100 there; the smallest p-value is 1 / (n_shuffles + 1).
    mode : {"layer", "layer-nonzero", "channel"}
        As in `shuffle_graph`.
    rng : numpy.random.Generator
        Every shuffle has a random stream of its own, spawned from it, so the result depends neither
        on `n_jobs` nor on how shuffles are batched.
    n_init : int
        Starts of k-means.
    n_jobs : int
        Processes, as joblib counts them.

    Returns
    -------
    nulls.ShuffleTest
        ncut, null_ncuts ``(n_shuffles,)``, p_value and z_score, as in `nulls.shuffle_test`.

    Raises
    ------
    ValueError
        For another mode, a graph without edges, or a bad number of shuffles, clusters or starts.

    References
    ----------
    .. [1] Casper et al. 2022 (paper B), section 2.2 and Figure 2.

    Examples
    --------
    A network whose first channels are joined strongly to first ones alone.

    >>> from modclust_utils.graphs import network_graph
    >>> torch.manual_seed(0) and None
    >>> network = torch.nn.Sequential(*[torch.nn.Conv2d(8, 8, 1) for _ in range(3)])
    >>> for layer in network:
    ...     _ = layer.weight.data[:4, 4:].mul_(0.01), layer.weight.data[4:, :4].mul_(0.01)
    >>> graph, rng = network_graph(network, torch.zeros(1, 8, 5, 5)), np.random.default_rng(0)
    >>> graph_shuffle_test(graph, 2, n_shuffles=9, mode="layer", rng=rng).p_value
    0.1
    """
    check_kind("graph", graph, NetworkGraph, "a NetworkGraph, as graphs.network_graph gives it")
    as_choice("mode", mode, GRAPH_MODES)
    n_clusters, n_init = as_count("n_clusters", n_clusters), as_count("n_init", n_init)
    n_shuffles, n_jobs = as_count("n_shuffles", n_shuffles), as_jobs(n_jobs)
    own_rng, *rngs = as_rng(rng).spawn(n_shuffles + 1)
    shuffler = _GraphShuffler(graph, mode)
    own = _ncuts([shuffler.own], n_clusters, n_init, [own_rng])
    if n_jobs == 1:
        null = _null_ncuts(shuffler, n_clusters, n_init, rngs)
    else:
        size = math.ceil(n_shuffles / (_PARTS_PER_JOB * joblib.effective_n_jobs(n_jobs)))
        with joblib.parallel_config("loky", inner_max_num_threads=1):
            parts = joblib.Parallel(n_jobs=n_jobs)(
                joblib.delayed(_null_ncuts)(shuffler, n_clusters, n_init, rngs[i : i + size])
                for i in range(0, n_shuffles, size)
            )
        null = np.concatenate(parts)
    return compared(float(own[0]), null)


def _null_ncuts(
    shuffler: _GraphShuffler, n_clusters: int, n_init: int, rngs: Sequence[np.random.Generator]
) -> NDArray[np.float64]:
    """n-cuts ``(len(rngs),)`` of one shuffle for each random stream."""
    parts = []
    size = _KMEANS_BATCH if shuffler.n_places < _LARGE else 1
    for start in range(0, len(rngs), size):
        batch = rngs[start : start + size]
        graphs = [shuffler.draw(rng) for rng in batch]
        parts.append(_ncuts(graphs, n_clusters, n_init, batch))
    return np.concatenate(parts)


def _ncuts(
    graphs: Sequence[BlockGraph], n_clusters: int, n_init: int, rngs: Sequence[np.random.Generator]
) -> NDArray[np.float64]:
    uniforms = np.stack([draw_uniforms(n_clusters, n_init, rng) for rng in rngs])
    return cluster_blocks(graphs, n_clusters, torch.from_numpy(uniforms))[1]
