"""What chapter 3 finds: numbers for its sentences, and sentences where language branches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from modclust_utils.chapters.ch03_lesions.tables import (
    Studies,
    agreement,
    important_pairs,
    same_cluster,
)
from modclust_utils.figures.style import dataset_name


@dataclass(frozen=True)
class First:
    """The first network and how its clustering divides the hidden layers.

    layers: how many sub-clusters each hidden layer has; note: what is to know of its test images.
    """

    dataset: str
    seed: int
    accuracy: float
    n_test: int
    n_clusters: int
    ncut: float
    layers: dict[int, int]
    note: str


def first_network(studies: Studies, networks: pd.DataFrame) -> First:
    """What there is to say of the first network."""
    network, record = networks.iloc[0], studies.reference.record
    note = network["test_note"]
    return First(
        dataset=dataset_name(network["dataset"]),
        seed=int(network["seed"]),
        accuracy=float(record.value["accuracy"]),
        n_test=int(network["n_test"]),
        n_clusters=int(record.parameters["n_clusters"]),
        ncut=float(record.value["ncut"]),
        layers={int(k): len(v) for k, v in studies.reference.singles.groupby("layer")},
        note=f" {note[0].upper()}{note[1:]}." if note else "",
    )


@dataclass(frozen=True)
class Worst:
    """Important sub-clusters of a network, and the lesion that costs most.

    drop: its loss of accuracy, null_mean and null_std that of random sets, in percentage points.
    """

    n_important: int
    n: int
    layer: int
    label: int
    drop: float
    null_mean: float
    null_std: float


def worst_lesion(singles: pd.DataFrame) -> Worst:
    """How many sub-clusters are important, and which lesion costs most; ours or the paper's."""
    row = singles.loc[singles["drop"].idxmax()]
    return Worst(
        n_important=int((singles["kind"] == "important").sum()),
        n=len(singles),
        layer=int(row["layer"]),
        label=int(row["label"]),
        drop=100 * row["drop"],
        null_mean=100 * row["null_mean"],
        null_std=100 * row["null_std"],
    )


@dataclass(frozen=True)
class WorstClass:
    """How uneven lesions are over the classes.

    n: important sub-clusters; ratio: median over these of the largest loss of a class, divided by
    the mean over all classes; n_gain: those with a class that gains more than half a point.
    """

    n: int
    ratio: float
    n_gain: int


def classes(drops: pd.DataFrame) -> WorstClass:
    """How uneven the losses are that `tables.class_drops` holds."""
    values = drops.filter(like="class_").to_numpy(float)
    ratios = values.max(1) / values.mean(1) if len(values) else np.array([np.nan])
    return WorstClass(len(values), float(np.median(ratios)), int((values < -0.005).any(1).sum()))


def same_words(counts: dict[str, float]) -> str:
    """How often edges, and other pairs, join sub-clusters of one cluster."""
    return (
        f"{counts['n_same_edges']} of the {counts['n_edges']} edges join sub-clusters of one "
        f"cluster, against {counts['n_same_others']} of the {counts['n_others']} pairs without an "
        f"edge (Fisher's exact test, one-sided: p = {counts['p_value']:.2g})."
    )


def n_pairs(studies: Studies) -> int:
    """Pairs of important sub-clusters in different layers of the first network."""
    return len(important_pairs(studies.reference.pairs, studies.reference.singles))


def stability(studies: Studies, table: pd.DataFrame) -> str:
    """How much of the graph comes back in re-clusterings and in other networks."""
    counts = [len(study.edges) for study in studies.networks]
    parts = [
        f"The graphs of {len(counts)} networks have {min(counts)} to {max(counts)} edges. "
        f"{same_words(same_cluster(studies.networks))}"
    ]
    if len(table):
        indices = agreement(studies)
        parts.append(
            f"Clustering the first network again with other random starts of k-means (number of "
            f"re-clusterings: {len(indices)}) gives partitions with an adjusted Rand index of "
            f"{min(indices):.2f} to {max(indices):.2f} with the first one. An edge of its graph "
            f"comes back in {table['share_reclusterings'].mean():.0%} of them on average."
        )
        if studies.others:
            parts.append(
                f"In the other networks, with clusters matched by the pixels and logits that they "
                f"share, it comes back in {table['share_networks'].mean():.0%} of them on "
                f"average; clusters numbered by chance would give "
                f"{table['chance_networks'].mean():.0%}."
            )
    return "\n\n".join(parts)
