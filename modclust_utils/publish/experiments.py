"""The experiments on trained networks as units of work: each is one record, computed once.

Each clustering, shuffle test and lesion study of a network becomes a record of its own, so that
any of them can be deleted, resumed or computed elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from modclust_utils import clustering, datasets, nulls
from modclust_utils.publish import lesioning
from modclust_utils.publish.networks import (
    Network,
    after_weights,
    before_path,
    before_weights,
    device_name,
    stream,
)
from modclust_utils.publish.records import Record, RecordStore, canonical_json
from modclust_utils.publish.session import Run
from modclust_utils.publish.workers import in_workers
from modclust_utils.settings import TrainingSettings

PHASES = ("before", "after")
MAIN_MODE: nulls.Mode = "layer"


def clustering_parameters(network: str, phase: str, p: Any, n_clusters: int) -> dict[str, Any]:
    """The key of one clustering: a network's n-cut alone, without a null."""
    return {"network": network, "phase": phase, "n_clusters": n_clusters, "seed": p.seed}


def test_parameters(
    network: str, phase: str, p: Any, n_clusters: int, mode: nulls.Mode
) -> dict[str, Any]:
    """The key of one shuffle test."""
    return {
        **clustering_parameters(network, phase, p, n_clusters),
        "n_shuffles": p.n_shuffles,
        "mode": mode,
    }


def ncuts(
    run: Run, found: Sequence[Network], phase: str, *, tests: Sequence[Record] = ()
) -> list[Record]:
    """The n-cut of every network in a phase, k = n_clusters: one record each.

    For a network that has a shuffle test of this phase among `tests` that record stands: clustered
    twice, with other starts of k-means, one network would have two n-cuts.
    """
    known = {test.parameters["network"]: test for test in tests}
    jobs = []
    for network in found:
        if network.key not in known:
            parameters = clustering_parameters(network.key, phase, run.p, run.p.n_clusters)
            jobs.append(Job("clustering", parameters, network, phase))
    made = iter(_compute(run, "clustering networks", jobs))
    return [known[n.key] if n.key in known else next(made) for n in found]


def shuffle_tests(
    run: Run,
    found: Sequence[Network],
    *,
    clusters: Sequence[int],
    phase: str = "after",
    mode: nulls.Mode = MAIN_MODE,
) -> dict[int, list[Record]]:
    """The shuffle tests of every network in a phase, for each number of clusters: a record each."""
    jobs = [
        Job("shuffle-test", test_parameters(network.key, phase, run.p, k, mode), network, phase)
        for network in found
        for k in clusters
    ]
    records = _compute(run, "shuffle tests", jobs)
    return {k: records[i :: len(clusters)] for i, k in enumerate(clusters)}


def lesion_studies(run: Run, found: Sequence[Network]) -> list[list[Record]]:
    """The lesion studies of every network: its own clustering, then its re-clusterings."""
    jobs, counts = [], []
    for i, network in enumerate(found):
        studies = lesioning.studies(network.key, run.p, first=i == 0)
        counts.append(len(studies))
        for parameters in studies:
            folder = run.p.data_folder or None
            jobs.append(Job("lesions", parameters, network, "after", folder, run.p.seed))
    records = iter(_compute(run, "lesions", jobs))
    return [[next(records) for _ in range(count)] for count in counts]


def random_ncuts(run: Run) -> Record:
    """n-cuts of freshly initialized networks of paper A's shape (Figure 3): one record."""
    return _compute(run, "random networks", [Job("random-ncuts", random_parameters(run.p))])[0]


def random_parameters(p: Any) -> dict[str, Any]:
    """The key of the n-cuts of freshly initialized networks."""
    return {
        "layer_sizes": list(TrainingSettings().layer_sizes),
        "n_clusters": p.n_clusters,
        "n_networks": p.n_random,
        "seed": p.seed,
    }


@dataclass(frozen=True)
class Job:
    """A record to be computed: its kind and key, and the network that it is about."""

    kind: str
    parameters: dict[str, Any]
    network: Network | None = None
    phase: str = "after"
    data_folder: str | None = None
    data_seed: int = 0

    @property
    def has_weights(self) -> bool:
        """Whether the weights that the job needs are here."""
        assert self.network is not None
        return self.phase == "after" or before_path(self.network.key).is_file()

    def weights(self) -> list[np.ndarray]:
        """The weights that the job needs. Raises FileNotFoundError where they are gone."""
        assert self.network is not None
        if self.phase == "after":
            return after_weights(self.network.record)
        found = before_weights(self.network.key)
        if found is None:
            raise FileNotFoundError(
                f"{before_path(self.network.key)} is missing: the weights of a network before "
                "pruning. Run the chapter again: it trains the network anew."
            )
        return found


def _compute(run: Run, what: str, jobs: list[Job]) -> list[Record]:
    """The records of the jobs in their order; missing ones are computed, over all cores."""
    missing = [job for job in jobs if run.store.find(job.kind, job.parameters) is None]
    if missing:
        tasks = [(group, run.store, str(run.device)) for group in _groups(missing)]
        # small operations on more threads than free cores wait for each other most of the time
        threads = run.n_jobs if len(tasks) == 1 else 1
        with run.progress(what, len(jobs), len(jobs) - len(missing)) as bar:
            for n_done in in_workers(_run_jobs, tasks, n_jobs=run.n_jobs, threads=threads):
                bar.update(n_done)
    return [run.use(run.store.require(job.kind, job.parameters)) for job in jobs]


def _groups(jobs: list[Job]) -> list[list[Job]]:
    """Jobs that share their work: shuffle tests that differ in the number of clusters alone."""
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        shared = {k: v for k, v in job.parameters.items() if k != "n_clusters"}
        key = canonical_json([job.kind, shared] if job.kind == "shuffle-test" else job.parameters)
        groups.setdefault(key, []).append(job)
    return list(groups.values())


def _run_jobs(jobs: list[Job], store: RecordStore, device: str) -> int:
    started = time.monotonic()
    values = compute_jobs(jobs, device)
    seconds = (time.monotonic() - started) / len(jobs)
    for job, value in zip(jobs, values, strict=True):
        store.put(job.kind, job.parameters, value, seconds=seconds, device=device_name(device))
    return len(jobs)


def compute_jobs(jobs: list[Job], device: str) -> list[dict[str, Any]]:
    """The values of the records of one group of jobs."""
    if jobs[0].kind == "shuffle-test":
        return _compute_tests(jobs, device)
    return [_COMPUTE[job.kind](job, device) for job in jobs]


def compute_job(job: Job, device: str) -> dict[str, Any]:
    """The value of one job's record."""
    return compute_jobs([job], device)[0]


def _compute_clustering(job: Job, device: str) -> dict[str, Any]:
    p = job.parameters
    weights = [torch.from_numpy(w).to(device) for w in job.weights()]
    rng = stream(p["network"], p["seed"])
    _, value = clustering.cluster_network(weights, p["n_clusters"], rng=rng)
    return {"ncut": value}


def _compute_tests(jobs: list[Job], device: str) -> list[dict[str, Any]]:
    p = jobs[0].parameters
    tests = nulls.shuffle_tests(
        [torch.from_numpy(w).to(device) for w in jobs[0].weights()],
        [job.parameters["n_clusters"] for job in jobs],
        n_shuffles=p["n_shuffles"],
        mode=p["mode"],
        rng=stream(p["network"], p["seed"]),
    )
    return [
        {
            "ncut": test.ncut,
            "p_value": test.p_value,
            "z_score": test.z_score,
            "null_ncuts": np.round(test.null_ncuts, 6).tolist(),
        }
        for test in tests
    ]


def _compute_random(job: Job, device: str) -> dict[str, Any]:
    p = job.parameters
    values = nulls.random_ncuts(
        p["layer_sizes"],
        p["n_clusters"],
        n_networks=p["n_networks"],
        rng=np.random.default_rng(p["seed"]),
        device=device,
    )
    return {"ncuts": np.round(values, 6).tolist()}


def _compute_lesions(job: Job, device: str) -> dict[str, Any]:
    assert job.network is not None
    name = job.network.condition.dataset
    dataset = datasets.load(name, folder=job.data_folder, seed=job.data_seed)
    return lesioning.compute_lesions(job.network, job.parameters, dataset, device)


_COMPUTE: dict[str, Callable[[Job, str], dict[str, Any]]] = {
    "clustering": _compute_clustering,
    "random-ncuts": _compute_random,
    "lesions": _compute_lesions,
}
