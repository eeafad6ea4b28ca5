"""Kind `random-ncuts`: n-cuts of freshly initialized networks (paper A, Figure 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modclust_utils import nulls
from modclust_utils.recipes.base import Job, Recipe, Task, Value, Work
from modclust_utils.recipes.compare import ncuts_agree
from modclust_utils.settings import TrainingSettings


def compute(tasks: Sequence[Task], work: Work) -> list[Value]:
    """The n-cuts of as many networks as each task asks for."""
    return [_ncuts(task, work.device) for task in tasks]


def _ncuts(task: Task, device: str) -> Value:
    p = task.parameters
    values = nulls.random_ncuts(
        p["layer_sizes"],
        p["n_clusters"],
        n_networks=p["n_networks"],
        rng=np.random.default_rng(p["seed"]),
        device=device,
    )
    return Value({"ncuts": np.round(values, 6).tolist()})


RECIPE = Recipe(
    kind="random-ncuts",
    version=1,
    fields=("layer_sizes", "n_clusters", "n_networks", "seed"),
    words="random networks",
    compute=compute,
    agree=ncuts_agree,
)


def job(*, n_networks: int, n_clusters: int, seed: int) -> Job:
    """The n-cuts of freshly initialized networks of paper A's shape."""
    parameters = {
        "layer_sizes": list(TrainingSettings().layer_sizes),
        "n_clusters": n_clusters,
        "n_networks": n_networks,
        "seed": seed,
    }
    return Job(RECIPE, parameters, about={"n_clusters": n_clusters})
