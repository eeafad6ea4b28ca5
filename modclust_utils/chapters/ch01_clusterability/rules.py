"""The rules that decide the claims of chapter 1 (paper A, sections 2 and 3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd

from modclust_utils import stats, verdicts
from modclust_utils.chapters.ch01_clusterability.tables import CONDITION, by_k, together
from modclust_utils.figures.style import dataset_name
from modclust_utils.recipes.frames import only_k
from modclust_utils.tables import N_PAPER, condition_name, far_out
from modclust_utils.verdicts import Case


@dataclass(frozen=True)
class Results:
    """What the claims are decided from: `tables.by_phase`, `tables.clusterability` for every k, the
    record of freshly initialized networks, and the tests for every k."""

    networks: pd.DataFrame
    tables: pd.DataFrame
    fresh: pd.DataFrame
    tests: pd.DataFrame

    def rows(self, datasets: Sequence[str], n_clusters: int) -> pd.DataFrame:
        """The rows of some data sets for one k."""
        chosen = self.tables["dataset"].isin(datasets) & (self.tables["n_clusters"] == n_clusters)
        return self.tables[chosen]

    def ncuts(self, dataset: str, dropout: bool, n_clusters: int) -> pd.Series:
        """The n-cuts of one condition's networks for one k."""
        kind = (self.tests["dataset"] == dataset) & (self.tests["dropout"] == dropout)
        return self.tests.loc[kind & (self.tests["n_clusters"] == n_clusters), "ncut"]

    def without_far_out(self, networks: pd.DataFrame) -> Results:
        """The same without n-cuts that are far from those of their kind, for their phase and k.

        networks: the records of all networks.
        """
        phases = self.networks[~far_out(self.networks, [*CONDITION, "phase"])]
        tests = self.tests[~far_out(self.tests, [*CONDITION, "n_clusters"])]
        return Results(phases, together(by_k(tests, networks)), self.fresh, tests)


def mean_within_spread(results: Results, datasets: list[str], n_clusters: int) -> list[Case]:
    """Our mean n-cut lies within one printed standard deviation of the printed mean.

    Where the printed mean of the shuffles would pass too, that tells nothing of the networks.
    """
    cases = []
    for row in results.rows(datasets, n_clusters).itertuples():
        gap = row.ncut_mean - row.paper_ncut_mean
        evidence = f"{gap:+z.3f} against a spread of {row.paper_ncut_std:.3f}"
        holds: bool | None = bool(abs(gap) <= row.paper_ncut_std)
        if holds and abs(row.paper_null_ncut_mean - row.paper_ncut_mean) <= row.paper_ncut_std:
            holds = None
            evidence += f"; the shuffles' mean, {row.paper_null_ncut_mean:.3f}, would pass as well"
        cases.append(Case(condition_name(row.dataset, row.dropout), holds, evidence))
    return cases


def dropout_lowers(results: Results, datasets: list[str], n_clusters: int) -> list[Case]:
    """The interval for the shift between n-cuts with and without dropout, from ranks, lies below
    0."""
    cases = []
    for dataset in dict.fromkeys(results.tests["dataset"]):
        dropped, plain = (results.ncuts(dataset, d, n_clusters) for d in (True, False))
        if dataset not in datasets or dropped.empty or plain.empty:
            continue
        shift = stats.shift_interval(dropped, plain)
        evidence = f"shift {_interval(shift)}, means {_interval(_welch(dropped, plain))}"
        cases.append(Case(dataset_name(dataset), verdicts.is_below(*shift), evidence))
    return cases


def _welch(a: pd.Series, b: pd.Series) -> tuple[float, float]:
    first, second = ((v.mean(), v.std(ddof=1), len(v)) for v in (a, b))
    return stats.welch_interval(*first, *second)


def _interval(ends: tuple[float, float]) -> str:
    return f"[{ends[0]:+z.3f}, {ends[1]:+z.3f}]"


def pruning_lowers(results: Results, datasets: list[str]) -> list[Case]:
    """The interval for the median of a network's n-cut after pruning minus before lies below 0."""
    cases = []
    chosen = results.networks[results.networks["dataset"].isin(datasets)]
    for (dataset, dropout), group in chosen.groupby(CONDITION, sort=False):
        wide = group.pivot(index="seed", columns="phase", values="ncut").dropna()
        change = wide["after"] - wide["before"]
        ends = stats.median_interval(change)
        evidence = f"{int((change < 0).sum())} of {len(change)} networks, median {_interval(ends)}"
        name = condition_name(str(dataset), bool(dropout))
        cases.append(Case(name, verdicts.is_below(*ends), evidence))
    return cases


def _shares(
    results: Results, datasets: Sequence[str], n_clusters: int
) -> Iterator[tuple[str, pd.Series, verdicts.Share]]:
    """(name, row, share of networks below all their shuffles) of each condition."""
    for _, row in results.rows(datasets, n_clusters).iterrows():
        yield condition_name(row["dataset"], row["dropout"]), row, (row["n_sig"], row["n"])


def same_share_significant(
    results: Results, datasets: list[str], n_clusters: int, within: float
) -> list[Case]:
    """Our share of networks below all their shuffles is the printed one, within a margin."""
    return [
        verdicts.same_share(name, ours, (round(row["paper_prop_sig"] * N_PAPER), N_PAPER), within)
        for name, row, ours in _shares(results, datasets, n_clusters)
    ]


def at_least_as_strong(
    results: Results, datasets: list[str], n_clusters: int, than: int, within: float
) -> list[Case]:
    """The share of networks below all their shuffles is not lower than for another k, by a margin:
    a one-sided test at 5 %."""
    others = {name: share for name, _, share in _shares(results, datasets, than)}
    cases = []
    for name, _, ours in _shares(results, datasets, n_clusters):
        if name in others:
            interval = partial(stats.share_difference_interval, *ours, *others[name])
            holds, (low, high) = verdicts.is_not_lower(interval, within)
            evidence = f"{ours[0]}/{ours[1]} against {others[name][0]}/{others[name][1]} for k = "
            evidence += f"{than}, difference [{low:+.2f}, {high:+.2f}]"
            cases.append(Case(name, holds, evidence))
    return cases


def none_or_most(
    results: Results, datasets: list[str], n_clusters: int, most: list[str], below: float
) -> list[Case]:
    """No network is below all its shuffles, beyond luck; in the data sets of `most`, most are."""
    cases = []
    for name, row, share in _shares(results, datasets, n_clusters):
        if row["dataset"] in most:
            cases.append(verdicts.most(name, share))
        else:
            luck = 1 / (int(results.tests["n_shuffles"].iloc[0]) + 1)
            cases.append(verdicts.none(name, share, below, luck))
    return cases


def random_within(
    results: Results, datasets: list[str], n_clusters: int, low: float, high: float, least: float
) -> list[Case]:
    """At least so large a share of freshly initialized networks lies within the printed range: the
    one-sided 95 % bounds of the share decide."""
    if not results.networks["dataset"].isin(datasets).any() or only_k(results.fresh) != n_clusters:
        return []
    ncuts = pd.Series(results.fresh["ncuts"].iloc[0])
    inside = int(ncuts.between(low, high).sum())
    case = verdicts.most("all", (inside, len(ncuts)), least)
    return [
        Case(case.name, case.holds, f"{case.evidence}, from {ncuts.min():.3f} to {ncuts.max():.3f}")
    ]


def above_all_shuffles(
    results: Results, datasets: list[str], n_clusters: int, printed: int, within: float
) -> list[Case]:
    """Our share of networks without dropout above all their shuffles is the printed one, within a
    margin."""
    rows = results.rows(datasets, n_clusters)
    return [
        verdicts.same_share(
            condition_name(row["dataset"], False),
            (row["n_above_all"], row["n"]),
            (printed, N_PAPER),
            within,
        )
        for _, row in rows[~rows["dropout"].astype(bool)].iterrows()
    ]


def independent_of_accuracy(results: Results, datasets: list[str], within: float) -> list[Case]:
    """In a condition, n-cut and test accuracy after pruning are not correlated: the 90 % interval
    of Spearman's rank correlation (Fisher's z) is within a margin."""
    chosen = results.networks[results.networks["dataset"].isin(datasets)]
    cases = []
    for (dataset, dropout), group in chosen[chosen["phase"] == "after"].groupby(
        CONDITION, sort=False
    ):
        interval = partial(stats.rank_interval, group["ncut"], group["test_acc"])
        holds, (low, high) = verdicts.is_same(interval, within)
        rho = float(group["ncut"].corr(group["test_acc"], method="spearman"))
        name = condition_name(str(dataset), bool(dropout))
        evidence = f"rho = {rho:+.2f} [{low:+.2f}, {high:+.2f}]"
        cases.append(Case(name, holds, evidence))
    return cases


RULES = (
    mean_within_spread,
    dropout_lowers,
    pruning_lowers,
    same_share_significant,
    at_least_as_strong,
    none_or_most,
    random_within,
    above_all_shuffles,
    independent_of_accuracy,
)
