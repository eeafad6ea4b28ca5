"""Kind `similarity-matrices`: the similarities themselves, of networks that are to be drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from modclust_utils import similarity
from modclust_utils.recipes.base import Job, Recipe, Record, Task, Value, Work
from modclust_utils.recipes.regularized_network import WEIGHTS, network
from modclust_utils.recipes.similarity_clusters import LAYERS

#: Of single precision, in sums over ten thousand images.
TOLERANCE = 1e-4


def compute(tasks: Sequence[Task], work: Work) -> list[Value]:
    """The four matrices of both hidden layers, absolute values of means, not normalized."""
    assert tasks[0].images is not None
    dataset = tasks[0].images.load()
    x = torch.from_numpy(dataset.x_test.copy()).to(work.device)
    y = torch.from_numpy(dataset.y_test.copy()).to(work.device)
    values = []
    for task in tasks:
        own = network(task, work.device)
        arrays = {
            f"{measure}_{layer}": matrix.cpu().numpy().astype(np.float32)
            for layer in LAYERS
            for measure, matrix in similarity.similarities(own, x, y, layer).items()
        }
        values.append(Value({}, arrays, test_hash=dataset.test_hash))
    return values


def agree(record: Record, again: Value) -> tuple[bool, str]:
    """Whether all matrices agree, relative to their largest entries."""
    gaps = [
        float(np.abs(matrix - again.arrays[name]).max() / max(float(matrix.max()), 1e-30))
        for name, matrix in record.arrays.items()
    ]
    return max(gaps) <= TOLERANCE, f"by {max(gaps):.2g} of their largest entry"


RECIPE = Recipe(
    kind="similarity-matrices",
    version=1,
    fields=("network",),
    words="similarities",
    compute=compute,
    together=("network",),
    at_most=10,
    with_images=True,
    kept=WEIGHTS,
    agree=agree,
)


def job(network: Job) -> Job:
    """The matrices of a network."""
    return Job(
        RECIPE,
        {"network": network.key},
        needs={"network": network},
        kept=RECIPE.kept,
        images=network.images,
        about=network.about,
    )
