"""The rules that decide the claims of chapter 4 (papers B and B').

A Fisher statistic is compared with that of uniform percentiles (`tables.uniform`). Intervals are
Student's, over the networks of a kind, which are independent of each other; where there is one
network there is none. Sub-clusters of one network, parts of the same layers, are not independent.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from modclust_utils import stats, verdicts
from modclust_utils.chapters.ch04_specialization.tables import (
    MEASURES,
    as_made,
    is_tested,
    least_one_sided,
    network_name,
    summary,
)
from modclust_utils.datasets.papers import paper_table
from modclust_utils.fisher_bates import bates_p_value, fisher_p_value
from modclust_utils.verdicts import Case, Rule


@dataclass(frozen=True)
class Results:
    """What the claims are decided from: `tables.measures`, `tables.halves`, `tables.clusterability`
    of the ImageNet networks and of their tests with other seeds (spread), and the parameters whose
    values are not the papers' (differing)."""

    measures: pd.DataFrame
    halves: pd.DataFrame
    imagenet: pd.DataFrame
    spread: pd.DataFrame
    differing: Collection[str] = ()


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
    """The statistic of a measure is significant, and the mean percentile lies below 0.5 by its
    interval; it is not where the interval of the statistic lies below a small effect, which the
    rule then would have seen.

    The p-value takes sub-clusters as independent, and few of them at the extreme are enough for it
    where most are no more than random sets (paper B, appendix A.2.3); the interval does neither.
    """
    found, cases = _tested(results, datasets), []
    for _, row in found[found["measure"] == measure].iterrows():
        if row["kind"] in networks and row["partitioning"] in partitionings:
            means = _mean_percentiles(results, datasets, row)
            low, high = stats.mean_interval(means)
            fails = False if row["high"] < at else None
            holds = True if row["significant"] and high < 0.5 else fails
            ends = "" if math.isnan(low) else f" [{low:.2f}, {high:.2f}]"
            evidence = f"{_evidence(row)}, mean percentile {means.mean():.2f}{ends}"
            cases.append(Case(_name(row), holds, evidence))
    return cases


def _mean_percentiles(results: Results, datasets: Sequence[str], row: pd.Series) -> pd.Series:
    """Of each network in a row of `_tested`."""
    own = _networks(results, datasets)
    for name in ("kind", "partitioning", "measure"):
        own = own[own[name] == row[name]]
    return own["percentiles"].map(np.mean)


def seldom_significant(
    results: Results,
    datasets: Sequence[str],
    measures: Sequence[str],
    networks: Sequence[str],
    share: float,
) -> list[Case]:
    """A measure is significant in few conditions, of networks and partitionings, in the reading of
    the papers' text and in that with which their numbers were made.

    The bound of the share takes conditions as independent. Four each are about the same networks,
    so that it is narrower than it should be.
    """
    found, cases = summary(results.measures), []
    readings = {
        "as the text reads": _about(found[is_tested(found)], datasets),
        "as the numbers were made": _about(as_made(found), datasets),
    }
    for measure in measures:
        said = {}
        for words, table in readings.items():
            own = table[(table["measure"] == measure) & table["kind"].isin(networks)]
            if len(own):
                n = int(own["significant"].astype(bool).sum())
                said[words] = verdicts.few(MEASURES[measure], (n, len(own)), share)
        if said:
            cases.append(_agreed(MEASURES[measure], said))
    return cases


def _agreed(name: str, said: Mapping[str, Case]) -> Case:
    """One case from what several readings say of it, which cannot be told where they disagree."""
    answers = {case.holds for case in said.values()}
    evidence = "; ".join(f"{words} {case.evidence}" for words, case in said.items())
    return Case(name, answers.pop() if len(answers) == 1 else None, evidence)


def similar(
    results: Results,
    datasets: Sequence[str],
    first: Sequence[str],
    second: Sequence[str],
    measures: Sequence[str],
    networks: Sequence[str],
    within: float,
) -> list[Case]:
    """Fisher statistics of two partitionings agree to a margin, network by network: each of the
    first and the one in the same place of the second.

    Pair by pair: where one is larger in a pair and smaller in the other, their means hide both.
    """
    table, cases = _networks(results, datasets), []
    for kind in networks:
        for measure in measures:
            own = table[(table["kind"] == kind) & (table["measure"] == measure)]
            by_network = own.pivot(index="seed", columns="partitioning", values="fisher")
            by_network = by_network.reindex(columns=[*first, *second])
            for one, other in zip(first, second, strict=True):
                gap = (by_network[one] - by_network[other]).dropna()
                if len(gap) > 1:
                    holds, ends = verdicts.is_same(partial(stats.mean_interval, gap), within)
                    name = f"{network_name(kind)}, {MEASURES[measure]}, {one} less {other}"
                    evidence = f"{gap.mean():+z.2f} [{ends[0]:+z.2f}, {ends[1]:+z.2f}]"
                    cases.append(Case(name, holds, evidence))
    return cases


def near_printed(
    results: Results,
    datasets: Sequence[str],
    networks: Sequence[str],
    measures: Sequence[str],
    within: float,
    made_with: Sequence[str],
) -> list[Case]:
    """The mean Fisher statistic is the printed one, to a margin; it cannot be told from networks
    that are others than the paper's.

    made_with: the parameters that make them others.
    """
    printed = paper_table("casper2022_table_1").set_index(["network", "partitioning"])
    table, cases = _networks(results, datasets), []
    for (kind, partitioning, measure), own in table.groupby(
        ["kind", "partitioning", "measure"], sort=False
    ):
        if kind in networks and measure in measures and len(own) > 1:
            theirs = float(printed.loc[(kind, partitioning), measure])
            gap = own["fisher"] - theirs
            holds, ends = verdicts.is_same(partial(_from_printed, gap), within)
            name = f"{network_name(kind)}, {partitioning}, {MEASURES[measure]}"
            evidence = (
                f"{own['fisher'].mean():.2f} here, {theirs:.2f} printed, difference "
                f"[{ends[0]:+z.2f}, {ends[1]:+z.2f}]"
            )
            cases.append(_if_papers(Case(name, holds, evidence), made_with, results))
    return cases


def _from_printed(gap: pd.Series, confidence: float) -> tuple[float, float]:
    """Of the mean of ours less a printed mean, whose standard error is not printed: it is taken to
    be that of ours, so that the one of the difference is the square root of 2 times as large."""
    low, high = stats.mean_interval(gap, confidence)
    middle, half = (low + high) / 2, math.sqrt(2) * (high - low) / 2
    return middle - half, middle + half


def _if_papers(case: Case, made_with: Sequence[str], results: Results) -> Case:
    """A case that cannot be told where some parameters are not the papers'."""
    others = [name for name in made_with if name in results.differing]
    if not others:
        return case
    words = f"{case.evidence}; not the paper's {', '.join(others)}"
    return Case(case.name, None, words)


def above(
    results: Results,
    datasets: Sequence[str],
    network: str,
    partitionings: Sequence[str],
    measure: str,
    at: float,
    made_with: Sequence[str],
) -> list[Case]:
    """The mean Fisher statistic lies above a number, by its interval; it cannot be told from
    networks that are others than the paper's, by one of the parameters `made_with`."""
    found, cases = _tested(results, datasets), []
    own = found[(found["measure"] == measure) & (found["kind"] == network)]
    for _, row in own[own["partitioning"].isin(partitionings) & (own["n"] > 1)].iterrows():
        holds = verdicts.is_below(-row["high"], -row["low"], -at)
        cases.append(_if_papers(Case(_name(row), holds, _evidence(row)), made_with, results))
    return cases


def one_half(
    results: Results, datasets: Sequence[str], times: Sequence[float], share: float
) -> list[Case]:
    """Most first-layer sub-clusters follow one half of the image, for each partitioning, wherever
    one draws the line: where the image holds so many times as much in one half as in the other."""
    cases = []
    for partitioning, own in _about(results.halves, datasets).groupby("partitioning", sort=False):
        if own["seed"].nunique() > 1:
            said = {f"{each:g}:1,": _most(own, least_one_sided(each), share) for each in times}
            cases.append(_agreed(str(partitioning), said))
    return cases


def _most(own: pd.DataFrame, at: float, share: float) -> Case:
    """The share of sub-clusters that are as one-sided as `at` is above `share`, by one-sided 95 %
    bounds over networks.

    Where all networks have the same share their spread says nothing, and the bounds would be a
    point: then they are those of as many sub-clusters.
    """
    passed = own["one_sided"] >= at
    shares, n = passed.groupby(own["seed"]).mean(), int(passed.sum())
    if shares.nunique() > 1:
        low, high = stats.mean_interval(shares, confidence=0.9)
    else:
        low, high = stats.proportion_interval(n, len(own), confidence=0.9)
    evidence = f"{n}/{len(own)}, by network {shares.mean():.2f} [{low:.2f}, {high:.2f}]"
    return Case("", verdicts.is_below(-high, -low, -share), evidence)


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
    than half of them are. It cannot be told where a z-score of other seeds has the other sign:
    k-means finds another cut then, or other shuffles."""
    cases = []
    own, again = (_about(table, datasets) for table in (results.imagenet, results.spread))
    for row in own[own["n_shuffles"] >= 1 / alpha - 1].itertuples():
        other = again[(again["words"] == row.words) & (again["n_init"] == row.n_init)]["z_score"]
        below, above = bool((other < 0).all()), bool((other > 0).all())
        holds = True if row.p_value < alpha and below else None
        holds = False if row.p_value >= 0.5 and above else holds
        evidence = f"n-cut {row.ncut:.3f}, z = {row.z_score:.1f}, p = {row.p_value:.2g}"
        if other.notna().any():
            evidence += f"; over seeds z from {other.min():.1f} to {other.max():.1f}"
        cases.append(Case(row.words, holds, evidence))
    return cases


def printed_ncuts(results: Results, datasets: Sequence[str], within: float) -> list[Case]:
    """The n-cut of a network is the printed one, to a share of it, where it is one of as many
    clusters; with either norm of kernels, as the text prints one and the numbers come from the
    other."""
    printed = paper_table("casper2022_figure_2").set_index(["network", "n_clusters"])["ncut"]
    cases = []
    for row in _about(results.imagenet, datasets).itertuples():
        place = (row.words, row.n_clusters)
        if place in printed.index:
            holds = bool(abs(row.ncut / printed[place] - 1) < within)
            evidence = f"{row.ncut:.3f} here ({row.norm}), {printed[place]:.3f} in the paper"
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
