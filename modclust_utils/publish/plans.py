"""What each chapter computes: its networks in groups, and the records that it makes of them.

The one place that knows a chapter's whole plan. A notebook asks it for its networks; the command
asks it whether all records of a profile are there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from modclust_utils.nulls import MODES
from modclust_utils.publish.experiments import (
    MAIN_MODE,
    PHASES,
    clustering_parameters,
    random_parameters,
    test_parameters,
)
from modclust_utils.publish.lesioning import studies
from modclust_utils.publish.networks import Group, Network, conditions, networks
from modclust_utils.publish.parameters import chapter_numbers
from modclust_utils.publish.records import record_key
from modclust_utils.publish.session import Run

Keys = list[tuple[str, dict[str, Any]]]


def all_clusters(p: Any) -> list[int]:
    """Every k of a run of chapter 1, ascending."""
    return sorted({p.n_clusters, *p.more_clusters})


def _pruned(p: Any, network: str) -> Keys:
    """Chapter 1: the n-cut before pruning, and shuffle tests after it for every k."""
    before = ("clustering", clustering_parameters(network, "before", p, p.n_clusters))
    return [before, *(("shuffle-test", _after(p, network, k)) for k in all_clusters(p))]


def _after(p: Any, network: str, n_clusters: int) -> dict[str, Any]:
    return test_parameters(network, "after", p, n_clusters, MAIN_MODE)


def _both_nulls(p: Any, network: str) -> Keys:
    """Chapter 2: both nulls, before and after pruning."""
    return [
        ("shuffle-test", test_parameters(network, phase, p, p.n_clusters, mode))
        for phase in PHASES
        for mode in MODES
    ]


def _control(p: Any, network: str) -> Keys:
    """Chapter 2, Tables 2 to 4: the n-cut before pruning and the main null after it."""
    before = ("clustering", clustering_parameters(network, "before", p, p.n_clusters))
    return [before, ("shuffle-test", _after(p, network, p.n_clusters))]


def _mixture(p: Any, tested: bool, network: str) -> Keys:
    """Chapter 2, Tables A.16 and A.17: the n-cut after pruning alone. A network that is tested
    already has it."""
    if tested:
        return []
    return [("clustering", clustering_parameters(network, "after", p, p.n_clusters))]


def _groups_1(p: Any) -> dict[str, list[Group]]:
    return {"main": [Group(c, partial(_pruned, p)) for c in conditions(p, p.datasets)]}


def _groups_2(p: Any) -> dict[str, list[Group]]:
    plain = conditions(p, p.datasets)
    random = conditions(p, p.random_datasets)
    kilo = [
        replace(c, settings=replace(c.settings, epochs=p.kilo_epochs))
        for c in random
        if p.kilo_epochs > 0
    ]
    # the memorized images come in the same order in every epoch (paper A, section 3.2)
    memorized = conditions(p, p.memorized_datasets, shuffle=False)
    return {
        "main": [Group(c, partial(_both_nulls, p)) for c in plain],
        "unlearnable": [Group(c, partial(_control, p)) for c in random],
        "kilo-epoch": [Group(c, partial(_control, p)) for c in kilo],
        "memorization": [Group(c, partial(_control, p)) for c in memorized],
        "mixtures": [Group(c, partial(_mixture, p, c in plain)) for c in conditions(p, p.mixtures)],
    }


def _groups_3(p: Any) -> dict[str, list[Group]]:
    condition = conditions(p, [p.dataset], dropouts=[True])[0]
    first = record_key("network", condition.network_parameters(condition.seeds[0]))

    def records_of(network: str) -> Keys:
        return [("lesions", each) for each in studies(network, p, first=network == first)]

    return {"main": [Group(condition, records_of)]}


_GROUPS: Mapping[int, Callable[[Any], dict[str, list[Group]]]] = {
    1: _groups_1,
    2: _groups_2,
    3: _groups_3,
}


def chapters() -> list[int]:
    """The chapters of the book: those with a notebook and a plan."""
    return [number for number in chapter_numbers() if number in _GROUPS]


def networks_of(run: Run, role: str = "main") -> list[Network]:
    """The networks of a role in the run's chapter; all that the run needs are trained at once."""
    groups = _GROUPS[run.chapter](run.p)
    everyone: Sequence[Group] = [group for members in groups.values() for group in members]
    return networks(run, groups[role], also=everyone)


def plan(chapter: int, p: Any) -> Keys:
    """(kind, parameters) of every record that a chapter needs under the parameters `p`."""
    needed: Keys = []
    for groups in _GROUPS[chapter](p).values():
        for group in groups:
            for seed in group.condition.seeds:
                parameters = group.condition.network_parameters(seed)
                needed.append(("network", parameters))
                needed += group.records_of(record_key("network", parameters))
    if chapter in (1, 2):
        needed.append(("random-ncuts", random_parameters(p)))
    return needed
