"""Counts of the edges of dependency graphs, within clusters and across them."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from modclust_utils.chapters.ch03_lesions.tables import Study, important_pairs


@dataclass(frozen=True)
class Graph:
    """Edges among the pairs of important sub-clusters, and the other pairs; how many of each lie
    within a cluster."""

    n_edges: int
    n_same_edges: int
    n_others: int
    n_same_others: int

    @property
    def n_pairs(self) -> int:
        """All pairs of important sub-clusters in different layers."""
        return self.n_edges + self.n_others


def graph(*tables: tuple[pd.DataFrame, pd.DataFrame]) -> Graph:
    """What there is in graphs, each with its edges and with all pairs of important sub-clusters."""
    n_edges, n_pairs = (sum(len(each[i]) for each in tables) for i in (0, 1))
    same_edges, same_pairs = (
        sum(int((each[i]["x_label"] == each[i]["y_label"]).sum()) for each in tables)
        for i in (0, 1)
    )
    return Graph(n_edges, same_edges, n_pairs - n_edges, same_pairs - same_edges)


def graph_of(*studies: Study) -> Graph:
    """`graph` of studies together."""
    return graph(*((s.edges, important_pairs(s.pairs, s.singles)) for s in studies))
