"""The rules that decide the claims of chapter 3 (paper A, section 4)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modclust_utils import stats
from modclust_utils.chapters.ch03_lesions.dependencies import graph, graph_of
from modclust_utils.chapters.ch03_lesions.tables import Studies, Study, edges_among, paper_pairs
from modclust_utils.datasets.papers import paper_table
from modclust_utils.verdicts import Case, is_below, is_same


@dataclass(frozen=True)
class Results:
    """What the claims are decided from: the studies, and the data set of their networks."""

    studies: Studies
    dataset: str

    @property
    def graphs(self) -> list[Study]:
        """The studies whose dependency graphs count, one of each network."""
        return self.studies.networks

    def counts(self, kind: str) -> list[int]:
        """How many sub-clusters of a kind each network has."""
        return [int((study.singles["kind"] == kind).sum()) for study in self.studies.networks]


def every_network_has_kind(results: Results, datasets: list[str], kind: str) -> list[Case]:
    """Each network has a sub-cluster of the kind."""
    if results.dataset not in datasets:
        return []
    counts = results.counts(kind)
    return [Case(kind, min(counts) > 0, _ours(counts))]


def many_of_kind(results: Results, datasets: list[str], kind: str, least: float) -> list[Case]:
    """The mean number of such sub-clusters reaches a share of the number in Table A.18, which the
    paper calls many."""
    if results.dataset not in datasets:
        return []
    counts, printed = results.counts(kind), _printed_number(kind)
    low, high = stats.mean_interval(counts)
    evidence = f"{printed} in the paper; {_ours(counts)}, their mean within [{low:.1f}, {high:.1f}]"
    holds = is_below(-high, -low, -least * printed) if _vary(counts) else None
    return [Case(kind, holds, evidence)]


def printed_number_of_kind(
    results: Results, datasets: list[str], kind: str, within: float
) -> list[Case]:
    """The number of such sub-clusters in Table A.18 could be that of one more of our networks."""
    if results.dataset not in datasets:
        return []
    counts, printed = results.counts(kind), _printed_number(kind)
    holds, (low, high) = _as_one_more(counts, printed, within)
    evidence = (
        f"{printed} in the paper; {_ours(counts)}, one more within [{low:.1f}, {high:.1f}] (90 %)"
    )
    return [Case(kind, holds, evidence)]


def printed_share_of_edges(results: Results, datasets: list[str], within: float) -> list[Case]:
    """The share of pairs that are edges in Table A.19 could be that of one more of our networks."""
    if results.dataset not in datasets:
        return []
    pairs = paper_pairs(paper_table("filan2020_table_a19"))
    printed = graph((edges_among(pairs), pairs))
    shares = [g.n_edges / g.n_pairs for g in map(graph_of, results.graphs) if g.n_pairs]
    said = f"{printed.n_edges} of {printed.n_pairs} in the paper"
    if not shares:
        return [Case("edges", None, f"{said}; no pairs here")]
    holds, (low, high) = _as_one_more(shares, printed.n_edges / printed.n_pairs, within)
    evidence = (
        f"{said} ({printed.n_edges / printed.n_pairs:.0%}); {min(shares):.0%} to {max(shares):.0%} "
        f"in our {len(shares)} networks, one more within [{low:.0%}, {high:.0%}] (90 %)"
    )
    return [Case("edges", holds, evidence)]


def _printed_number(kind: str) -> int:
    return int((paper_table("filan2020_table_a18")["type"] == kind).sum())


def _ours(counts: Sequence[int]) -> str:
    return f"between {min(counts)} and {max(counts)} in our {len(counts)} networks"


def _vary(values: Sequence[float]) -> bool:
    """Whether values tell how much they vary: a few that are all the same do not."""
    return len(set(values)) > 1 or len(values) >= 5


def _as_one_more(
    values: Sequence[float], printed: float, within: float
) -> tuple[bool | None, tuple[float, float]]:
    """Whether a printed value, known of one network, is that of one more of ours as far as a margin
    goes, a share of the printed value; with the 90 % interval for one more."""

    def interval(confidence: float) -> tuple[float, float]:
        low, high = stats.mean_interval(values, confidence)
        # t s / sqrt(n) is the half of the mean's, t s sqrt(1 + 1 / n) that of one more value
        middle, half = (low + high) / 2, (high - low) / 2 * math.sqrt(len(values) + 1)
        return middle - half - printed, middle + half - printed

    holds, _ = is_same(interval, within * printed)
    low, high = interval(0.9)
    return holds if _vary(values) else None, (low + printed, high + printed)


def edges_join_one_cluster(
    results: Results, datasets: list[str], alpha: float, n_permutations: int, seed: int
) -> list[Case]:
    """Edges join sub-clusters of one cluster more often than chance would have it.

    Chance: the labels of the important sub-clusters of a layer change places, in each network by
    itself, and the edges stay. So pairs that share a sub-cluster are not taken as independent.
    """
    if results.dataset not in datasets:
        return []
    networks = results.graphs
    found = graph_of(*networks)
    n_same = found.n_same_edges
    each = permuted_same(networks, n_permutations, np.random.default_rng(seed))
    chance = each.sum(0)
    p_more, p_fewer = _p_more(n_same, chance), _p_more(-n_same, -chance)
    evidence = (
        f"{n_same} of {found.n_edges} edges, {found.n_same_others} of "
        f"{found.n_others} other pairs; {chance.mean():.1f} edges by chance, p = {p_more:.2g}"
    )
    if len(networks) > 1:
        own = [graph_of(study).n_same_edges for study in networks]
        left = [_p_more(n_same - n, chance - row) for n, row in zip(own, each, strict=True)]
        evidence += f", and {min(left):.2g} to {max(left):.2g} where one network is left out"
    holds = True if p_more < alpha else False if p_fewer < alpha else None
    return [Case("all networks together", holds, evidence)]


def _p_more(n_same: int, chance: NDArray[np.int64]) -> float:
    """The chance of at least `n_same` by permutations, the network's own order counted."""
    return (int((chance >= n_same).sum()) + 1) / (len(chance) + 1)


def permuted_same(
    networks: Sequence[Study], n_permutations: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """How many edges of each network join one cluster when labels change places
    ``(networks, n)``."""
    found = np.zeros((len(networks), n_permutations), dtype=np.int64)
    for row, study in zip(found, networks, strict=True):
        important = study.singles[study.singles["kind"] == "important"]
        labels = {}
        for layer, group in important.groupby("layer"):
            own = group["label"].to_numpy()
            drawn = rng.permuted(np.tile(own, (n_permutations, 1)), axis=1)
            labels |= {(layer, label): drawn[:, i] for i, label in enumerate(own)}
        for edge in study.edges.itertuples():
            row += labels[edge.x_layer, edge.x_label] == labels[edge.y_layer, edge.y_label]
    return found


RULES = (
    every_network_has_kind,
    many_of_kind,
    printed_number_of_kind,
    printed_share_of_edges,
    edges_join_one_cluster,
)
