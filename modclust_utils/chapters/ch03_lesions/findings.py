"""Sentences about lesions whose numbers come from records."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from modclust_utils.chapters.ch03_lesions.tables import (
    Studies,
    Study,
    agreement,
    important_pairs,
    same_cluster,
    same_cluster_counts,
)
from modclust_utils.figures.style import dataset_name


def study_sentence(studies: Studies) -> str:
    """What the first network is, and how its clustering divides the hidden layers."""
    reference = studies.reference
    network, value = reference.network, reference.record.value
    sizes = reference.singles.groupby("layer")["size"].agg(["count", "sum"])
    layers = ", ".join(f"{row['count']} in layer {layer}" for layer, row in sizes.iterrows())
    note = network.record.value["test_note"]
    return (
        f"The first network ({dataset_name(network.condition.dataset)}, with dropout, seed "
        f"{network.seed}) classifies {value['accuracy']:.2%} of its "
        f"{network.record.value['n_test']:,} test images. Its "
        f"{reference.record.parameters['n_clusters']} clusters have an n-cut of "
        f"{value['ncut']:.3f} and {len(reference.singles)} sub-clusters: {layers}."
        + (f" {note[0].upper()}{note[1:]}." if note else "")
    )


def single_sentences(studies: Studies, paper: pd.DataFrame) -> str:
    """How many sub-clusters are important, and how much the worst lesion costs."""
    singles = studies.reference.singles
    worst = singles.loc[singles["drop"].idxmax()]
    printed = paper.loc[paper["drop"].idxmax()]
    n_important = int((singles["kind"] == "important").sum())
    return (
        f"{n_important} of {len(singles)} sub-clusters are important; in the paper it is "
        f"{int((paper['kind'] == 'important').sum())} of {len(paper)}. The most harmful lesion, of "
        f"{int(worst['layer'])}-{int(worst['label'])}, costs {100 * worst['drop']:.1f} percentage "
        f"points, where random sets of its size in the same layer cost "
        f"{100 * worst['null_mean']:z.1f} ± {100 * worst['null_std']:.1f}. In the paper the "
        f"largest is {100 * printed['drop']:.1f} points, in layer {int(printed['layer'])}."
    )


def class_sentences(table: pd.DataFrame, names: Mapping[int, str]) -> str:
    """For each important sub-cluster the class that suffers most, and whether any class gains.

    names: the classes by their numbers.
    """
    words, lines = list(names.values()), []
    for row in table.to_dict("records"):
        drops = np.array([row[f"class_{c}"] for c in names])
        worst = int(drops.argmax())
        others = np.delete(drops, worst)
        lines.append(
            f"- **{row['layer']}-{row['label']}**: most for {words[worst]} "
            f"({100 * drops[worst]:.1f} points); the other classes lose "
            f"{100 * others.mean():z.1f} on average"
            + (
                f", and {words[int(drops.argmin())]} gains {-100 * drops.min():.1f}"
                * bool(drops.min() < -0.005)
            )
            + "."
        )
    return "\n".join(lines) if lines else "No sub-cluster of this network is important."


def graph_sentences(reference: Study, pairs: pd.DataFrame, edges: pd.DataFrame) -> str:
    """Edges of our first network and of the paper's (`pairs` and `edges` of Table A.19)."""
    ours = same_cluster([reference])
    theirs = same_cluster_counts([(edges, pairs)])
    return (
        f"Our first network has {len(important_pairs(reference.pairs, reference.singles))} pairs "
        f"of important sub-clusters in different layers, and {ours['n_edges']} of them are edges; "
        f"the paper's has {len(pairs)} and {theirs['n_edges']}. {_same(ours)} By the same count "
        f"over Table A.19: {_same(theirs)}"
    )


def _same(counts: dict[str, float]) -> str:
    return (
        f"{counts['n_same_edges']} of the {counts['n_edges']} edges join sub-clusters of one "
        f"cluster, against {counts['n_same_others']} of the {counts['n_others']} pairs without an "
        f"edge (Fisher's exact test, one-sided: p = {counts['p_value']:.2g})."
    )


def stability_sentences(studies: Studies, stability: pd.DataFrame) -> str:
    """How much of the graph comes back in re-clusterings and in other networks."""
    everyone = [studies.reference, *studies.others]
    counts = [len(study.edges) for study in everyone]
    parts = [
        f"The graphs of {len(everyone)} networks have {min(counts)} to {max(counts)} edges. "
        f"{_same(same_cluster(everyone))}"
    ]
    if len(stability):
        indices = agreement(studies)
        parts.append(
            f"Clustering the first network again with other random starts of k-means (number of "
            f"re-clusterings: {len(indices)}) gives partitions with an adjusted Rand index of "
            f"{min(indices):.2f} to {max(indices):.2f} with the first one. An edge of its graph "
            f"comes back in "
            f"{stability['share_reclusterings'].mean():.0%} of them on average."
        )
        if studies.others:
            parts.append(
                f"In the other networks, with clusters matched by the pixels and logits that they "
                f"share, it comes back in {stability['share_networks'].mean():.0%} of them on "
                f"average; clusters numbered by chance would give "
                f"{stability['chance_networks'].mean():.0%}."
            )
    return "\n\n".join(parts)
