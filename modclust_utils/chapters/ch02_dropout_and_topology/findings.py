"""What chapter 2 finds: numbers for its sentences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from modclust_utils import quantized, stats
from modclust_utils.chapters.ch02_dropout_and_topology.designs import (
    COPIES,
    N_DISTINCT,
    N_SHUFFLES,
)
from modclust_utils.datasets import MIXTURES
from modclust_utils.tables import N_PAPER


@dataclass(frozen=True)
class Count:
    """How many of how many."""

    n: int
    of: int

    def __str__(self) -> str:
        return f"{self.n} of {self.of}"


def _count(passed: Iterable[bool]) -> Count:
    each = [*passed]
    return Count(int(sum(each)), len(each))


def lowered(effect: pd.DataFrame) -> dict[str, Count]:
    """In how many comparisons dropout lowers the mean n-cut (the interval lies below 0), here and,
    where it has the data sets, in the paper."""
    places = {"ours": "here", "paper": "in the paper"}
    sources = effect.groupby("source", sort=False)
    return {places[source]: _count(rows["high"] < 0) for source, rows in sources}


@dataclass(frozen=True)
class Topology:
    """In how many kinds of network, after pruning, networks are more clusterable than shuffles that
    keep their topology (`beyond`), and these than full shuffles (`alone`)."""

    beyond: Count
    alone: Count


def topology(networks: pd.DataFrame) -> Topology:
    """What topology alone does, from `tables.per_network`."""
    after = networks[networks["phase"] == "after"]
    after = after.assign(gap=after["ncut"] - after["null_layer_nonzero_mean"])
    kinds = after.groupby(["dataset", "dropout"])
    return Topology(
        beyond=_count(stats.mean_interval(gaps)[1] < 0 for _, gaps in kinds["gap"]),
        alone=_count(kinds["cohens_d"].mean() > 0),
    )


@dataclass(frozen=True)
class Training:
    """low, high: range of our freshly initialized networks; inside: kinds of network whose mean
    n-cut before pruning is in it; learned, others: significant networks after pruning, in kinds
    that learned more than half of their labels, and in the other kinds."""

    low: float
    high: float
    inside: Count
    learned: Count
    others: Count


def training(controls: pd.DataFrame, fresh: pd.DataFrame) -> Training:
    """What training on random data does, from `controls.controls` and networks not trained."""
    ncuts = fresh["ncuts"].iloc[0]
    low, high = min(ncuts), max(ncuts)
    learned = controls["train_acc"] > 0.5
    return Training(
        low=low,
        high=high,
        inside=_count(controls["before_mean"].between(low, high)),
        learned=_significant(controls[learned]),
        others=_significant(controls[~learned]),
    )


def _significant(controls: pd.DataFrame) -> Count:
    return Count(int(controls["n_sig"].sum()), int(controls["n"].sum()))


@dataclass(frozen=True)
class Memorized:
    """n-cuts before pruning of the networks without dropout that memorize.

    fresh, fresh_std: mean and standard deviation of freshly initialized networks; paper: the
    printed mean, NaN where this run has not the paper's images; reach: networks, of images of all
    scales, that reach it.
    """

    fresh: float
    fresh_std: float
    paper: float
    reach: Count


def memorized(controls: pd.DataFrame, fresh: pd.DataFrame) -> Memorized:
    """What memorizing alone does, from `controls.controls` and networks not trained."""
    rows = controls[(controls["role"] == "memorization") & ~controls["dropout"].astype(bool)]
    paper = float(rows["paper_before_mean"].max())
    ncuts = [ncut for each in rows["before"] for ncut in each]
    sample = np.array(fresh["ncuts"].iloc[0])
    reach = _count(ncut >= paper for ncut in ncuts)
    return Memorized(float(sample.mean()), float(sample.std(ddof=1)), paper, reach)


def below_both_parts(mixtures: pd.DataFrame) -> dict[str, Count]:
    """In how many comparisons a mixture has a lower mean n-cut than both of its parts, here and in
    the paper; of the mixtures that this run has together with both parts."""
    table = mixtures.set_index(["dataset", "dropout"])
    found: dict[str, list[bool]] = {"here": [], "in the paper": []}
    for name, dropout in table.index[table.index.get_level_values("dataset").isin([*MIXTURES])]:
        places = [(each, dropout) for each in (name, *MIXTURES[name][:2])]
        means = table.reindex(places)[["ncut_mean", "paper_ncut_mean"]].to_numpy(float)
        for where, (own, *parts) in zip(found, means.T, strict=True):
            if not np.isnan([*means[:, 0], own, *parts]).any():
                found[where].append(own < min(parts))
    return {where: _count(each) for where, each in found.items() if each}


@dataclass(frozen=True)
class Lattice:
    """fits: printed p-values of the form (10 m + 1) / 321; between: how many are neither the
    smallest nor the largest; chance: the share of such that would fit by accident."""

    fits: Count
    between: int
    chance: float


def lattice(table: pd.DataFrame) -> Lattice:
    """What the printed p-values have in common, from `designs.lattice`."""
    between = table["m"].between(0, N_DISTINCT, inclusive="neither")
    chance = quantized.chance_of_fitting(inner=True)
    return Lattice(_count(table["fits"]), int(between.sum()), chance)


def multiples_of_ten(simulated: pd.DataFrame, design: str) -> Count:
    """Of the tests with a number of shuffles below the network that is neither none nor all, those
    in which it is a multiple of ten; from `designs.simulated`."""
    return _count(simulated[f"remainder_{design}"].dropna() == 0)


@dataclass(frozen=True)
class Scatter:
    """The standard deviation of Cohen's d over networks before pruning.

    independent, repeated: expected of so many independent shuffles as the paper says, and of few
    that are counted several times; ours, paper: observed, with the 95 % interval; n: networks.
    """

    independent: float
    repeated: float
    n_ours: int
    ours: tuple[float, float, float]
    n_paper: int
    paper: tuple[float, float, float]


def scatter_of_d(ours: pd.DataFrame, paper: pd.DataFrame) -> Scatter:
    """What the scatter of d tells of the number of distinct shuffles, from `tables.per_network` and
    `printed.networks`."""
    before = [table.loc[table["phase"] == "before", "cohens_d"] for table in (ours, paper)]
    own, theirs = ((d.std(ddof=1), *stats.std_interval(d)) for d in before)
    return Scatter(
        independent=quantized.expected_d_spread(N_SHUFFLES, 1),
        repeated=quantized.expected_d_spread(N_DISTINCT, COPIES),
        n_ours=len(before[0]),
        ours=own,
        n_paper=len(before[1]),
        paper=theirs,
    )


@dataclass(frozen=True)
class Significant:
    """Tests of one phase: how many are significant with independent shuffles, are expected to be
    with repeated ones, and are in print (of how many)."""

    phase: str
    independent: Count
    repeated: float
    paper: Count


def significant(table: pd.DataFrame) -> list[Significant]:
    """How many tests pass in each phase, from `designs.significance`."""
    found = []
    for phase, rows in table.groupby("phase", sort=False):
        n, known = rows["n"], rows["paper"].dropna()
        independent = Count(round((rows["ours_independent"] * n).sum()), int(n.sum()))
        repeated = float((rows["ours_repeated"] * n).sum())
        in_print = Count(round(known.sum() * N_PAPER), len(known) * N_PAPER)
        found.append(Significant(str(phase), independent, repeated, in_print))
    return found
