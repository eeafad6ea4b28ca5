"""Sentences whose numbers come from records: what a chapter's results show, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from modclust_utils.chapters.ch01_clusterability.tables import condition_name
from modclust_utils.clustering import cluster_network, ncut, sklearn_spectral_clustering
from modclust_utils.figures.style import dataset_name
from modclust_utils.graphs import live_units, mlp_adjacency
from modclust_utils.publish.networks import Network, after_weights
from modclust_utils.publish.records import Record


def network_sentence(networks: Sequence[Network]) -> str:
    """How many networks there are, of what kind, and how long they took to train."""
    sizes = Counter((n.condition.dataset, n.condition.dropout) for n in networks).values()
    each = f"{min(sizes)}" if min(sizes) == max(sizes) else f"{min(sizes)} to {max(sizes)}"
    lines = [
        f"{len(networks)} networks, {each} of each kind. Training them took "
        f"{sum(n.record.seconds for n in networks) / 60:,.1f} minutes of computing in all."
    ]
    for dataset in dict.fromkeys(n.condition.dataset for n in networks):
        lines.append(_dataset_line([n for n in networks if n.condition.dataset == dataset]))
    return "\n".join(lines)


def _dataset_line(networks: Sequence[Network]) -> str:
    plain, dropout = (
        next(n for n in networks if n.condition.dropout is wanted) for wanted in (False, True)
    )
    value = plain.record.value
    epochs = [
        f"{n.condition.settings.epochs} + {n.condition.settings.pruning_epochs} epochs"
        for n in (plain, dropout)
    ]
    note = (
        f" {value['test_note'][0].upper()}{value['test_note'][1:]}." if value["test_note"] else ""
    )
    return (
        f"\n- {dataset_name(plain.condition.dataset)}: {epochs[0]} without dropout, {epochs[1]} "
        f"with a dropout rate of {dropout.condition.settings.dropout_rate:g}; tested on "
        f"{value['n_test']:,} images.{note}"
    )


def cluster_sentence(
    network: Network, weights: Sequence[np.ndarray], labels: np.ndarray, value: float
) -> str:
    """What the drawn network is, and how its clusters divide it."""
    kept = sum(int(np.count_nonzero(w)) for w in weights)
    size = sum(w.size for w in weights)
    dead = [int((~np.asarray(part)).sum()) for part in live_units(weights)]
    sizes = np.bincount(labels[labels >= 0])
    return (
        f"The network is {condition_name(network.condition.dataset, network.condition.dropout)}, "
        f"seed {network.seed}. Pruning left {kept:,} of its {size:,} weights ({kept / size:.1%}). "
        f"Without any edge are {dead[0]} of its {weights[0].shape[1]} pixels and "
        f"{sum(dead[1:-1])} of its hidden units. Its clusters have "
        f"{', '.join(str(n) for n in sizes)} units, and its n-cut is {value:.3f}."
    )


def condition_sentences(table: pd.DataFrame, n_shuffles: int) -> str:
    """A line for each condition of `tables.clusterability_table`."""
    lines = []
    for _, row in table.iterrows():
        line = (
            f"- **{condition_name(row['dataset'], row['dropout'])}.** Mean n-cut "
            f"{row['ncut_mean']:.3f}, shuffles {row['null_ncut_mean']:.3f}, on average "
            f"{abs(row['z_mean']):.1f} standard deviations {_side(row['z_mean'])}; "
            f"{row['n_sig']} of {row['n']} networks below all {n_shuffles} of their shuffles"
        )
        if row["n_above_all"]:
            line += f", {row['n_above_all']} above all of them"
        lines.append(line + ".")
    return "\n".join(lines)


def _side(z: float) -> str:
    return "below" if z < 0 else "above"


def pruning_sentences(by_network: pd.DataFrame) -> str:
    """How much pruning lowered the n-cut, and how n-cut and accuracy go together."""
    lines = []
    for (dataset, dropout), group in by_network.groupby(["dataset", "dropout"], sort=False):
        wide = group.pivot(index="seed", columns="phase", values="ncut")
        change = wide["after"] - wide["before"]
        lower = int((change < 0).sum())
        lines.append(
            f"- **{condition_name(str(dataset), bool(dropout))}.** Before pruning "
            f"{wide['before'].mean():.3f}, after {wide['after'].mean():.3f}: lower in {lower} of "
            f"{len(wide)} networks."
        )
    return "\n".join(lines)


def difference_sentences(table: pd.DataFrame) -> str:
    """Where our mean n-cut agrees with the printed one, and where it does not."""
    known = table[table["paper_ncut_mean"].notna()]
    if known.empty:
        return (
            "The data sets of this run are not in the paper, so its numbers cannot be compared "
            "with printed ones. What can be compared is the pattern: dropout, pruning, shuffles."
        )
    inside, outside = [], []
    for _, row in known.iterrows():
        gap = row["ncut_mean"] - row["paper_ncut_mean"]
        name = condition_name(row["dataset"], row["dropout"])
        text = (
            f"{name}: {row['ncut_mean']:.3f} against {row['paper_ncut_mean']:.3f} ± "
            f"{row['paper_ncut_std']:.3f} (95 % interval of the difference "
            f"{row['difference_low']:+.3f} to {row['difference_high']:+.3f})"
        )
        (inside if abs(gap) <= row["paper_ncut_std"] else outside).append(text)
    parts = []
    if inside:
        parts.append(
            "Our mean n-cut lies within the printed spread for\n\n- " + "\n- ".join(inside)
        )
    if outside:
        parts.append("It lies outside for\n\n- " + "\n- ".join(outside))
    return "\n\n".join(parts)


def outlier_sentences(
    networks: Sequence[Network], tests: Sequence[Record], n_clusters: int, seed: int
) -> str:
    """For every network with an n-cut above all its shuffles: its clusters, by our method and by
    scikit-learn's, and the mean of its kind without it."""
    lines = []
    for network, test in zip(networks, tests, strict=True):
        if test.value["ncut"] <= max(test.value["null_ncuts"]):
            continue
        condition = network.condition
        weights = after_weights(network.record)
        labels, _ = cluster_network(weights, n_clusters, rng=np.random.default_rng(seed))
        adjacency = mlp_adjacency(weights)
        rng = np.random.default_rng(seed)
        plain = ncut(adjacency, sklearn_spectral_clustering(adjacency, n_clusters, rng=rng))
        sizes = sorted(np.bincount(labels[labels >= 0]).tolist(), reverse=True)
        others = [
            other.value["ncut"]
            for member, other in zip(networks, tests, strict=True)
            if member.condition == condition and member.key != network.key
        ]
        spread = f" ± {np.std(others, ddof=1):.3f}" if len(others) > 1 else ""
        lines.append(
            f"- {condition_name(condition.dataset, condition.dropout)}, seed {network.seed}: n-cut "
            f"{test.value['ncut']:.3f} (scikit-learn's SpectralClustering: {plain:.3f}), clusters "
            f"of {', '.join(map(str, sizes))} units. Without it, the mean over this kind of "
            f"network is {np.mean(others):.3f}{spread}."
        )
    if not lines:
        return "No network of this run has an n-cut above those of all its shuffles."
    return "\n".join(lines)
