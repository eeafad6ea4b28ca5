"""Kind `input-correlations`: which pixels the sub-clusters of the first layer follow (paper B').

An image of each sub-cluster, and of random sets like it: of each pixel the mean size of its
correlation with the units of the set, over training images (after paper B', Figure 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from modclust_utils.activations import input_correlations
from modclust_utils.recipes.base import Job, Recipe, Record, Task, Value, Work, stream
from modclust_utils.recipes.classifier import WEIGHTS, network
from modclust_utils.recipes.compare import gap, other_arrays, other_shapes
from modclust_utils.recipes.set_lesions import ABOUT_SETS, job_about_sets, sets_of
from modclust_utils.recipes.unit_partition import graph_of

# Entries, all of them numbers from 0 to 1, by which another processor may differ.
TOLERANCE = 0.005


def compute(tasks: Sequence[Task], work: Work) -> list[Value]:
    """The images of each partition."""
    return [_images(task, work) for task in tasks]


def _images(task: Task, work: Work) -> Value:
    assert task.images is not None
    p, classifier = task.parameters, network(task, work.device)
    graph = graph_of(classifier, task.needs["partition"].parameters["norm"])
    sets = sets_of(task, graph, smallest=2, rng=stream(p["network"], p["seed"]))
    first = graph.hidden_layers[0]
    own = [each for each in sets if each.layer == first]
    rows = task.images.load().x_train[: p["n_images"]]
    found = input_correlations(
        classifier.module, classifier.inputs(rows), graph.output_names[first]
    )
    units = np.stack([each.units for each in own]) if own else np.zeros((0, 1, len(found)), bool)
    images = units @ found / np.maximum(units.sum(2, keepdims=True), 1)
    work.step()
    return Value(
        {"n_sets": len(own)},
        {
            "label": np.array([each.label for each in own], np.int16),
            "size": np.array([each.size for each in own], np.int16),
            "images": images.astype(np.float16),
        },
    )


def agree(record: Record, again: Value) -> tuple[bool, str]:
    """Whether the same sets have nearly the same images."""
    if others := other_arrays(record, again, ("label", "size")):
        return False, others
    largest = gap(record.arrays["images"], again.arrays["images"])
    return largest <= TOLERANCE, f"images by {largest:.2g}"


def contradiction(record: Record) -> str:
    """Arrays of another shape, or pixels that are no size of a correlation."""
    n, images = record.value["n_sets"], record.arrays["images"]
    shapes: dict[str, tuple[int, ...]] = {"label": (n,), "size": (n,)}
    shapes["images"] = (n, 1 + record.parameters["n_random"])
    if others := other_shapes(record, shapes):
        return others
    inside = (images >= 0) & (images <= 1 + TOLERANCE)
    return "" if inside.all() else "its images are no sizes of correlations"


def measured(record: Record) -> dict[str, Any]:
    """Mean size of the correlations of all sub-clusters."""
    return {"correlation": record.arrays["images"][:, 0].astype(float).mean(1).tolist()}


RECIPE = Recipe(
    kind="input-correlations",
    version=1,
    fields=("network", "partition", "match", "n_random", "n_images", "seed"),
    words="images of correlations",
    compute=compute,
    with_images=True,
    kept=WEIGHTS,
    agree=agree,
    contradiction=contradiction,
    numbers={"correlation": ABOUT_SETS},
    measured=measured,
)


def job(partition: Job, *, n_images: int, seed: int, n_random: int = 19) -> Job:
    """The images of a partition, from the first training images."""
    return job_about_sets(
        RECIPE, partition, match="size", n_random=n_random, n_images=n_images, seed=seed
    )
