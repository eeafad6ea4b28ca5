"""Clusters of large modularity by the Leiden algorithm of igraph, an optional package."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from modclust_utils.modularity_matrix import Floats, Labels, q_of


def leiden(matrix: Floats, beyond: Floats, rng: np.random.Generator, n_starts: int) -> Labels:
    """The best of some runs of Leiden until nothing changes, each from units on their own.

    matrix, beyond: a similarity ``(n, n)`` and its B. Traag, Waltman and van Eck 2019. Raises
    ImportError where igraph is not installed.
    """
    igraph = _import_igraph()
    runs = np.full((n_starts, len(matrix)), -1)
    live = np.flatnonzero(matrix.any(1))
    if len(live) == 0:
        return runs[0]
    edges = np.argwhere(np.triu(matrix[np.ix_(live, live)]))
    weights = matrix[live[edges[:, 0]], live[edges[:, 1]]]
    graph = igraph.Graph(len(live), edges.tolist())
    # igraph's generator is global, and that of the random module unless someone sets another
    igraph.set_random_number_generator(random.Random(int(rng.integers(2**63))))
    try:
        for run in runs:
            found = graph.community_leiden(
                "modularity",
                # the randomness of the refinement is in units of the weights
                weights=(weights / weights.mean()).tolist(),
                n_iterations=-1,
            )
            run[live] = found.membership
    finally:
        igraph.set_random_number_generator(random)
    return max(runs, key=lambda run: q_of(beyond[None], run[None])[0])


def _import_igraph() -> Any:
    try:
        import igraph
    except ImportError as error:
        raise ImportError("method='leiden' needs the package igraph: pip install igraph") from error
    return igraph
