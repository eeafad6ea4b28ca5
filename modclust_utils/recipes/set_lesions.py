"""Kind `set-lesions`: what lesions of sub-clusters, and of random sets like them, do to accuracy.

The record holds hits by class, from which both readings of importance and of coherence follow
(paper B, appendix A.2.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from modclust_utils.network_graphs import NetworkGraph
from modclust_utils.recipes.base import Job, Recipe, Record, Task, Value, Work, stream
from modclust_utils.recipes.classifier import WEIGHTS, network
from modclust_utils.recipes.compare import ROUNDING, other_arrays, other_shapes
from modclust_utils.recipes.unit_partition import graph_of
from modclust_utils.specialization import (
    SetLesions,
    UnitSets,
    accuracy_drops,
    class_ranges,
    percentiles,
    set_lesions,
    sub_cluster_sets,
)

# Accuracies of single sets, and their mean, by which another processor may differ.
MOST, MEAN = 0.02, 0.002
#: What makes a number about sub-clusters another one.
ABOUT_SETS = ("partitioning", "n_clusters", "match")


def sets_of(
    task: Task, graph: NetworkGraph, *, smallest: int, rng: np.random.Generator
) -> list[UnitSets]:
    """The sub-clusters of the partition that a task needs, with random sets like them.

    Sets that are matched in norm have nearly the mean degree of their sub-cluster: the sum of the
    edges of a unit is the norm of all weights that go in or out.
    """
    p, partition = task.parameters, task.needs["partition"]
    labels = partition.arrays["labels"].astype(np.int64)
    hidden = np.isin(graph.layer_of_unit, graph.hidden_layers)
    by_norm = p["match"] == "norm"
    degrees = np.asarray(graph.adjacency.sum(0)).ravel() if by_norm else None
    return sub_cluster_sets(
        np.where(hidden, labels, -1),
        graph.layer_of_unit,
        n_random=p["n_random"],
        smallest=smallest,
        match=degrees,
        rng=rng,
    )


def compute(tasks: Sequence[Task], work: Work) -> list[Value]:
    """The lesions of each partition."""
    return [_lesions(task, work) for task in tasks]


def _lesions(task: Task, work: Work) -> Value:
    assert task.images is not None
    p, classifier = task.parameters, network(task, work.device)
    graph = graph_of(classifier, task.needs["partition"].parameters["norm"])
    sets = sets_of(task, graph, smallest=2, rng=stream(p["network"], p["seed"]))
    dataset, n = task.images.load(), p["n_images"]
    x = classifier.inputs(dataset.x_test[:n])
    y = classifier.classes(dataset.y_test[:n])
    if p["precision"] == "bfloat16":
        classifier.module.bfloat16()
        x = x.bfloat16()
    first = graph.hidden_layers[0]
    silent = np.zeros((1 + p["n_random"], graph.layer_sizes[first]), bool)
    found = set_lesions(
        classifier.module,
        x,
        torch.from_numpy(y).to(x.device),
        # where there is no sub-cluster, a lesion of no units gives the accuracies of the record
        sets or [UnitSets(first, 0, silent)],
        graph.output_names,
    )
    work.step()
    there = found.class_counts > 0
    hits = np.rint(found.lesioned * found.class_counts)[: len(sets), :, there]
    before = np.rint(found.class_accuracies * found.class_counts)[there]
    kind = hits_type(found.class_counts)
    return Value(
        {"n_sets": len(sets), "accuracy": float(before.sum() / len(y)), "n_test": len(y)},
        {
            "layer": np.array([each.layer for each in sets], np.int16),
            "label": np.array([each.label for each in sets], np.int16),
            "size": np.array([each.size for each in sets], np.int16),
            "classes": np.flatnonzero(there).astype(np.int16),
            "class_counts": found.class_counts[there].astype(np.int32),
            "unlesioned": before.astype(kind),
            "hits": hits.astype(kind),
        },
        test_hash=dataset.test_hash,
    )


def hits_type(class_counts: NDArray[np.int64]) -> type[np.unsignedinteger]:
    """The type of hits by class: 16 bits where they hold the images of each class."""
    fit = class_counts.max(initial=0) <= np.iinfo(np.uint16).max
    return np.uint16 if fit else np.uint32


def lesions_of(record: Record) -> SetLesions:
    """The accuracies in a record, for `specialization.accuracy_drops` and `class_ranges`."""
    counts = record.arrays["class_counts"].astype(np.int64)
    return SetLesions(record.arrays["unlesioned"] / counts, record.arrays["hits"] / counts, counts)


def agree(record: Record, again: Value) -> tuple[bool, str]:
    """Whether the same sets were lesioned, and have nearly the same accuracies."""
    if others := other_arrays(record, again, ("layer", "label", "size", "classes", "class_counts")):
        return False, others
    n = record.arrays["class_counts"].sum()
    # the accuracy without a lesion as one more set
    old, new = (
        np.vstack([each["unlesioned"], each["hits"].reshape(-1, each["hits"].shape[2])]).astype(int)
        for each in (record.arrays, again.arrays)
    )
    gaps = np.abs(old.sum(1) - new.sum(1)) / n
    by_class = np.abs(old - new).sum(1) / n
    follows = abs(record.value["accuracy"] - old[0].sum() / n) < ROUNDING
    agrees = gaps.max() <= MOST and gaps.mean() <= MEAN and by_class.mean() <= 2 * MEAN and follows
    return bool(agrees), f"accuracies by {gaps.max():.2g} at most, {gaps.mean():.2g} on average"


def contradiction(record: Record) -> str:
    """Arrays of another shape, more hits than images, or another accuracy than that of the hits."""
    p, value, arrays = record.parameters, record.value, record.arrays
    n, counts = value["n_sets"], arrays["class_counts"].astype(int)
    shapes = dict.fromkeys(("layer", "label", "size"), (n,))
    shapes |= dict.fromkeys(("classes", "unlesioned"), counts.shape)
    shapes["hits"] = (n, 1 + p["n_random"], len(counts))
    if others := other_shapes(record, shapes):
        return others
    if not 0 < counts.sum() == value["n_test"] <= p["n_images"]:
        return "its test images are not those of its classes"
    if (arrays["hits"] > counts).any() or (arrays["unlesioned"] > counts).any():
        return "it has more hits than images of a class"
    off = abs(value["accuracy"] - arrays["unlesioned"].astype(int).sum() / counts.sum())
    return "" if off < ROUNDING else "its accuracy is not that of its hits"


def measured(record: Record) -> dict[str, Any]:
    """Mean percentiles among random sets: of the accuracy drop, and of the class range."""
    if record.value["n_sets"] == 0:
        return {}
    found = lesions_of(record)
    return {
        "drop_percentile": percentiles(accuracy_drops(found)).tolist(),
        "range_percentile": percentiles(class_ranges(found)).tolist(),
    }


RECIPE = Recipe(
    kind="set-lesions",
    version=1,
    fields=("network", "partition", "match", "n_random", "n_images", "precision", "seed"),
    words="lesions",
    compute=compute,
    with_images=True,
    kept=WEIGHTS,
    agree=agree,
    contradiction=contradiction,
    numbers=dict.fromkeys(("drop_percentile", "range_percentile"), ABOUT_SETS),
    measured=measured,
)


def job(
    partition: Job,
    *,
    n_images: int,
    seed: int,
    match: str = "size",
    n_random: int = 19,
    precision: str = "float32",
) -> Job:
    """Lesions of a partition's sub-clusters, tested on the first images of the test part."""
    return job_about_sets(
        RECIPE,
        partition,
        match=match,
        n_random=n_random,
        n_images=n_images,
        precision=precision,
        seed=seed,
    )


def job_about_sets(recipe: Recipe, partition: Job, **parameters: Any) -> Job:
    """A job of a recipe about the sub-clusters of a partition and random sets like them; match:
    what these have in common with their sub-cluster beside its layer, "size" or "norm" as well."""
    network = partition.needs["network"]
    return Job(
        recipe,
        {"network": network.key, "partition": partition.key, **parameters},
        needs={"network": network, "partition": partition},
        kept=WEIGHTS,
        images=network.images if recipe.with_images else None,
        about={**partition.about, "match": parameters["match"]},
    )
