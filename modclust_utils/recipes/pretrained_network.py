"""Kind `pretrained-network`: a network with the weights that others trained.

Its weights come from a package or a file, checked by their hash, and lie in the cache as those of
networks that were trained here. The images in its key are those that it is measured on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from modclust_utils import datasets, pretrained
from modclust_utils.recipes.base import Images, Job, Recipe, Record, Task, Value, Work
from modclust_utils.recipes.classifier import WEIGHTS, state_arrays


def compute(tasks: Sequence[Task], work: Work) -> list[Value]:
    """Read the weights of each network."""
    return [_read(task, work) for task in tasks]


def _read(task: Task, work: Work) -> Value:
    found = pretrained.load(task.parameters["name"])
    if found.weights_hash != task.parameters["weights_hash"]:
        raise ValueError(
            f"name={found.name!r} has weights with the hash {found.weights_hash[:12]}...; "
            f"allowed: {task.parameters['weights_hash'][:12]}..."
        )
    n = sum(parameter.numel() for parameter in found.module.parameters())
    value = {"words": found.words, "n_parameters": n, "notes": list(found.notes)}
    work.step()
    return Value(value, kept={WEIGHTS: state_arrays(found.module)})


def agree(record: Record, again: Value) -> tuple[bool, str]:
    """Whether the weights are here, and are those of the record's key: they were read for it."""
    same = record.value["n_parameters"] == again.value["n_parameters"]
    return same, f"{again.value['n_parameters']:,} parameters with the hash in its key"


def lacks(record: Record) -> str:
    """Why the weights cannot be read again, without a download; "" where they can."""
    name = record.parameters["name"]
    return "" if pretrained.is_at_hand(name) else f"the weights of {name} are not here"


RECIPE = Recipe(
    kind="pretrained-network",
    version=1,
    fields=("name", "weights_hash", "dataset", "train_hash"),
    words="reading weights",
    compute=compute,
    agree=agree,
    lacks=lacks,
)


def job(name: str, images: Images) -> Job:
    """A network by its name, measured on images of its classes."""
    dataset = datasets.short_name(images.dataset)
    parameters = {
        "name": name,
        "weights_hash": pretrained.weights_hash(name),
        "dataset": dataset,
        "train_hash": images.train_hash,
    }
    made = Job(RECIPE, parameters, images=images)
    about = {"architecture": name, "dataset": dataset, "seed": 0, "network": made.key}
    return replace(made, about=about)
