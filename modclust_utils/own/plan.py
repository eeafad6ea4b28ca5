"""Which records answer what is asked about a network of one's own, and what they cost."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from threadpoolctl import threadpool_limits

from modclust_utils.doors import as_choice, as_count
from modclust_utils.graph_clusters import blocks_of
from modclust_utils.own.architectures import Given, Maker
from modclust_utils.own.images import OwnImages
from modclust_utils.own.questions import EDGES, SCOPES, Questions
from modclust_utils.own.reading import OwnNetwork
from modclust_utils.own.understanding import DENSE, Understanding
from modclust_utils.recipes import (
    balanced_shuffles,
    graph_shuffles,
    layer_edges,
    own_network,
    rescaled_ncuts,
    set_lesions,
    unit_partition,
)
from modclust_utils.recipes.base import Job

#: Shuffles of one record: stopped in between, a run goes on after the last of them.
BATCH = 10
NORM: Literal["l1"] = "l1"
#: Random rescalings multiply a unit's weights by up to this number, or divide by it.
SPREAD = 10.0
# Of a clustering: products with the graph, and bytes for each edge that there can be.
_PRODUCTS, _BYTES_PER_EDGE = 150, 45
_ROUNDS = 100
_MOST_BATCHES = 100_000


def as_questions(**asked: Any) -> Questions:
    """Questions that can be asked about some network. Raises ValueError for others."""
    counts = {
        name: as_count(name, asked[name], least)
        for name, least in (
            *(("n_clusters", 2), ("n_shuffles", 1), ("n_images", 1), ("n_random", 1)),
            ("seed", 0),
        )
    }
    as_choice("partitioning", asked["partitioning"], EDGES)
    as_choice("scope", asked["scope"], SCOPES)
    return Questions(**{**asked, **counts})


def check_questions(questions: Questions, found: Understanding) -> None:
    """Raise ValueError for what cannot be asked about this network."""
    k = questions.n_clusters
    if not 2 <= k <= found.n_live:
        raise ValueError(
            f"n_clusters={k} is not allowed: 2 to {found.n_live}, the number of units with edges"
        )


def other_numbers(questions: Questions, found: Understanding) -> list[int]:
    """Numbers of clusters beside that which was asked for: half and twice as many."""
    k = questions.n_clusters
    return [n for n in (k // 2, 2 * k) if 2 <= n <= found.n_live // 2 and n != k]


def harder_null(found: Understanding) -> str:
    """The null that keeps more of the network: the places of zeros where there are many of them,
    else the edges that come into each unit."""
    return "channel" if found.n_edges >= DENSE * found.n_possible else "layer-nonzero"


def keeping(found: Understanding, images: OwnImages | None) -> list[Job]:
    """The jobs that keep the network's weights in the cache, where all others find them: so of a
    network from a file, these alone travel with the weights."""
    network = found.network
    maker = replace(network.maker, build=Given(network.module))
    return [_own(network, maker, each) for each in dict.fromkeys((None, images))]


def _own(network: OwnNetwork, maker: Maker, images: OwnImages | None = None) -> Job:
    return own_network.job(
        maker,
        weights_hash=network.weights_hash,
        operations_hash=network.operations_hash,
        input_shape=network.input_shape,
        prepared=maker.prepared,
        images=images,
    )


def make_plan(
    found: Understanding, questions: Questions, images: OwnImages | None = None
) -> dict[str, list[Job]]:
    """The jobs, by the name of what they are about."""
    own = _own(found.network, found.network.maker)
    k, seed = questions.n_clusters, questions.seed
    test = {"norm": NORM, "n_clusters": k}
    plan = {
        "tests": _batches(graph_shuffles, own, questions.n_shuffles, seed, mode="layer", **test),
        "harder": _batches(
            graph_shuffles, own, questions.fewer, seed, mode=harder_null(found), **test
        ),
        "others": [
            job
            for n in other_numbers(questions, found)
            for job in _batches(
                graph_shuffles, own, questions.fewer, seed, mode="layer", norm=NORM, n_clusters=n
            )
        ],
        "balanced": _batches(balanced_shuffles, own, questions.fewer, seed, mode="layer", **test),
        "rescaled": [
            rescaled_ncuts.job(own, n_draws=n, spread=SPREAD, seed=_seed_of(seed, i), **test)
            for i, n in enumerate(_parts(questions.fewer))
        ],
    }
    whole = unit_partition.job(own, "weights/network", n_images=0, seed=seed, **test)
    plan["whole"] = [whole]
    plan["layers"] = [layer_edges.job(whole)]
    drawn = whole
    if images is not None:
        with_images = _own(found.network, found.network.maker, images)
        numbers = {"n_images": questions.n_images, "seed": seed, **test}
        plan["active"] = [unit_partition.job(with_images, "activations/network", **numbers)]
        drawn = unit_partition.job(with_images, questions.way, **numbers)
    elif questions.way != "weights/network":
        drawn = unit_partition.job(own, questions.way, n_images=0, seed=seed, **test)
    plan["drawn"] = [drawn]
    if images is not None and found.top_1 is not None:
        plan["lesions"] = [
            set_lesions.job(
                drawn, n_images=questions.n_images, seed=seed, n_random=questions.n_random
            )
        ]
    return plan


def _parts(n: int) -> list[int]:
    return [min(BATCH, n - start) for start in range(0, n, BATCH)]


def _seed_of(seed: int, batch: int) -> int:
    """Of a batch: with another seed, none of them has the shuffles of any batch of this one."""
    return seed * _MOST_BATCHES + batch


def _batches(recipe: Any, own: Job, n: int, seed: int, **settings: Any) -> list[Job]:
    return [
        recipe.job(own, n_shuffles=part, seed=_seed_of(seed, i), **settings)
        for i, part in enumerate(_parts(n))
    ]


@dataclass(frozen=True)
class Cost:
    """What the records of an analysis cost, roughly: minutes on so many processes, and
    megabytes."""

    minutes: float
    megabytes: float
    n_jobs: int


def estimate(found: Understanding, questions: Questions, n_jobs: int) -> Cost:
    """A guess from the time of one product with the graph. Lesions are not in it: they depend on
    how long the network takes for an image."""
    assert found.graph is not None
    blocks = blocks_of(found.graph)
    ones = np.ones(found.n_units, np.float32)
    with threadpool_limits(1):
        blocks.product(ones)
        started = time.perf_counter()
        for _ in range(3):
            blocks.product(ones)
        product = (time.perf_counter() - started) / 3
    n_tests = questions.n_shuffles + (3 + len(other_numbers(questions, found))) * questions.fewer
    of_units = 2e-6 * found.n_units * questions.n_clusters
    seconds = n_tests * (_PRODUCTS * product + of_units) + _ROUNDS * product * 20
    n_jobs = max(n_jobs, 1)
    # each process begins with imports, and holds the graph
    megabytes = 700 + n_jobs * (400 + _BYTES_PER_EDGE * found.n_possible / 1e6)
    return Cost((seconds / n_jobs + 5) / 60, megabytes, n_jobs)
