"""A group of jobs on its way: a `Packet` goes out, `run_group` computes it anywhere, a `Done` comes
back to the owner, who writes the records."""

from __future__ import annotations

import pickle
import time
from collections.abc import Collection, Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch

from modclust_utils.publish.checkpoints import (
    Checkpoint,
    Place,
    load_checkpoint,
    save_checkpoint,
)
from modclust_utils.publish.errors import RunError
from modclust_utils.publish.memory import peak_memory
from modclust_utils.publish.records import lacking, software
from modclust_utils.publish.workers import BACKEND, in_workers, shown_steps
from modclust_utils.recipes.base import Recipe, Task, Value

CHECKPOINT_SECONDS = 60


class Counts(Protocol):
    """Counts the steps of a group."""

    def add(self, n: int = 1) -> None:
        """Some steps more are done."""


@dataclass(frozen=True)
class Packet:
    """All that a worker needs for one group of jobs.

    n_steps: how many steps the group reports; commit: by whose code the work begins; device and
    steps: where it is computed and counted, which the crew says.
    """

    index: int
    recipe: Recipe
    tasks: list[Task]
    n_steps: int
    checkpoint: Place
    commit: str
    device: str = "cpu"
    steps: Counts | None = None


@dataclass(frozen=True)
class Done:
    """What comes back for a group; seconds: all of them together; begun_by: the commit; made_with:
    the packages of whoever computed it, and the peaks of its memory."""

    index: int
    values: list[Value]
    seconds: float
    device: str
    begun_by: str
    made_with: Mapping[str, Any]


class Crew(Protocol):
    """Whoever computes groups."""

    def require(self, packages: Collection[str]) -> None:
        """That groups need these optional packages."""

    def compute(self, packets: Iterable[Packet], n: int, bar: Any) -> Generator[Done]:
        """The results of n packets, in the order in which they are done; the bar shows steps.

        Packets are taken as they are needed.
        """


@dataclass(frozen=True)
class LocalCrew:
    """Processes of this machine (`in_workers`): `n_jobs` of them at most, of a joblib backend."""

    device: str = "cpu"
    n_jobs: int = 1
    backend: str = BACKEND

    def require(self, packages: Collection[str]) -> None:
        """Raise RunError where one of these packages is not installed here."""
        if words := lacking(packages):
            raise RunError(f"{words}, and this run needs it")

    def compute(self, packets: Iterable[Packet], n: int, bar: Any) -> Generator[Done]:
        """The results of n packets, in the order in which they are done."""
        # small operations on more threads than free cores wait for each other most of the time
        threads = max(self.n_jobs // n, 1)
        with shown_steps(bar) as steps:
            yield from in_workers(
                run_group,
                ((replace(packet, device=self.device, steps=steps),) for packet in packets),
                n_jobs=min(self.n_jobs, n),
                threads=threads,
                backend=self.backend,
            )


def run_group(packet: Packet) -> Done:
    """Compute a group of jobs, wherever this runs. Raises what its computation raises; RuntimeError
    with the same words where that could not be read elsewhere."""
    work = _Work(packet)
    with peak_memory(packet.device) as peaks:
        try:
            values = packet.recipe.compute(packet.tasks, work)
        except Exception as error:
            if _travels(error):
                raise
            raise RuntimeError(f"{type(error).__name__}: {error}") from error
        made_with = {**software(), **peaks()}
    packet.steps.add(packet.n_steps - work.n_steps)
    device = device_name(packet.device)
    return Done(packet.index, values, work.seconds, device, work.begun_by, made_with)


def _travels(error: Exception) -> bool:
    """Whether an error can be unpickled: some ask for more than their words (those of ARPACK)."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return False
    return True


@dataclass
class _Work:
    """What a computation may use of where it runs: `recipes.base.Work` with a checkpoint."""

    packet: Packet
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
        place, version = self.packet.checkpoint, self.packet.recipe.version
        self.checkpoint = load_checkpoint(place, seeds, self.device, version, kind)
        if self.checkpoint is None:
            return None
        self.started -= self.checkpoint.seconds
        state = self.checkpoint.state
        self.n_steps += state.n_steps
        self.packet.steps.add(state.n_steps)
        return state


def device_name(device: str) -> str:
    """What computed a record, for its provenance: the GPU's name, or the kind of processor."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} thread" + "s" * (torch.get_num_threads() > 1)
