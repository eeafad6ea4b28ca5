"""Kind `balanced-shuffles`: the shuffle test of a network in its canonical scaling.

As `graph-shuffles`, of the graph in which the edges into each unit weigh as much as those out of it
(module `rescaling`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modclust_utils.recipes import graph_shuffles
from modclust_utils.recipes.base import Job, Recipe, Task, Value, Work
from modclust_utils.recipes.classifier import WEIGHTS, network
from modclust_utils.recipes.compare import shuffles_agree, test_contradicts
from modclust_utils.recipes.unit_partition import graph_of
from modclust_utils.rescaling import balanced, free_units


def compute(tasks: Sequence[Task], work: Work) -> list[Value]:
    """The test of each network."""
    return [_test(task, work) for task in tasks]


def _test(task: Task, work: Work) -> Value:
    graph = graph_of(network(task, work.device), task.parameters["norm"])
    n_free = int(free_units(graph).sum())
    # in its place: two graphs of a large network are a third of a gigabyte more
    graph = balanced(graph)
    value = graph_shuffles.test_of(graph, task.parameters)
    work.step()
    return Value({**value, "n_free": n_free})


RECIPE = Recipe(
    kind="balanced-shuffles",
    version=1,
    fields=graph_shuffles.RECIPE.fields,
    words="shuffle tests with equal norms",
    compute=compute,
    kept=WEIGHTS,
    agree=shuffles_agree,
    contradiction=test_contradicts,
)


def job(network: Job, **settings: Any) -> Job:
    """The test of a network in its canonical scaling; settings: as of `graph_shuffles.job`."""
    made = graph_shuffles.job(network, **settings)
    return Job(RECIPE, made.parameters, needs=made.needs, kept=WEIGHTS, about=made.about)
