"""What chapter 3 finds: the numbers for its sentences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from modclust_utils.chapters.ch03_lesions.tables import Studies, Study, agreement, important_pairs


@dataclass(frozen=True)
class Worst:
    """Important sub-clusters of a network, and the lesion that costs most.

    drop: its loss of accuracy, null_mean and null_std that of random sets, in percentage points.
    """

    n_important: int
    n: int
    layer: int
    label: int
    drop: float
    null_mean: float
    null_std: float


def worst_lesion(singles: pd.DataFrame) -> Worst:
    """How many sub-clusters are important, and which lesion costs most; ours or the paper's."""
    row = singles.loc[singles["drop"].idxmax()]
    return Worst(
        n_important=int((singles["kind"] == "important").sum()),
        n=len(singles),
        layer=int(row["layer"]),
        label=int(row["label"]),
        drop=100 * row["drop"],
        null_mean=100 * row["null_mean"],
        null_std=100 * row["null_std"],
    )


@dataclass(frozen=True)
class WorstClass:
    """How uneven lesions are over the classes.

    n: important sub-clusters; ratio: median over these of the largest loss of a class, divided by
    the mean over all classes; n_gain: those with a class that gains more than half a point.
    """

    n: int
    ratio: float
    n_gain: int


def classes(drops: pd.DataFrame) -> WorstClass:
    """How uneven the losses are that `tables.class_drops` holds."""
    values = drops.filter(like="class_").to_numpy(float)
    ratios = values.max(1) / values.mean(1) if len(values) else np.array([np.nan])
    return WorstClass(len(values), float(np.median(ratios)), int((values < -0.005).any(1).sum()))


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


@dataclass(frozen=True)
class Stability:
    """How much of the first network's graph comes back.

    fewest, most: edges in the graphs of all networks. agreement: least and largest adjusted Rand
    index of re-clusterings with the first one. again, elsewhere, chance: share of re-clusterings,
    and of other networks, in which an edge comes back, its mean over the edges, and that to expect
    of clusters numbered by chance; NaN where the graph has no edge.
    """

    n_networks: int
    fewest: int
    most: int
    n_reclusterings: int
    agreement: tuple[float, float]
    again: float
    elsewhere: float
    chance: float


def stability(studies: Studies, table: pd.DataFrame) -> Stability:
    """What `tables.edge_stability` holds, over all edges."""
    counts, indices = [len(study.edges) for study in studies.networks], agreement(studies)
    return Stability(
        n_networks=len(counts),
        fewest=min(counts),
        most=max(counts),
        n_reclusterings=len(indices),
        agreement=(min(indices), max(indices)),
        again=float(table["share_reclusterings"].mean()),
        elsewhere=float(table["share_networks"].mean()),
        chance=float(table["chance_networks"].mean()),
    )
