"""Worker processes: where tasks run, what they know of their owner, and when they end."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from joblib.externals.loky import get_reusable_executor
from small_book import copy_book

from modclust_utils import paths
from modclust_utils.publish.at_work import is_there
from modclust_utils.publish.workers import (
    WATCH_SECONDS,
    OwnerGoneError,
    Steps,
    in_workers,
    shown_steps,
)

POSIX_ONLY = pytest.mark.skipif(os.name != "posix", reason="this system has no SIGKILL")


class Bar:
    """A progress bar that remembers."""

    def __init__(self) -> None:
        self.updates: list[int] = []

    def update(self, steps: int) -> None:
        self.updates.append(steps)


@pytest.fixture(scope="module", autouse=True)
def workers_end() -> Iterator[None]:
    yield
    get_reusable_executor().shutdown(wait=True)


def test_several_tasks_run_in_other_processes():
    owners = set(in_workers(os.getpid, [()] * 4, n_jobs=2))
    assert owners
    assert os.getpid() not in owners
    # the same ones again: starting them costs seconds
    assert set(in_workers(os.getpid, [()] * 4, n_jobs=2)) & owners


@pytest.mark.parametrize("options", [{"n_jobs": 1}, {"n_jobs": 2, "backend": "threading"}])
def test_one_job_and_threads_need_no_other_process(options):
    assert list(in_workers(os.getpid, [()] * 3, **options)) == [os.getpid()] * 3


def test_each_result_comes_once():
    tasks = [(f"{i}",) for i in range(20)]
    assert sorted(in_workers(int, tasks, n_jobs=2)) == list(range(20))


def test_an_error_in_a_task_is_raised_here():
    with pytest.raises(ValueError, match="invalid literal"):
        list(in_workers(int, [("6",), ("seven",)], n_jobs=2))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_tasks_have_the_threads_that_they_are_given(n_jobs):
    before = torch.get_num_threads()
    tasks = [()] * 2
    for threads in (2, 1):
        found = list(in_workers(torch.get_num_threads, tasks, n_jobs=n_jobs, threads=threads))
        assert found == [threads] * 2
    assert torch.get_num_threads() == before


def test_threads_are_given_back_after_an_error():
    before = torch.get_num_threads()
    with pytest.raises(ValueError, match="invalid literal"):
        list(in_workers(int, [("seven",)], n_jobs=1, threads=before + 1))
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("by", ["variable", "folder"])
def test_workers_that_are_there_already_learn_the_root(tmp_path, monkeypatch, by):
    for name in ("one", "two"):
        book = copy_book(tmp_path / name)
        if by == "variable":
            monkeypatch.setenv(paths.VARIABLE, str(book))
        else:
            monkeypatch.delenv(paths.VARIABLE, raising=False)
            monkeypatch.chdir(book / "notebooks")
        assert set(in_workers(paths.root, [()] * 4, n_jobs=2)) == {book}


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_steps_are_shown_wherever_they_are_taken(n_jobs):
    bar = Bar()
    with shown_steps(bar) as steps:
        list(in_workers(steps.add, [()] * 7, n_jobs=n_jobs))
        folder = steps.file.parent
    assert sum(bar.updates) == 7
    assert not folder.exists()


def test_steps_are_shown_before_all_are_taken():
    bar = Bar()
    with shown_steps(bar) as steps:
        steps.add()
        end = time.monotonic() + 60
        while not bar.updates and time.monotonic() < end:
            time.sleep(0.01)
        assert bar.updates == [1]
        steps.add()
    assert bar.updates == [1, 1]


def test_steps_are_shown_although_the_work_failed():
    bar = Bar()
    with pytest.raises(ZeroDivisionError), shown_steps(bar) as steps:
        list(in_workers(step_and_fail, [(steps,)], n_jobs=1))
    assert bar.updates == [1]


def step_and_fail(steps: Steps) -> float:
    steps.add()
    return 1 / 0


OWNER = """
import os, signal, sys, threading, time
from pathlib import Path
from modclust_utils.publish.workers import in_workers

folder = Path(sys.argv[1])

def work(folder):
    (folder / f"{os.getpid()}.pid").touch()
    while True:
        time.sleep(0.05)

def end():
    while len(list(folder.glob("*.pid"))) < 2:
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    threading.Thread(target=end, daemon=True).start()
    list(in_workers(work, [(folder,)] * 2, n_jobs=2))
"""


IDLE = """
import os, signal
from modclust_utils.publish.workers import in_workers

if __name__ == "__main__":
    print(*set(in_workers(os.getpid, [()] * 4, n_jobs=2)), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@POSIX_ONLY
def test_busy_processes_of_a_killed_owner_end(tmp_path):
    program = tmp_path / "owner.py"
    program.write_text(OWNER, encoding="utf-8")
    killed = subprocess.run(
        [sys.executable, str(program), str(tmp_path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=300,
    )
    assert killed.returncode == -signal.SIGKILL
    workers = {path.stem for path in tmp_path.glob("*.pid")}
    assert len(workers) == 2
    assert_end({int(worker) for worker in workers})


def assert_end(workers: set[int]) -> None:
    """Some processes end within a minute, although nobody tells them to."""
    end = time.monotonic() + 60
    while time.monotonic() < end and any(map(runs, workers)):
        time.sleep(0.1)
    left = {worker for worker in workers if runs(worker)}
    for worker in left:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
    assert left == set()


def runs(process: int) -> bool:
    """Whether a process runs: one that ended and that nobody has asked about does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return is_there(process, platform.node()) and not Path("/proc").is_dir()
    return state != "Z"


@POSIX_ONLY
def test_idle_processes_of_a_killed_owner_end(tmp_path):
    program = tmp_path / "idle.py"
    program.write_text(IDLE, encoding="utf-8")
    with open(tmp_path / "out", "w+") as out:
        killed = subprocess.run(
            [sys.executable, str(program)], stdout=out, stderr=subprocess.DEVNULL, timeout=300
        )
        out.seek(0)
        workers = {int(word) for word in out.read().split()}
    assert killed.returncode == -signal.SIGKILL
    assert workers
    assert_end(workers)


def test_processes_of_an_owner_that_is_there_stay():
    before = set(in_workers(os.getpid, [()] * 4, n_jobs=2))
    time.sleep(2 * WATCH_SECONDS)
    assert set(in_workers(os.getpid, [()] * 4, n_jobs=2)) & before
    assert is_there(os.getpid(), platform.node())


@POSIX_ONLY
def test_a_process_is_gone_only_where_that_can_be_seen():
    assert not is_there(gone(), platform.node())
    assert is_there(gone(), "elsewhere")


def gone() -> int:
    """The number of a process that is no longer there."""
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    return process.pid


@POSIX_ONLY
def test_a_step_whose_owner_is_gone_ends_the_task_and_no_process(tmp_path):
    steps = Steps(tmp_path / "steps", owner=gone())
    with pytest.raises(OwnerGoneError, match=r"process \d+, which asked for this work, is gone"):
        steps.add()
    assert not steps.file.exists()
    # on another machine nobody can tell
    replace(steps, machine="elsewhere").add()
    assert steps.file.read_bytes() == b"."


def test_a_step_in_the_owner_itself_ends_nothing(tmp_path):
    steps = Steps(tmp_path / "steps")
    steps.add()
    assert steps.file.read_bytes() == b"."


def test_a_step_that_cannot_be_written_is_not_shown_but_ends_nothing(tmp_path):
    steps = Steps(tmp_path / "gone" / "steps")
    steps.add()
    assert not steps.file.exists()
