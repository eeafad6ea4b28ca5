"""Kind `own-network`: a network that a reader asks about, as it was read.

Its key is what it is, not where it lies: the hash of its weights and of its operations, the shape
of what it takes in, and the images that it is asked about. How it is built travels with its jobs
(`Job.architecture`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from modclust_utils.pretrained import hash_of_weights
from modclust_utils.recipes.base import Images, Job, Recipe, Task, Value, Work
from modclust_utils.recipes.classifier import WEIGHTS, Classifier, state_arrays

#: Makes a network with its weights, and what it takes to show it images.
Maker = Callable[[], Classifier]


def compute(tasks: Sequence[Task], work: Work) -> list[Value]:
    """Keep the weights of each network."""
    return [_kept(task, work) for task in tasks]


def _kept(task: Task, work: Work) -> Value:
    if task.architecture is None:
        raise ValueError("a network of one's own is known to `modclust analyze` alone")
    module = task.architecture().module
    found = hash_of_weights(module)
    if found != task.parameters["weights_hash"]:
        raise ValueError(
            f"the network has weights with the hash {found[:12]}...; allowed: "
            f"{task.parameters['weights_hash'][:12]}..., which were read"
        )
    n = sum(parameter.numel() for parameter in module.parameters())
    work.step()
    return Value({"n_parameters": n}, kept={WEIGHTS: state_arrays(module)})


RECIPE = Recipe(
    kind="own-network",
    version=1,
    fields=("weights_hash", "operations_hash", "input_shape", "prepared", "dataset", "train_hash"),
    words="keeping the network",
    compute=compute,
)


def job(
    maker: Maker,
    *,
    weights_hash: str,
    operations_hash: str,
    input_shape: Sequence[int],
    prepared: str,
    images: Images | None = None,
) -> Job:
    """A network; without images it is the same network whatever images it is asked about later."""
    parameters = {
        "weights_hash": weights_hash,
        "operations_hash": operations_hash,
        "input_shape": list(input_shape),
        "prepared": prepared,
        "dataset": images.dataset if images else "",
        "train_hash": images.train_hash if images else "",
    }
    return Job(RECIPE, parameters, images=images, architecture=maker)
