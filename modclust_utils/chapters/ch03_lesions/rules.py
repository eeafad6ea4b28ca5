"""The rules that decide the claims of chapter 3 (paper A, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modclust_utils.chapters.ch03_lesions.dependencies import graph_of
from modclust_utils.chapters.ch03_lesions.tables import Studies, Study
from modclust_utils.datasets.papers import paper_table
from modclust_utils.verdicts import Case


@dataclass(frozen=True)
class Results:
    """What the claims are decided from: the studies, and the data set of their networks."""

    studies: Studies
    dataset: str


def every_network_has_kind(results: Results, datasets: list[str], kind: str) -> list[Case]:
    """Each network has a sub-cluster of the kind."""
    if results.dataset not in datasets:
        return []
    counts = [int((study.singles["kind"] == kind).sum()) for study in results.studies.networks]
    evidence = f"{min(counts)} to {max(counts)} in each of {len(counts)} networks"
    return [Case(kind, min(counts) > 0, evidence)]


def printed_number_of_kind(results: Results, datasets: list[str], kind: str) -> list[Case]:
    """The number of such sub-clusters in Table A.18 lies within the range of our networks."""
    if results.dataset not in datasets:
        return []
    counts = [int((study.singles["kind"] == kind).sum()) for study in results.studies.networks]
    printed = int((paper_table("filan2020_table_a18")["type"] == kind).sum())
    evidence = f"{printed} in the paper, {min(counts)} to {max(counts)} here"
    return [Case(kind, min(counts) <= printed <= max(counts), evidence)]


def edges_join_one_cluster(
    results: Results, datasets: list[str], alpha: float, n_permutations: int, seed: int
) -> list[Case]:
    """Edges join sub-clusters of one cluster more often than chance would have it.

    Chance: the labels of the important sub-clusters of a layer change places, in each network by
    itself, and the edges stay. So pairs that share a sub-cluster are not taken as independent.
    """
    if results.dataset not in datasets:
        return []
    networks = results.studies.networks
    found = graph_of(*networks)
    n_same = found.n_same_edges
    chance = permuted_same(networks, n_permutations, np.random.default_rng(seed))
    p_value = (int((chance >= n_same).sum()) + 1) / (n_permutations + 1)  # ties count
    evidence = (
        f"{n_same} of {found.n_edges} edges, {found.n_same_others} of "
        f"{found.n_others} other pairs; {chance.mean():.1f} edges by chance, p = {p_value:.2g}"
    )
    holds = True if p_value < alpha else False if n_same < chance.mean() else None
    return [Case("all networks together", holds, evidence)]


def permuted_same(
    networks: Sequence[Study], n_permutations: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """How many edges of all networks join one cluster when labels change places ``(n,)``."""
    total = np.zeros(n_permutations, dtype=np.int64)
    for study in networks:
        important = study.singles[study.singles["kind"] == "important"]
        labels = {}
        for layer, group in important.groupby("layer"):
            own = group["label"].to_numpy()
            drawn = rng.permuted(np.tile(own, (n_permutations, 1)), axis=1)
            labels |= {(layer, label): drawn[:, i] for i, label in enumerate(own)}
        for edge in study.edges.itertuples():
            total += labels[edge.x_layer, edge.x_label] == labels[edge.y_layer, edge.y_label]
    return total


RULES = (every_network_has_kind, printed_number_of_kind, edges_join_one_cluster)
