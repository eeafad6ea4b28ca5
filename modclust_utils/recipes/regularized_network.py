"""Kind `regularized-network`: a network of paper C, trained with penalties and early stopping.

Its weights stay in the cache (0.2 MB each); its biases are in the record, and tell one training
of it from another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from modclust_utils import datasets
from modclust_utils.datasets import Dataset
from modclust_utils.models import MLP
from modclust_utils.recipes import shuffle_test
from modclust_utils.recipes.base import Images, Job, Recipe, Task, Value, Work
from modclust_utils.recipes.network import weight_arrays
from modclust_utils.regularized import RegularizedState, train_regularized
from modclust_utils.settings import RegularizedSettings

#: The group of kept arrays that holds the weights; the only phase of such a network.
WEIGHTS = "trained"
#: Weights within ± this count as zero (paper C, Figure S1).
SPARSE = 1e-3


def settings_of(task: Task) -> RegularizedSettings:
    """The training settings in the key of a network."""
    values = task.parameters["settings"]
    return RegularizedSettings(**{**values, "layer_sizes": tuple(values["layer_sizes"])})


def compute(tasks: Sequence[Task], work: Work) -> list[Value]:
    """Train networks of any settings as one batch."""
    assert tasks[0].images is not None
    dataset, state = tasks[0].images.load(), work.resume()
    stopped = 0 if state is None else state.n_steps

    def on_epoch(now: RegularizedState) -> None:
        nonlocal stopped
        work.keep(now)
        for _ in range(now.n_steps - stopped):
            work.step()
        stopped = now.n_steps

    trained = train_regularized(
        dataset.x_train,
        dataset.y_train,
        [settings_of(task) for task in tasks],
        seeds=[task.parameters["seed"] for task in tasks],
        device=work.device,
        state=state,
        on_epoch=on_epoch,
    )
    values = []
    for r in range(len(tasks)):
        network, lowest = trained.networks.network(r), float(trained.validation_loss[r])
        value = {
            "epochs": int(trained.epochs[r]),
            "best_epoch": int(trained.best_epoch[r]),
            "validation_loss": lowest if math.isfinite(lowest) else None,
            **_performance(network, dataset),
            **_size(network),
            "n_test": len(dataset.y_test),
            "test_note": dataset.test_note,
        }
        biases = {f"bias_{i}": b.cpu().numpy() for i, b in enumerate(network.biases)}
        kept = {WEIGHTS: weight_arrays(network)}
        values.append(Value(value, biases, kept, {"batch_size": len(tasks)}, dataset.test_hash))
    return values


def _performance(network: MLP, dataset: Dataset) -> dict[str, float]:
    """Accuracy, and mean cross-entropy without penalties, on training and on test images."""
    device, found = network.weights[0].device, {}
    sets = {"train": (dataset.x_train, dataset.y_train), "test": (dataset.x_test, dataset.y_test)}
    for name, (images, labels) in sets.items():
        x = torch.from_numpy(images.copy()).to(device)
        y = torch.from_numpy(labels.copy()).to(device)
        found[f"{name}_accuracy"] = float(network.accuracy(x, y))
        found[f"{name}_loss"] = float(cross_entropy(network.logits(x), y))
    return found


def _size(network: MLP) -> dict[str, float]:
    """Share of weights within ± `SPARSE`, and the sums that the penalties are made of."""
    weights = torch.cat([w.flatten() for w in network.weights]).double()
    return {
        "sparsity": float((weights.abs() <= SPARSE).double().mean()),
        "sum_abs": float(weights.abs().sum()),
        "sum_squares": float(weights.square().sum()),
    }


RECIPE = Recipe(
    kind="regularized-network",
    version=1,
    fields=("dataset", "train_hash", "settings", "seed"),
    words="training networks with penalties",
    compute=compute,
    together=("settings", "seed"),
    # more at a time leave the processor's cache
    at_most=30,
    state=RegularizedState,
    numbers=dict.fromkeys(("train_accuracy", "test_accuracy", "test_loss", "sparsity"), ()),
    code=(datasets.gray28, datasets.from_arrays),
)


def job(images: Images, settings: RegularizedSettings, seed: int) -> Job:
    """A network of some settings; its frame has the penalties and the dropout rate as columns."""
    dataset = datasets.short_name(images.dataset)
    parameters = {
        "dataset": dataset,
        "train_hash": images.train_hash,
        "settings": asdict(settings),
        "seed": seed,
    }
    made = Job(RECIPE, parameters, images=images)
    about = {
        "dataset": dataset,
        "l2": settings.l2,
        "l1": settings.l1,
        "dropout_rate": settings.dropout_rate,
        "trained": settings.max_epochs > 0,
        "seed": seed,
        "network": made.key,
    }
    return replace(made, about=about)


def shuffle_test_job(network: Job, *, n_clusters: int, n_shuffles: int, seed: int) -> Job:
    """The test of a network against shuffles of each layer's weights, as paper A tests its own."""
    parameters = {
        "network": network.key,
        "phase": WEIGHTS,
        "n_clusters": n_clusters,
        "seed": seed,
        "n_shuffles": n_shuffles,
        "mode": "layer",
    }
    about = {**network.about, "n_clusters": n_clusters}
    return Job(shuffle_test.RECIPE, parameters, {"network": network}, kept=WEIGHTS, about=about)


def network(task: Task, device: str) -> MLP:
    """The network that a task is about, from its biases and its kept weights."""
    arrays = {**task.needs["network"].arrays, **task.kept}
    n = len(task.kept)

    def parts(name: str) -> list[torch.Tensor]:
        return [torch.from_numpy(np.array(arrays[f"{name}_{i}"])).to(device) for i in range(n)]

    return MLP(parts("weight"), parts("bias"))
