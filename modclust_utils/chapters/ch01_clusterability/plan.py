"""What chapter 1 computes: n-cuts before pruning, shuffle tests after it, random networks."""

from __future__ import annotations

from typing import Any

from modclust_utils.recipes import clustering, partition, random_ncuts, shuffle_test
from modclust_utils.recipes.base import Job
from modclust_utils.recipes.network import conditions


def plan(p: Any) -> dict[str, list[Job]]:
    """The jobs of the chapter.

    networks: every data set without and with dropout; before: their n-cuts before pruning;
    partitions: their clusters after it; tests: shuffle tests, for every k; fresh: networks that
    were not trained.
    """
    networks = [job for condition in conditions(p, p.datasets) for job in condition.jobs]
    return {
        "networks": networks,
        "before": [
            clustering.job(network, "before", n_clusters=p.n_clusters, seed=p.seed)
            for network in networks
        ],
        "partitions": [
            partition.job(network, n_clusters=p.n_clusters, seed=p.seed) for network in networks
        ],
        "tests": [
            shuffle_test.job(
                network,
                "after",
                mode="layer",
                n_clusters=k,
                n_shuffles=p.n_shuffles,
                seed=p.seed,
            )
            for network in networks
            for k in sorted({p.n_clusters, *p.more_clusters})
        ],
        "fresh": [random_ncuts.job(n_networks=p.n_random, n_clusters=p.n_clusters, seed=p.seed)],
    }
