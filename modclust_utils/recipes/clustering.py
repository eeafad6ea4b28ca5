"""Kind `clustering`: the n-cut of a network in one of its phases, without a null."""

from __future__ import annotations

from collections.abc import Sequence

from modclust_utils.clustering import cluster_network
from modclust_utils.recipes.base import Job, Recipe, Task, Value, Work, stream
from modclust_utils.recipes.compare import ncuts_agree
from modclust_utils.recipes.network import job_about, weights_in_phase


def compute(tasks: Sequence[Task], work: Work) -> list[Value]:
    """The n-cut of each network."""
    return [_ncut(task, work.device) for task in tasks]


def _ncut(task: Task, device: str) -> Value:
    p = task.parameters
    rng = stream(p["network"], p["seed"])
    _, ncut = cluster_network(weights_in_phase(task, device), p["n_clusters"], rng=rng)
    return Value({"ncut": ncut})


RECIPE = Recipe(
    kind="clustering",
    version=1,
    fields=("network", "phase", "n_clusters", "seed"),
    words="clustering networks",
    compute=compute,
    agree=ncuts_agree,
    numbers={"ncut": ("phase", "n_clusters")},
)


def job(network: Job, phase: str, *, n_clusters: int, seed: int) -> Job:
    """The n-cut of a network in a phase."""
    return job_about(RECIPE, network, phase, "n_clusters", n_clusters=n_clusters, seed=seed)
