"""The graph of a network: units are vertices, absolute weights are edges (paper A, section 2.1).

Units are numbered layer by layer from the pixels to the logits. A layered network is bipartite:
layers 0, 2, 4, ... on one side, 1, 3, 5, ... on the other. Graphs of any torch classifier come from
modules `network_graphs` and `channel_edges`, and by activations from here (paper B, section 2.1).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
import scipy.stats
import torch
from numpy.typing import NDArray
from torch import Tensor

from modclust_utils.channel_edges import conv_edge_weights
from modclust_utils.doors import as_numbers
from modclust_utils.network_doors import Matrix, as_weights
from modclust_utils.network_graphs import NetworkGraph, network_graph
from modclust_utils.unit_sets import layers_of_units

__all__ = [
    "Matrix",
    "NetworkGraph",
    "activation_adjacency",
    "conv_edge_weights",
    "drop_dead_units",
    "layer_of_unit",
    "layer_sizes",
    "live_units",
    "mlp_adjacency",
    "network_graph",
]


def layer_sizes(weights: Sequence[Matrix]) -> tuple[int, ...]:
    """Units per layer, from pixels to logits."""
    weights = as_weights(weights)
    return (weights[0].shape[1], *(w.shape[0] for w in weights))


def layer_of_unit(weights: Sequence[Matrix]) -> NDArray[np.int64]:
    """Layer of every unit ``(n,)``, 0 for the pixels."""
    return layers_of_units(layer_sizes(weights))


def mlp_adjacency(weights: Sequence[Matrix]) -> sp.csr_array:
    """Adjacency of the graph of a multi-layer perceptron.

    A[i, j] = A[j, i] = |w| of the weight between units i and j, which lie in adjacent layers;
    biases are not in the graph.

    Parameters
    ----------
    weights : sequence of arrays or tensors ``(n_out, n_in)``
        From the pixels to the logits, in torch layout.

    Returns
    -------
    csr_array of float ``(n, n)``
        n counts all units, dead ones too; they are left out when the graph is clustered.

    Raises
    ------
    ValueError
        For matrices that do not follow each other, or hold NaN or infinity.

    References
    ----------
    .. [1] Filan et al. 2020, arXiv:2003.04881 (paper A), section 2.1.

    Examples
    --------
    Two pixels and one logit.

    >>> mlp_adjacency([np.array([[3.0, -4.0]])]).toarray()
    array([[0., 0., 3.],
           [0., 0., 4.],
           [3., 4., 0.]])
    """
    weights = as_weights(weights)
    sizes = layer_sizes(weights)
    blocks: list[list[sp.coo_array | None]] = [[None] * len(sizes) for _ in sizes]
    for layer, size in enumerate(sizes):
        blocks[layer][layer] = sp.coo_array((size, size))
    for layer, weight in enumerate(weights):
        magnitude = sp.coo_array(np.abs(_to_numpy(weight)))
        blocks[layer + 1][layer] = magnitude
        blocks[layer][layer + 1] = magnitude.T
    return sp.csr_array(sp.block_array(blocks))


def _to_numpy(matrix: Matrix) -> NDArray[np.float64]:
    if isinstance(matrix, Tensor):
        return matrix.detach().cpu().to(torch.float64).numpy()
    return matrix.astype(np.float64)


def live_units(weights: Sequence[Matrix]) -> list[Matrix]:
    """For every layer, which units have an edge: a weight other than 0 to or from them.

    Parameters
    ----------
    weights : sequence of arrays or tensors ``(n_out, n_in)``
        From the pixels to the logits, in torch layout.

    Returns
    -------
    list of bool arrays or tensors ``(n_layer,)``
        One for each layer, from the pixels to the logits.

    Examples
    --------
    The second pixel has no weight, and the second hidden unit only one from it to a logit.

    >>> live_units([np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[0.0, 2.0]])])
    [array([ True, False]), array([ True,  True]), array([ True])]
    """
    edges = [weight != 0 for weight in as_weights(weights)]
    incoming = [None, *(e.any(1) for e in edges)]
    outgoing = [*(e.any(0) for e in edges), None]
    return [
        b if a is None else a if b is None else a | b
        for a, b in zip(incoming, outgoing, strict=True)
    ]


def drop_dead_units(weights: Sequence[Matrix]) -> list[Matrix]:
    """The weight matrices without the rows and columns of units that have no edge.

    Pruning often takes all weights of a unit away, which leaves it without a role in the network.

    Parameters
    ----------
    weights : sequence of arrays or tensors ``(n_out, n_in)``
        From the pixels to the logits, in torch layout.

    Returns
    -------
    list of arrays or tensors
        Matrices of the live units only; the edges are the same.

    References
    ----------
    .. [1] Filan et al. 2020, arXiv:2003.04881 (paper A), section 2.1, footnote 4.

    Examples
    --------
    >>> drop_dead_units([np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[5.0, 0.0]])])
    [array([[1.]]), array([[5.]])]
    """
    weights = as_weights(weights)
    live = live_units(weights)
    return [weight[live[layer + 1]][:, live[layer]] for layer, weight in enumerate(weights)]


def activation_adjacency(activations: Matrix) -> NDArray[np.float64]:
    """Adjacency of the complete graph of units by their activations.

    An edge is the squared rank correlation of Spearman: the squared correlation of both units'
    ranks over the images, where equal activations share the mean of their ranks.

    Parameters
    ----------
    activations : array or tensor ``(n_images, n_units)``
        Before the ReLU in paper B; of a channel the L1 norm over its positions.

    Returns
    -------
    ndarray of float ``(n_units, n_units)``
        From 0 to 1, symmetric; 0 on the diagonal. A unit whose activations are all equal has no
        edge, and so is in no cluster (`clustering.spectral_clustering`).

    Raises
    ------
    ValueError
        For another shape, fewer than two images, NaN or infinity.

    References
    ----------
    .. [1] Casper et al. 2022 (paper B), section 2.1.

    Examples
    --------
    Ranks 1, 2, 3 and 1, 3, 2 correlate by 1/2; the third unit does not vary.

    >>> activation_adjacency(np.array([[0.0, 1.0, 4.0], [5.0, 9.0, 4.0], [6.0, 2.0, 4.0]]))
    array([[0.  , 0.25, 0.  ],
           [0.25, 0.  , 0.  ],
           [0.  , 0.  , 0.  ]])
    """
    values = as_numbers("activations", activations)
    if values.ndim != 2 or len(values) < 2:
        raise ValueError(
            f"activations has shape {values.shape}; allowed: (n_images, n_units) with two images "
            "or more"
        )
    if not np.isfinite(values).all():
        raise ValueError("activations holds NaN or infinity; allowed: finite numbers")
    ranks = scipy.stats.rankdata(values, axis=0)
    ranks -= (len(ranks) + 1) / 2
    length = np.sqrt(np.square(ranks).sum(0))
    ranks /= np.where(length > 0, length, 1.0)
    adjacency = np.square(ranks.T @ ranks)
    np.fill_diagonal(adjacency, 0.0)
    return np.minimum(adjacency, 1.0, out=adjacency)
