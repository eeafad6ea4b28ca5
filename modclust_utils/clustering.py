"""Clusters of a graph, and how good they are: spectral clustering and the n-cut.

Paper A, section 2. Labels are integers from 0; label -1 means outside every cluster, which is
where units without an edge go.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from modclust_utils.doors import as_choice, as_count, as_labels, as_rng, check_same_order
from modclust_utils.graphs import drop_dead_units, live_units
from modclust_utils.kmeans import draw_uniforms, kmeans
from modclust_utils.network_doors import Matrix, as_edges, as_weights
from modclust_utils.spectral import LayeredGraphs, embed_general, embed_layered, two_sides
from modclust_utils.threads import one_thread

Adjacency = sp.sparray | sp.spmatrix | NDArray[np.floating] | Tensor


def as_adjacency(adjacency: Adjacency) -> sp.csr_array:
    """The adjacency as a sparse float64 array ``(n, n)``.

    Raises ValueError unless it is square, symmetric, finite and without negative edges.
    """
    matrix = as_edges("adjacency", adjacency)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    if not np.isfinite(matrix.data).all() or (matrix.data < 0).any():
        raise ValueError("adjacency has negative, NaN or infinite edges; allowed: 0 or more")
    if matrix.nnz and abs(matrix - matrix.T).max() > 1e-9 * matrix.max():
        raise ValueError("adjacency is not symmetric; allowed: edges without direction")
    return matrix


def summable(matrix: sp.csr_array) -> sp.csr_array:
    """Edges times a power of two, so that no sum of large ones is infinite; no n-cut changes."""
    excess = math.frexp(matrix.max())[1] - 900 if matrix.nnz else 0
    return matrix * 2.0**-excess if excess > 0 else matrix


def ncut(adjacency: Adjacency, labels: ArrayLike | Tensor) -> float:
    """Normalized cut of a clustering: the sum over clusters X of W(X, rest) / vol(X).

    W(X, rest) is the weight of all edges that leave X, and vol(X) the sum of the degrees in it.
    This is the sum form, without the factor 1/2 of other texts.

    Parameters
    ----------
    adjacency : array, sparse matrix or tensor ``(n, n)``
        Weights of the edges, 0 or more, symmetric.
    labels : array_like of int ``(n,)``
        Cluster of each unit; -1 is outside every cluster, and an edge to such a unit is cut.

    Returns
    -------
    float
        From 0, where no edge is cut, to the number of clusters. A cluster without edges adds
        nothing.

    Raises
    ------
    ValueError
        For an adjacency that is no such matrix, for labels that are not an integer from -1 per
        unit, and for a table and a column (pandas) whose units are in two orders.

    References
    ----------
    .. [1] Filan et al. 2020, arXiv:2003.04881 (paper A), section 2.1; what the number means as an
       experiment: appendix A.1 and module `stubwalk`.

    Examples
    --------
    A path with edges 2, 1 and 2, cut in its middle: of the volume 5 of each half, 1 leaves.

    >>> path = np.array([[0.0, 2, 0, 0], [2, 0, 1, 0], [0, 1, 0, 2], [0, 0, 2, 0]])
    >>> ncut(path, [0, 0, 1, 1])
    0.4
    """
    check_same_order(adjacency=adjacency, labels=labels)
    matrix = summable(as_adjacency(adjacency))
    labels = as_labels("labels", labels, matrix.shape[0])
    classes, members = np.unique(labels, return_inverse=True)
    membership = sp.csr_array(
        (np.ones(len(labels)), (np.arange(len(labels)), members)),
        shape=(len(labels), len(classes)),
    )
    between = (membership.T @ matrix @ membership).toarray()
    volume = between.sum(1)
    # the cut without a difference of sums: where no edge is cut, it is exactly 0
    np.fill_diagonal(between, 0.0)
    used = (volume > 0) & (classes >= 0)
    return float(np.sum(between.sum(1)[used] / volume[used]))


def spectral_clustering(
    adjacency: Adjacency, n_clusters: int, *, n_init: int = 10, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Clusters of a graph by normalized spectral clustering.

    Row i of the embedding holds the entries at unit i of the `n_clusters` eigenvectors of the
    normalized Laplacian D^-1 (D - A) with the least eigenvalues; k-means clusters the rows. Where
    the graph is bipartite, as that of a layered network is, the embedding comes from a smaller
    singular value problem (module `spectral`). A disconnected graph is clustered as it is.

    Parameters
    ----------
    adjacency : array, sparse matrix or tensor ``(n, n)``
        Weights of the edges, 0 or more, symmetric.
    n_clusters : int
        From 1 to the number of units with edges.
    n_init : int
        Starts of k-means; the one with the least inertia counts.
    rng : numpy.random.Generator
        Where the starts come from.

    Returns
    -------
    ndarray of int ``(n,)``
        Cluster of each unit, numbered from 0 in no particular order; -1 for units without an edge.

    Raises
    ------
    ValueError
        For a bad adjacency, one without edges, or a bad number of clusters or starts.

    Notes
    -----
    On a graph without cluster structure the method returns some partition all the same: compare its
    n-cut with a null (module `nulls`) before reading anything into it.

    References
    ----------
    .. [1] Filan et al. 2020, arXiv:2003.04881 (paper A), section 2.2, algorithm 1.
    .. [2] von Luxburg 2007, "A tutorial on spectral clustering", Statistics and Computing 17.

    Examples
    --------
    A path with edges 2, 1 and 2 falls apart in its middle.

    >>> path = np.array([[0.0, 2, 0, 0], [2, 0, 1, 0], [0, 1, 0, 2], [0, 0, 2, 0]])
    >>> labels = spectral_clustering(path, 2, rng=np.random.default_rng(0))
    >>> bool(labels[0] == labels[1] != labels[2] == labels[3])
    True
    """
    matrix = as_adjacency(adjacency)
    labels = np.full(matrix.shape[0], -1)
    live = np.flatnonzero(np.diff(matrix.indptr) > 0)
    n_clusters, n_init = _check_counts(n_clusters, n_init, len(live))
    rng = as_rng(rng)
    # no clustering depends on the scale, but very small degrees would count as 0 below
    matrix = matrix[live][:, live] / matrix.max()
    uniforms = torch.from_numpy(draw_uniforms(n_clusters, n_init, rng))[None]
    sides = two_sides(matrix)
    if sides is not None and n_clusters <= min(sides.sum(), (~sides).sum()):
        block = torch.from_numpy(matrix[sides][:, ~sides].toarray())[None]
        rows, _ = embed_layered(LayeredGraphs([block]), n_clusters)
        order = np.concatenate([np.flatnonzero(~sides), np.flatnonzero(sides)])
        embedding = torch.empty_like(rows)
        embedding[:, torch.from_numpy(order)] = rows
    else:
        embedding = torch.from_numpy(embed_general(matrix, n_clusters).copy())[None]
    everyone = torch.ones(1, len(live), dtype=torch.bool)
    with one_thread():
        labels[live] = kmeans(embedding, everyone, uniforms)[0].numpy()
    return labels


def _check_counts(n_clusters: int, n_init: int, n_live: int) -> tuple[int, int]:
    if n_live == 0:
        raise ValueError("adjacency has no edges; allowed: at least one edge to cluster by")
    n_clusters = as_count("n_clusters", n_clusters)
    if n_clusters > n_live:
        raise ValueError(
            f"n_clusters={n_clusters} is not allowed: 1 to {n_live}, the number of units with edges"
        )
    return n_clusters, as_count("n_init", n_init)


def sklearn_spectral_clustering(
    adjacency: Adjacency,
    n_clusters: int,
    *,
    n_init: int = 10,
    rng: np.random.Generator,
    eigen_solver: str = "arpack",
) -> NDArray[np.int64]:
    """The plain path: scikit-learn's SpectralClustering on the units with edges.

    The reference that `spectral_clustering` and the shuffle test are compared with, in the tests
    and in ``benchmarks/``.

    Parameters
    ----------
    adjacency, n_clusters, n_init, rng
        As in `spectral_clustering`.
    eigen_solver : {"arpack", "lobpcg", "amg"}
        Paper A used LOBPCG with AMG preconditioning, "amg" (section 2.2), which needs pyamg.

    Returns
    -------
    ndarray of int ``(n,)``
        As in `spectral_clustering`.

    Raises
    ------
    ValueError
        As in `spectral_clustering`.

    Examples
    --------
    >>> pairs = np.kron(np.eye(3), [[0.0, 1.0], [1.0, 0.0]])
    >>> ncut(pairs, sklearn_spectral_clustering(pairs, 3, rng=np.random.default_rng(0)))
    0.0
    """
    from sklearn.cluster import SpectralClustering

    matrix = summable(as_adjacency(adjacency))
    labels = np.full(matrix.shape[0], -1)
    live = np.flatnonzero(np.diff(matrix.indptr) > 0)
    n_clusters, n_init = _check_counts(n_clusters, n_init, len(live))
    rng = as_rng(rng)
    as_choice("eigen_solver", eigen_solver, ("arpack", "lobpcg", "amg"))
    model = SpectralClustering(
        n_clusters,
        affinity="precomputed",
        eigen_solver=eigen_solver,
        n_init=n_init,
        random_state=int(rng.integers(2**31)),
    )
    with warnings.catch_warnings():
        # paper A clusters disconnected graphs as they are; scikit-learn only remarks on it
        warnings.filterwarnings("ignore", message="Graph is not fully connected")
        # as many clusters as units: it takes another solver and says so
        warnings.filterwarnings("ignore", message="k >= N for N")
        graph = sp.csr_matrix(matrix[live][:, live])
        labels[live] = model.fit_predict(graph if n_clusters < len(live) else graph.toarray())
    return labels


def cluster_network(
    weights: Sequence[Matrix], n_clusters: int, *, n_init: int = 10, rng: np.random.Generator
) -> tuple[NDArray[np.int64], float]:
    """Clusters of all units of a multi-layer perceptron, and their n-cut.

    The same as `spectral_clustering` of `graphs.mlp_adjacency`, straight from the weight matrices
    and in single precision; on the device of the weights.

    Parameters
    ----------
    weights : sequence of arrays or tensors ``(n_out, n_in)``
        From the pixels to the logits, in torch layout.
    n_clusters : int
        From 1 to the number of units with edges on the smaller side: layers 0, 2, ... or 1, 3, ...
    n_init : int
        Starts of k-means; the one with the least inertia counts.
    rng : numpy.random.Generator
        Where the starts come from.

    Returns
    -------
    labels : ndarray of int ``(n,)``
        Cluster of each unit, from the pixels to the logits; -1 for units without an edge.
    ncut : float
        As in `ncut`.

    Raises
    ------
    ValueError
        For matrices that do not form a network or are all 0, or a bad number of clusters or starts.

    References
    ----------
    .. [1] Filan et al. 2020, arXiv:2003.04881 (paper A), section 2.2.

    Examples
    --------
    Two pixels, two hidden units and two logits that form two chains.

    >>> labels, value = cluster_network([np.eye(2), np.eye(2)], 2, rng=np.random.default_rng(0))
    >>> value, bool((labels[:2] == labels[2:4]).all()), bool((labels[:2] == labels[4:]).all())
    (0.0, True, True)
    """
    n_clusters, n_init = as_count("n_clusters", n_clusters), as_count("n_init", n_init)
    weights, rng = as_weights(weights), as_rng(rng)
    live = np.concatenate([np.asarray(_host(part)) for part in live_units(weights)])
    graphs = LayeredGraphs(as_magnitudes(drop_dead_units(weights)))
    # before draws for each cluster fill the memory
    check_sides(graphs, n_clusters)
    uniforms = torch.from_numpy(draw_uniforms(n_clusters, n_init, rng))[None]
    with one_thread():
        labels_live, ncuts = cluster_layered(graphs, n_clusters, uniforms)
    labels = np.full(len(live), -1)
    labels[live] = labels_live[0].cpu().numpy()
    return labels, float(ncuts[0])


def _host(mask: NDArray[np.bool_] | Tensor) -> NDArray[np.bool_]:
    return mask.cpu().numpy() if isinstance(mask, Tensor) else mask


def as_magnitudes(weights: Sequence[Matrix]) -> list[Tensor]:
    """|W| of each layer as a float32 tensor ``(1, n_out, n_in)`` on the device of the weights.

    All are multiplied by one power of two, so that no weight is too large or too small for single
    precision; no n-cut depends on the scale. Raises ValueError where all weights are 0.
    """
    magnitudes = [torch.as_tensor(w).detach().to(torch.float64).abs() for w in weights]
    largest = max((float(m.max()) for m in magnitudes if m.numel() > 0), default=0.0)
    if largest == 0.0:
        raise ValueError("weights are all 0; allowed: at least one other weight")
    scale = 2.0 ** min(-math.frexp(largest)[1], 1000)
    return [(m * scale).to(torch.float32)[None] for m in magnitudes]


def cluster_layered(
    graphs: LayeredGraphs, n_clusters: int, uniforms: Tensor
) -> tuple[Tensor, Tensor]:
    """Labels ``(S, n)`` and n-cuts ``(S,)`` of S layered graphs at once, on their device.

    uniforms: ``(S, n_clusters, n_init, n_trials)`` from `kmeans.draw_uniforms`.
    Raises ValueError where one side of the graphs has fewer units than there are clusters. Where
    it has as many units but fewer with an edge, some of the clusters may come out empty.
    """
    check_sides(graphs, n_clusters)
    embedding, degrees = embed_layered(graphs, n_clusters)
    labels = kmeans(embedding, degrees > 0, uniforms.to(degrees.device))
    return labels, ncut_layered(graphs, labels, n_clusters)


def check_sides(graphs: LayeredGraphs, n_clusters: int) -> None:
    """Raise ValueError where one side of the graphs has fewer units than there are clusters."""
    sizes = graphs.sizes
    limit = min(sum(sizes[0::2]), sum(sizes[1::2]))
    if n_clusters > limit:
        raise ValueError(
            f"n_clusters={n_clusters} is not allowed: 1 to {limit}, the number of units with edges "
            "on the smaller side (layers 0, 2, ... or layers 1, 3, ...)"
        )


def ncut_layered(graphs: LayeredGraphs, labels: Tensor, n_clusters: int) -> Tensor:
    """n-cuts ``(S,)`` in float64 of clusterings ``(S, n)`` of layered graphs."""
    # class 0 is label -1: edges to units outside every cluster are cut
    classes = torch.arange(-1, n_clusters, device=labels.device)
    member = (labels.unsqueeze(1) == classes[:, None]).to(graphs.magnitudes[0].dtype)
    parts = member.split(graphs.sizes, dim=2)
    upward = torch.zeros(1, device=labels.device, dtype=torch.float64)
    for layer, magnitude in enumerate(graphs.magnitudes):
        # few rows times a matrix: several times faster than the matrix times few columns
        reached = parts[layer + 1] @ magnitude
        upward = upward + reached.double() @ parts[layer].mT.double()
    between = upward + upward.mT
    volume = between.sum(2)
    # the cut without a difference of sums: where no edge is cut, it is exactly 0
    between.diagonal(dim1=1, dim2=2).zero_()
    shares = torch.where(volume > 0, between.sum(2) / volume.clamp(min=1e-30), 0.0)
    return shares[:, 1:].sum(1)
