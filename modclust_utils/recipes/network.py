"""Kind `network`: a trained and pruned network of paper A, its accuracies and weights.

A *condition* is a data set, with or without dropout, and how its networks are trained. Networks of
one condition that are missing train as one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch

from modclust_utils import datasets
from modclust_utils.datasets import Dataset
from modclust_utils.models import MLP
from modclust_utils.recipes.base import Images, Job, Recipe, Record, Task, Value, Work
from modclust_utils.settings import TrainingSettings
from modclust_utils.training import TrainedNetworks, TrainingState, train

BEFORE = "before"
#: The phases of a network: at the start of pruning, and at its end.
PHASES = (BEFORE, "after")


def settings_of(parameters: dict[str, Any]) -> TrainingSettings:
    """The training settings in the key of a network."""
    values = parameters["settings"]
    return TrainingSettings(**{**values, "layer_sizes": tuple(values["layer_sizes"])})


def compute(tasks: Sequence[Task], work: Work) -> list[Value]:
    """Train the networks of one condition as one batch."""
    assert tasks[0].images is not None
    dataset = tasks[0].images.load()
    seeds = [task.parameters["seed"] for task in tasks]

    def on_epoch(state: TrainingState) -> None:
        work.keep(state)
        work.step()

    trained = train(
        dataset.x_train,
        dataset.y_train,
        settings_of(tasks[0].parameters),
        seeds=seeds,
        device=work.device,
        state=work.resume(),
        on_epoch=on_epoch,
    )
    accuracy = accuracies(trained, dataset)
    facts = {
        "n_test": len(dataset.y_test),
        "test_hash": dataset.test_hash,
        "test_note": dataset.test_note,
    }
    values = []
    for r in range(len(tasks)):
        before, after = trained.before.network(r), trained.after.network(r)
        arrays = weight_arrays(after)
        arrays |= {f"bias_{i}": b.cpu().numpy() for i, b in enumerate(after.biases)}
        own = {name: float(each[r]) for name, each in accuracy.items()}
        kept = {BEFORE: weight_arrays(before)}
        extra = {"batch_size": len(tasks)}
        values.append(Value(own | facts, arrays, kept, extra, dataset.test_hash))
    return values


def weight_arrays(network: MLP) -> dict[str, np.ndarray]:
    """The weights of one network by name."""
    return {f"weight_{i}": w.cpu().numpy() for i, w in enumerate(network.weights)}


def accuracies(trained: TrainedNetworks, dataset: Dataset) -> dict[str, torch.Tensor]:
    """Accuracies ``(R,)`` of both phases: on training and test images, and the running one."""
    device = trained.after.weights[0].device
    sets = {
        "train": (dataset.x_train, dataset.y_train),
        "test": (dataset.x_test, dataset.y_test),
    }
    found = {}
    for phase, networks in zip(PHASES, (trained.before, trained.after), strict=True):
        for name, (x, y) in sets.items():
            images = torch.from_numpy(x.copy()).to(device)
            labels = torch.from_numpy(y.copy()).to(device)
            found[f"{name}_accuracy_{phase}"] = networks.accuracy(images, labels).cpu()
    found["running_accuracy_before"] = trained.running_accuracy_before.cpu()
    found["running_accuracy_after"] = trained.running_accuracy_after.cpu()
    return found


def _epochs(jobs: Sequence[Job]) -> int:
    settings = jobs[0].parameters["settings"]
    return settings["epochs"] + settings["pruning_epochs"]


# Two logits that agree to rounding may change places: a few images more or fewer are right.
IMAGES_TOLERANCE = 3


def follows(record: Record, dataset: Dataset) -> tuple[bool, str]:
    """Whether the accuracies after pruning are those of the weights in the record."""
    model, notes, agrees = mlp(record), [], True
    parts = {
        "train": (dataset.x_train, dataset.y_train),
        "test": (dataset.x_test, dataset.y_test),
    }
    for name, (x, y) in parts.items():
        accuracy = float(model.accuracy(torch.from_numpy(x.copy()), torch.from_numpy(y.copy())))
        n_images = round(abs(accuracy - record.value[f"{name}_accuracy_after"]) * len(y), 3)
        agrees &= n_images <= IMAGES_TOLERANCE
        notes.append(f"{name} accuracy after pruning by {n_images:g} images")
    return agrees, ", ".join(notes)


RECIPE = Recipe(
    kind="network",
    version=1,
    fields=("dataset", "train_hash", "settings", "seed"),
    words="training networks",
    compute=compute,
    together=("seed",),
    follows=follows,
    numbers={f"{part}_accuracy_{phase}": () for phase in PHASES for part in ("train", "test")},
    code=(datasets.gray28, datasets.from_arrays),
    steps=_epochs,
    state=TrainingState,
)


@dataclass(frozen=True)
class Condition:
    """A data set with or without dropout, and how its networks are trained.

    seeds: those of its networks; they do not make it another condition.
    """

    images: Images
    dropout: bool
    settings: TrainingSettings
    seeds: tuple[int, ...] = field(default=(), compare=False)

    @property
    def jobs(self) -> list[Job]:
        """A job for each of its networks."""
        return [self._job(seed) for seed in self.seeds]

    def _job(self, seed: int) -> Job:
        dataset = datasets.short_name(self.images.dataset)
        parameters = {
            "dataset": dataset,
            "train_hash": self.images.train_hash,
            "settings": asdict(self.settings),
            "seed": seed,
        }
        job = Job(RECIPE, parameters, images=self.images)
        about = {"dataset": dataset, "dropout": self.dropout, "seed": seed, "network": job.key}
        return replace(job, about=about)


def conditions(
    p: Any, names: Sequence[str], dropouts: Sequence[bool] = (False, True), **changes: Any
) -> list[Condition]:
    """Every data set without and with dropout, under the parameters `p` of a chapter.

    `dataset_settings` holds what differs for one data set, under its name (both conditions) or
    under ``name+dropout``: paper A prunes CIFAR-10 for 40 epochs, with a dropout rate of 0.2.
    That may be another number of networks, too.
    Raises ValueError for settings that a network does not have.
    """
    return [_condition(p, name, dropout, changes) for name in names for dropout in dropouts]


def _condition(p: Any, name: str, dropout: bool, changes: dict[str, Any]) -> Condition:
    values: dict[str, Any] = {
        "n_networks": p.n_networks,
        "epochs": p.epochs,
        "pruning_epochs": p.pruning_epochs,
        "dropout_rate": p.dropout_rate,
    }
    values |= p.dataset_settings.get(name, {})
    if dropout:
        values |= p.dataset_settings.get(f"{name}+dropout", {})
    else:
        values["dropout_rate"] = 0.0
    seeds = network_seeds(p.seed, values.pop("n_networks"))
    allowed = TrainingSettings.__dataclass_fields__
    unknown = set(values) - set(allowed)
    if unknown:
        raise ValueError(
            f"dataset_settings has {sorted(unknown)} for {name!r}; allowed: {', '.join(allowed)}"
        )
    n_inputs, n_classes = datasets.dimensions(name)
    hidden = TrainingSettings().layer_sizes[1:-1]
    settings = replace(
        TrainingSettings(), layer_sizes=(n_inputs, *hidden, n_classes), **values, **changes
    )
    return Condition(images_of(p, name), dropout, settings, seeds)


def images_of(p: Any, name: str) -> Images:
    """A data set of a chapter, under its parameters `p`."""
    return Images(str(name), datasets.train_hash(name, seed=p.seed), p.data_folder or None, p.seed)


def network_seeds(seed: int, n_networks: int) -> tuple[int, ...]:
    """The seeds of a condition's networks, of which there are 1,000 at most."""
    return tuple(seed * 1000 + r for r in range(n_networks))


def run_seed(seed: int) -> int:
    """The seed of the run to which a network's seed belongs; generated images are made from it."""
    return seed // 1000


def weights(record: Record) -> list[np.ndarray]:
    """Weights ``(n_out, n_in)`` of a network after pruning, layer by layer."""
    return [record.arrays[f"weight_{i}"] for i in range(len(record.arrays) // 2)]


def mlp(record: Record) -> MLP:
    """The network after pruning."""
    biases = [record.arrays[f"bias_{i}"] for i in range(len(record.arrays) // 2)]
    return MLP([torch.from_numpy(w) for w in weights(record)], [*map(torch.from_numpy, biases)])


def weights_in_phase(task: Task, device: str) -> list[torch.Tensor]:
    """The weights that a task about a network in one of its phases needs, on a device.

    Those before pruning are too large to publish (1.6 MB a network), and those of networks that
    are not pruned are many: they are kept in the cache.
    """
    if task.kept:
        found = [task.kept[f"weight_{i}"] for i in range(len(task.kept))]
    else:
        found = weights(task.needs["network"])
    return [torch.from_numpy(w).to(device) for w in found]


def job_about(recipe: Recipe, network: Job, phase: str, *shown: str, **parameters: Any) -> Job:
    """A job of a recipe about a network in one of its phases.

    shown: parameters that become columns of the frame, beside the network's own. Raises ValueError
    for another phase.
    """
    if phase not in PHASES:
        raise ValueError(f"phase={phase!r} is not allowed: {' or '.join(map(repr, PHASES))}")
    about = {**network.about, "phase": phase}
    return Job(
        recipe,
        {"network": network.key, "phase": phase, **parameters},
        needs={"network": network},
        kept=BEFORE if phase == BEFORE else "",
        images=network.images if recipe.with_images else None,
        about=about | {name: parameters[name] for name in shown},
    )
