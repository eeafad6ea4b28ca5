"""The rules that decide the claims of chapter 2 (paper A, sections 3.1 to 3.3, A.4, A.5)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from modclust_utils import stats, verdicts
from modclust_utils.chapters.ch02_dropout_and_topology import controls, designs, printed, tables
from modclust_utils.chapters.ch02_dropout_and_topology.controls import control_name
from modclust_utils.chapters.ch02_dropout_and_topology.tables import below_all
from modclust_utils.figures.style import dataset_name
from modclust_utils.recipes.frames import only_k
from modclust_utils.tables import condition_name, far_out
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

    def without_far_out(self, found: Mapping[str, pd.DataFrame]) -> Results:
        """The same without n-cuts that are far from those of their kind and phase; of controls and
        mixtures, without those networks. found: the frames of the chapter's plan."""
        kind, k = ["role", "dataset", "dropout"], only_k(self.fresh)
        networks = self.networks[~far_out(self.networks, printed.CONDITION)]
        before, tests, mixed = (
            found[name][~far_out(found[name], places)]
            for name, places in (
                *(("control_before", kind), ("control_tests", kind)),
                *(("mixed_ncuts", kind[1:]),),
            )
        )
        return replace(
            self,
            networks=networks,
            effect=tables.dropout_effect(networks, self.paper),
            controls=controls.controls(
                *(found["controls"], before, tests), controls.paper_controls(found["controls"], k)
            ),
            mixtures=controls.mixtures(
                *(found["mixed"], mixed), controls.paper_mixtures(found["mixed"], k)
            ),
        )


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


def share_against_topology(
    results: Results, datasets: list[str], phase: str, within: float
) -> list[Case]:
    """Our share of networks below all topology-preserving shuffles is the printed one, within a
    margin."""
    cases = []
    for name, *both in _conditions(results, datasets, phase):
        ours, theirs = ((int(below_all(t, "layer_nonzero").sum()), len(t)) for t in both)
        cases.append(verdicts.same_share(name, ours, theirs, within))
    return cases


def below_topology(results: Results, datasets: list[str]) -> list[Case]:
    """After pruning, networks have lower n-cuts than their topology-preserving shuffles: the 95 %
    interval for the median of the difference lies below 0."""
    cases = []
    for name, ours, _ in _conditions(results, datasets, "after"):
        gaps = (ours["ncut"] - ours["null_layer_nonzero_mean"]).to_numpy(float)
        ends = stats.median_interval(gaps)
        evidence = f"median {_interval(ends)}, mean {_interval(stats.mean_interval(gaps))}"
        cases.append(Case(name, verdicts.is_below(*ends), evidence))
    return cases


def _interval(ends: tuple[float, float], digits: int = 3) -> str:
    return f"[{ends[0]:+.{digits}f}, {ends[1]:+.{digits}f}]"


def same_sign_of_d(results: Results, datasets: list[str]) -> list[Case]:
    """After pruning, the mean of Cohen's d has the sign that it has in the paper's table: both 95 %
    intervals leave out 0, on one side."""
    cases = []
    for name, *both in _conditions(results, datasets, "after"):
        mine, theirs = (stats.mean_interval(table["cohens_d"]) for table in both)
        sides = [verdicts.is_below(*ends) for ends in (mine, theirs)]
        holds = None if None in sides else sides[0] == sides[1]
        evidence = f"{_interval(mine, 2)} against {_interval(theirs, 2)}"
        cases.append(Case(name, holds, evidence))
    return cases


def no_effect_before(results: Results, datasets: list[str], within: float) -> list[Case]:
    """Before pruning both nulls are the same: the 90 % interval for the mean of Cohen's d (two
    one-sided tests at 5 %) is inside a margin."""
    cases = []
    for name, ours, _ in _conditions(results, datasets, "before"):
        d = ours["cohens_d"].to_numpy(float)
        holds, ends = verdicts.is_same(partial(stats.mean_interval, d), within)
        cases.append(Case(name, holds, _interval(ends)))
    return cases


def _nulls_before(
    results: Results, datasets: list[str], dropout: bool
) -> list[tuple[str, list[Sequence[float]]]]:
    """(name, shuffles of each network) of every condition before pruning."""
    chosen = results.networks[results.networks["dropout"] == dropout]
    conditions = _conditions(replace(results, networks=chosen), datasets, "before")
    return [(name, ours["layer"].tolist()) for name, ours, _ in conditions]


def bimodal_nulls(results: Results, datasets: list[str], dropout: bool) -> list[Case]:
    """Before pruning, the shuffles' n-cuts of most networks fall into two groups or more
    (`stats.n_modes`)."""
    return [
        verdicts.most(name, (sum(stats.n_modes(null) > 1 for null in nulls), len(nulls)))
        for name, nulls in _nulls_before(results, datasets, dropout)
    ]


def long_right_tails(results: Results, datasets: list[str], dropout: bool) -> list[Case]:
    """Before pruning, the n-cuts of a network's shuffles have a long right tail: the 95 % interval
    for the median of their skewness over the networks is above 0."""
    cases = []
    for name, nulls in _nulls_before(results, datasets, dropout):
        low, high = stats.median_interval([stats.skewness(null) for null in nulls])
        evidence = f"skewness {_interval((low, high), 2)}"
        cases.append(Case(name, verdicts.is_below(-high, -low), evidence))
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


def control_none(
    results: Results, role: str, datasets: list[str], below: float, luck: float
) -> list[Case]:
    """No network is below all its shuffles, beyond luck."""
    return [
        verdicts.none(_name(row), (row["n_sig"], row["n"]), below, luck)
        for row in _controls(results, role, datasets)
    ]


def control_few(results: Results, role: str, datasets: list[str]) -> list[Case]:
    """Fewer than half of the networks are below all their shuffles."""
    return [
        verdicts.few(_name(row), (row["n_sig"], row["n"]))
        for row in _controls(results, role, datasets)
    ]


def memorizing_clusters(
    results: Results, role: str, datasets: list[str], learned: float, nearly_all: float
) -> list[Case]:
    """Without dropout networks memorize (training accuracy above `learned`), and nearly all are
    below all their shuffles; with dropout they do not memorize, and fewer than half are."""
    cases = []
    for row in _controls(results, role, datasets):
        name, share = _name(row), (row["n_sig"], row["n"])
        found = (
            verdicts.few(name, share) if row["dropout"] else verdicts.most(name, share, nearly_all)
        )
        as_said = (row["train_acc"] > learned) != row["dropout"]
        evidence = f"training accuracy {row['train_acc']:.3f}; {found.evidence}"
        cases.append(Case(name, found.holds if as_said else False, evidence))
    return cases


def control_mean(results: Results, role: str, datasets: list[str]) -> list[Case]:
    """Our mean n-cut after pruning is within one printed standard deviation of the printed mean."""
    return [
        _same_mean(_name(row), row["ncut_mean"], row["paper_after_mean"], row["paper_after_std"])
        for row in _controls(results, role, datasets)
    ]


def _same_mean(name: str, ours: float, mean: float, std: float) -> Case:
    evidence = f"{ours - mean:+.4f} against a spread of {std:.3f}"
    return Case(name, abs(ours - mean) <= std, evidence)


def not_below_fresh(results: Results, role: str, datasets: list[str], within: float) -> list[Case]:
    """Before pruning, the mean n-cut is not lower than that of freshly initialized networks, by a
    margin: a one-sided test at 5 %."""
    fresh = np.array(results.fresh["ncuts"].iloc[0])
    cases = []
    for row in _controls(results, role, datasets):
        numbers = (row["before_mean"], row["before_std"], row["n"])
        interval = partial(
            stats.welch_interval, *numbers, fresh.mean(), fresh.std(ddof=1), len(fresh)
        )
        holds, ends = verdicts.is_not_lower(interval, within)
        evidence = f"mean {row['before_mean']:.3f} against {fresh.mean():.3f}, difference "
        cases.append(Case(_name(row), holds, evidence + _interval(ends)))
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
    """The mean n-cuts of data sets come in the order that the paper describes: the 95 % interval of
    each difference lies below 0. It fails where one lies above."""
    table = _mixtures(results, datasets).set_index(["dataset", "dropout"])
    numbers = table[["ncut_mean", "ncut_std", "n"]]
    cases = []
    for names, dropout in itertools.product(order, dropouts):
        if not all((name, dropout) in numbers.index for name in names):
            continue
        rows = [numbers.loc[(name, dropout)] for name in names]
        samples = [(row["ncut_mean"], row["ncut_std"], int(row["n"])) for row in rows]
        gaps = [stats.welch_interval(*a, *b) for a, b in itertools.pairwise(samples)]
        signs = [verdicts.is_below(*ends) for ends in gaps]
        holds = False if False in signs else None if None in signs else True
        words = [dataset_name(name) for name in names]
        means = ", ".join(f"{n} {r['ncut_mean']:.3f}" for n, r in zip(words, rows, strict=True))
        evidence = f"{means}; differences {', '.join(map(_interval, gaps))}"
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
    bimodal_nulls,
    long_right_tails,
    control_none,
    control_few,
    memorizing_clusters,
    control_mean,
    not_below_fresh,
    mixture_mean,
    mixture_order,
    p_values_on_lattice,
)
