"""The engine: takes jobs, computes what is missing in order of need, and writes the records.

Workers return values and the owner writes. Jobs that go together are one task (the networks of a
condition train as one batch); tasks that need nothing of each other share the cores.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import AbstractContextManager, closing
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from modclust_utils.publish.checkpoints import CheckpointFile
from modclust_utils.publish.errors import RecordError
from modclust_utils.publish.groups import Crew, Done, Packet
from modclust_utils.publish.records import RecordStore, commit, read_record
from modclust_utils.recipes.base import Job, Record, Task, Value, keeper, made_from
from modclust_utils.recipes.frames import frame

Place = tuple[str, str]


class Progress(Protocol):
    """Makes a progress bar, which has `update(steps)`, for some work of so many steps."""

    def __call__(self, what: str, total: int) -> AbstractContextManager[Any]:
        """Open the bar."""


def compute(
    jobs: Sequence[Job],
    store: RecordStore,
    *,
    crew: Crew,
    progress: Progress,
) -> None:
    """Compute and write every record of the jobs that is missing, with what these need.

    Stopped at any point, a second call goes on there. Raises RunError, before it begins, where the
    crew lacks a package that some of them need.
    """
    commit()  # read before the work begins: the repository may move on while it runs
    every = list(stages(jobs, store))
    crew.require({name for stage in every for job in stage for name in job.recipe.packages})
    for stage in every:
        groups, shelf = _groups(stage), Shelf(store)
        total = sum(group[0].recipe.steps(group) for group in groups)
        words = " and ".join(dict.fromkeys(job.recipe.words for job in stage))
        packets = (_packet(i, group, shelf) for i, group in enumerate(groups))
        with (
            progress(words, total) as bar,
            closing(crew.compute(packets, len(groups), bar)) as results,
        ):
            for done in results:
                _write(groups[done.index], done, shelf)


class Shelf:
    """What is there of some jobs: their records, each file read once.

    A record counts only for the very records that it was made from: one about a network that was
    trained anew since, with other weights, does not. read: how a file is read, by default as the
    store does, which waits for one that is being replaced.
    """

    def __init__(
        self,
        store: RecordStore,
        without: Set[Place] = frozenset(),
        files: dict[Path, Record] | None = None,
        read: Callable[[Path], Record | None] | None = None,
    ) -> None:
        self.store, self.without, self.read = store, without, read or store.read
        self.files = {} if files is None else files
        self._found: dict[Place, Record | None] = {}

    def record(self, job: Job) -> Record | None:
        """The record of a job, None where it has to be computed.

        Raises RecordError where a file is damaged or was edited.
        """
        place = job.kind, job.key
        if place not in self._found:
            self._found[place] = None if place in self.without else self._look_up(job)
        return self._found[place]

    def require(self, job: Job) -> Record:
        """The record of a job. Raises RecordError where it is not there."""
        record = self.record(job)
        if record is None:
            with self.store.alone():  # another run may be replacing it just now
                record = Shelf(self.store, read=read_record).record(job)
            self._found[job.kind, job.key] = record
        if record is None:
            path = self.store.path(job.kind, job.key)
            raise RecordError(f"{path} is missing. Run the chapter again.")
        return record

    def _look_up(self, job: Job) -> Record | None:
        needs = {name: self.record(need) for name, need in job.needs.items()}
        there = {name: record for name, record in needs.items() if record is not None}
        if len(there) < len(needs):
            return None
        wanted = made_from(there)
        for path in self.store.paths(job.kind, job.key):
            found = self.files[path] if path in self.files else self.read(path)
            if found is None:
                continue
            self.files[path] = found
            if all(found.made_from.get(name) == source for name, source in wanted.items()):
                return found
        return None


def missing(jobs: Iterable[Job], store: RecordStore) -> list[Job]:
    """The jobs that have to be computed, each once, after those that they need.

    A network whose kept arrays are needed and gone has to be trained again. It is another network
    then, so that all that is planned of it is computed anew.
    """
    jobs = list(jobs)
    files: dict[Path, Record] = {}
    again: set[Place] = set()
    while True:
        shelf = Shelf(store, again, files)
        found = _not_there(jobs, shelf)
        lost = {
            (need.kind, need.key)
            for job in found
            if job.kept
            for need in [keeper(job.needs)]
            if (record := shelf.record(need)) and store.kept(record, job.kept) is None
        }
        if not lost:
            return found
        again |= lost


def _not_there(jobs: Iterable[Job], shelf: Shelf) -> list[Job]:
    found: dict[Place, Job] = {}

    def visit(job: Job) -> None:
        if shelf.record(job) is None:
            for need in job.needs.values():
                visit(need)
            found.setdefault((job.kind, job.key), job)

    for job in jobs:
        visit(job)
    return list(found.values())


def stages(jobs: Iterable[Job], store: RecordStore) -> Iterator[list[Job]]:
    """The missing jobs in stages: what a stage needs was done in those before it."""
    depth: dict[Place, int] = {}
    by_depth: dict[int, list[Job]] = {}
    for job in missing(jobs, store):
        needs = [depth.get((need.kind, need.key), -1) for need in job.needs.values()]
        depth[job.kind, job.key] = 1 + max(needs, default=-1)
        by_depth.setdefault(depth[job.kind, job.key], []).append(job)
    for level in sorted(by_depth):
        yield by_depth[level]


def _groups(jobs: Sequence[Job]) -> list[list[Job]]:
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.group, []).append(job)
    parts = []
    for group in groups.values():
        size = group[0].recipe.at_most or len(group)
        parts += [group[i : i + size] for i in range(0, len(group), size)]
    return parts


def _packet(index: int, group: Sequence[Job], shelf: Shelf) -> Packet:
    recipe = group[0].recipe
    tasks = [task_of(job, shelf) for job in group]
    checkpoint = _checkpoint(group, shelf.store)
    return Packet(index, recipe, tasks, recipe.steps(group), checkpoint, commit())


def _checkpoint(group: Sequence[Job], store: RecordStore) -> CheckpointFile:
    # by all of their keys: another group may begin with the same network, and have the same seeds
    keys = hashlib.sha256(" ".join(job.key for job in group).encode()).hexdigest()[:16]
    return CheckpointFile(store.cache / "checkpoints" / f"{keys}-{len(group)}.pt")


def task_of(job: Job, shelf: Shelf, **known: Any) -> Task:
    """A job with the records that it needs. Raises RecordError where one is not there."""
    needs = {name: shelf.require(need) for name, need in job.needs.items()}
    kept = None
    if job.kept:
        owner = keeper(needs)
        kept = shelf.store.kept(owner, job.kept)
        if kept is None:
            path = shelf.store.kept_path(owner.key, job.kept)
            raise RecordError(f"{path} is missing, or of another training. Run the chapter again.")
    owner_job = keeper(job.needs) if job.needs else job
    return Task(job.parameters, needs, kept or {}, job.images, known, owner_job.architecture)


def _write(group: Sequence[Job], done: Done, shelf: Shelf) -> None:
    for job, made in zip(group, done.values, strict=True):
        needs = {name: shelf.require(need) for name, need in job.needs.items()}
        shelf.store.put(
            job,
            made,
            seconds=done.seconds / len(group),
            device=done.device,
            needs=needs,
            begun_by=done.begun_by,
            made_with=done.made_with,
            unless=partial(_is_there, job, made, shelf.store),
        )
    _checkpoint(group, shelf.store).clear()


def _is_there(job: Job, made: Value, store: RecordStore) -> bool:
    """Whether another run has written the record of a job meanwhile, with all that is kept of it.

    That one stays: who reads it need not find another in its place.
    """
    if store.find(job.kind, job.key) is None:
        return False
    try:
        # as the records are now, and without waiting for who asks
        found = Shelf(store, read=read_record).record(job)
    except RecordError:
        return False
    return found is not None and all(store.kept(found, group) is not None for group in made.kept)


def planned(plan: dict[str, list[Job]]) -> dict[Place, Job]:
    """Every job of a plan once, with those that they need, by the place of its record."""
    found: dict[Place, Job] = {}

    def visit(job: Job) -> None:
        for need in job.needs.values():
            visit(need)
        found[job.kind, job.key] = job

    for jobs in plan.values():
        for job in jobs:
            visit(job)
    return found


def read_frames(plan: dict[str, list[Job]], store: RecordStore) -> dict[str, pd.DataFrame]:
    """A frame for each name of a plan. Raises RecordError where a record is missing."""
    shelf = Shelf(store)
    return {name: frame(jobs, [shelf.require(job) for job in jobs]) for name, jobs in plan.items()}
