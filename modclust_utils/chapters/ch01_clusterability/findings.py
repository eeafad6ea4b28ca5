"""What chapter 1 finds, in sentences."""

from __future__ import annotations

import numpy as np
import pandas as pd

from modclust_utils.chapters.ch01_clusterability.tables import CONDITION
from modclust_utils.figures.style import dataset_name
from modclust_utils.graphs import live_units
from modclust_utils.recipes.network import weights
from modclust_utils.tables import N_PAPER, condition_name, printed_support


def answer(table: pd.DataFrame, n_shuffles: int) -> str:
    """The answer to the chapter's question in one sentence, from `tables.clusterability`."""
    n_sig, n = int(table["n_sig"].sum()), int(table["n"].sum())
    often = {0.9: "Nearly always", 0.5: "More often than not", 0.0: "Seldom"}
    word = next((words for least, words in often.items() if n_sig > least * n), "Never")
    return (
        f"**{word}**: {n_sig} of {n} pruned image classifiers can be cut into clusters better than "
        f"all {n_shuffles} shuffled copies of themselves, {_by_dropout(table)}."
    )


def in_short(
    table: pd.DataFrame, by_phase: pd.DataFrame, training: pd.DataFrame, n_shuffles: int
) -> list[str]:
    """The chapter in a few sentences, from `tables.clusterability`, `tables.by_phase` and
    `tables.training`."""
    sentences = [
        f"**Clusterable:** {table.n_sig.sum()} of {table.n.sum()} pruned networks have a lower "
        f"n-cut than all of their {n_shuffles} shuffles: {_by_condition(table)}.",
        _dropout(table) + _other_training(training),
        _pruning(by_phase, table),
    ]
    gaps = (table["ncut_mean"] - table["paper_ncut_mean"]).abs().dropna()
    if len(gaps):
        sentences.append(
            "**Beside the paper:** our mean n-cuts differ from the printed ones by "
            f"{gaps.min():.3f} to {gaps.max():.3f}."
        )
    return sentences


def _by_condition(table: pd.DataFrame) -> str:
    """Networks below all their shuffles: ours, and in brackets the paper's where it prints them."""
    printed = (table["paper_prop_sig"] * N_PAPER).map(f" (paper: {{:.0f}} of {N_PAPER})".format)
    printed = printed.where(table["paper_prop_sig"].notna(), "")
    names, ours = table["dataset"].map(dataset_name), table["n_sig"].astype(str)
    counts = names + " " + ours + " of " + table["n"].astype(str) + printed
    return "; ".join(
        f"{'with' if dropout else 'without'} dropout {', '.join(kind)}"
        for dropout, kind in counts.groupby(table["dropout"])
    )


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


def _other_training(training: pd.DataFrame) -> str:
    """Where networks with dropout were trained for another time, which is compared as well."""
    time = training["epochs"].astype(str) + " + " + training["pruning_epochs"].astype(str)
    times = training.assign(time=time).pivot(index="dataset", columns="dropout", values="time")
    other = times[times[True] != times[False]]
    words = "; ".join(
        f"{dataset_name(str(d))} {row[True]} epochs against {row[False]}"
        for d, row in other.iterrows()
    )
    return f" The two were not trained equally long everywhere ({words})." if words else ""


def _pruning(by_phase: pd.DataFrame, table: pd.DataFrame) -> str:
    wide = by_phase.pivot(index=[*CONDITION, "seed"], columns="phase", values="ncut")
    lower = wide["after"] < wide["before"]
    null = np.average(table["null_ncut_mean"], weights=table["n"])
    return (
        f"**Pruning** lowers the n-cut of {lower.sum()} of {len(lower)} networks, on average from "
        f"{wide['before'].mean():.3f} to {wide['after'].mean():.3f}. Their shuffles, which are as "
        f"sparse, have {null:.3f}."
    )


def spreads(table: pd.DataFrame) -> str:
    """On which data sets n-cuts spread less with dropout, from `tables.clusterability`."""
    ours, printed = (
        table.pivot(index="dataset", columns="dropout", values=f"{source}ncut_std")
        for source in ("", "paper_")
    )
    known = printed.dropna()
    pairs = "; ".join(
        f"{dataset_name(d)} {ours[True][d]:.3f} and {ours[False][d]:.3f}"
        for d in dict.fromkeys(table["dataset"])
    )
    sentence = (
        f"With dropout the n-cuts have a lower standard deviation on {_n_lower(ours)} of "
        f"{len(ours)} data sets ({pairs})"
    )
    beside = f"; in the paper, on {_n_lower(known)} of {len(known)}"
    return f"{sentence}{beside * bool(len(known))}."


def _n_lower(spread: pd.DataFrame) -> int:
    return int((spread[True] < spread[False]).sum())


def above_all(table: pd.DataFrame) -> str:
    """Which networks are less clusterable than all their shuffles, by kind."""
    rows = table[table["n_above_all"] > 0]
    words = "; ".join(
        f"{condition_name(r.dataset, r.dropout)} {r.n_above_all} of {r.n}"
        for r in rows.itertuples()
    )
    return f"Above all of their shuffles: {words or 'no network'}."


def walks(table: pd.DataFrame, random: pd.DataFrame) -> str:
    """How often a walk leaves its cluster: pruned networks, their shuffles, untrained networks.

    random: `tables.random_ncuts`, for the same number of clusters.
    """
    k, n = int(table["n_clusters"].iloc[0]), table["n"]
    own, null = (np.average(table[c], weights=n) / k for c in ("ncut_mean", "null_ncut_mean"))
    return (
        f"In the {n.sum()} pruned networks of this page, {own:.0%} of such walks leave their "
        f"cluster on average; in their shuffles, {null:.0%}; in networks that were not trained, "
        f"{random['ncut'].mean() / k:.0%}."
    )


def random_networks(random: pd.DataFrame, facts: pd.DataFrame, n_clusters: int) -> str:
    """Where n-cuts of freshly initialized networks lie, and what the paper says of its own.

    facts: `tables.facts_for_k`.
    """
    ncut = random["ncut"]
    said = (
        f"With k = {n_clusters}, our {len(ncut)} freshly initialized networks of the paper's shape "
        f"lie between {ncut.min():.3f} and {ncut.max():.3f}, with a mean of {ncut.mean():.3f}."
    )
    if facts.empty:
        return said
    low, high = printed_support(facts)
    n = facts.set_index("key")["value"]["random_init_networks"]
    return f"{said} The paper says that its {n:g} all lie between {low:g} and {high:g}."


def each_k(tables: pd.DataFrame) -> str:
    """How many networks are below all their shuffles for each k, from `tables.together`."""
    counts = tables.groupby("n_clusters")[["n_sig", "n"]].sum()
    words = "; ".join(f"{row.n_sig} of {row.n} for k = {k}" for k, row in counts.iterrows())
    return f"Below all of their shuffles are {words}."


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
