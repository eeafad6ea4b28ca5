"""Kind `similarity-clusters`: how the units of a network cluster by their similarities (paper C).

A network has 48 similarity matrices: of two hidden layers, by four measures, each read in two ways
and normalized in three. Of every one the record holds the clusters that Monte Carlo and Leiden
find, their modularity, and what the search finds in a null of the same strengths.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from modclust_utils import modularity as search
from modclust_utils import similarity
from modclust_utils.models import MLP
from modclust_utils.recipes.base import Job, Recipe, Record, Task, Value, Work, stream
from modclust_utils.recipes.regularized_network import WEIGHTS, network
from modclust_utils.strength_nulls import strength_null

#: Steps of the search that starts from a single cluster (paper C, Figure S2).
SINGLE_STEPS = 1000
# Entries that differ by more are of another partition, and a few of them may be.
SAME = 1e-4
FEW = 0.05


class Variant(NamedTuple):
    """One similarity of the units of one layer."""

    layer: int
    absolute: similarity.Absolute
    normalization: str
    measure: str


LAYERS = (1, 2)
READINGS = ("of_mean", "mean_of")
NORMALIZATIONS = ("none", "max", "sqrt")
#: The similarities of a network, in the order of a record's lists.
VARIANTS = tuple(
    Variant(*each)
    for each in itertools.product(LAYERS, READINGS, NORMALIZATIONS, similarity.MEASURES)
)


def matrices(network: MLP, x: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    """Similarities ``(48, n, n)`` of a network of two hidden layers of one width, as `VARIANTS`."""
    found = []
    for layer, absolute in itertools.product(LAYERS, READINGS):
        plain = similarity.similarities(network, x, y, layer, absolute=absolute)
        stack = torch.stack([plain[measure] for measure in similarity.MEASURES])
        found += [stack, similarity.normalize(stack, "max"), similarity.normalize(stack, "sqrt")]
    return torch.cat(found).cpu().numpy()


def compute(tasks: Sequence[Task], work: Work) -> list[Value]:
    """The clusters of several networks, whose matrices are searched side by side."""
    assert tasks[0].images is not None
    dataset = tasks[0].images.load()
    x = torch.from_numpy(dataset.x_test.copy()).to(work.device)
    y = torch.from_numpy(dataset.y_test.copy()).to(work.device)
    p = tasks[0].parameters
    rngs = [stream(task.parameters["network"], p["seed"]).spawn(4) for task in tasks]
    of_search, of_leiden, of_single, of_null = (
        [rng for each in streams for rng in each.spawn(len(VARIANTS))]
        for streams in zip(*rngs, strict=True)
    )
    every = np.concatenate([matrices(network(task, work.device), x, y) for task in tasks])
    nulls = np.stack([_null(each, rng) for each, rng in zip(every, of_null, strict=True)])
    options = {"n_steps": p["n_steps"]}
    found = search.maximize_modularity(every, rng=of_search, **options)
    leiden = search.maximize_modularity(
        every, rng=of_leiden, method="leiden", n_starts=p["n_starts"]
    )
    single = search.maximize_modularity(every, rng=of_single, n_steps=SINGLE_STEPS, start="single")
    null = search.maximize_modularity(nulls, rng=of_null, **options)
    columns = {
        "q": found.q,
        "q_start": found.q_start,
        "q_leiden": leiden.q,
        "q_single": single.q,
        "q_null": null.q,
        "n_clusters": search.n_effective_clusters(found.labels),
        "n_clusters_leiden": search.n_effective_clusters(leiden.labels),
    }
    values = []
    for r in range(len(tasks)):
        own = slice(r * len(VARIANTS), (r + 1) * len(VARIANTS))
        value = {name: _plain(column[own]) for name, column in columns.items()}
        value["n_unused"] = (found.labels[own] == -1).sum(1).tolist()
        labels = {"labels": found.labels[own], "labels_leiden": leiden.labels[own]}
        small = {name: each.astype(np.int8) for name, each in labels.items()}
        values.append(Value(value, small, test_hash=dataset.test_hash))
    return values


def _null(matrix: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A null of the same strengths; all 0, and so without modularity, where there is none."""
    try:
        return strength_null(matrix, rng=rng)
    except ValueError:
        return np.zeros_like(matrix)


def _plain(column: np.ndarray) -> list[Any]:
    """Numbers as they stand in a record: None where there is none."""
    return [None if np.isnan(each) else round(float(each), 8) + 0.0 for each in column]


def labels(record: Record, method: str = "monte_carlo") -> np.ndarray:
    """Clusters ``(48, n)`` of the units, -1 for those without similarity, as `VARIANTS`."""
    name = "labels_leiden" if method == "leiden" else "labels"
    return record.arrays[name].astype(np.int64)


def agree(record: Record, again: Value) -> tuple[bool, str]:
    """Whether modularities, numbers of clusters, and labels agree.

    Another machine rounds otherwise: weights changed by 1 part in 1e7 leave all entries of twelve
    networks within 1e-7, but for 1 in 600 of Leiden's.
    """
    shares = {}
    for name, kept in record.value.items():
        first, second = (np.array(each, np.float64) for each in (kept, again.value[name]))
        missing = np.isnan(first)
        if first.shape != second.shape or (missing != np.isnan(second)).any():
            return False, f"{name} is there for other similarities"
        shares[name] = float((np.abs(first - second)[~missing] > SAME).mean()) if len(first) else 0
    for name, kept in record.arrays.items():
        shares[name] = float((kept != again.arrays[name]).any(1).mean())
    most = max(shares, key=lambda name: shares[name])
    return shares[most] <= FEW, f"{shares[most]:.0%} of {most} differ"


RECIPE = Recipe(
    kind="similarity-clusters",
    version=1,
    fields=("network", "seed", "n_steps", "n_starts"),
    words="clustering by similarity",
    compute=compute,
    together=("network",),
    at_most=10,
    with_images=True,
    kept=WEIGHTS,
    packages=("igraph",),
    agree=agree,
    numbers=dict.fromkeys(("q", "q_leiden", "q_null", "n_clusters"), ()),
)


def job(network: Job, *, n_steps: int, n_starts: int, seed: int) -> Job:
    """The clusters of a network; n_steps of Monte Carlo, n_starts of Leiden."""
    return Job(
        RECIPE,
        {"network": network.key, "seed": seed, "n_steps": n_steps, "n_starts": n_starts},
        needs={"network": network},
        kept=RECIPE.kept,
        images=network.images,
        about=network.about,
    )
