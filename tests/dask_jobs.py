"""Kinds of record for the tests of workers elsewhere, whose processes import them from here.

Each can be seen at work: who computed it, how often it began, and where it went on.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from modclust_utils.publish import dask_worker, groups
from modclust_utils.recipes.base import Images, Job, Recipe, Task, Value, Work


class OddError(Exception):
    """An error that cannot be unpickled: it is made of two things, and remembers one."""

    def __init__(self, words: str, number: int) -> None:
        super().__init__(f"{words} {number}")


def _add(tasks: Sequence[Task], work: Work) -> list[Value]:
    values = []
    for task in tasks:
        own = task.parameters["number"] + sum(need.value["sum"] for need in task.needs.values())
        if own == 13:
            raise ZeroDivisionError("an unlucky number")
        if own == 17:
            raise OddError("an odd number:", own)
        own += sum(int(kept.sum()) for kept in task.kept.values())
        arrays = {"sum": np.array([float(own)])}
        who = {"process": os.getpid(), "threads": torch.get_num_threads()}
        work.step()
        values.append(Value({"sum": own, **who}, arrays, {"k": arrays}))
    return values


ADD = Recipe("add", 1, ("number", "left"), "adding", _add)


def add(number: int, left: Job | None = None, kept: str = "") -> Job:
    """A number, and the sum of it and of another one with what that kept."""
    key = left.key if left else ""
    needs = {"left": left} if left else {}
    return Job(ADD, {"number": number, "left": key}, needs, kept, about={"number": number})


@dataclass
class Count:
    """How far counting has come."""

    seeds: tuple[int, ...]
    n_steps: int


def _count(tasks: Sequence[Task], work: Work) -> list[Value]:
    (task,) = tasks
    p = task.parameters
    # after each step, however long sending it takes
    groups.CHECKPOINT_SECONDS, dask_worker.CHECKPOINT_SHARE = -1, 0
    state = work.resume() or Count((p["seed"],), 0)
    begun_at = state.n_steps
    while state.n_steps < 5:
        state.n_steps += 1
        work.keep(state)
        work.step()
        first = Path(p["folder"]) / f"{p['seed']}-{state.n_steps}"
        if state.n_steps == p["kill_at"] and not first.exists():
            first.touch()
            if p["process"]:
                time.sleep(1)  # for what was sent to be fetched from there
            os.kill(p["process"] or os.getpid(), signal.SIGKILL)
            time.sleep(600)
    return [Value({"begun_at": begun_at, "process": os.getpid()})]


def _five(jobs: Sequence[Job]) -> int:
    return 5


COUNT = Recipe(
    "count", 1, ("seed", "folder", "kill_at", "process"), "counting", _count,
    steps=_five, state=Count,
)  # fmt: skip


def count(seed: int, folder: Path, *, kill_at: int = 0, process: int = 0) -> Job:
    """Counts to five. The first time that it comes to `kill_at` it kills a process, its own for
    none; what it has done then is in a checkpoint."""
    parameters = {"seed": seed, "folder": str(folder), "kill_at": kill_at, "process": process}
    return Job(COUNT, parameters, about={"seed": seed})


def _endless(tasks: Sequence[Task], work: Work) -> list[Value]:
    folder = Path(tasks[0].parameters["folder"])
    try:
        while True:
            work.step()
            (folder / "begun").touch()
            time.sleep(0.02)
    except BaseException as error:
        (folder / "ended").write_text(str(error), encoding="utf-8")
        raise


ENDLESS = Recipe("endless", 1, ("folder",), "working on and on", _endless)


def endless(folder: Path) -> Job:
    """Steps until nobody waits for it any more; the file ``ended`` says why it stopped."""
    return Job(ENDLESS, {"folder": str(folder)})


def _look(tasks: Sequence[Task], work: Work) -> list[Value]:
    images = tasks[0].images
    assert images is not None
    found = images.load(download=False)
    work.step()
    return [Value({"n": len(found.y_train), "folder": images.folder}, test_hash=found.test_hash)]


LOOK = Recipe("look", 1, ("train_hash",), "looking at images", _look, with_images=True)


def look(images: Images) -> Job:
    """Loads images."""
    return Job(LOOK, {"train_hash": images.train_hash}, images=replace(images))
