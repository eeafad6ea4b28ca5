"""The engine: takes jobs, computes what is missing in order of need, and writes the records.

Workers return values and the owner writes. Jobs that go together are one task (the networks of a
condition train as one batch); tasks that need nothing of each other share the cores.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch

from modclust_utils.publish.errors import RecordError
from modclust_utils.publish.records import RecordStore, commit, read_record, write_atomically
from modclust_utils.publish.workers import BACKEND, Steps, in_workers, shown_steps
from modclust_utils.recipes.base import Job, Recipe, Record, Task, Value, made_from
from modclust_utils.recipes.frames import frame

CHECKPOINT_SECONDS = 60
Place = tuple[str, str]


class Progress(Protocol):
    """Makes a progress bar, which has `update(steps)`, for some work of so many steps."""

    def __call__(self, what: str, total: int) -> AbstractContextManager[Any]:
        """Open the bar."""


def compute(
    jobs: Sequence[Job],
    store: RecordStore,
    *,
    device: str,
    n_jobs: int,
    progress: Progress,
    backend: str = BACKEND,
) -> None:
    """Compute and write every record of the jobs that is missing, with what these need.

    n_jobs: processes of the joblib backend. Stopped at any point, a second call goes on there.
    """
    commit()  # read before the work begins: the repository may move on while it runs
    for stage in stages(jobs, store):
        groups, shelf = _groups(stage), Shelf(store)
        total = sum(group[0].recipe.steps(group) for group in groups)
        words = " and ".join(dict.fromkeys(job.recipe.words for job in stage))
        # small operations on more threads than free cores wait for each other most of the time
        threads = max(n_jobs // len(groups), 1)
        with progress(words, total) as bar, shown_steps(bar) as steps:
            tasks = (_packet(i, groups[i], shelf, device, steps) for i in range(len(groups)))
            processes = min(n_jobs, len(groups))
            for done in in_workers(
                run_group, tasks, n_jobs=processes, threads=threads, backend=backend
            ):
                _write(groups[done.index], done, shelf)


class Shelf:
    """What is there of some jobs: their records, each file read once.

    A record counts only for the very records that it was made from: one about a network that was
    trained anew since, with other weights, does not.
    """

    def __init__(
        self,
        store: RecordStore,
        without: Set[Place] = frozenset(),
        files: dict[Path, Record] | None = None,
    ) -> None:
        self.store, self.without = store, without
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
            if path not in self.files:
                self.files[path] = read_record(path)
            found = self.files[path]
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
            for need in job.needs.values()
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


@dataclass(frozen=True)
class _Packet:
    """All that a worker needs for one group of jobs."""

    index: int
    recipe: Recipe
    tasks: list[Task]
    device: str
    steps: Steps
    n_steps: int
    checkpoint: Path
    commit: str


@dataclass(frozen=True)
class _Done:
    """What comes back for a group; seconds: all of them together; begun_by: the commit."""

    index: int
    values: list[Value]
    seconds: float
    device: str
    begun_by: str


def _packet(
    index: int, group: Sequence[Job], shelf: Shelf, device: str, steps: Steps
) -> tuple[_Packet]:
    recipe = group[0].recipe
    tasks = [task_of(job, shelf) for job in group]
    checkpoint = _checkpoint(group, shelf.store)
    n_steps = recipe.steps(group)
    return (_Packet(index, recipe, tasks, device, steps, n_steps, checkpoint, commit()),)


def _checkpoint(group: Sequence[Job], store: RecordStore) -> Path:
    # by all of their keys: another group may begin with the same network, and have the same seeds
    keys = hashlib.sha256(" ".join(job.key for job in group).encode()).hexdigest()[:16]
    return store.cache / "checkpoints" / f"{keys}-{len(group)}.pt"


def task_of(job: Job, shelf: Shelf, **known: Any) -> Task:
    """A job with the records that it needs. Raises RecordError where one is not there."""
    needs = {name: shelf.require(need) for name, need in job.needs.items()}
    kept: dict[str, np.ndarray] = {}
    for record in needs.values() if job.kept else ():
        arrays = shelf.store.kept(record, job.kept)
        if arrays is None:
            path = shelf.store.kept_path(record.key, job.kept)
            raise RecordError(f"{path} is missing, or of another training. Run the chapter again.")
        kept |= arrays
    return Task(job.parameters, needs, kept, job.images, known)


def run_group(packet: _Packet) -> _Done:
    """Compute a group of jobs, wherever this runs."""
    place = _Place(packet)
    values = packet.recipe.compute(packet.tasks, place)
    packet.steps.add(packet.n_steps - place.n_steps)
    return _Done(packet.index, values, place.seconds, device_name(packet.device), place.begun_by)


def _write(group: Sequence[Job], done: _Done, shelf: Shelf) -> None:
    for job, made in zip(group, done.values, strict=True):
        needs = {name: shelf.require(need) for name, need in job.needs.items()}
        shelf.store.put(
            job,
            made,
            seconds=done.seconds / len(group),
            device=done.device,
            needs=needs,
            begun_by=done.begun_by,
        )
    _checkpoint(group, shelf.store).unlink(missing_ok=True)


@dataclass
class _Place:
    """What a computation may use of where it runs: `recipes.base.Work` with a checkpoint file."""

    packet: _Packet
    n_steps: int = 0
    checkpoint: Checkpoint | None = None
    started: float = field(default_factory=time.monotonic)
    saved: float = field(default_factory=time.monotonic)

    @property
    def device(self) -> str:
        return self.packet.device

    @property
    def begun_by(self) -> str:
        return self.checkpoint.commit if self.checkpoint else self.packet.commit

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def step(self) -> None:
        self.n_steps += 1
        self.packet.steps.add()

    def keep(self, state: Any) -> None:
        if time.monotonic() - self.saved > CHECKPOINT_SECONDS:
            version = self.packet.recipe.version
            state_now = Checkpoint(state, self.seconds, version, self.begun_by)
            save_checkpoint(self.packet.checkpoint, state_now)
            self.saved = time.monotonic()

    def resume(self) -> Any | None:
        seeds = [task.parameters["seed"] for task in self.packet.tasks]
        kind = self.packet.recipe.state
        if kind is None:
            return None
        path, version = self.packet.checkpoint, self.packet.recipe.version
        self.checkpoint = load_checkpoint(path, seeds, self.device, version, kind)
        if self.checkpoint is None:
            return None
        self.started -= self.checkpoint.seconds
        state = self.checkpoint.state
        self.n_steps += state.n_steps
        self.packet.steps.add(state.n_steps)
        return state


@dataclass(frozen=True)
class Checkpoint:
    """A training that goes on from here: its state (`Recipe.state`), the seconds spent so far, the
    version of its recipe, and the commit by whose code it began."""

    state: Any
    seconds: float
    version: int
    commit: str


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint in place of the one before."""
    facts = {name: getattr(checkpoint, name) for name in ("seconds", "version", "commit")}
    state = {each.name: getattr(checkpoint.state, each.name) for each in fields(checkpoint.state)}
    buffer = io.BytesIO()
    torch.save(facts | state, buffer)
    write_atomically(path, buffer.getvalue())


def load_checkpoint(
    path: Path, seeds: Sequence[int], device: str, version: int, kind: type[Any]
) -> Checkpoint | None:
    """What was saved, with a state of a kind; None where there is none that fits.

    A damaged checkpoint, or one of another code version, is left behind: training starts over.
    """
    if not path.is_file():
        return None
    try:
        content: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        state = kind(**{each.name: content[each.name] for each in fields(kind)})
        facts = float(content["seconds"]), int(content["version"]), str(content["commit"])
    except Exception:
        # torch raises many types for a damaged file; whatever it is, the work can be done again
        path.unlink(missing_ok=True)
        return None
    fits = facts[1] == version and list(state.seeds) == list(seeds)
    return Checkpoint(state, *facts) if fits else None


def device_name(device: str) -> str:
    """What computed a record, for its provenance: the GPU's name, or the kind of processor."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} thread" + "s" * (torch.get_num_threads() > 1)


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
