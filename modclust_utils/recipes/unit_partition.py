"""Kind `unit-partition`: the clusters of a network's units by one of paper B's four partitionings.

By weights or activations, of the whole network or layer by layer. Where the graph of the weights is
clustered as a whole, the n-cut is in the record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.metrics import adjusted_rand_score

from modclust_utils.graph_clusters import graph_ncut
from modclust_utils.network_graphs import NetworkGraph, network_graph
from modclust_utils.partitionings import partition_units
from modclust_utils.recipes.base import Job, Recipe, Record, Task, Value, Work, stream
from modclust_utils.recipes.classifier import WEIGHTS, Classifier, network
from modclust_utils.recipes.compare import NCUT_TOLERANCE_PER_CLUSTER

# Rounding of another machine moves few units to another cluster (adjusted Rand index).
SAME_CLUSTERS = 0.9


def graph_of(classifier: Classifier, norm: str) -> NetworkGraph:
    """The graph of a network by its weights."""
    device = next(classifier.module.parameters()).device
    example = classifier.prepare(torch.zeros(1, *classifier.shape, device=device))
    return network_graph(classifier.module, example, norm=norm)


def compute(tasks: Sequence[Task], work: Work) -> list[Value]:
    """The partition of each network."""
    return [_partition(task, work) for task in tasks]


def _partition(task: Task, work: Work) -> Value:
    p, classifier = task.parameters, network(task, work.device)
    graph, x = graph_of(classifier, p["norm"]), None
    if p["partitioning"].startswith("activations"):
        assert task.images is not None
        x = classifier.inputs(task.images.load().x_train[: p["n_images"]])
    labels = partition_units(
        classifier.module,
        graph,
        p["partitioning"],
        p["n_clusters"],
        x=x,
        clusters_per_layer=p["clusters_per_layer"],
        norm=p["norm"],
        n_init=p["n_init"],
        rng=stream(p["network"], p["seed"]),
    )
    value: dict[str, Any] = {"layers": graph.layer_names, "sizes": graph.layer_sizes}
    extra = {}
    if p["partitioning"] == "weights/network":
        value["ncut"] = graph_ncut(graph, labels)
        if "labels" in task.known:
            known = np.asarray(task.known["labels"], np.int64)
            extra["ncut_of_labels"] = graph_ncut(graph, known)
    work.step()
    return Value(value, {"labels": labels.astype(np.int16)}, extra=extra)


def agree(record: Record, again: Value) -> tuple[bool, str]:
    """Whether nearly all units are in the same clusters, and the n-cut is that of the labels."""
    old, new = record.arrays["labels"], again.arrays["labels"]
    if old.shape != new.shape:
        return False, f"{len(old)} units against {len(new)}"
    layers = np.repeat(np.arange(len(record.value["sizes"])), record.value["sizes"])
    whole = record.parameters["partitioning"].endswith("/network")
    parts = [old >= 0] if whole else [(old >= 0) & (layers == each) for each in np.unique(layers)]
    score = float(np.mean([adjusted_rand_score(old[p], new[p]) for p in parts if p.any()]))
    agrees = score >= SAME_CLUSTERS and bool(((old >= 0) == (new >= 0)).all())
    note = f"clusters by an adjusted Rand index of {score:.3f}"
    if "ncut" not in record.value:
        return agrees, note
    # other clusters may have nearly the same n-cut: then their index says nothing
    gap = abs(record.value["ncut"] - again.value["ncut"])
    off = abs(again.extra["ncut_of_labels"] - record.value["ncut"])
    alike = gap <= NCUT_TOLERANCE_PER_CLUSTER * record.parameters["n_clusters"]
    return alike and off <= 1e-5, f"n-cut by {gap:.2g}, that of its labels by {off:.2g}, {note}"


def contradiction(record: Record) -> str:
    """Labels of other units than those of its layers, of other clusters, or without an n-cut that
    so many clusters have."""
    p, value, labels = record.parameters, record.value, record.arrays["labels"]
    if len(value["layers"]) != len(value["sizes"]) or len(labels) != sum(value["sizes"]):
        return "its labels are not those of the units of its layers"
    most = max(p["n_clusters"], p["clusters_per_layer"] or 0)
    if not ((labels >= -1) & (labels < most)).all():
        return f"it has labels below -1 or above {most - 1}"
    whole = p["partitioning"] == "weights/network"
    if whole != ("ncut" in value) or not 0 <= value.get("ncut", 0) <= p["n_clusters"]:
        return "its n-cut is none of so many clusters"
    return ""


def measured(record: Record) -> dict[str, Any]:
    """How many sub-clusters it has, and its n-cut where it has one."""
    layers = np.repeat(np.arange(len(record.value["sizes"])), record.value["sizes"])
    labels = record.arrays["labels"]
    found = {*zip(layers[labels >= 0].tolist(), labels[labels >= 0].tolist(), strict=True)}
    return {"sub_clusters": len(found), "ncut": record.value.get("ncut", [])}


RECIPE = Recipe(
    kind="unit-partition",
    version=1,
    fields=(
        *("network", "partitioning", "n_clusters", "clusters_per_layer"),
        *("norm", "n_images", "n_init", "seed"),
    ),
    words="clustering networks",
    compute=compute,
    with_images=True,
    kept=WEIGHTS,
    agree=agree,
    contradiction=contradiction,
    numbers=dict.fromkeys(("sub_clusters", "ncut"), ("partitioning", "n_clusters")),
    measured=measured,
)


def job(
    network: Job,
    partitioning: str,
    *,
    n_clusters: int,
    norm: str,
    n_images: int,
    seed: int,
    clusters_per_layer: int | None = None,
    n_init: int = 10,
) -> Job:
    """The partition of a network; n_images: training images, which activations alone need."""
    by_activations = partitioning.startswith("activations")
    parameters: Mapping[str, Any] = {
        "network": network.key,
        "partitioning": partitioning,
        "n_clusters": n_clusters,
        "clusters_per_layer": clusters_per_layer,
        "norm": norm,
        "n_images": n_images if by_activations else 0,
        "n_init": n_init,
        "seed": seed,
    }
    about = {"partitioning": partitioning, "n_clusters": n_clusters}
    return Job(
        RECIPE,
        parameters,
        needs={"network": network},
        kept=WEIGHTS,
        images=network.images if by_activations else None,
        about={**network.about, **about},
    )
