"""What chapter 1 finds, in sentences."""

from __future__ import annotations

import numpy as np
import pandas as pd

from modclust_utils.chapters.ch01_clusterability.tables import CONDITION
from modclust_utils.figures.style import dataset_name
from modclust_utils.graphs import live_units
from modclust_utils.recipes.network import weights
from modclust_utils.tables import condition_name


def answer(table: pd.DataFrame, n_shuffles: int) -> str:
    """The answer to the chapter's question in one sentence, from `tables.clusterability`."""
    n_sig, n = int(table["n_sig"].sum()), int(table["n"].sum())
    often = {0.9: "Nearly always", 0.5: "More often than not", 0.0: "Seldom"}
    word = next((words for least, words in often.items() if n_sig > least * n), "Never")
    return (
        f"**{word}**: {n_sig} of {n} pruned image classifiers can be cut into clusters better than "
        f"all {n_shuffles} shuffled copies of themselves, {_by_dropout(table)}."
    )


def in_short(table: pd.DataFrame, by_phase: pd.DataFrame, n_shuffles: int) -> list[str]:
    """The chapter in a few sentences, from `tables.clusterability` and `tables.by_phase`."""
    sentences = [
        f"**Clusterable:** {table.n_sig.sum()} of {table.n.sum()} pruned networks have a lower "
        f"n-cut than all of their {n_shuffles} shuffles, {_by_dropout(table)}.",
        _dropout(table),
        _pruning(by_phase),
    ]
    gaps = (table["ncut_mean"] - table["paper_ncut_mean"]).abs().dropna()
    if len(gaps):
        sentences.append(
            "**Beside the paper:** our mean n-cuts differ from the printed ones by "
            f"{gaps.min():.3f} to {gaps.max():.3f}."
        )
    return sentences


def _by_dropout(table: pd.DataFrame) -> str:
    counts = table.groupby("dropout")[["n_sig", "n"]].sum()
    return " and ".join(
        f"{row.n_sig} of {row.n} trained {'with' if dropout else 'without'} dropout"
        for dropout, row in counts.iterrows()
    )


def _dropout(table: pd.DataFrame) -> str:
    means = table.pivot(index="dataset", columns="dropout", values="ncut_mean")
    pairs = "; ".join(
        f"{dataset_name(place)} {means[True][place]:.3f} and {means[False][place]:.3f}"
        for place in dict.fromkeys(table["dataset"])
    )
    return (
        f"**Dropout:** in {(means[True] < means[False]).sum()} of {len(means)} data sets the mean "
        f"n-cut is lower with dropout than without ({pairs})."
    )


def _pruning(by_phase: pd.DataFrame) -> str:
    wide = by_phase.pivot(index=[*CONDITION, "seed"], columns="phase", values="ncut")
    lower = wide["after"] < wide["before"]
    return f"**Pruning** lowers the n-cut of {lower.sum()} of {len(lower)} networks."


def drawn_network(drawn: pd.DataFrame, network: pd.DataFrame) -> str:
    """What there is to say of a network and its `tables.drawn_partition`."""
    own, found = network.iloc[0], drawn.iloc[0]
    matrices = weights(own["record"])
    dead = [int((~np.asarray(part)).sum()) for part in live_units(matrices)]
    kept, total = (sum(map(count, matrices)) for count in (np.count_nonzero, np.size))
    sizes = np.bincount(found["labels"][found["labels"] >= 0])
    return (
        f"The network is {condition_name(own['dataset'], own['dropout'])}, seed {own['seed']}. "
        f"Pruning left {kept:,} of its {total:,} weights ({kept / total:.1%}). Without any edge "
        f"are {dead[0]} of its {matrices[0].shape[1]} pixels and {sum(dead[1:-1])} of its hidden "
        f"units. Its clusters have {', '.join(map(str, sizes))} units, and its n-cut is "
        f"{found['ncut']:.3f}."
    )
