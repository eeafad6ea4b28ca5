"""The stub walk: what n-cut means, as an experiment (paper A, appendix A.1).

Cut every edge into two stubs that both carry its weight. Choose a cluster, all being equally
likely; choose one of the stubs of its units in proportion to the weights; walk along its edge. The
walk fails if it leaves the cluster. It does so with probability n-cut / k.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modclust_utils.clustering import Adjacency, as_adjacency


def stub_walks(
    adjacency: Adjacency, labels: ArrayLike, *, n_walks: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Whether each of `n_walks` walks left its cluster, ``(n_walks,)``.

    labels ``(n,)``, -1 for units outside every cluster. Raises ValueError for n_walks below 1, for
    labels of another shape, or where a cluster has no stubs to choose from.
    """
    if n_walks < 1:
        raise ValueError(f"n_walks={n_walks} is not allowed: 1 or more")
    matrix = as_adjacency(adjacency)
    labels = np.asarray(labels)
    if labels.shape != (matrix.shape[0],) or labels.max(initial=-1) < 0:
        raise ValueError(
            f"labels has shape {labels.shape} and at most {labels.max(initial=-1)}; "
            f"allowed: ({matrix.shape[0]},) with one cluster or more"
        )
    stubs = matrix.tocoo()
    own, other = labels[stubs.coords[0]], labels[stubs.coords[1]]
    n_clusters = int(labels.max()) + 1
    volume = np.bincount(own[own >= 0], weights=stubs.data[own >= 0], minlength=n_clusters)
    if (volume == 0).any():
        empty = np.flatnonzero(volume == 0).tolist()
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

    The interval is Wald's: the walks are many and independent.
    """
    first = min(10, len(failed))
    steps = np.unique(np.geomspace(first, len(failed), n_points).astype(int))
    rate = np.cumsum(failed)[steps - 1] / steps
    return steps, rate, 1.96 * np.sqrt(rate * (1 - rate) / steps)
