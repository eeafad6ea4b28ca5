"""What chapter 3 computes: lesion studies of networks with dropout, and of re-clusterings."""

from __future__ import annotations

from typing import Any

from modclust_utils.recipes import lesions
from modclust_utils.recipes.base import Job
from modclust_utils.recipes.network import conditions


def plan(p: Any) -> dict[str, list[Job]]:
    """The jobs of the chapter.

    networks: one data set, with dropout; studies: first that of the first network, with all pairs
    of sub-clusters, then of its re-clusterings and of the other networks, with the pairs that
    decide the dependency graph.
    """
    (condition,) = conditions(p, [p.dataset], dropouts=[True])
    first, *others = networks = condition.jobs
    return {
        "networks": networks,
        "studies": [
            _study(p, first, 0, "all"),
            *(_study(p, first, r + 1, "important") for r in range(p.n_reclusterings)),
            *(_study(p, network, 0, "important") for network in others),
        ],
    }


def _study(p: Any, network: Job, reclustering: int, pairs: str) -> Job:
    return lesions.job(
        network,
        n_clusters=p.n_clusters,
        n_random_sets=p.n_random_sets,
        n_random_pairs=p.n_random_pairs,
        pairs=pairs,
        seed=p.seed + reclustering,
    )
