"""The rules that decide the claims of chapter 4 (papers B and B').

A Fisher statistic is compared with that of uniform percentiles (`tables.uniform`). Its interval is
Student's, over the networks of a kind; where there is one network it has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd

from modclust_utils import stats, verdicts
from modclust_utils.chapters.ch04_specialization.tables import (
    MEASURES,
    is_tested,
    network_name,
    summary,
)
from modclust_utils.datasets.papers import paper_table
from modclust_utils.fisher_bates import bates_p_value, fisher_p_value
from modclust_utils.verdicts import Case, Rule


@dataclass(frozen=True)
class Results:
    """What the claims are decided from: `tables.measures`, `tables.halves`, and
    `tables.clusterability` of the ImageNet networks."""

    measures: pd.DataFrame
    halves: pd.DataFrame
    imagenet: pd.DataFrame


def _about(table: pd.DataFrame, datasets: Sequence[str]) -> pd.DataFrame:
    """The rows about networks of some data sets."""
    return table[table["dataset"].isin(datasets)]


def _tested(results: Results, datasets: Sequence[str]) -> pd.DataFrame:
    """The rows of `tables.summary` that the papers' table has."""
    found = summary(results.measures)
    return _about(found[is_tested(found)], datasets)


def _networks(results: Results, datasets: Sequence[str]) -> pd.DataFrame:
    """A row for each network, partitioning and measure, as the papers' table has them."""
    return _about(results.measures[is_tested(results.measures)], datasets)


def _evidence(row: pd.Series) -> str:
    interval = "" if pd.isna(row["low"]) else f" [{row['low']:.2f}, {row['high']:.2f}]"
    return f"{row['fisher']:.2f}{interval} of {row['n']}, p = {row['p']:.2g}"


def _name(row: pd.Series) -> str:
    return f"{network_name(row['kind'])}, {row['partitioning']}"


def significant(
    results: Results,
    datasets: Sequence[str],
    measure: str,
    networks: Sequence[str],
    partitionings: Sequence[str],
    at: float,
) -> list[Case]:
    """The statistic of a measure is significant; it is not where its interval lies below a small
    effect, which the rule then would have seen."""
    found, cases = _tested(results, datasets), []
    for _, row in found[found["measure"] == measure].iterrows():
        if row["kind"] in networks and row["partitioning"] in partitionings:
            fails = False if row["high"] < at else None
            holds = True if row["significant"] else fails
            cases.append(Case(_name(row), holds, _evidence(row)))
    return cases


def seldom_significant(
    results: Results,
    datasets: Sequence[str],
    measures: Sequence[str],
    networks: Sequence[str],
    share: float,
) -> list[Case]:
    """A measure is significant in few conditions, of networks and partitionings."""
    cases = []
    for measure in measures:
        own = _tested(results, datasets)
        own = own[(own["measure"] == measure) & own["kind"].isin(networks)]
        if len(own):
            n = int(own["significant"].astype(bool).sum())
            cases.append(verdicts.few(MEASURES[measure], (n, len(own)), share))
    return cases


def similar(
    results: Results,
    datasets: Sequence[str],
    first: Sequence[str],
    second: Sequence[str],
    measures: Sequence[str],
    networks: Sequence[str],
    within: float,
) -> list[Case]:
    """Fisher statistics of two groups of partitionings agree to a margin, network by network."""
    table, cases = _networks(results, datasets), []
    for kind in networks:
        for measure in measures:
            own = table[(table["kind"] == kind) & (table["measure"] == measure)]
            means = [
                own[own["partitioning"].isin(group)].groupby("seed")["fisher"].mean()
                for group in (first, second)
            ]
            gap = (means[0] - means[1]).dropna()
            if len(gap) > 1:
                holds, ends = verdicts.is_same(partial(stats.mean_interval, gap), within)
                evidence = f"{gap.mean():+z.2f} [{ends[0]:+z.2f}, {ends[1]:+z.2f}]"
                cases.append(Case(f"{network_name(kind)}, {MEASURES[measure]}", holds, evidence))
    return cases


def near_printed(
    results: Results,
    datasets: Sequence[str],
    networks: Sequence[str],
    measures: Sequence[str],
    within: float,
) -> list[Case]:
    """The mean Fisher statistic is the printed one, to a margin."""
    printed = paper_table("casper2022_table_1").set_index(["network", "partitioning"])
    table, cases = _networks(results, datasets), []
    for (kind, partitioning, measure), own in table.groupby(
        ["kind", "partitioning", "measure"], sort=False
    ):
        if kind in networks and measure in measures and len(own) > 1:
            theirs = float(printed.loc[(kind, partitioning), measure])
            gap = own["fisher"] - theirs
            holds, ends = verdicts.is_same(partial(stats.mean_interval, gap), within)
            name = f"{network_name(kind)}, {partitioning}, {MEASURES[measure]}"
            evidence = (
                f"{own['fisher'].mean():.2f} here, {theirs:.2f} printed, difference "
                f"[{ends[0]:+z.2f}, {ends[1]:+z.2f}]"
            )
            cases.append(Case(name, holds, evidence))
    return cases


def above(
    results: Results,
    datasets: Sequence[str],
    network: str,
    partitionings: Sequence[str],
    measure: str,
    at: float,
) -> list[Case]:
    """The mean Fisher statistic lies above a number, by its interval."""
    found, cases = _tested(results, datasets), []
    own = found[(found["measure"] == measure) & (found["kind"] == network)]
    for _, row in own[own["partitioning"].isin(partitionings) & (own["n"] > 1)].iterrows():
        holds = verdicts.is_below(-row["high"], -row["low"], -at)
        cases.append(Case(_name(row), holds, _evidence(row)))
    return cases


def one_half(results: Results, datasets: Sequence[str], at: float, share: float) -> list[Case]:
    """Most first-layer sub-clusters follow one half of the image, for each partitioning."""
    cases = []
    for partitioning, own in _about(results.halves, datasets).groupby("partitioning", sort=False):
        n = int((own["one_sided"] >= at).sum())
        cases.append(verdicts.most(str(partitioning), (n, len(own)), share))
    return cases


def more_than_random(
    results: Results, datasets: Sequence[str], alpha: float, at: float
) -> list[Case]:
    """First-layer sub-clusters follow one half more than random sets do: Fisher's p-value of each
    network, and that of Bates over networks. It fails where the networks' mean percentile lies
    above a number, by its interval."""
    cases = []
    for partitioning, own in _about(results.halves, datasets).groupby("partitioning", sort=False):
        by_network = own.groupby("seed")["percentile"]
        p = bates_p_value(by_network.apply(fisher_p_value).mean(), by_network.ngroups)
        means = by_network.mean()
        fails = None
        if len(means) > 1 and stats.mean_interval(means)[0] > at:
            fails = False
        evidence = f"mean percentile {means.mean():.2f}, p = {p:.2g}"
        cases.append(Case(str(partitioning), True if p < alpha else fails, evidence))
    return cases


def below_shuffles(results: Results, datasets: Sequence[str], alpha: float) -> list[Case]:
    """An ImageNet network is more clusterable than its shuffles; it is not where as many or more
    than half of them are."""
    cases = []
    own = _about(results.imagenet, datasets)
    for row in own[own["n_shuffles"] >= 1 / alpha - 1].itertuples():
        holds = True if row.p_value < alpha else False if row.p_value >= 0.5 else None
        evidence = f"n-cut {row.ncut:.3f}, z = {row.z_score:.1f}, p = {row.p_value:.2g}"
        cases.append(Case(row.words, holds, evidence))
    return cases


def printed_ncuts(results: Results, datasets: Sequence[str], within: float) -> list[Case]:
    """The n-cut of a network is the printed one, to a share of it, where it is one of as many
    clusters of the same graph."""
    printed = paper_table("casper2022_figure_2").set_index(["network", "n_clusters"])["ncut"]
    cases = []
    for row in _about(results.imagenet, datasets).itertuples():
        place = (row.words, row.n_clusters)
        if place in printed.index and row.norm == "l1":
            holds = bool(abs(row.ncut / printed[place] - 1) < within)
            evidence = f"{row.ncut:.3f} here, {printed[place]:.3f} in the paper"
            cases.append(Case(row.words, holds, evidence))
    return cases


RULES: tuple[Rule, ...] = (
    significant,
    seldom_significant,
    similar,
    near_printed,
    above,
    one_half,
    more_than_random,
    below_shuffles,
    printed_ncuts,
)
