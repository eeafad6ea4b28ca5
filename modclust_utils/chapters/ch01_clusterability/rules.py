"""The rules that decide the claims of chapter 1 (paper A, sections 2 and 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import scipy.stats

from modclust_utils import stats
from modclust_utils.chapters.ch01_clusterability.tables import CONDITION
from modclust_utils.figures.style import dataset_name
from modclust_utils.recipes.frames import only_k
from modclust_utils.tables import N_PAPER, condition_name
from modclust_utils.verdicts import Case


@dataclass(frozen=True)
class Results:
    """What the claims are decided from: `tables.by_phase`, `tables.clusterability` for every k, and
    the record of freshly initialized networks."""

    networks: pd.DataFrame
    tables: pd.DataFrame
    fresh: pd.DataFrame

    def rows(self, datasets: Sequence[str], n_clusters: int) -> pd.DataFrame:
        """The rows of some data sets for one k."""
        chosen = self.tables["dataset"].isin(datasets) & (self.tables["n_clusters"] == n_clusters)
        return self.tables[chosen]


def mean_within_spread(results: Results, datasets: list[str], n_clusters: int) -> list[Case]:
    """Our mean n-cut lies within one printed standard deviation of the printed mean."""
    cases = []
    for row in results.rows(datasets, n_clusters).itertuples():
        gap = row.ncut_mean - row.paper_ncut_mean
        evidence = f"{gap:+z.3f} against a spread of {row.paper_ncut_std:.3f}"
        holds = bool(abs(gap) <= row.paper_ncut_std)
        cases.append(Case(condition_name(row.dataset, row.dropout), holds, evidence))
    return cases


def dropout_lowers(results: Results, datasets: list[str], n_clusters: int) -> list[Case]:
    """The interval for n-cut with dropout minus without lies below 0."""
    cases = []
    for dataset, rows in results.rows(datasets, n_clusters).groupby("dataset", sort=False):
        pair = rows.set_index("dropout")[["ncut_mean", "ncut_std", "n"]]
        if set(pair.index) == {True, False}:
            low, high = stats.welch_interval(*pair.loc[True], *pair.loc[False])
            name = dataset_name(str(dataset))
            cases.append(Case(name, high < 0, f"[{low:+z.3f}, {high:+z.3f}]"))
    return cases


def pruning_lowers(results: Results, datasets: list[str]) -> list[Case]:
    """In every condition all networks have a lower n-cut after pruning than before."""
    cases = []
    chosen = results.networks[results.networks["dataset"].isin(datasets)]
    for (dataset, dropout), group in chosen.groupby(CONDITION, sort=False):
        wide = group.pivot(index="seed", columns="phase", values="ncut")
        lower = int((wide["after"] < wide["before"]).sum())
        name = condition_name(str(dataset), bool(dropout))
        cases.append(Case(name, lower == len(wide), f"{lower} of {len(wide)} networks"))
    return cases


def same_share_significant(results: Results, datasets: list[str], n_clusters: int) -> list[Case]:
    """Fisher's exact test sees no difference (p > 0.05) between our share of networks below all
    their shuffles and the printed one."""
    cases = []
    for row in results.rows(datasets, n_clusters).itertuples():
        theirs = round(row.paper_prop_sig * N_PAPER)
        counts = [[row.n_sig, row.n - row.n_sig], [theirs, N_PAPER - theirs]]
        p = float(scipy.stats.fisher_exact(counts).pvalue)
        evidence = f"{row.n_sig}/{row.n} against {theirs}/{N_PAPER}, p = {p:.2f}"
        cases.append(Case(condition_name(row.dataset, row.dropout), p > 0.05, evidence))
    return cases


def random_within(
    results: Results, datasets: list[str], n_clusters: int, low: float, high: float
) -> list[Case]:
    """All freshly initialized networks have an n-cut within the printed range."""
    if not results.networks["dataset"].isin(datasets).any() or only_k(results.fresh) != n_clusters:
        return []
    ncuts = pd.Series(results.fresh["ncuts"].iloc[0])
    inside = ncuts.between(low, high)
    evidence = f"{int(inside.sum())} of {len(inside)}, from {ncuts.min():.3f} to {ncuts.max():.3f}"
    return [Case("all", bool(inside.all()), evidence)]


RULES = (
    mean_within_spread,
    dropout_lowers,
    pruning_lowers,
    same_share_significant,
    random_within,
)
