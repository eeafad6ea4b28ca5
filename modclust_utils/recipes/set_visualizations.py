"""Kind `set-visualizations`: images that drive sub-clusters, and random sets like them, most.

The record holds scores and entropies of all of them (paper B, appendix A.2.2), and the images of a
few sub-clusters beside those of a random set each, to look at.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from modclust_utils.recipes.base import Job, Recipe, Record, Task, Value, Work, stream
from modclust_utils.recipes.classifier import WEIGHTS, network
from modclust_utils.recipes.compare import ROUNDING, other_arrays, other_shapes
from modclust_utils.recipes.set_lesions import ABOUT_SETS, job_about_sets, sets_of
from modclust_utils.recipes.unit_partition import graph_of
from modclust_utils.specialization import percentiles
from modclust_utils.visualization import visualize

# Images of two units or fewer say little, and paper B leaves them out.
SMALLEST = 3
# Of two computations of one record: rank correlation of scores, and their median difference; and
# the mean difference of the pixels of an image, which are from 0 to 1.
RANKS, MEDIAN, PIXELS = 0.95, 0.02, 0.05


def compute(tasks: Sequence[Task], work: Work) -> list[Value]:
    """The visualizations of each partition."""
    return [_visualizations(task, work) for task in tasks]


def _visualizations(task: Task, work: Work) -> Value:
    p, classifier = task.parameters, network(task, work.device)
    graph = graph_of(classifier, task.needs["partition"].parameters["norm"])
    sets_rng, images_rng = stream(p["network"], p["seed"]).spawn(2)
    sets = sets_of(task, graph, smallest=SMALLEST, rng=sets_rng)
    channels, *_ = classifier.shape
    size = p["image_size"] or classifier.shape[1:]
    none = np.zeros((0, 1 + p["n_random"]))
    score, entropy, shown = [none], [none], []
    for layer, group in groupby(sets, key=lambda each: each.layer):
        own = list(group)
        found = visualize(
            classifier.module,
            graph.output_names[layer],
            np.concatenate([each.units for each in own]),
            (channels, *((size, size) if isinstance(size, int) else size)),
            rng=images_rng.spawn(1)[0],
            n_steps=p["n_steps"],
            prepare=classifier.prepare,
        )
        score.append(found.score.reshape(len(own), -1))
        entropy.append(found.entropy.reshape(len(own), -1))
        images = found.images.reshape(len(own), -1, *found.images.shape[1:])
        shown.append(images[:, : p["n_shown"]])
    work.step()
    places = _spread(len(sets), p["n_gallery"])
    gallery = np.concatenate(shown)[places] if sets else np.zeros((0, 0, *classifier.shape))
    return Value(
        {"n_sets": len(sets)},
        {
            "layer": np.array([each.layer for each in sets], np.int16),
            "label": np.array([each.label for each in sets], np.int16),
            "size": np.array([each.size for each in sets], np.int16),
            "score": np.concatenate(score).astype(np.float32),
            "entropy": np.concatenate(entropy).astype(np.float32),
            "gallery": places.astype(np.int16),
            "images": np.rint(255 * gallery).astype(np.uint8),
        },
    )


def _spread(n: int, at_most: int) -> np.ndarray:
    """Up to so many of n numbers, evenly spread."""
    return np.unique(np.linspace(0, n - 1, min(n, at_most)).round().astype(int))


def agree(record: Record, again: Value) -> tuple[bool, str]:
    """Whether the same sets were visualized, with nearly the same scores, entropies and images.

    A search of many steps enlarges rounding, so single ones may come out otherwise.
    """
    if others := other_arrays(record, again, ("layer", "label", "size", "gallery")):
        return False, others
    old, new = record.arrays, again.arrays
    if old["images"].shape != new["images"].shape:
        return False, "its images have another shape"
    away = np.abs(old["images"].astype(float) - new["images"].astype(float)) / 255
    # over all axes by name: where no picture is kept, there is nothing to reshape
    away = away.mean(axis=tuple(range(2, away.ndim)))
    agrees = bool((away <= PIXELS).all())
    notes = [f"images by {away.max(initial=0.0):.2g} at most"]
    if len(old["score"]) == 0:
        return agrees, notes[0]
    for name in ("score", "entropy"):
        first, second = old[name].ravel().astype(float), new[name].ravel().astype(float)
        median = float(np.median(np.abs(first - second) / np.maximum(np.abs(second), 1e-3)))
        ranks = 1.0 if (first == second).all() else float(spearmanr(first, second).statistic)
        agrees &= median <= MEDIAN and ranks >= RANKS
        notes.append(f"{name} by {median:.2g} (median), ranks by {ranks:.3f}")
    return agrees, ", ".join(notes)


def contradiction(record: Record) -> str:
    """Arrays of another shape, a picture of no sub-cluster, or numbers that no image has."""
    p, n, arrays = record.parameters, record.value["n_sets"], record.arrays
    places = arrays["gallery"]
    shapes = dict.fromkeys(("layer", "label", "size"), (n,))
    shapes |= dict.fromkeys(("score", "entropy"), (n, 1 + p["n_random"]))
    if n:
        shapes["images"] = (len(places), min(p["n_shown"], 1 + p["n_random"]))
    if others := other_shapes(record, shapes):
        return others
    if not np.array_equal(places, _spread(n, p["n_gallery"])):
        return "its pictures are not of the sub-clusters that its key asks for"
    for name in ("score", "entropy"):
        if not (np.isfinite(arrays[name]) & (arrays[name] >= -ROUNDING)).all():
            return f"its {name} is no {name} of an image"
    return ""


def measured(record: Record) -> dict[str, Any]:
    """Mean percentiles among random sets: of the score, and of the entropy."""
    if record.value["n_sets"] == 0:
        return {}
    return {
        "score_percentile": percentiles(record.arrays["score"]).tolist(),
        "entropy_percentile": percentiles(record.arrays["entropy"], tail="lower").tolist(),
    }


RECIPE = Recipe(
    kind="set-visualizations",
    version=1,
    fields=(
        *("network", "partition", "match", "n_random", "n_steps", "image_size"),
        *("n_gallery", "n_shown", "precision", "seed"),
    ),
    words="visualizations",
    compute=compute,
    kept=WEIGHTS,
    agree=agree,
    contradiction=contradiction,
    numbers=dict.fromkeys(("score_percentile", "entropy_percentile"), ABOUT_SETS),
    measured=measured,
)


def job(
    partition: Job,
    *,
    n_steps: int,
    seed: int,
    match: str = "size",
    n_random: int = 19,
    image_size: int | None = None,
    n_gallery: int = 0,
    precision: str = "float32",
) -> Job:
    """Visualizations of a partition's sub-clusters; image_size: None for that of the network.

    n_gallery: so many sub-clusters keep their image, and that of a random set each. precision: a
    part of the key, where published records have it; images are searched for in float32 whatever it
    says.
    """
    return job_about_sets(
        RECIPE,
        partition,
        match=match,
        n_random=n_random,
        n_steps=n_steps,
        image_size=image_size,
        n_gallery=n_gallery,
        n_shown=2,
        precision=precision,
        seed=seed,
    )
