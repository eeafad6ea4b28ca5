"""What chapter 2 computes: both nulls, controls that train on random data, and mixtures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from modclust_utils.nulls import MODES
from modclust_utils.recipes import clustering, partition, random_ncuts, shuffle_test
from modclust_utils.recipes.base import Job
from modclust_utils.recipes.network import BEFORE, PHASES, Condition, conditions


def plan(p: Any) -> dict[str, list[Job]]:
    """The jobs of the chapter.

    networks: every data set without and with dropout; ncuts: the one n-cut of each, before and
    after pruning, which are the records of chapter 1; tests: both nulls of each in both phases;
    control networks (column `role`) with their n-cuts before pruning and the main null after it;
    mixed networks with their n-cuts after pruning; fresh: networks that were not trained.
    """
    plain = conditions(p, p.datasets)
    networks = _jobs(plain)
    controls = [
        replace(
            job, about={**job.about, "role": role, "epochs": job.parameters["settings"]["epochs"]}
        )
        for role, members in _controls(p).items()
        for job in _jobs(members)
    ]
    mixed = conditions(p, p.mixtures)
    return {
        "networks": networks,
        "ncuts": [
            job
            for network in networks
            for job in (_ncut(p, network, BEFORE), _partition(p, network))
        ],
        "tests": [
            _test(p, network, phase, mode)
            for network in networks
            for phase in PHASES
            for mode in MODES
        ],
        "controls": controls,
        "control_before": [_ncut(p, network, BEFORE) for network in controls],
        "control_tests": [_test(p, network, "after", "layer") for network in controls],
        "mixed": _jobs(mixed),
        "mixed_ncuts": [
            # one network, one n-cut
            _partition(p, network) if condition in plain else _ncut(p, network, "after")
            for condition in mixed
            for network in condition.jobs
        ],
        "fresh": [random_ncuts.job(n_networks=p.n_random, n_clusters=p.n_clusters, seed=p.seed)],
    }


def _controls(p: Any) -> dict[str, list[Condition]]:
    """The conditions of Tables 2 to 4 by their role."""
    random = conditions(p, p.random_datasets)
    long = [replace(c, settings=replace(c.settings, epochs=p.kilo_epochs)) for c in random]
    return {
        "unlearnable": random,
        "kilo-epoch": long if p.kilo_epochs > 0 else [],
        # the memorized images come in the same order in every epoch (paper A, section 3.2)
        "memorization": conditions(p, p.memorized_datasets, shuffle=False),
    }


def _jobs(members: Sequence[Condition]) -> list[Job]:
    return [job for condition in members for job in condition.jobs]


def _ncut(p: Any, network: Job, phase: str) -> Job:
    return clustering.job(network, phase, n_clusters=p.n_clusters, seed=p.seed)


def _partition(p: Any, network: Job) -> Job:
    return partition.job(network, n_clusters=p.n_clusters, seed=p.seed)


def _test(p: Any, network: Job, phase: str, mode: Any) -> Job:
    return shuffle_test.job(
        network,
        phase,
        mode=mode,
        n_clusters=p.n_clusters,
        n_shuffles=p.n_shuffles,
        seed=p.seed,
    )
