"""Kind `graph-shuffles`: a network of any wiring against its shuffles (paper B, Figure 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modclust_utils.graph_nulls import graph_shuffle_test
from modclust_utils.network_graphs import NetworkGraph
from modclust_utils.recipes.base import Job, Recipe, Task, Value, Work, stream
from modclust_utils.recipes.classifier import WEIGHTS, network
from modclust_utils.recipes.compare import shuffles_agree, test_contradicts
from modclust_utils.recipes.unit_partition import graph_of


def compute(tasks: Sequence[Task], work: Work) -> list[Value]:
    """The test of each network."""
    return [_test(task, work) for task in tasks]


def _test(task: Task, work: Work) -> Value:
    graph = graph_of(network(task, work.device), task.parameters["norm"])
    value = test_of(graph, task.parameters)
    work.step()
    return Value(value)


def test_of(graph: NetworkGraph, p: Mapping[str, Any]) -> dict[str, Any]:
    """The value of a record about a graph, by the parameters of its key."""
    test = graph_shuffle_test(
        graph,
        p["n_clusters"],
        n_shuffles=p["n_shuffles"],
        mode=p["mode"],
        n_init=p["n_init"],
        rng=stream(p["network"], p["seed"]),
    )
    return {
        "n_units": sum(graph.layer_sizes),
        "ncut": test.ncut,
        "p_value": test.p_value,
        "z_score": test.z_score,
        "null_ncuts": np.round(test.null_ncuts, 6).tolist(),
    }


RECIPE = Recipe(
    kind="graph-shuffles",
    version=1,
    fields=("network", "n_clusters", "n_shuffles", "mode", "norm", "n_init", "seed"),
    words="shuffle tests",
    compute=compute,
    kept=WEIGHTS,
    agree=shuffles_agree,
    contradiction=test_contradicts,
    numbers={"ncut": ("n_clusters", "n_init"), "z_score": ("mode", "n_clusters", "n_init")},
)


def job(
    network: Job,
    *,
    n_clusters: int,
    n_shuffles: int,
    mode: str,
    norm: str,
    seed: int,
    n_init: int = 10,
) -> Job:
    """The test of a network against a null."""
    parameters = {
        "network": network.key,
        "n_clusters": n_clusters,
        "n_shuffles": n_shuffles,
        "mode": mode,
        "norm": norm,
        "n_init": n_init,
        "seed": seed,
    }
    about = {"mode": mode, "norm": norm, "n_clusters": n_clusters, "n_init": n_init}
    return Job(
        RECIPE,
        parameters,
        needs={"network": network},
        kept=WEIGHTS,
        about={**network.about, **about, "test_seed": seed},
    )
