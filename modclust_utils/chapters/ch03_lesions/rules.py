"""The rules that decide the claims of chapter 3 (paper A, section 4)."""

from __future__ import annotations

from dataclasses import dataclass

from modclust_utils.chapters.ch03_lesions.findings import graph_of
from modclust_utils.chapters.ch03_lesions.tables import Studies
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


def edges_join_one_cluster(results: Results, datasets: list[str], alpha: float) -> list[Case]:
    """Edges join sub-clusters of one cluster more often than other pairs of important sub-clusters
    do (Fisher's exact test, one-sided, over the pairs of all networks)."""
    if results.dataset not in datasets:
        return []
    found = graph_of(*results.studies.networks)
    evidence = (
        f"{found.n_same_edges} of {found.n_edges} edges, {found.n_same_others} of "
        f"{found.n_others} other pairs, p = {found.p_value:.2g}"
    )
    return [Case("all networks together", found.p_value < alpha, evidence)]


RULES = (every_network_has_kind, printed_number_of_kind, edges_join_one_cluster)
