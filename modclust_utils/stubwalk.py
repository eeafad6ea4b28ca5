"""The stub walk: what n-cut means, as an experiment (paper A, appendix A.1).

Cut every edge into two stubs that both carry its weight. Choose a cluster, all being equally
likely; choose one of the stubs of its units in proportion to the weights; walk along its edge. The
walk fails if it leaves the cluster. It does so with probability n-cut / k.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modclust_utils.clustering import Adjacency, as_adjacency, summable
from modclust_utils.doors import as_count, as_labels, as_rng, as_units, check_same_order
from modclust_utils.partitions import cluster_numbers


def stub_walks(
    adjacency: Adjacency, labels: ArrayLike, *, n_walks: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Walk along random stubs, and see who leaves its cluster.

    Parameters
    ----------
    adjacency : array, sparse matrix or tensor ``(n, n)``
        Weights of the edges, 0 or more, symmetric.
    labels : array_like of int ``(n,)``
        Cluster of each unit, from 0; -1 for units outside every cluster.
    n_walks : int
        How many.
    rng : numpy.random.Generator
        Where they come from.

    Returns
    -------
    ndarray of bool ``(n_walks,)``
        Whether each walk failed, that is, left its cluster; the probability is n-cut / k.

    Raises
    ------
    ValueError
        For n_walks below 1, for labels of another shape or (pandas) order, or where a cluster has
        no stubs.

    References
    ----------
    .. [1] Filan et al. 2020, arXiv:2003.04881 (paper A), appendix A.1.

    Examples
    --------
    Of the volume 5 of each half of a path with edges 2, 1 and 2, 1 leaves.

    >>> path = np.array([[0.0, 2, 0, 0], [2, 0, 1, 0], [0, 1, 0, 2], [0, 0, 2, 0]])
    >>> failed = stub_walks(path, [0, 0, 1, 1], n_walks=10_000, rng=np.random.default_rng(0))
    >>> round(float(failed.mean()), 1)
    0.2
    """
    n_walks, rng = as_count("n_walks", n_walks), as_rng(rng)
    check_same_order(adjacency=adjacency, labels=labels)
    matrix = summable(as_adjacency(adjacency))
    labels = as_labels("labels", labels, matrix.shape[0])
    if labels.max(initial=-1) < 0:
        raise ValueError(f"labels has no cluster, {labels}; allowed: one or more")
    stubs = matrix.tocoo()
    names = cluster_numbers(labels)
    clusters = np.where(labels >= 0, np.searchsorted(names, labels), -1)
    own, other = clusters[stubs.coords[0]], clusters[stubs.coords[1]]
    n_clusters = len(names)
    volume = np.bincount(own[own >= 0], weights=stubs.data[own >= 0], minlength=n_clusters)
    if (volume == 0).any():
        empty = names[volume == 0].tolist()
        raise ValueError(f"labels has clusters without any edge: {empty}; allowed: none")
    chosen = rng.integers(n_clusters, size=n_walks)
    failed = np.empty(n_walks, dtype=bool)
    for cluster in range(n_clusters):
        walks = np.flatnonzero(chosen == cluster)
        mine = own == cluster
        weights = stubs.data[mine]
        picks = rng.choice(len(weights), size=len(walks), p=weights / weights.sum())
        failed[walks] = other[mine][picks] != cluster
    return failed


def running_failure_rate(
    failed: NDArray[np.bool_], n_points: int = 200
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Numbers of walks, share of failures so far, and half the width of its 95 % interval.

    The interval is Wald's: the walks are many and independent. Raises ValueError for no walks.
    """
    failed, n_points = as_units("failed", failed, ("n_walks",)), as_count("n_points", n_points)
    if len(failed) == 0:
        raise ValueError("failed has no walks; allowed: one or more")
    first = min(10, len(failed))
    steps = np.unique(np.geomspace(first, len(failed), n_points).astype(int))
    rate = np.cumsum(failed)[steps - 1] / steps
    return steps, rate, 1.96 * np.sqrt(rate * (1 - rate) / steps)
