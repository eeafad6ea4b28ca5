"""Runs side by side, each as a command of its own.

A run that finds all its records reads and draws, which keeps one core busy and leaves the others
idle; one that computes has processes for all cores and comes alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from modclust_utils.paths import VARIABLE, root
from modclust_utils.publish.errors import RunError

#: So many at once at most, however many cores there are: the largest (chapter 4) takes 0.9 GB.
MOST = 4
POLL_SECONDS = 0.1


@dataclass
class _Started:
    """A run in a process of its own, and a file with what it says on standard error."""

    name: str
    process: subprocess.Popen[bytes]
    said: IO[bytes]
    at: float = field(default_factory=time.monotonic)

    def read(self) -> str:
        """What it said."""
        self.said.seek(0)
        return self.said.read().decode("utf-8", "replace").strip()


def run_side_by_side(runs: Sequence[tuple[int, str]], at_once: int) -> None:
    """Run chapters under profiles, up to `at_once` and `MOST` at a time, and say when each begins
    and ends.

    After one that failed no other begins; those at work are waited for, and what the first one said
    is raised as RunError. Whatever else ends this ends them, too.
    """
    waiting, failed = list(runs), ""
    with _ended_with_us() as started:
        while started or (waiting and not failed):
            while waiting and not failed and len(started) < min(at_once, MOST):
                started.append(_start(*waiting.pop(0)))
            for run in [each for each in started if each.process.poll() is not None]:
                started.remove(run)
                why = _end(run)  # of every run, also after one that failed
                failed = failed or why
            time.sleep(POLL_SECONDS)
    if failed:
        raise RunError(failed)


def _start(chapter: int, profile: str) -> _Started:
    name = f"chapter {chapter}, run {profile}"
    command = [sys.executable, "-m", "modclust_utils", "run", str(chapter), "--profile", profile]
    said = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the run has ended
    print(f"==> {name}", flush=True)
    # from the root, as its kernel: no module is imported that lies where the command was typed; and
    # out of reach of Ctrl-C, which would come a second time when this process passes it on
    process = subprocess.Popen(
        command,
        cwd=root(),
        env={**os.environ, VARIABLE: str(root())},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=said,
        start_new_session=True,
    )
    return _Started(name, process, said)


def _end(run: _Started) -> str:
    """Say that a run has ended, and what it had to say; if it failed, why."""
    with run.said:
        text = run.read()
    if run.process.returncode == 0:
        if text:
            print(text, file=sys.stderr, flush=True)
        print(f"<== {run.name}: {time.monotonic() - run.at:.1f} s", flush=True)
        return ""
    # the command's own sentence stands last
    said = text.rpartition("modclust: ")[2]
    return said or f"{run.name} ended with exit code {run.process.returncode} and without a word"


@contextmanager
def _ended_with_us() -> Iterator[list[_Started]]:
    """The runs at work; those that are left when this is left are asked to stop and waited for."""
    started: list[_Started] = []
    try:
        yield started
    finally:
        for run in started:
            run.process.terminate()
        for run in started:
            run.process.wait()
            run.said.close()
