"""Kind `classifier`: a network that paper B trains itself (section 3.2): it is not pruned.

Its weights stay in the cache (up to 4 MB each); its biases and norms are in the record, and tell
one training of it from another.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from modclust_utils import datasets, pretrained
from modclust_utils.cnn import CnnState, train_cnn
from modclust_utils.convolutional import convolutional, image_shape
from modclust_utils.datasets import Dataset
from modclust_utils.doors import check_finite
from modclust_utils.models import MLP
from modclust_utils.recipes.base import Images, Job, Recipe, Record, Task, Value, Work
from modclust_utils.recipes.compare import ROUNDING
from modclust_utils.settings import CnnSettings, TrainingSettings, VggSettings
from modclust_utils.training import train

#: The group of kept arrays that holds the weights.
WEIGHTS = "trained"
Settings = TrainingSettings | CnnSettings | VggSettings
#: What a reader calls each architecture, and its settings.
ARCHITECTURES: dict[str, type[Settings]] = {
    "mlp": TrainingSettings,
    "cnn": CnnSettings,
    "vgg": VggSettings,
}
_CHUNK = 500


@dataclass(frozen=True)
class Classifier:
    """A network with what it takes to show it images.

    shape: channels, rows and columns of an image; prepare: from images from 0 to 1
    ``(n, *shape)`` to what the module takes; targets: which of the module's classes those of the
    data set are, None where they are the same.
    """

    module: nn.Module
    shape: tuple[int, int, int]
    prepare: Callable[[Tensor], Tensor]
    targets: tuple[int, ...] | None = None

    def inputs(self, rows: np.ndarray) -> Tensor:
        """What the module takes, of images as rows of pixels ``(n, d)``."""
        device = next(self.module.parameters()).device
        images = torch.from_numpy(rows.copy()).view(-1, *self.shape)
        # processors convolve and pool several times as fast where channels are last in memory
        return self.prepare(images.clone(memory_format=torch.channels_last).to(device))

    def classes(self, labels: np.ndarray) -> np.ndarray:
        """Classes of the module ``(n,)`` of labels of the data set."""
        return labels.copy() if self.targets is None else np.array(self.targets)[labels]


def settings_of(parameters: Mapping[str, Any]) -> Settings:
    """The settings in the key of a network."""
    kind, values = ARCHITECTURES[parameters["architecture"]], parameters["settings"]
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def _perceptron(layer_sizes: Sequence[int]) -> nn.Sequential:
    layers: list[tuple[str, nn.Module]] = []
    last = len(layer_sizes) - 1
    for i, (n_in, n_out) in enumerate(pairwise(layer_sizes), start=1):
        layers.append((f"dense{i}" if i < last else "logits", nn.Linear(n_in, n_out)))
        if i < last:
            layers.append((f"relu{i}", nn.ReLU()))
    return nn.Sequential(OrderedDict(layers))


def untrained(parameters: Mapping[str, Any]) -> Classifier:
    """The network of a key before its weights are loaded."""
    settings = settings_of(parameters)
    if isinstance(settings, TrainingSettings):
        shape = _square(settings.layer_sizes[0])
        return Classifier(_perceptron(settings.layer_sizes), shape, lambda x: x.flatten(1))
    module = convolutional(settings).to(memory_format=torch.channels_last)
    return Classifier(module, image_shape(settings), lambda x: x)


def _square(n_inputs: int) -> tuple[int, int, int]:
    """The shape of square images of so many numbers, gray or in colour; else one row of them."""
    for channels in (1, 3):
        side = math.isqrt(n_inputs // channels)
        if channels * side * side == n_inputs:
            return channels, side, side
    return 1, 1, n_inputs


def with_weights(
    classifier: Classifier, arrays: Mapping[str, np.ndarray], device: str
) -> Classifier:
    """The same network with its weights and buffers, in evaluation mode on a device."""
    module = classifier.module
    found = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    module.load_state_dict({**module.state_dict(), **found})
    return replace(classifier, module=module.to(device).eval())


def state_arrays(module: nn.Module) -> dict[str, np.ndarray]:
    """Weights and buffers by name, without counts of batches."""
    return {
        name: value.detach().cpu().contiguous().numpy()
        for name, value in module.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def compute(tasks: Sequence[Task], work: Work) -> list[Value]:
    """Train each network."""
    return [_trained(task, work) for task in tasks]


def _trained(task: Task, work: Work) -> Value:
    assert task.images is not None
    dataset, settings = task.images.load(), settings_of(task.parameters)
    classifier = untrained(task.parameters)
    if isinstance(settings, TrainingSettings):
        module, running = _train_perceptron(dataset, settings, task.parameters["seed"], work)
    else:
        module, running = _train_convolutional(dataset, settings, task.parameters["seed"], work)
    classifier = replace(classifier, module=module)
    value = {
        "train_accuracy": accuracy(classifier, dataset.x_train, dataset.y_train),
        "test_accuracy": accuracy(classifier, dataset.x_test, dataset.y_test),
        "running_accuracy": running,
        "n_test": len(dataset.y_test),
        "test_note": dataset.test_note,
    }
    arrays = state_arrays(module)
    vectors = {name: array for name, array in arrays.items() if array.ndim == 1}
    return Value(value, vectors, {WEIGHTS: arrays}, test_hash=dataset.test_hash)


def _train_perceptron(
    dataset: Dataset, settings: TrainingSettings, seed: int, work: Work
) -> tuple[nn.Module, float]:
    trained = train(
        dataset.x_train,
        dataset.y_train,
        settings,
        seeds=[seed],
        device=work.device,
        on_epoch=lambda _: work.step(),
    )
    module = _perceptron(settings.layer_sizes).to(work.device).eval()
    linears = [layer for layer in module if isinstance(layer, nn.Linear)]
    _copy(trained.before.network(0), linears)
    return module, float(trained.running_accuracy_before[0])


@torch.no_grad()
def _copy(network: MLP, linears: Sequence[nn.Linear]) -> None:
    for layer, weight, bias in zip(linears, network.weights, network.biases, strict=True):
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)


def _train_convolutional(
    dataset: Dataset, settings: CnnSettings | VggSettings, seed: int, work: Work
) -> tuple[nn.Module, float]:
    def on_epoch(state: CnnState) -> None:
        work.keep(state)
        work.step()

    trained = train_cnn(
        dataset.x_train,
        dataset.y_train,
        settings,
        seed=seed,
        device=work.device,
        state=work.resume(),
        on_epoch=on_epoch,
    )
    return trained.network, trained.running_accuracy


@torch.no_grad()
def accuracy(classifier: Classifier, rows: np.ndarray, labels: np.ndarray) -> float:
    """Share of images ``(n, d)`` that a network classifies correctly."""
    hits = 0
    for start in range(0, len(labels), _CHUNK):
        logits = classifier.module(classifier.inputs(rows[start : start + _CHUNK]))
        check_finite("what the network puts out", logits)
        hits += int((logits.argmax(1).cpu().numpy() == labels[start : start + _CHUNK]).sum())
    return hits / len(labels)


def contradiction(record: Record) -> str:
    """Accuracies that so many images cannot have."""
    value = record.value
    hits = value["test_accuracy"] * value["n_test"]
    if abs(hits - round(hits)) > ROUNDING * value["n_test"]:
        return f"its test accuracy is none of {value['n_test']} images"
    names = ("train_accuracy", "test_accuracy", "running_accuracy")
    outside = [name for name in names if not 0 <= value[name] <= 1]
    return f"its {', '.join(outside)} is no share of images" if outside else ""


def _epochs(jobs: Sequence[Job]) -> int:
    return sum(job.parameters["settings"]["epochs"] for job in jobs)


RECIPE = Recipe(
    kind="classifier",
    version=1,
    fields=("architecture", "dataset", "train_hash", "settings", "seed"),
    words="training networks",
    compute=compute,
    contradiction=contradiction,
    numbers={"train_accuracy": (), "test_accuracy": ()},
    code=(datasets.gray28, datasets.from_arrays),
    steps=_epochs,
    state=CnnState,
)


def job(images: Images, settings: Settings, seed: int) -> Job:
    """A network of some settings, which are those of its architecture."""
    dataset = datasets.short_name(images.dataset)
    architecture = next(name for name, kind in ARCHITECTURES.items() if isinstance(settings, kind))
    parameters = {
        "architecture": architecture,
        "dataset": dataset,
        "train_hash": images.train_hash,
        "settings": asdict(settings),
        "seed": seed,
    }
    made = Job(RECIPE, parameters, images=images)
    about = {"architecture": architecture, "dataset": dataset, "seed": seed, "network": made.key}
    return replace(made, about=about)


def network(task: Task, device: str) -> Classifier:
    """The network that a task is about, from its kept weights: trained here, by others, or one
    that a reader asks about."""
    parameters = task.needs["network"].parameters
    if task.architecture is not None:
        classifier: Classifier = task.architecture()
    elif "name" in parameters:
        classifier = made_by_others(parameters["name"])
    else:
        classifier = untrained(parameters)
    return with_weights(classifier, task.kept, device)


def made_by_others(name: str) -> Classifier:
    """A pretrained network before its weights are loaded."""
    row = pretrained.find_row(name)
    module = row.build().to(memory_format=torch.channels_last)
    targets = datasets.IMAGENETTE_CLASSES if row.classes == "imagenet" else None
    return Classifier(module, (3, row.image_size, row.image_size), row.prepare, targets)
