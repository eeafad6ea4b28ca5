"""A condition trained anew, and its numbers compared as distributions with those of the records.

With the same seeds another processor gives other networks, so that no record of a training can be
computed again exactly. If records and code are true, the new networks come from the same
distribution. They lie in a place of their own, beside the cache: nothing that is there is replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from modclust_utils import datasets
from modclust_utils.distributions import TwoSamples, compare_samples
from modclust_utils.publish import engine
from modclust_utils.publish.errors import ParameterError, RecordError
from modclust_utils.publish.groups import Crew
from modclust_utils.publish.records import RecordStore, cache_folder, default_store
from modclust_utils.recipes.base import Job, Record, canonical_json, keeper

#: What does not make another condition: the network itself, and what all of a condition share.
_OF_ONE_NETWORK = {"seed", "network"}


@dataclass
class Condition:
    """Networks that differ by their seeds alone, and what is planned about them.

    names: what it may be called, for readers first.
    """

    names: list[str]
    networks: list[Job] = field(default_factory=list)
    about: list[Job] = field(default_factory=list)


@dataclass(frozen=True)
class Retrained:
    """What came of training anew: both samples of each number.

    n: of networks on each side; same: how many are the recorded ones, to the bit; left_out: numbers
    that fewer than two networks have on one side.
    """

    condition: str
    n: int
    same: int
    numbers: list[TwoSamples]
    left_out: list[str]

    @property
    def verdict(self) -> str:
        """``differ``, ``cannot tell`` or ``no difference``: the worst of its numbers."""
        found = {number.verdict() for number in self.numbers}
        return next(word for word in ("differ", "cannot tell", "no difference") if word in found)


def retrained_store() -> RecordStore:
    """Where networks that are trained anew lie."""
    return RecordStore(cache_folder() / "retrained")


def conditions(plan: Mapping[str, Sequence[Job]]) -> list[Condition]:
    """The conditions of a plan whose networks can be compared as distributions."""
    jobs = {(job.kind, job.key): job for part in plan.values() for job in part}
    jobs |= {place: job for place, job in engine.planned(dict(plan)).items() if place not in jobs}
    groups: dict[str, Condition] = {}
    owner: dict[str, Condition] = {}
    for job in jobs.values():
        if not job.needs and job.recipe.numbers:
            shared = {name: p for name, p in job.parameters.items() if name != "seed"}
            found = groups.setdefault(canonical_json([job.kind, shared]), Condition([]))
            found.networks.append(job)
            owner[job.key] = found
    for job in jobs.values():
        for need in job.needs.values():
            if need.key in owner and job.recipe.numbers:
                owner[need.key].about.append(job)
    found = list(groups.values())
    _name(found)
    return found


def _name(found: Sequence[Condition]) -> None:
    """Names by data set and dropout; by whatever else differs where these are the same."""
    for condition in found:
        about = condition.networks[0].about
        dropout = "+dropout" * bool(about.get("dropout"))
        dataset = str(about["dataset"])
        condition.names = [f"{name}{dropout}" for name in (datasets.words(dataset), dataset)]
    for name in {condition.names[0] for condition in found}:
        alike = [condition for condition in found if condition.names[0] == name]
        each = [condition.networks[0].about for condition in alike]
        keys = dict.fromkeys(key for about in each for key in about if key not in _OF_ONE_NETWORK)
        differing = [key for key in keys if len({str(about.get(key)) for about in each}) > 1]
        for condition, extra in zip(alike, _extras(each, differing), strict=True):
            condition.names = [f"{each}{extra}" for each in condition.names]


def _extras(about: Sequence[Mapping[str, object]], keys: Sequence[str]) -> list[str]:
    """What tells conditions of one name apart: as few of the keys as do, or else their number."""
    extras = [""] * len(about)
    for key in keys:
        if len(set(extras)) < len(extras):
            extras = [
                f"{extra},{key}={each[key]}" if key in each else extra
                for extra, each in zip(extras, about, strict=True)
            ]
    distinct = len(set(extras)) == len(extras)
    return extras if distinct else [f"{extra},{i + 1}" for i, extra in enumerate(extras)]


def find_condition(found: Iterable[Condition], name: str) -> Condition:
    """The condition of a name, in capitals or not. Raises ParameterError that lists all names."""
    found = list(found)
    for condition in found:
        if name.casefold() in (each.casefold() for each in condition.names):
            return condition
    names = ", ".join(condition.names[0] for condition in found) or "none in this chapter"
    raise ParameterError(f"retrain={name!r} is no condition of this run; allowed: {names}")


def retrain(
    condition: Condition,
    *,
    crew: Crew,
    progress: engine.Progress,
    rng: np.random.Generator,
) -> Retrained:
    """Train a condition anew, compute what its records hold, and compare.

    Stopped at any point, a second call goes on there.
    Raises RecordError where fewer than two of its networks have records.
    """
    kept = engine.Shelf(default_store())
    networks = [job for job in condition.networks if kept.record(job) is not None]
    if len(networks) < 2:
        raise RecordError(
            f"{condition.names[0]}: {len(networks)} of {len(condition.networks)} networks have "
            "records, and it takes two to compare. Run the chapter first."
        )
    keys = {job.key for job in networks}
    about = [job for job in condition.about if keeper(job.needs).key in keys]
    jobs = [*networks, *(job for job in about if kept.record(job) is not None)]
    store = retrained_store()
    engine.compute(jobs, store, crew=crew, progress=progress)
    again = engine.Shelf(store)
    old, new = (numbers_of(jobs, shelf) for shelf in (kept, again))
    every = dict.fromkeys((*old, *new))
    left_out = [name for name in every if min(len(s.get(name, [])) for s in (old, new)) < 2]
    pairs = [(name, old[name], new[name]) for name in old if name not in left_out]
    same = sum(
        kept.require(job).arrays_sha256 == again.require(job).arrays_sha256 for job in networks
    )
    compared = compare_samples(pairs, rng=rng)
    return Retrained(condition.names[0], len(networks), same, compared, left_out)


def numbers_of(jobs: Iterable[Job], shelf: engine.Shelf) -> dict[str, list[float]]:
    """The numbers of some jobs' records by their names, one a network where several hold it."""
    found: dict[str, dict[str, float]] = {}
    for job in jobs:
        record = shelf.require(job)
        network = keeper(job.needs).key if job.needs else job.key
        measured, fields = _measured(record, job), {**job.about, **job.parameters}
        for entry, by in job.recipe.numbers.items():
            where = [f"{name} {fields[name]}" for name in by]
            name = ", ".join([entry, *where]).replace("_", " ")
            if (number := _number(measured.get(entry))) is not None:
                found.setdefault(name, {}).setdefault(network, number)
    return {name: list(numbers.values()) for name, numbers in found.items()}


def _measured(record: Record, job: Job) -> Mapping[str, Any]:
    made = job.recipe.measured
    return record.value if made is None else made(record)


def _number(value: Any) -> float | None:
    values = [each for each in (value if isinstance(value, list) else [value]) if each is not None]
    finite = [float(each) for each in values if np.isfinite(each)]
    return float(np.mean(finite)) if finite else None
