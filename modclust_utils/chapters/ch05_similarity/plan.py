"""What chapter 5 computes: networks of three sweeps of regularization, and untrained ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from modclust_utils import datasets
from modclust_utils.recipes import (
    regularized_network,
    similarity_clusters,
    similarity_matrices,
)
from modclust_utils.recipes.base import Job
from modclust_utils.recipes.network import images_of, network_seeds
from modclust_utils.settings import RegularizedSettings


def plan(p: Any) -> dict[str, list[Job]]:
    """The jobs of the chapter.

    networks: every one of `settings` with each seed, and the untrained networks, of which the first
    are what the trained ones began as; clusters and tests of each; drawn: the similarities of
    one untrained network, of one with the least L2 penalty and no dropout, and of one with the
    highest dropout rate.
    """
    images = images_of(p, p.dataset)
    n_inputs, n_classes = datasets.dimensions(p.dataset)
    sizes = (n_inputs, *RegularizedSettings().layer_sizes[1:-1], n_classes)
    base = RegularizedSettings(layer_sizes=sizes, max_epochs=p.max_epochs)
    trained = [
        regularized_network.job(images, replace(base, **changes), seed)
        for seed in network_seeds(p.seed, p.n_networks)
        for changes in settings(p)
    ]
    untrained = [
        regularized_network.job(images, replace(base, max_epochs=0), seed)
        for seed in network_seeds(p.seed, p.n_untrained)
    ]
    networks = trained + untrained
    first = [job for job in trained if job.about["seed"] == trained[0].about["seed"]]
    dropout = sorted(first, key=lambda job: job.about["dropout_rate"])
    return {
        "networks": networks,
        "clusters": [
            similarity_clusters.job(job, n_steps=p.n_steps, n_starts=p.n_starts, seed=p.seed)
            for job in networks
        ],
        "tests": [
            regularized_network.shuffle_test_job(
                job, n_clusters=p.n_clusters, n_shuffles=p.n_shuffles, seed=p.seed
            )
            for job in networks
        ],
        "drawn": [
            similarity_matrices.job(job)
            for job in dict.fromkeys((untrained[0], dropout[0], dropout[-1]))
        ],
    }


def settings(p: Any) -> list[dict[str, float]]:
    """What each setting changes (paper C, Table 1): L2 alone; L1 or dropout with a mild L2."""
    mild = {"l2": p.mild_l2}
    return [
        *({"l2": value} for value in p.l2),
        *({**mild, "l1": value} for value in p.l1),
        *({**mild, "dropout_rate": value} for value in p.dropout_rates),
    ]
