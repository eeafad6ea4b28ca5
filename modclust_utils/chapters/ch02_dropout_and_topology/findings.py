"""What chapter 2 finds, in sentences."""

from __future__ import annotations

from collections.abc import Iterable

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


def _of(passed: Iterable[bool]) -> str:
    """How many of how many."""
    each = [*passed]
    return f"{int(sum(each))} of {len(each)}"


def answer(effect: pd.DataFrame, controls: pd.DataFrame) -> str:
    """The answer to the chapter's question in one sentence, from `tables.dropout_effect` and
    `controls.controls`."""
    ours = effect[effect["source"] == "ours"]
    learned, others = _by_learning(controls)
    return (
        f"Dropout lowers the mean n-cut in {_of(ours['high'] < 0)} comparisons; of networks on "
        f"random data, {learned} that learned most of its labels fall into clusters after pruning, "
        f"and {others} that did not."
    )


def _by_learning(controls: pd.DataFrame) -> list[str]:
    """How many of how many networks pass: of the kinds that have more than half of their training
    labels right, and of the others."""
    learned = controls["train_acc"] > 0.5
    parts = (controls[learned], controls[~learned])
    return [f"{rows['n_sig'].sum()} of {rows['n'].sum()}" for rows in parts]


def dropout(effect: pd.DataFrame) -> str:
    """In how many comparisons of `tables.dropout_effect` dropout lowers the mean n-cut, here and,
    where it has the data sets, in the paper."""
    places = {"ours": "here", "paper": "in the paper"}
    counts = [
        f"{_of(rows['high'] < 0)} comparisons {places[source]}"
        for source, rows in effect.groupby("source", sort=False)
    ]
    return (
        "**Dropout** lowers the mean n-cut (95 % interval of the difference below 0) in "
        f"{' and in '.join(counts)}."
    )


def training(controls: pd.DataFrame, fresh: pd.DataFrame) -> str:
    """What training on random data does, from `controls.controls` and networks not trained."""
    low, high = min(fresh["ncuts"].iloc[0]), max(fresh["ncuts"].iloc[0])
    learned, others = _by_learning(controls)
    return (
        "**Training alone:** before pruning, the mean n-cut of networks trained on random data "
        f"lies within the range of freshly initialized ones ({low:.3f} to {high:.3f}) in "
        f"{_of(controls['before_mean'].between(low, high))} kinds of network. After pruning, "
        f"{learned} networks are below all their shuffles where more than half of the training "
        f"labels are right, and {others} where at most half are."
    )


def topology(networks: pd.DataFrame) -> str:
    """What topology alone does, from `tables.per_network`."""
    after = networks[networks["phase"] == "after"]
    after = after.assign(gap=after["ncut"] - after["null_layer_nonzero_mean"])
    kinds = after.groupby(["dataset", "dropout"])
    beyond = _of(stats.mean_interval(gaps)[1] < 0 for _, gaps in kinds["gap"])
    return (
        "**Topology:** after pruning, networks are more clusterable than the shuffles that keep "
        f"their zeros in place (95 % interval below 0) in {beyond} kinds of network. Keeping the "
        "zeros makes the shuffles themselves more clusterable (mean of d above 0) in "
        f"{_of(kinds['cohens_d'].mean() > 0)}."
    )


def mixtures(table: pd.DataFrame) -> list[str]:
    """In how many comparisons a mixture has a lower mean n-cut than both of its parts, here and in
    the paper, from `controls.mixtures`; nothing where no mixture stands beside both."""
    means = table.set_index(["dataset", "dropout"])[["ncut_mean", "paper_ncut_mean"]]
    found: dict[str, list[bool]] = {"here": [], "in the paper": []}
    for name, is_dropped in means.index[means.index.get_level_values("dataset").isin([*MIXTURES])]:
        places = [(each, is_dropped) for each in (name, *MIXTURES[name][:2])]
        here, paper = means.reindex(places).to_numpy(float).T
        for where, ncuts in zip(found, (here, paper), strict=True):
            if not np.isnan([*here, *ncuts]).any():
                found[where].append(ncuts[0] < ncuts[1:].min())
    counts = [f"{_of(each)} comparisons {where}" for where, each in found.items() if each]
    said = "**Mixtures** have a lower mean n-cut than both of their parts in "
    return [f"{said}{' and in '.join(counts)}."] if counts else []


def p_values(table: pd.DataFrame) -> str:
    """What the printed p-values have in common, from `designs.lattice`."""
    return (
        f"**The paper's p-values:** {_of(table['fits'])} printed ones have the form "
        f"({COPIES} m + 1) / {N_SHUFFLES + 1}, as if {N_DISTINCT} shuffles had been counted "
        f"{COPIES} times each."
    )


def memorized(controls: pd.DataFrame, fresh: pd.DataFrame) -> str:
    """What memorizing alone does before pruning, without dropout, from `controls.controls`."""
    rows = controls[(controls["role"] == "memorization") & ~controls["dropout"].astype(bool)]
    sample, paper = np.array(fresh["ncuts"].iloc[0]), float(rows["paper_before_mean"].max())
    said = f"Freshly initialized networks have {sample.mean():.3f} ± {sample.std(ddof=1):.3f}."
    if np.isnan(paper):
        return said
    reach = _of(ncut >= paper for each in rows["before"] for ncut in each)
    return f"{said} The paper's have {paper:.3f} after memorizing; {reach} of ours reach it."


def scatter_of_d(ours: pd.DataFrame, paper: pd.DataFrame) -> str:
    """What the scatter of d tells of the number of distinct shuffles, from `tables.per_network` and
    `printed.networks`."""
    said = []
    for whose, table in (("the paper's", paper), ("our", ours)):
        d = table.loc[table["phase"] == "before", "cohens_d"]
        low, high = stats.std_interval(d)
        said.append(f"{d.std(ddof=1):.3f} ({low:.3f} to {high:.3f}) for {whose} {len(d)} networks")
    return (
        f"One expects {quantized.expected_d_spread(N_SHUFFLES, 1):.3f} of {N_SHUFFLES} independent "
        f"shuffles, and {quantized.expected_d_spread(N_DISTINCT, COPIES):.3f} of {N_DISTINCT} that "
        f"are counted {COPIES} times each. It is, with its 95 % interval, {' and '.join(said)}."
    )


def significant(table: pd.DataFrame) -> str:
    """How many tests pass in each phase under both designs and in print, from
    `designs.significance`."""
    said = []
    for phase, rows in table.groupby("phase", sort=False):
        n, known = rows["n"], rows["paper"].dropna()
        passed = round((rows["ours_independent"] * n).sum())
        in_print = f", printed {round(known.sum() * N_PAPER)} of {len(known) * N_PAPER}"
        said.append(
            f"{phase} pruning {passed} of {n.sum()} with independent shuffles, expected "
            f"{(rows['ours_repeated'] * n).sum():.1f} with {N_DISTINCT} of them"
            + in_print
            * (len(known) > 0)
        )
    return f"Significant tests: {'; '.join(said)}."
