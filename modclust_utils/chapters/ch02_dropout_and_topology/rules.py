"""The rules that decide the claims of chapter 2 (paper A, sections 3.1 to 3.3, A.4, A.5)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.stats

from modclust_utils import stats
from modclust_utils.chapters.ch02_dropout_and_topology import designs, printed
from modclust_utils.chapters.ch02_dropout_and_topology.controls import control_name
from modclust_utils.chapters.ch02_dropout_and_topology.tables import below_all
from modclust_utils.figures.style import dataset_name
from modclust_utils.tables import N_PAPER, condition_name
from modclust_utils.verdicts import Case


@dataclass(frozen=True)
class Results:
    """What the claims are decided from: tables of `tables` and `controls`, the record of freshly
    initialized networks, and the paper's networks (`printed.networks`, for this run's k)."""

    networks: pd.DataFrame
    effect: pd.DataFrame
    controls: pd.DataFrame
    mixtures: pd.DataFrame
    fresh: pd.DataFrame
    paper: pd.DataFrame


def _conditions(
    results: Results, datasets: Sequence[str], phase: str
) -> list[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """(name, ours, the paper's) of every condition that both have, network by network."""
    ours, paper = (
        table[table["dataset"].isin(datasets) & (table["phase"] == phase)]
        for table in (results.networks, results.paper)
    )
    theirs = dict([*paper.groupby(["dataset", "dropout"])])
    return [
        (condition_name(*kind), group, theirs[kind])
        for kind, group in ours.groupby(["dataset", "dropout"], sort=False)
        if kind in theirs
    ]


def dropout_separates(results: Results, datasets: list[str]) -> list[Case]:
    """Every network with dropout has a lower n-cut than every one without, before and after."""
    chosen = results.effect[results.effect["dataset"].isin(datasets)]
    beside = chosen["dataset"].isin(chosen.loc[chosen["source"] == "paper", "dataset"])
    return [
        Case(
            f"{dataset_name(r.dataset)}, {r.phase} pruning",
            not r.overlap and r.difference < 0,
            f"difference {r.difference:+.3f}, ranges {'overlap' if r.overlap else 'apart'}",
        )
        for r in chosen[beside & (chosen["source"] == "ours")].itertuples()
    ]


def same_effect_size(results: Results, datasets: list[str], within: float) -> list[Case]:
    """Z of the difference after pruning is within some units of the paper's.

    Two independent Z of one effect differ by less than 2.8 in 95 of 100 cases if the spread of the
    networks is known; estimated from ten networks, large Z differ more.
    """
    after = results.effect[results.effect["phase"] == "after"]
    cases = []
    for dataset in datasets:
        z = after[after["dataset"] == dataset].set_index("source")["z"]
        if {"ours", "paper"} <= set(z.index):
            evidence = f"{z['ours']:.1f} against {z['paper']:.1f}"
            holds = bool(abs(z["ours"] - z["paper"]) < within)
            cases.append(Case(dataset_name(dataset), holds, evidence))
    return cases


def share_against_topology(results: Results, datasets: list[str], phase: str) -> list[Case]:
    """Fisher's exact test sees no difference (p > 0.05) between our share of networks below all
    topology-preserving shuffles and the printed one."""
    return [
        _same_share(name, *((int(below_all(t, "layer_nonzero").sum()), len(t)) for t in tables))
        for name, *tables in _conditions(results, datasets, phase)
    ]


def _same_share(name: str, ours: tuple[int, int], printed: tuple[int, int]) -> Case:
    """Fisher's exact test of two shares, each as (passed, number)."""
    table = [[passed, n - passed] for passed, n in (ours, printed)]
    p = float(scipy.stats.fisher_exact(table).pvalue)
    evidence = f"{ours[0]}/{ours[1]} against {printed[0]}/{printed[1]}, p = {p:.2f}"
    return Case(name, p > 0.05, evidence)


def below_topology(results: Results, datasets: list[str]) -> list[Case]:
    """After pruning, networks have lower n-cuts than their topology-preserving shuffles: the 95 %
    interval of the mean difference lies below 0."""
    cases = []
    for name, ours, _ in _conditions(results, datasets, "after"):
        low, high = stats.mean_interval(
            (ours["ncut"] - ours["null_layer_nonzero_mean"]).to_numpy(float)
        )
        cases.append(Case(name, high < 0, f"[{low:+.3f}, {high:+.3f}]"))
    return cases


def same_sign_of_d(results: Results, datasets: list[str]) -> list[Case]:
    """After pruning, the mean of Cohen's d has the sign that it has in the paper's table."""
    cases = []
    for name, *tables in _conditions(results, datasets, "after"):
        mine, theirs = (table["cohens_d"].mean() for table in tables)
        evidence = f"{mine:+.2f} against {theirs:+.2f}"
        cases.append(Case(name, bool(mine * theirs > 0), evidence))
    return cases


def no_effect_before(results: Results, datasets: list[str], within: float) -> list[Case]:
    """Before pruning both nulls are the same: the mean of Cohen's d is close to 0."""
    cases = []
    for name, ours, _ in _conditions(results, datasets, "before"):
        mean = float(ours["cohens_d"].mean())
        cases.append(Case(name, abs(mean) < within, f"{mean:+.3f}"))
    return cases


def _controls(results: Results, role: str, datasets: list[str]) -> list[dict]:
    """The rows that have printed numbers beside them."""
    table = results.controls
    chosen = (table["role"] == role) & table["dataset"].isin(datasets)
    return table[chosen & table["paper_after_mean"].notna()].to_dict("records")


def _mixtures(results: Results, datasets: list[str]) -> pd.DataFrame:
    """The rows of this run that have printed numbers beside them."""
    table = results.mixtures
    there = (table["n"] > 0) & table["paper_ncut_mean"].notna()
    return table[there & table["dataset"].isin(datasets)]


def _name(row: dict) -> str:
    return condition_name(control_name(row), row["dropout"])


def control_share(results: Results, role: str, datasets: list[str]) -> list[Case]:
    """Fisher's exact test sees no difference (p > 0.05) in the share of networks below all their
    shuffles."""
    return [
        _same_share(
            _name(row),
            (row["n_sig"], row["n"]),
            (round(row["paper_prop_sig"] * N_PAPER), N_PAPER),
        )
        for row in _controls(results, role, datasets)
    ]


def control_mean(results: Results, role: str, datasets: list[str]) -> list[Case]:
    """Our mean n-cut after pruning is within one printed standard deviation of the printed mean."""
    return [
        _same_mean(_name(row), row["ncut_mean"], row["paper_after_mean"], row["paper_after_std"])
        for row in _controls(results, role, datasets)
    ]


def _same_mean(name: str, ours: float, mean: float, std: float) -> Case:
    evidence = f"{ours - mean:+.4f} against a spread of {std:.3f}"
    return Case(name, abs(ours - mean) <= std, evidence)


def not_below_fresh(results: Results, role: str, datasets: list[str]) -> list[Case]:
    """Before pruning, the mean n-cut is not below all freshly initialized networks."""
    cases = []
    for row in _controls(results, role, datasets):
        lowest = float(min(results.fresh["ncuts"].iloc[0]))
        evidence = f"mean {row['before_mean']:.3f}, lowest freshly initialized network {lowest:.3f}"
        cases.append(Case(_name(row), row["before_mean"] >= lowest, evidence))
    return cases


def mixture_mean(results: Results, datasets: list[str]) -> list[Case]:
    """Our mean n-cut is within one printed standard deviation of the printed mean."""
    return [
        _same_mean(
            condition_name(row.dataset, row.dropout),
            row.ncut_mean,
            row.paper_ncut_mean,
            row.paper_ncut_std,
        )
        for row in _mixtures(results, datasets).itertuples()
    ]


def mixture_order(
    results: Results,
    datasets: list[str],
    order: list[list[str]],
    dropouts: Sequence[bool] = (False, True),
) -> list[Case]:
    """The mean n-cuts of data sets come in the order that the paper describes."""
    means = _mixtures(results, datasets).set_index(["dataset", "dropout"])["ncut_mean"].to_dict()
    cases = []
    for names, dropout in itertools.product(order, dropouts):
        values = [means.get((name, dropout), np.nan) for name in names]
        if np.isnan(values).any():
            continue
        words = [dataset_name(name) for name in names]
        evidence = ", ".join(f"{n} {v:.3f}" for n, v in zip(words, values, strict=True))
        holds = all(a < b for a, b in itertools.pairwise(values))
        cases.append(Case(condition_name(" below ".join(words), dropout), holds, evidence))
    return cases


def p_values_on_lattice(results: Results, datasets: list[str]) -> list[Case]:
    """Every printed p-value of Tables A.4 to A.15 has the form (10 m + 1) / 321."""
    fits = designs.lattice(printed.networks())["fits"]
    return [Case("all", bool(fits.all()), f"{int(fits.sum())} of {len(fits)}")]


RULES = (
    dropout_separates,
    same_effect_size,
    share_against_topology,
    below_topology,
    same_sign_of_d,
    no_effect_before,
    control_share,
    control_mean,
    not_below_fresh,
    mixture_mean,
    mixture_order,
    p_values_on_lattice,
)
