"""Worker processes: one pool for all that a run computes on the CPU.

Processes, not threads: between its small operations training holds Python's lock, so conditions
that train in threads of one process hold each other up. Workers stay for what comes next, because
starting one costs seconds of imports.
"""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib
import torch

from modclust_utils.paths import VARIABLE, root
from modclust_utils.publish.at_work import is_there, private_folder

BACKEND = "loky"
POLL_SECONDS = 0.3
WATCH_SECONDS = 2.0


class OwnerGoneError(RuntimeError):
    """The process that asked for some work is no longer there."""


def in_workers(
    function: Callable[..., Any],
    tasks: Iterable[tuple[Any, ...]],
    *,
    n_jobs: int,
    threads: int = 1,
    backend: str = BACKEND,
) -> Iterator[Any]:
    """Results of ``function(*task)`` for every task, in the order in which they are done.

    In at most `n_jobs` processes of a joblib backend, with `threads` threads of torch each; with
    ``n_jobs=1`` in this one. Tasks are taken as they are needed.
    The first error in a task ends the others and is raised here.
    """
    owner, folder = os.getpid(), str(root())
    # other backends do not take a limit for the libraries of their workers, and their workers may
    # serve many owners: these are made by this process, for it alone
    own = {
        "inner_max_num_threads": 1,
        "initializer": end_with_owner,
        "initargs": (owner, platform.node()),
    }
    with joblib.parallel_config(backend, **(own if backend == BACKEND else {})):
        parallel = joblib.Parallel(n_jobs, return_as="generator_unordered")
    yield from parallel(
        joblib.delayed(_do)(owner, folder, threads, function, task) for task in tasks
    )


def _do(
    owner: int,
    folder: str,
    threads: int,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> Any:
    if os.getpid() != owner:
        # a process of the pool may be older than the setting, or stand in another folder
        os.environ[VARIABLE] = folder
    with torch_threads(threads):
        return function(*arguments)


def end_with_owner(owner: int, machine: str) -> None:
    """Make this process end soon after its owner, which cannot tell it to where it was killed.

    For processes that one owner made for itself. They hold nothing but work that nobody waits for.
    """

    def watch() -> None:
        while is_there(owner, machine):
            time.sleep(WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def torch_threads(n: int) -> Iterator[None]:
    """Give torch `n` threads for a while, and afterwards as many as it had before."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class Steps:
    """Counts the steps of tasks, wherever they run: a byte in a file for each.

    A task whose owner is gone ends with OwnerGoneError at its next step: nobody waits for its
    result, and the same work may have been started again. That can be seen on the owner's own
    machine only.
    """

    file: Path
    owner: int = field(default_factory=os.getpid)
    machine: str = field(default_factory=platform.node)

    def add(self, n: int = 1) -> None:
        """Some steps more are done."""
        if os.getpid() != self.owner and not is_there(self.owner, self.machine):
            raise OwnerGoneError(f"process {self.owner}, which asked for this work, is gone")
        # a full disk for temporary files must not end hours of training
        with suppress(OSError), self.file.open("ab", buffering=0) as file:
            file.write(b"." * n)


@contextmanager
def shown_steps(bar: Any) -> Iterator[Steps]:
    """Steps that a progress bar of this process shows while tasks take them elsewhere."""
    with private_folder() as folder:
        file = folder / "steps"
        file.touch()
        ended = threading.Event()

        def follow() -> None:
            shown, last = 0, False
            while not last:
                last = ended.wait(POLL_SECONDS)
                done = file.stat().st_size
                if done > shown:
                    bar.update(done - shown)
                    shown = done

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield Steps(file)
        finally:
            ended.set()
            thread.join()
