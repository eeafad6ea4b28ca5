"""Kind `shuffle-test`: a network's n-cut against those of its shuffles (paper A, section 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modclust_utils import nulls
from modclust_utils.recipes.base import Job, Recipe, Task, Value, Work, stream
from modclust_utils.recipes.compare import shuffles_agree, test_contradicts
from modclust_utils.recipes.network import job_about, weights_in_phase


def compute(tasks: Sequence[Task], work: Work) -> list[Value]:
    """The tests of one network with one null, for several numbers of clusters at once."""
    p = tasks[0].parameters
    tests = nulls.shuffle_tests(
        weights_in_phase(tasks[0], work.device),
        [task.parameters["n_clusters"] for task in tasks],
        n_shuffles=p["n_shuffles"],
        mode=p["mode"],
        rng=stream(p["network"], p["seed"]),
    )
    return [Value(_value(test)) for test in tests]


def _value(test: nulls.ShuffleTest) -> dict[str, object]:
    return {
        "ncut": test.ncut,
        "p_value": test.p_value,
        "z_score": test.z_score,
        "null_ncuts": np.round(test.null_ncuts, 6).tolist(),
    }


RECIPE = Recipe(
    kind="shuffle-test",
    version=1,
    fields=("network", "phase", "n_clusters", "seed", "n_shuffles", "mode"),
    words="shuffle tests",
    compute=compute,
    together=("n_clusters",),
    agree=shuffles_agree,
    contradiction=test_contradicts,
    numbers={
        "ncut": ("phase", "n_clusters"),
        "z_score": ("phase", "n_clusters", "mode"),
    },
)


def job(
    network: Job, phase: str, *, mode: nulls.Mode, n_clusters: int, n_shuffles: int, seed: int
) -> Job:
    """The test of a network in a phase against a null."""
    return job_about(
        RECIPE,
        network,
        phase,
        *("mode", "n_clusters", "n_shuffles"),
        mode=mode,
        n_clusters=n_clusters,
        n_shuffles=n_shuffles,
        seed=seed,
    )
