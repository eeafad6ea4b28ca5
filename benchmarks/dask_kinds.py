"""Kinds of record for `dask_scaling.py`, whose workers import them from here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modclust_utils.recipes.base import Recipe, Task, Value, Work


def _nothing(tasks: Sequence[Task], work: Work) -> list[Value]:
    work.step()
    return [Value({"bytes": sum(a.nbytes for a in tasks[0].kept.values())})]


def _weights(tasks: Sequence[Task], work: Work) -> list[Value]:
    work.step()
    values = np.zeros(tasks[0].parameters["n"], np.float32)
    return [Value({}, {"small": values[:1]}, {"weights": {"weights": values}})]


#: Takes no time, so that what a job costs beside its work can be seen.
NOTHING = Recipe("nothing", 1, ("number", "network"), "nothing", _nothing)
#: Weights of a network, of which only the number matters.
WEIGHTS = Recipe("weights", 1, ("n",), "weights", _weights)
