"""The rules that decide the claims of chapter 1 (paper A, sections 2 and 3)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats

from modclust_utils import stats, verdicts
from modclust_utils.chapters.ch01_clusterability.tables import CONDITION, by_k, together
from modclust_utils.figures.style import dataset_name, dropout_name
from modclust_utils.recipes.frames import only_k
from modclust_utils.recipes.network import PHASES
from modclust_utils.tables import N_DISTINCT, N_PAPER, condition_name, far_out, is_significant
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
    """Our mean n-cut is the printed one, within one printed standard deviation: Welch's 90 %
    interval of the difference is inside.

    Where the printed mean of the shuffles is inside too, that tells nothing of the networks.
    """
    cases = []
    for row in results.rows(datasets, n_clusters).itertuples():
        ours, margin = (row.ncut_mean, row.ncut_std, row.n), row.paper_ncut_std
        interval = partial(stats.welch_interval, *ours, row.paper_ncut_mean, margin, N_PAPER)
        holds, ends = verdicts.is_same(interval, margin)
        evidence = f"difference {_interval(ends)} against a spread of {margin:.3f}"
        if holds and abs(row.paper_null_ncut_mean - row.paper_ncut_mean) <= margin:
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
    cases = []
    for name, row, ours in _shares(results, datasets, n_clusters):
        printed = (round(row["paper_prop_sig"] * N_PAPER), N_PAPER)
        case = verdicts.same_share(name, ours, printed, within)
        expected = f"; with {N_DISTINCT} shuffles each, {row['n_sig_of_few']:.1f} of ours expected"
        cases.append(Case(name, case.holds, case.evidence + expected))
    return cases


def more_than_luck(
    results: Results, datasets: list[str], n_clusters: int, least: float, below: float
) -> list[Case]:
    """More networks are below all their shuffles than luck gives, at 5 % divided by the number of
    cases; it fails where the share is surely below a margin. Of kinds for which the paper prints a
    share above `least`."""
    chosen = [
        (name, share)
        for name, row, share in _shares(results, datasets, n_clusters)
        if row["paper_prop_sig"] > least
    ]
    cases = []
    for name, (passed, n) in chosen:
        chance = float(scipy.stats.binom.sf(passed - 1, n, _luck(results)))
        few = verdicts.few(name, (passed, n), below)
        holds = False if few.holds else True if chance < 0.05 / len(chosen) else None
        cases.append(Case(name, holds, f"{few.evidence}; by luck p = {chance:.2g}"))
    return cases


def _luck(results: Results) -> float:
    """How often a network like its shuffles is below all of them."""
    return 1 / (int(results.tests["n_shuffles"].iloc[0]) + 1)


def depends_on_dataset(
    results: Results, datasets: list[str], n_clusters: int, lowest: str
) -> list[Case]:
    """Of networks without dropout, the exact test of all data sets at once tells their shares apart
    (p < 0.05), and that of `lowest` is the lowest; it fails where another is."""
    shares = {
        str(row["dataset"]): share
        for _, row, share in _shares(results, datasets, n_clusters)
        if not row["dropout"]
    }
    if set(shares) != set(datasets):
        return []
    p_value = homogeneity(list(shares.values()))
    part = {dataset: passed / n for dataset, (passed, n) in shares.items()}
    others = min(part[other] for other in part if other != lowest)
    is_lowest = None if part[lowest] == others else part[lowest] < others
    words = ", ".join(f"{dataset_name(d)} {passed}/{n}" for d, (passed, n) in shares.items())
    holds = is_lowest if p_value < 0.05 else None
    return [Case("no dropout", holds, f"{words}; exact test p = {p_value:.2g}")]


def homogeneity(shares: Sequence[verdicts.Share]) -> float:
    """p of the exact test that several shares, as (passed, number), are one (Freeman and Halton
    1951): how often as many passed in all fall as unlikely as these, or more so."""
    passed = [share[0] for share in shares]
    ways: list[tuple[bool, int]] = []
    seen = math.prod(math.comb(n, i) for i, n in shares)
    for other in itertools.product(*(range(n + 1) for _, n in shares)):
        if sum(other) == sum(passed):
            count = math.prod(math.comb(n, i) for i, (_, n) in zip(other, shares, strict=True))
            ways.append((count <= seen, count))
    return sum(count for rare, count in ways if rare) / sum(count for _, count in ways)


def more_significant(
    results: Results, datasets: list[str], n_clusters: int, than: int
) -> list[Case]:
    """More networks are below all their shuffles for one k than for another: of those that are so
    for one of both alone, surely most are so for the first (a one-sided sign test at 5 %)."""
    tests = results.tests[results.tests["dataset"].isin(datasets)]
    tests = tests.assign(passes=is_significant(tests))
    first, second = (tests[tests["n_clusters"] == k] for k in (n_clusters, than))
    both = first.merge(second[["network", "passes"]], on="network", suffixes=("", "_than"))
    if both.empty:
        return []
    both["won"], both["lost"] = both.passes & ~both.passes_than, both.passes_than & ~both.passes
    won, lost = int(both["won"].sum()), int(both["lost"].sum())
    evidence = f"{won} of {len(both)} networks for {n_clusters} clusters alone, {lost} for {than}"
    kinds = [
        f"{condition_name(str(dataset), bool(dropout))} {kind.won.sum()} and {kind.lost.sum()}"
        for (dataset, dropout), kind in both.groupby(CONDITION, sort=False)
    ]
    decided = verdicts.most("", (won, won + lost)).holds if won + lost else None
    return [Case("all", decided, f"{evidence} ({'; '.join(kinds)})")]


def none_or_most(
    results: Results, datasets: list[str], n_clusters: int, most: list[str], below: float
) -> list[Case]:
    """Of the data sets that are not in `most`, together, no network is below all its shuffles,
    beyond luck; in the others, most are."""
    rows = list(_shares(results, datasets, n_clusters))
    none = [(row["dataset"], share) for _, row, share in rows if row["dataset"] not in most]
    cases = [verdicts.most(name, share) for name, row, share in rows if row["dataset"] in most]
    if none:
        name = " and ".join(dataset_name(dataset) for dataset in dict.fromkeys(d for d, _ in none))
        together = (sum(passed for _, (passed, _) in none), sum(n for _, (_, n) in none))
        cases.insert(0, verdicts.none(name, together, below, _luck(results)))
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
    results: Results, datasets: list[str], n_clusters: int, printed: int, least: float
) -> list[Case]:
    """Of networks without dropout, surely more than a share of `least` are above all their
    shuffles; it fails where they are fewer than printed, by Fisher's exact test."""
    cases = []
    rows = results.rows(datasets, n_clusters)
    for _, row in rows[~rows["dropout"].astype(bool)].iterrows():
        passed, n = int(row["n_above_all"]), int(row["n"])
        apart = passed in stats.told_apart(printed, N_PAPER, n)
        many = verdicts.most(condition_name(row["dataset"], False), (passed, n), least)
        fewer = apart and passed / n < printed / N_PAPER
        holds = True if many.holds else False if fewer else None
        evidence = f"{many.evidence}, against {printed}/{N_PAPER}"
        expected = f"; with {N_DISTINCT} shuffles each, {row['n_above_all_of_few']:.1f} expected"
        cases.append(Case(many.name, holds, evidence + expected))
    return cases


def independent_of_accuracy(results: Results, datasets: list[str], within: float) -> list[Case]:
    """Before and after pruning, n-cut and test accuracy are not correlated in a kind of network:
    the 90 % interval for the mean of Spearman's rank correlation over the kinds is within a margin.

    Means are of Fisher's z. It fails where that interval is not inside and the 95 % interval leaves
    out 0, or where a kind by itself is correlated (5 % divided by the number of kinds and phases).
    A mean can hide kinds that differ: where the 95 % interval of a kind leaves out 0 before that
    correction, it cannot be told.
    """
    chosen = results.networks[results.networks["dataset"].isin(datasets)]
    groups = list(chosen.groupby(["phase", *CONDITION], sort=False))
    cases = []
    for phase in PHASES:
        own = [(kind[1:], group) for kind, group in groups if kind[0] == phase]
        if not own:
            continue
        holds, (low, high) = verdicts.is_same(partial(_mean_rank_interval, own), within)
        rhos = [group["ncut"].corr(group["test_acc"], method="spearman") for _, group in own]
        noticed, surely = (
            _correlated(own, confidence) for confidence in (0.95, 1 - 0.05 / len(groups))
        )
        if surely:
            holds = False
        elif noticed and holds:
            holds = None
        evidence = (
            f"rho from {min(rhos):+.2f} to {max(rhos):+.2f}, its mean [{low:+.2f}, {high:+.2f}]; "
            f"kinds whose own 95 % interval leaves out 0: {', '.join(noticed) or 'none'}"
        )
        if noticed:
            evidence += f"; corrected for {len(groups)} of them: {', '.join(surely) or 'none'}"
        cases.append(Case(f"{phase} pruning", holds, evidence))
    return cases


def _correlated(groups: Sequence[tuple[Any, pd.DataFrame]], confidence: float) -> list[str]:
    """The kinds of network whose interval for the rank correlation of n-cut and test accuracy
    leaves out 0, with that interval."""
    found = []
    for (dataset, dropout), group in groups:
        low, high = stats.rank_interval(group["ncut"], group["test_acc"], confidence)
        if low > 0 or high < 0:
            found.append(f"{condition_name(str(dataset), bool(dropout))} {_interval((low, high))}")
    return found


def _mean_rank_interval(
    groups: Sequence[tuple[Any, pd.DataFrame]], confidence: float
) -> tuple[float, float]:
    """Interval for the mean of Fisher's z of the groups' rank correlations, as a correlation."""
    ends = [stats.rank_interval(g["ncut"], g["test_acc"], confidence) for _, g in groups]
    low, high = np.arctanh(np.clip(ends, -1 + 1e-12, 1 - 1e-12)).T
    middle, half = ((low + high) / 2).mean(), np.linalg.norm((high - low) / 2) / len(groups)
    return float(np.tanh(middle - half)), float(np.tanh(middle + half))


def largest_spread(results: Results, datasets: list[str], of: str) -> list[Case]:
    """With and without dropout, n-cuts of `of` after pruning have a larger standard deviation than
    those of each other data set: the 95 % intervals of the ratios, by the F distribution, decide.
    """
    after = results.networks[results.networks["phase"] == "after"]
    cases = []
    for dropout, rows in after[after["dataset"].isin(datasets)].groupby("dropout", sort=False):
        ncuts = {str(d): group["ncut"] for d, group in rows.groupby("dataset", sort=False)}
        if set(ncuts) != set(datasets):
            continue
        ratios = {d: _ratio_interval(ncuts[of], ncuts[d]) for d in ncuts if d != of}
        decided = [verdicts.is_below(-high, -low, -1.0) for low, high in ratios.values()]
        holds = False if False in decided else True if all(decided) else None
        words = ", ".join(f"{dataset_name(d)}'s [{a:.2f}, {b:.2f}]" for d, (a, b) in ratios.items())
        evidence = f"{ncuts[of].std(ddof=1):.3f}, over {words}"
        cases.append(Case(dropout_name(bool(dropout)), holds, evidence))
    return cases


def _ratio_interval(a: pd.Series, b: pd.Series) -> tuple[float, float]:
    """95 % interval for the ratio of two standard deviations of normal distributions; it says
    nothing (0, infinity) where one of them has a single value or does not vary."""
    spreads = a.std(ddof=1), b.std(ddof=1)
    if not min(spreads) > 0:
        return 0.0, math.inf
    tails = scipy.stats.f.ppf([0.975, 0.025], len(a) - 1, len(b) - 1)
    low, high = spreads[0] / spreads[1] / np.sqrt(tails)
    return float(low), float(high)


RULES = (
    mean_within_spread,
    dropout_lowers,
    pruning_lowers,
    same_share_significant,
    more_than_luck,
    depends_on_dataset,
    more_significant,
    none_or_most,
    random_within,
    above_all_shuffles,
    independent_of_accuracy,
    largest_spread,
)
