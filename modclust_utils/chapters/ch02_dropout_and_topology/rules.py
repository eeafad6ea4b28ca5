"""The rules that decide the claims of chapter 2 (paper A, sections 3.1 to 3.3, A.4, A.5)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.stats

from modclust_utils import quantized, stats
from modclust_utils.chapters.ch02_dropout_and_topology.controls import control_name
from modclust_utils.chapters.ch02_dropout_and_topology.tables import (
    PRINTED_MINIMUM,
    paper_per_network,
)
from modclust_utils.datasets.papers import printed_p_values
from modclust_utils.figures.style import dataset_name
from modclust_utils.tables import N_PAPER, condition_name
from modclust_utils.verdicts import Case


@dataclass(frozen=True)
class Results:
    """What the claims are decided from: the tables of the modules `tables` and `controls`, and the
    record of freshly initialized networks."""

    networks: pd.DataFrame
    effect: pd.DataFrame
    controls: pd.DataFrame
    mixtures: pd.DataFrame
    fresh: pd.DataFrame


def _conditions(
    results: Results, datasets: Sequence[str], phase: str
) -> list[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """(name, ours, the paper's) of every condition, network by network."""
    paper = paper_per_network()
    found = []
    ours = results.networks[results.networks["phase"] == phase]
    for (dataset, dropout), group in ours.groupby(["dataset", "dropout"], sort=False):
        if dataset in datasets:
            same = (paper["dataset"] == dataset) & (paper["dropout"] == dropout)
            printed = paper[same & (paper["phase"] == phase)]
            found.append((condition_name(str(dataset), bool(dropout)), group, printed))
    return found


def dropout_separates(results: Results, datasets: list[str]) -> list[Case]:
    """Every network with dropout has a lower n-cut than every one without, before and after."""
    chosen = results.effect[
        results.effect["dataset"].isin(datasets) & (results.effect["source"] == "ours")
    ]
    return [
        Case(
            f"{dataset_name(r.dataset)}, {r.phase} pruning",
            not r.overlap and r.difference < 0,
            f"difference {r.difference:+.3f}, ranges {'overlap' if r.overlap else 'apart'}",
        )
        for r in chosen.itertuples()
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
    cases = []
    for name, ours, printed in _conditions(results, datasets, phase):
        mine = int((ours["n_below_layer_nonzero"] == 0).sum())
        theirs = int((printed["p_value_layer_nonzero"] <= PRINTED_MINIMUM).sum())
        counts = [[mine, len(ours) - mine], [theirs, len(printed) - theirs]]
        p = float(scipy.stats.fisher_exact(counts).pvalue)
        evidence = f"{mine}/{len(ours)} against {theirs}/{len(printed)}, p = {p:.2f}"
        cases.append(Case(name, p > 0.05, evidence))
    return cases


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
    for name, ours, printed in _conditions(results, datasets, "after"):
        mine, theirs = ours["cohens_d"].mean(), printed["cohens_d"].mean()
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
    rows = results.controls.to_dict("records")
    return [
        r
        for r in rows
        if r["role"] == role and r["dataset"] in datasets and not np.isnan(r["paper_after_mean"])
    ]


def _name(row: dict) -> str:
    return condition_name(control_name(row), row["dropout"])


def control_share(results: Results, role: str, datasets: list[str]) -> list[Case]:
    """Fisher's exact test sees no difference (p > 0.05) in the share of networks below all their
    shuffles."""
    cases = []
    for row in _controls(results, role, datasets):
        theirs = round(row["paper_prop_sig"] * N_PAPER)
        counts = [[row["n_sig"], row["n"] - row["n_sig"]], [theirs, N_PAPER - theirs]]
        p = float(scipy.stats.fisher_exact(counts).pvalue)
        evidence = f"{row['n_sig']}/{row['n']} against {theirs}/{N_PAPER}, p = {p:.2f}"
        cases.append(Case(_name(row), p > 0.05, evidence))
    return cases


def control_mean(results: Results, role: str, datasets: list[str]) -> list[Case]:
    """Our mean n-cut after pruning is within one printed standard deviation of the printed mean."""
    cases = []
    for row in _controls(results, role, datasets):
        gap = row["ncut_mean"] - row["paper_after_mean"]
        evidence = f"{gap:+.4f} against a spread of {row['paper_after_std']:.3f}"
        cases.append(Case(_name(row), abs(gap) <= row["paper_after_std"], evidence))
    return cases


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
    cases = []
    for row in results.mixtures.to_dict("records"):
        if row["dataset"] in datasets and row["n"] > 0:
            gap = row["ncut_mean"] - row["paper_ncut_mean"]
            evidence = f"{gap:+.4f} against a spread of {row['paper_ncut_std']:.3f}"
            holds = abs(gap) <= row["paper_ncut_std"]
            cases.append(Case(condition_name(row["dataset"], row["dropout"]), holds, evidence))
    return cases


def mixture_order(
    results: Results,
    datasets: list[str],
    order: list[list[str]],
    dropouts: Sequence[bool] = (False, True),
) -> list[Case]:
    """The mean n-cuts of data sets come in the order that the paper describes."""
    table = results.mixtures[results.mixtures["dataset"].isin(datasets)]
    cases = []
    for names in order:
        for dropout in dropouts:
            mine = table[(table["dropout"] == dropout) & (table["n"] > 0)]
            means = mine.set_index("dataset")["ncut_mean"]
            if not set(names) <= set(means.index):
                continue
            values = [float(means[name]) for name in names]
            evidence = ", ".join(
                f"{dataset_name(n)} {v:.3f}" for n, v in zip(names, values, strict=True)
            )
            holds = all(a < b for a, b in itertools.pairwise(values))
            words = " below ".join(dataset_name(n) for n in names)
            cases.append(Case(condition_name(words, dropout), holds, evidence))
    return cases


def p_values_on_lattice(results: Results, datasets: list[str]) -> list[Case]:
    """Every printed p-value of Tables A.4 to A.15 has the form (10 m + 1) / 321."""
    _, fits = quantized.lattice_index(printed_p_values())
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
