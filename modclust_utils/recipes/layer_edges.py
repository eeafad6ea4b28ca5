"""Kind `layer-edges`: how much of each layer's edges lies inside the clusters of a partition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modclust_utils.graph_clusters import shares_inside
from modclust_utils.recipes.base import Job, Recipe, Record, Task, Value, Work
from modclust_utils.recipes.classifier import WEIGHTS, network
from modclust_utils.recipes.unit_partition import graph_of

# By which rounding may move a share.
_CLOSE = 1e-4


def compute(tasks: Sequence[Task], work: Work) -> list[Value]:
    """The layers of each partition."""
    return [_layers(task, work) for task in tasks]


def _layers(task: Task, work: Work) -> Value:
    partition = task.needs["partition"]
    graph = graph_of(network(task, work.device), partition.parameters["norm"])
    inside, expected = shares_inside(graph, partition.arrays["labels"].astype(np.int64))
    work.step()
    return Value(
        {
            "inside": np.round(inside, 6).tolist(),
            "expected": np.round(expected, 6).tolist(),
        }
    )


def agree(record: Record, again: Value) -> tuple[bool, str]:
    """Whether all shares are nearly the same."""
    old, new = (
        np.array([value["inside"], value["expected"]], float)
        for value in (record.value, again.value)
    )
    gap = float(np.nan_to_num(np.abs(old - new)).max(initial=0.0))
    return bool(old.shape == new.shape and gap <= _CLOSE), f"shares by {gap:.2g}"


RECIPE = Recipe(
    kind="layer-edges",
    version=1,
    fields=("network", "partition"),
    words="edges of layers",
    compute=compute,
    kept=WEIGHTS,
    agree=agree,
)


def job(partition: Job) -> Job:
    """The layers of a partition by weights of the whole network."""
    network = partition.needs["network"]
    return Job(
        RECIPE,
        {"network": network.key, "partition": partition.key},
        needs={"network": network, "partition": partition},
        kept=WEIGHTS,
        about=partition.about,
    )
