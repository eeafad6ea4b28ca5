"""Kind `partition`: the clusters of a network after pruning, and their n-cut.

Found from the random stream that shuffle tests give to the network itself, so that one network has
one n-cut. Beside it stands the n-cut of scikit-learn's SpectralClustering, another solver with
other starts: a network whose two n-cuts differ has no clear partition.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modclust_utils.clustering import (
    cluster_network,
    ncut,
    sklearn_spectral_clustering,
)
from modclust_utils.graphs import mlp_adjacency
from modclust_utils.recipes.base import Job, Recipe, Record, Task, Value, Work, stream
from modclust_utils.recipes.compare import ncuts_agree
from modclust_utils.recipes.network import job_about, weights, weights_in_phase

# The n-cut of given clusters has no optimum to miss: it differs by rounding alone.
LABELS_TOLERANCE = 1e-5


def compute(tasks: Sequence[Task], work: Work) -> list[Value]:
    """The partition of each network.

    Where `known` has labels, their n-cut stands beside it.
    """
    return [_partition(task, work.device) for task in tasks]


def _partition(task: Task, device: str) -> Value:
    p = task.parameters
    k, rng = p["n_clusters"], stream(p["network"], p["seed"])
    own, other = rng.spawn(2)
    labels, value = cluster_network(weights_in_phase(task, device), k, rng=own)
    adjacency = mlp_adjacency(weights(task.needs["network"]))
    check = ncut(adjacency, sklearn_spectral_clustering(adjacency, k, rng=other))
    known = task.known.get("labels")
    extra = {} if known is None else {"ncut_of_labels": ncut(adjacency, known.astype(np.int64))}
    arrays = {"labels": labels.astype(np.int16)}
    return Value({"ncut": value, "ncut_sklearn": check}, arrays, extra=extra)


def agree(record: Record, again: Value) -> tuple[bool, str]:
    """Whether both n-cuts agree, and the record's is that of its labels, to rounding."""
    agrees, note = ncuts_agree(record, again)
    other = Record(record.kind, 1, record.parameters, {"ncut": record.value["ncut_sklearn"]})
    other_agrees, other_note = ncuts_agree(other, Value({"ncut": again.value["ncut_sklearn"]}))
    off = abs(again.extra["ncut_of_labels"] - record.value["ncut"])
    note = f"{note}, that of its labels by {off:.2g}, scikit-learn's {other_note}"
    return agrees and other_agrees and off <= LABELS_TOLERANCE, note


def labels(record: Record) -> np.ndarray:
    """Labels ``(n,)`` of all units of the network, pixels to logits; -1 for units without edge."""
    return record.arrays["labels"].astype(np.int64)


RECIPE = Recipe(
    kind="partition",
    version=1,
    fields=("network", "phase", "n_clusters", "seed"),
    words="clustering networks",
    compute=compute,
    agree=agree,
    numbers={"ncut": ("phase", "n_clusters")},
)


def job(network: Job, *, n_clusters: int, seed: int) -> Job:
    """The partition of a network after pruning."""
    return job_about(RECIPE, network, "after", "n_clusters", n_clusters=n_clusters, seed=seed)
