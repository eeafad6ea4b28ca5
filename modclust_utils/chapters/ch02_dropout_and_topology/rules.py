"""The rules that decide the claims of chapter 2 (paper A, sections 3.1 to 3.3, A.4, A.5)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from modclust_utils import stats, verdicts
from modclust_utils.chapters.ch02_dropout_and_topology import controls, printed, tables
from modclust_utils.chapters.ch02_dropout_and_topology.controls import control_name
from modclust_utils.chapters.ch02_dropout_and_topology.tables import below_all
from modclust_utils.figures.style import dataset_name
from modclust_utils.recipes.frames import only_k
from modclust_utils.tables import N_PAPER, condition_name, far_out
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


BOTH = (False, True)  # without dropout and with it


def _conditions(
    results: Results, datasets: Sequence[str], phase: str, dropouts: Sequence[bool] = BOTH
) -> list[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """(name, ours, the paper's) of every condition that both have, network by network."""
    ours, paper = (
        table[
            table["dataset"].isin(datasets)
            & table["dropout"].isin(dropouts)
            & (table["phase"] == phase)
        ]
        for table in (results.networks, results.paper)
    )
    theirs = dict([*paper.groupby(["dataset", "dropout"])])
    return [
        (condition_name(*kind), group, theirs[kind])
        for kind, group in ours.groupby(["dataset", "dropout"], sort=False)
        if kind in theirs
    ]


def dropout_separates(results: Results, datasets: list[str], at: float) -> list[Case]:
    """Of all pairs of a network with dropout and one without, surely more than `at` have the lower
    n-cut with dropout, before and after: one-sided 95 % bounds of that share decide."""
    chosen = results.effect[results.effect["dataset"].isin(datasets)]
    beside = chosen["dataset"].isin(chosen.loc[chosen["source"] == "paper", "dataset"])
    return [
        Case(
            f"{dataset_name(r.dataset)}, {r.phase} pruning",
            verdicts.is_below(-r.in_order_high, -r.in_order_low, -at),
            f"difference {r.difference:+.3f}; lower with dropout in {r.in_order:.0%} of the pairs, "
            f"at least {r.in_order_low:.2f} and at most {r.in_order_high:.2f}",
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


def mean_of_d(
    results: Results, datasets: list[str], dropout: bool, side: str, at: float
) -> list[Case]:
    """After pruning, the mean of Cohen's d lies on one side (above, below) of a number: its 95 %
    interval decides."""
    cases = []
    for name, ours, paper in _conditions(results, datasets, "after", [dropout]):
        low, high = stats.mean_interval(ours["cohens_d"])
        above = verdicts.is_below(-high, -low, -at)
        holds = above if side == "above" else verdicts.is_below(low, high, at)
        printed_d = paper["cohens_d"].mean()
        evidence = f"mean of d {_interval((low, high), 2)}, printed {printed_d:+.2f}"
        cases.append(Case(name, holds, evidence))
    return cases


def lower_spread(results: Results, datasets: list[str]) -> list[Case]:
    """After pruning, n-cuts scatter less with dropout: the 95 % interval for the mean distance from
    the median, with dropout minus without, lies below 0 (Brown and Forsythe 1974: standard
    deviations themselves have no interval that one outlier does not rule)."""
    cases = []
    for dataset in datasets:
        ncuts = [ours["ncut"] for _, ours, _ in _conditions(results, [dataset], "after")]
        if len(ncuts) == len(BOTH):
            plain, dropped = ((each - each.median()).abs() for each in ncuts)
            parts = ((each.mean(), each.std(ddof=1), len(each)) for each in (dropped, plain))
            ends = stats.welch_interval(*itertools.chain(*parts))
            # of two networks both are as far from their median, and nothing varies
            few = min(map(len, ncuts)) < 3
            evidence = (
                f"standard deviations {ncuts[1].std(ddof=1):.3f} with and "
                f"{ncuts[0].std(ddof=1):.3f} without dropout; difference of the mean distances "
                f"from the median {_interval(ends)}"
            )
            holds = None if few else verdicts.is_below(*ends)
            cases.append(Case(dataset_name(dataset), holds, evidence))
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
    conditions = _conditions(results, datasets, "before", [dropout])
    return [(name, ours["layer"].tolist()) for name, ours, _ in conditions]


def bimodal_nulls(results: Results, datasets: list[str], dropout: bool) -> list[Case]:
    """Before pruning, the shuffles' n-cuts of most networks fall into two groups or more
    (`stats.n_modes`)."""
    return [
        verdicts.most(name, (sum(stats.n_modes(null) > 1 for null in nulls), len(nulls)))
        for name, nulls in _nulls_before(results, datasets, dropout)
    ]


def long_right_tails(results: Results, datasets: list[str], dropout: bool, at: float) -> list[Case]:
    """Before pruning, the n-cuts of a network's shuffles have a long right tail: the 95 % interval
    for the median of their skewness over the networks is above `at`."""
    cases = []
    for name, nulls in _nulls_before(results, datasets, dropout):
        low, high = stats.median_interval([stats.skewness(null) for null in nulls])
        evidence = f"skewness {_interval((low, high), 2)}"
        cases.append(Case(name, verdicts.is_below(-high, -low, -at), evidence))
    return cases


def _controls(
    results: Results, role: str, datasets: list[str], dropouts: Sequence[bool] = BOTH
) -> list[dict]:
    """The rows that have printed numbers beside them."""
    table = results.controls
    chosen = (table["role"] == role) & table["dataset"].isin(datasets)
    chosen &= table["dropout"].isin(dropouts) & table["paper_after_mean"].notna()
    return table[chosen].to_dict("records")


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


def memorizing_clusters(
    results: Results,
    role: str,
    datasets: list[str],
    learned: float,
    not_learned: float,
    nearly_all: float,
) -> list[Case]:
    """Without dropout networks memorize (training accuracy above `learned`), and nearly all are
    below all their shuffles; with dropout they do not memorize (below `not_learned`), and fewer
    than half are. What other images give decides nothing, and stands in the evidence."""
    table = results.controls
    others = table[(table["role"] == role) & ~table["dataset"].isin(datasets)].to_dict("records")
    cases = []
    for row in _controls(results, role, datasets):
        name, share, accuracy = _name(row), (row["n_sig"], row["n"]), row["train_acc"]
        if row["dropout"]:
            found, as_said = verdicts.few(name, share), accuracy < not_learned
            other_way = accuracy > learned
        else:
            found, as_said = verdicts.most(name, share, nearly_all), accuracy > learned
            other_way = accuracy < not_learned
        holds = found.holds if as_said else False if other_way else None
        beside = "".join(
            f"; {_name(other)}: {other['train_acc']:.3f}, {other['n_sig']}/{other['n']}"
            for other in others
            if other["dropout"] == row["dropout"]
        )
        evidence = f"training accuracy {accuracy:.3f}; {found.evidence}{beside}"
        cases.append(Case(name, holds, evidence))
    return cases


def as_clusterable_as(
    results: Results, role: str, datasets: list[str], images: str, within: float
) -> list[Case]:
    """After pruning and without dropout, the mean n-cut of a control is that of networks trained on
    images: the 90 % interval of the difference is inside a margin."""
    cases = []
    for row in _controls(results, role, datasets, [False]):
        for name, ours, _ in _conditions(results, [images], "after", [False]):
            theirs = (ours["ncut"].mean(), ours["ncut"].std(ddof=1), len(ours))
            interval = partial(stats.welch_interval, *_after(row), *theirs)
            holds, ends = verdicts.is_same(interval, within)
            evidence = f"{row['ncut_mean']:.3f} against {theirs[0]:.3f}, difference "
            cases.append(Case(f"{_name(row)}, and {name}", holds, evidence + _interval(ends)))
    return cases


def _after(row: Mapping[str, float]) -> tuple[float, float, int]:
    return row["ncut_mean"], row["ncut_std"], int(row["n"])


def control_mean(results: Results, role: str, datasets: list[str]) -> list[Case]:
    """Our mean n-cut after pruning is the printed one, within one printed standard deviation. Where
    the printed mean of the shuffles is within it, too, a case cannot be told."""
    return [
        _same_mean(
            *(_name(row), _after(row), row["paper_after_mean"], row["paper_after_std"]),
            row["paper_null_mean"],
        )
        for row in _controls(results, role, datasets)
    ]


def _same_mean(
    name: str,
    ours: tuple[float, float, int],
    mean: float,
    std: float,
    null: float = np.nan,
) -> Case:
    """ours: mean, standard deviation and number; null: the printed mean of the shuffles."""
    interval = partial(stats.welch_interval, *ours, mean, std, N_PAPER)
    holds, ends = verdicts.is_same(interval, std)
    evidence = f"{ours[0]:.3f} against {mean:.3f} ± {std:.3f}, difference {_interval(ends, 4)}"
    if holds and abs(null - mean) <= std:
        holds = None
        evidence += f"; the shuffles' mean, {null:.3f}, would pass as well"
    return Case(name, holds, evidence)


def not_below_fresh(
    results: Results,
    role: str,
    datasets: list[str],
    within: float,
    dropouts: Sequence[bool] = BOTH,
) -> list[Case]:
    """Before pruning, the mean n-cut is not lower than that of freshly initialized networks, by a
    margin: a one-sided test at 5 %. The evidence says what the printed numbers would get."""
    fresh = np.array(results.fresh["ncuts"].iloc[0])
    cases = []
    for row in _controls(results, role, datasets, dropouts):
        untrained = (fresh.mean(), fresh.std(ddof=1), len(fresh))
        ours = (row["before_mean"], row["before_std"], row["n"])
        theirs = (row["paper_before_mean"], row["paper_before_std"], N_PAPER)
        (holds, ends), (in_print, _) = (
            verdicts.is_not_lower(partial(stats.welch_interval, *each, *untrained), within)
            for each in (ours, theirs)
        )
        evidence = (
            f"mean {ours[0]:.3f} against {untrained[0]:.3f}, difference {_interval(ends)}; the "
            f"printed {theirs[0]:.3f} ± {theirs[1]:.3f} {_WOULD[in_print]}"
        )
        cases.append(Case(_name(row), holds, evidence))
    return cases


_WOULD = {True: "would hold", False: "would fail", None: "could not be told"}


def mixture_mean(results: Results, datasets: list[str]) -> list[Case]:
    """Our mean n-cut is the printed one, within one printed standard deviation."""
    return [
        _same_mean(
            condition_name(row.dataset, row.dropout),
            (row.ncut_mean, row.ncut_std, int(row.n)),
            row.paper_ncut_mean,
            row.paper_ncut_std,
        )
        for row in _mixtures(results, datasets).itertuples()
    ]


def mixture_order(
    results: Results,
    datasets: list[str],
    order: list[list[str]],
    dropouts: Sequence[bool] = BOTH,
    with_dropout: Sequence[list[str]] = (),
) -> list[Case]:
    """The mean n-cuts of data sets come in the order that the paper describes: the 95 % interval of
    each difference lies below 0. It fails where one lies above.

    with_dropout: orders that it describes with dropout alone.
    """
    table = _mixtures(results, datasets).set_index(["dataset", "dropout"])
    numbers = table[["ncut_mean", "ncut_std", "n"]]
    cases = []
    alone = itertools.product(with_dropout, [True])
    for names, dropout in (*itertools.product(order, dropouts), *alone):
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


RULES = (
    dropout_separates,
    same_effect_size,
    share_against_topology,
    below_topology,
    mean_of_d,
    lower_spread,
    no_effect_before,
    bimodal_nulls,
    long_right_tails,
    control_none,
    memorizing_clusters,
    as_clusterable_as,
    control_mean,
    not_below_fresh,
    mixture_mean,
    mixture_order,
)
