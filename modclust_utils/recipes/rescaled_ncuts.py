"""Kind `rescaled-ncuts`: n-cuts of a network whose units were scaled at random.

Its function stays the same where it is one of ReLUs (module `rescaling`). With each n-cut stands
how far the clusters are still those of the network as it was given.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import adjusted_rand_score

from modclust_utils.graph_clusters import cluster_graph
from modclust_utils.recipes.base import Job, Recipe, Record, Task, Value, Work, stream
from modclust_utils.recipes.classifier import WEIGHTS, network
from modclust_utils.recipes.compare import NCUT_TOLERANCE_PER_CLUSTER
from modclust_utils.recipes.unit_partition import graph_of
from modclust_utils.rescaling import randomly_rescaled


def compute(tasks: Sequence[Task], work: Work) -> list[Value]:
    """The rescalings of each network."""
    return [_rescaled(task, work) for task in tasks]


def _rescaled(task: Task, work: Work) -> Value:
    p = task.parameters
    graph = graph_of(network(task, work.device), p["norm"])
    own_rng, *rngs = stream(p["network"], p["seed"]).spawn(p["n_draws"] + 1)
    as_given, ncut = cluster_graph(graph, p["n_clusters"], n_init=p["n_init"], rng=own_rng)
    live = as_given >= 0  # units without edges are in no cluster, whatever the scaling
    ncuts, agreements = [], []
    for rng in rngs:
        drawn = randomly_rescaled(graph, p["spread"], rng=rng)
        labels, own = cluster_graph(drawn, p["n_clusters"], n_init=p["n_init"], rng=rng)
        ncuts.append(own)
        agreements.append(float(adjusted_rand_score(as_given[live], labels[live])))
    work.step()
    return Value(
        {
            "ncut": ncut,
            "rescaled_ncuts": np.round(ncuts, 6).tolist(),
            "agreements": np.round(agreements, 6).tolist(),
        }
    )


def agree(record: Record, again: Value) -> tuple[bool, str]:
    """Whether all n-cuts are nearly the same."""
    old, new = (
        np.array([value["ncut"], *value["rescaled_ncuts"]]) for value in (record.value, again.value)
    )
    if old.shape != new.shape:
        return False, f"{len(old)} n-cuts against {len(new)}"
    gap = float(np.abs(old - new).max())
    allowed = NCUT_TOLERANCE_PER_CLUSTER * record.parameters["n_clusters"]
    return gap <= allowed, f"n-cuts by {gap:.2g}"


RECIPE = Recipe(
    kind="rescaled-ncuts",
    version=2,
    fields=("network", "n_clusters", "n_draws", "spread", "norm", "n_init", "seed"),
    words="random rescalings",
    compute=compute,
    kept=WEIGHTS,
    agree=agree,
)


def job(
    network: Job,
    *,
    n_clusters: int,
    n_draws: int,
    spread: float,
    norm: str,
    seed: int,
    n_init: int = 10,
) -> Job:
    """Random rescalings of a network's units, each between 1 / spread and spread."""
    parameters = {
        "network": network.key,
        "n_clusters": n_clusters,
        "n_draws": n_draws,
        "spread": spread,
        "norm": norm,
        "n_init": n_init,
        "seed": seed,
    }
    about = {"n_clusters": n_clusters, "spread": spread, "test_seed": seed}
    return Job(
        RECIPE,
        parameters,
        needs={"network": network},
        kept=WEIGHTS,
        about={**network.about, **about},
    )
