"""Worker processes: one pool for the training and the experiments of a chapter on the CPU.

Processes, not threads: between its small operations training holds Python's lock, so conditions
that train in threads of one process hold each other up. Workers stay for what comes next, because
starting one costs seconds of imports.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import joblib
import torch

from modclust_utils.paths import VARIABLE, root

POLL_SECONDS = 0.3


def in_workers(
    function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], *, n_jobs: int, threads: int = 1
) -> Iterator[Any]:
    """Results of ``function(*task)`` for every task, in the order in which they are done.

    In at most `n_jobs` processes with `threads` threads of torch each; a single task, or all of
    them with ``n_jobs=1``, in this one.
    The first error in a task ends the others and is raised here.
    """
    owner, folder = os.getpid(), str(root())
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        parallel = joblib.Parallel(min(n_jobs, len(tasks)), return_as="generator_unordered")
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


@contextmanager
def torch_threads(n: int) -> Iterator[None]:
    """Give torch `n` threads for a while, and afterwards as many as it had before."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Steps:
    """Counts the steps of tasks, wherever they run: a byte in a file for each.

    A worker whose owner is gone ends at its next step: nobody waits for its result, and the same
    work may have been started again.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.owner = os.getpid()

    def add(self) -> None:
        """One step more is done."""
        if os.name == "posix" and self.owner not in (os.getpid(), os.getppid()):
            os._exit(1)
        # a full disk for temporary files must not end hours of training
        with suppress(OSError), self.file.open("ab", buffering=0) as file:
            file.write(b".")


@contextmanager
def shown_steps(bar: Any) -> Iterator[Steps]:
    """Steps that a progress bar of this process shows while tasks take them elsewhere."""
    with tempfile.TemporaryDirectory(prefix="modclust-") as folder:
        file = Path(folder) / "steps"
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
