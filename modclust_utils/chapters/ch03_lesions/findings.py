"""What chapter 3 finds, in sentences."""

from __future__ import annotations

import numpy as np
import pandas as pd

from modclust_utils.chapters.ch03_lesions.dependencies import graph, graph_of
from modclust_utils.chapters.ch03_lesions.tables import Studies
from modclust_utils.tables import condition_name


def answer(ours: pd.DataFrame) -> str:
    """The answer to the chapter's question in one sentence."""
    worst = ours.loc[ours["drop"].idxmax()]
    return (
        f"Silencing a part of one layer's units that lies in one cluster matters in "
        f"{(ours['kind'] == 'important').sum()} of {len(ours)} cases: up to "
        f"{100 * worst['drop']:.1f} points of accuracy, where random sets of that size cost "
        f"{100 * worst['null_mean']:z.1f}."
    )


def single_lesions(ours: pd.DataFrame, paper: pd.DataFrame) -> str:
    """How many sub-clusters are important, and which lesion costs most; ours and the paper's."""
    counts = [
        f"{(singles['kind'] == 'important').sum()} of {len(singles)}" for singles in (ours, paper)
    ]
    worst, theirs = (singles.loc[singles["drop"].idxmax()] for singles in (ours, paper))
    return (
        f"**One at a time:** {counts[0]} sub-clusters are important; in the paper it is "
        f"{counts[1]}. The most harmful lesion, of {worst['layer']}-{worst['label']}, costs "
        f"{100 * worst['drop']:.1f} percentage points, where random sets of its size in the same "
        f"layer cost {100 * worst['null_mean']:z.1f} ± {100 * worst['null_std']:.1f}. In the paper "
        f"the largest is {100 * theirs['drop']:.1f} points."
    )


def classes(drops: pd.DataFrame) -> list[str]:
    """How uneven the losses are that `tables.class_drops` holds; nothing where there are none."""
    if drops.empty:
        return []
    values = drops.filter(like="class_").to_numpy(float)
    ratio = np.median(values.max(1) / values.mean(1))
    n_gain = (values < -0.005).any(1).sum()
    return [
        f"**Classes:** the one that suffers most loses {ratio:.1f} times as much as classes do on "
        f"average (median over {len(values)} important sub-clusters); in {n_gain} of them some "
        "class gains more than half a point."
    ]


def dependencies(studies: Studies, edges: pd.DataFrame, pairs: pd.DataFrame) -> str:
    """The graph of who depends on whom: ours, and the paper's from its edges and all its pairs."""
    own, every, paper = (
        graph_of(studies.reference),
        graph_of(*studies.networks),
        graph((edges, pairs)),
    )
    within, theirs = (
        f"{g.n_same_edges} of {g.n_edges} edges and {g.n_same_others} of {g.n_others} other pairs"
        for g in (every, paper)
    )
    return (
        f"**Who depends on whom:** {own.n_edges} of {own.n_pairs} pairs of important sub-clusters "
        f"in different layers are edges; in the paper, {paper.n_edges} of {paper.n_pairs}. Within "
        f"one cluster lie {within} over all our networks, and {theirs} in the paper."
    )


def stability(studies: Studies, table: pd.DataFrame) -> str:
    """How much of the first network's graph comes back, from `tables.edge_stability`."""
    counts = [len(study.edges) for study in studies.networks]
    said = f"the graphs of {len(counts)} networks have {min(counts)} to {max(counts)} edges."
    if table.empty:
        return f"**Stability:** {said}"
    again, elsewhere, chance = (
        f"{table[name].mean():.0%}"
        for name in ("share_reclusterings", "share_networks", "chance_networks")
    )
    return (
        f"**Stability:** {said} An edge of the first one comes back in {again} of its "
        f"re-clusterings on average, and in {elsewhere} of the other networks, where clusters "
        f"numbered by chance would give {chance}."
    )


def first_network(networks: pd.DataFrame, studies: Studies) -> str:
    """What there is to say of the first network and its clusters."""
    first, value = networks.iloc[0], studies.reference.record.value
    layers = studies.reference.singles.groupby("layer").size()
    parts = ", ".join(f"{n} in layer {layer}" for layer, n in layers.items())
    k = studies.reference.record.parameters["n_clusters"]
    note = f" Of its images: {first.test_note}." if first.test_note else ""
    return (
        f"The first network ({condition_name(first.dataset, first.dropout)}, seed {first.seed}) "
        f"classifies {value['accuracy']:.2%} of its {first.n_test:,} test images. Its {k} clusters "
        f"have an n-cut of {value['ncut']:.3f} and {layers.sum()} sub-clusters: {parts}.{note}"
    )
