"""What chapter 3 finds, in sentences."""

from __future__ import annotations

import numpy as np
import pandas as pd

from modclust_utils.chapters.ch03_lesions.dependencies import (
    graph,
    graph_of,
    only_insignificant,
    share_of,
)
from modclust_utils.chapters.ch03_lesions.tables import Studies
from modclust_utils.tables import condition_name


def answer(studies: Studies) -> str:
    """The answer to the chapter's question in one sentence."""
    worst = _worst(studies)
    return (
        "Silencing the units of one cluster in one layer matters for "
        f"{_important(studies)}: the most harmful lesion of a network costs "
        f"{_points(worst['drop'])} points of accuracy, where random sets of its size cost "
        f"{_points(worst['null_mean'])}."
    )


def single_lesions(studies: Studies, paper: pd.DataFrame) -> str:
    """How many sub-clusters are important, and what the worst lesions cost; ours and the
    paper's."""
    first, worst = studies.reference.singles, _worst(studies)
    own, theirs = (singles.loc[singles["drop"].idxmax()] for singles in (first, paper))
    return (
        f"**One at a time:** {_important(studies)} are important; in the paper's one, "
        f"{(paper['kind'] == 'important').sum()} of {len(paper)}. The most harmful lesion of a "
        f"network costs {_points(worst['drop'])} percentage points; in the paper, "
        f"{100 * theirs['drop']:.1f}. In the first network, that of {own['layer']}-{own['label']} "
        f"costs {100 * own['drop']:.1f}, where random sets of its size in the same layer cost "
        f"{100 * own['null_mean']:z.1f} ± {100 * own['null_std']:.1f}."
    )


def _important(studies: Studies) -> str:
    """How many sub-clusters are important, over all networks and in each."""
    singles = [study.singles for study in studies.networks]
    counts = [int((each["kind"] == "important").sum()) for each in singles]
    return (
        f"{sum(counts)} of the {sum(map(len, singles))} sub-clusters of {len(counts)} networks "
        f"({min(counts)} to {max(counts)} in each)"
    )


def _worst(studies: Studies) -> pd.DataFrame:
    """The most harmful lesion of each network."""
    singles = [study.singles for study in studies.networks]
    return pd.DataFrame([each.loc[each["drop"].idxmax()] for each in singles])


def _points(shares: pd.Series) -> str:
    """The range of shares in percentage points."""
    return f"{100 * shares.min():z.1f} to {100 * shares.max():z.1f}"


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
    shares = [g.n_edges / g.n_pairs for g in map(graph_of, studies.networks) if g.n_pairs]
    spread = f", {min(shares):.0%} to {max(shares):.0%} over all of ours" if shares else ""
    joined = pd.concat([study.edges for study in studies.networks])
    same = joined["x_label"] == joined["y_label"]
    n_next = int((same & (joined["y_layer"] == joined["x_layer"] + 1)).sum())
    return (
        f"**Who depends on whom:** of the pairs of important sub-clusters in different layers, "
        f"{share_of(own.n_edges, own.n_pairs)} are edges in the first network{spread}, and "
        f"{share_of(paper.n_edges, paper.n_pairs)} in the paper's. Within one cluster lie {within} "
        f"over all our networks ({n_next} of these edges between neighbouring layers), and "
        f"{theirs} in the paper."
    )


def damages(rows: pd.DataFrame, pairs: pd.DataFrame) -> str:
    """What pairs cost on average, and what the last layer costs, ours and the paper's; from
    `dependencies.network_rows` and `tables.pairs_beside`."""
    paper = rows["source"] == "paper"
    said = (
        "In the last hidden layer, the most harmful lesion of one of our networks costs "
        f"{_points(rows.loc[~paper, 'worst_last'])} points, that of the paper's "
        f"{100 * rows.loc[paper, 'worst_last'].item():.1f}."
    )
    if not (pairs["source"] == "ours").any():
        return said
    means = 100 * pairs.groupby("source")[["delta_x_y", "delta_y_x"]].mean()
    ours, theirs = means.loc["ours"], means.loc["paper"]
    return (
        f"On average over all pairs, δ(X, Y) is {ours['delta_x_y']:z.1f} points, and "
        f"{theirs['delta_x_y']:z.1f} in the paper; δ(Y, X) is {ours['delta_y_x']:z.1f}, and "
        f"{theirs['delta_y_x']:z.1f} in the paper. {said}"
    )


def reasons(studies: Studies, printed_edges: pd.DataFrame) -> str:
    """How many edges stand on a want of significance alone; ours and the paper's."""
    every = pd.concat([study.edges for study in studies.networks])
    n_ours, n_theirs = (int(only_insignificant(each).sum()) for each in (every, printed_edges))
    return (
        f"Of the {len(every)} edges of all our networks, {n_ours} stand on the second reason "
        f"alone; of the paper's {len(printed_edges)}, {n_theirs} by its rounded numbers."
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
